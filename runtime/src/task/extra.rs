//! What few goroutines have: a name, locals, a `Thread` handle, the record of a panic.
//!
//! *Why here.* Floor 8: behind one pointer of the G, allocated when first needed, outside of the runtime.
//!
//! *Invariants.* XT1. Only the goroutine itself (or its spawner before it is queued) touches its extra: not even dumps look at it. XT2. It is dropped by the
//! goroutine at its end, in user mode, all of it, so that the G's next life does not find it.
//!
//! *Locks.* None.
//!
//! *Go:* fields of `g`: `_panic`, `labels`.

use core::any::Any;
use core::cell::RefCell;
use core::ptr::null_mut;
use core::sync::atomic::Ordering;
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
    /// The extra of a foreign thread, which dies with it.
    static OF_THREAD: Extra = Extra::default();
}

/// The running goroutine, or what stands for the foreign thread.
#[inline]
pub(crate) fn current_g() -> GPtr {
    enter().g()
}

/// The extra of the calling goroutine, made if there is none.
pub(crate) fn with<R>(use_it: impl FnOnce(&Extra) -> R) -> R {
    let gp = current_g();
    if gp.has(flag::THREAD) {
        return OF_THREAD.with(use_it);
    }
    let mut raw = gp.extra.load(Ordering::Relaxed);
    if raw.is_null() {
        raw = Extra::default().into_raw();
        gp.extra.store(raw, Ordering::Relaxed);
    }
    // SAFETY: the pointer is from `into_raw`, and only this goroutine drops it, at its end (XT1, XT2).
    use_it(unsafe { &*raw.cast::<Extra>() })
}

/// The extra of the calling goroutine, if there is one.
pub(crate) fn with_existing<R>(use_it: impl FnOnce(&Extra) -> R) -> Option<R> {
    let gp = current_g();
    if gp.has(flag::THREAD) {
        return OF_THREAD.try_with(use_it).ok();
    }
    let raw = gp.extra.load(Ordering::Relaxed);
    // SAFETY: as in `with`.
    unsafe { raw.cast::<Extra>().as_ref() }.map(use_it)
}

/// The name of the calling goroutine.
pub(crate) fn name() -> Option<Arc<str>> {
    with_existing(|extra| extra.name.clone()).flatten()
}

/// Drops the extra of the goroutine that ends, in user mode: locals may run anything.
pub(crate) fn drop_extra(gp: GPtr) {
    loop {
        let raw = gp.extra.load(Ordering::Relaxed);
        if raw.is_null() {
            return;
        }
        // SAFETY: as in `with`.
        let last = unsafe { &*raw.cast::<Extra>() }.locals.borrow_mut().pop();
        match last {
            // A local's destructor may make new locals: they are found in the next round.
            Some(local) => drop(local),
            None => {
                panics::over(gp);
                gp.extra.store(null_mut(), Ordering::Relaxed);
                // SAFETY: the pointer is from `into_raw`, and nobody can get it any more.
                drop(unsafe { Box::from_raw(raw.cast::<Extra>()) });
            }
        }
    }
}
