//! What few goroutines have: a name, locals, a `Thread` handle, the record of a panic.
//!
//! *Why here.* Floor 8: behind one pointer of the G, allocated when first needed, outside of the runtime.
//!
//! *Invariants.* XT1. Only the goroutine itself (or its spawner before it is queued) touches its extra: not even dumps look at it. XT2. It is dropped by the
//! goroutine at its end, in user mode, all of it, so that the G's next life does not find it. Of a foreign thread both hold in the same way, with its
//! thread-local destructors for the end.
//!
//! *Locks.* None.
//!
//! *Go:* fields of `g`: `_panic`, `labels`.

use core::any::Any;
use core::cell::RefCell;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};
use std::sync::Arc;

use crate::gmp::GPtr;
use crate::gmp::g::flag;
use crate::proc::enter;
use crate::task::panics::{self, Record};

/// A goroutine-local value, by the address of its key.
pub(crate) type Local = (usize, Box<dyn Any>);

/// The rarely needed part of a goroutine.
#[derive(Default)]
pub(crate) struct Extra {
    /// Name given by a builder.
    pub(crate) name: Option<Arc<str>>,
    /// Handle given out by `thread::current`; owned by the `thread` module.
    pub(crate) thread: RefCell<Option<Box<dyn Any>>>,
    /// Values of `goroutine_local!`, in order of creation.
    pub(crate) locals: RefCell<Vec<Local>>,
    /// Panics that are unwinding, oldest first.
    pub(crate) panics: RefCell<Vec<Record>>,
}

impl Extra {
    /// Makes the pointer that goes into the G.
    pub(crate) fn into_raw(self) -> *mut () {
        Box::into_raw(Box::new(self)).cast()
    }
}

std::thread_local! {
    /// The extra of a foreign thread. Without a destructor of its own, so that those of locals find the others.
    static OF_THREAD: AtomicPtr<()> = const { AtomicPtr::new(null_mut()) };
    static END_OF_THREAD: EndOfThread = const { EndOfThread };
}

/// Drops the extra of a foreign thread with its thread-local values.
struct EndOfThread;

impl Drop for EndOfThread {
    fn drop(&mut self) {
        OF_THREAD.with(drop_all);
    }
}

/// The running goroutine, or what stands for the foreign thread.
#[inline]
pub(crate) fn current_g() -> GPtr {
    enter().g()
}

/// The extra of the caller, made if there is none.
pub(crate) fn with<R>(use_it: impl FnOnce(&Extra) -> R) -> R {
    let gp = current_g();
    let raw = if gp.has(flag::THREAD) { OF_THREAD.with(of_thread) } else { made(&gp.extra) };
    // SAFETY: the pointer is from `into_raw`, and only this goroutine or thread drops it, at its end (XT1, XT2).
    use_it(unsafe { &*raw.cast::<Extra>() })
}

fn made(slot: &AtomicPtr<()>) -> *mut () {
    let mut raw = slot.load(Ordering::Relaxed);
    if raw.is_null() {
        raw = Extra::default().into_raw();
        slot.store(raw, Ordering::Relaxed);
    }
    raw
}

#[cold]
fn of_thread(slot: &AtomicPtr<()>) -> *mut () {
    // What comes after the end, from a thread-local destructor that runs later, stays for good.
    _ = END_OF_THREAD.try_with(|_| ());
    made(slot)
}

/// The extra of the caller, if there is one.
pub(crate) fn with_existing<R>(use_it: impl FnOnce(&Extra) -> R) -> Option<R> {
    let gp = current_g();
    let load = |slot: &AtomicPtr<()>| slot.load(Ordering::Relaxed);
    let raw = if gp.has(flag::THREAD) { OF_THREAD.with(load) } else { load(&gp.extra) };
    // SAFETY: as in `with`.
    unsafe { raw.cast::<Extra>().as_ref() }.map(use_it)
}

/// The name of the calling goroutine.
pub(crate) fn name() -> Option<Arc<str>> {
    with_existing(|extra| extra.name.clone()).flatten()
}

/// Drops the extra of the goroutine that ends, in user mode: locals may run anything.
pub(crate) fn drop_extra(gp: GPtr) {
    drop_all(&gp.extra);
    panics::over(gp);
}

fn drop_all(slot: &AtomicPtr<()>) {
    loop {
        let raw = slot.load(Ordering::Relaxed);
        if raw.is_null() {
            return;
        }
        // SAFETY: as in `with`.
        let last = unsafe { &*raw.cast::<Extra>() }.locals.borrow_mut().pop();
        match last {
            // A local's destructor may make new locals: they are found in the next round.
            Some(local) => drop(local),
            None => {
                slot.store(null_mut(), Ordering::Relaxed);
                // SAFETY: the pointer is from `into_raw`, and nobody can get it any more.
                drop(unsafe { Box::from_raw(raw.cast::<Extra>()) });
            }
        }
    }
}
