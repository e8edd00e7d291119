//! Calling a waker that is user code: a goroutine of its own does.
//!
//! *Why here.* Floor 8: makes closures into goroutines, which is what `proc::proxy` below cannot.
//!
//! *Invariants.* J2: wakers of others run only outside of the runtime. SO1 of `slot`: a closure that has a waker in it fits, so nothing is allocated.
//!
//! *Locks.* None. *Go:* `goFunc` of time.go, in spirit.

use core::mem::MaybeUninit;
use core::panic::Location;
use core::ptr::null_mut;
use core::task::Waker;

use crate::gmp::g::{SLOT_WORDS, flag};
use crate::gmp::join_word::NO_HANDLE;
use crate::gmp::{GPtr, m};
use crate::os::race;
use crate::proc::boot;
use crate::proc::newproc::{self, Spec};
use crate::task::finish::entry_go;
use crate::task::slot;

const _: () = assert!(size_of::<Waker>() <= SLOT_WORDS * size_of::<MaybeUninit<usize>>());

/// The closure of such a goroutine. What its task has done before it left the waker comes before the wake, whoever has started the goroutine.
fn call(waker: Waker) -> impl FnOnce() + Send {
    move || {
        race::take_over(waker.data());
        waker.wake();
    }
}

/// The entry of a goroutine with such a closure.
fn entry_of<F: FnOnce()>(_: fn(Waker) -> F) -> unsafe fn(GPtr) {
    entry_go::<F>
}

/// Has a waker called by a goroutine of the runtime's own. The caller is inside, or on g0. A waker that panics ends the program, as a `go` that does.
#[cold]
pub(crate) fn call_elsewhere(waker: Waker) {
    let words = slot::pack(call(waker));
    let spec = Spec {
        entry: entry_of(call),
        flags: flag::SYSTEM,
        join: NO_HANDLE,
        stack_class: boot::default_stack_class(),
        extra: null_mut(),
        creator: || "goruntime::task::wake",
        created_at: Location::caller(),
    };
    let pp = m::current().and_then(|mp| mp.p());
    // SAFETY: the words are a closure of `call`'s type, which the entry takes; it is a `Waker`, so any thread may call it.
    let gp = unsafe { newproc::make(pp, 0, &spec, &words) };
    newproc::launch(pp, gp);
}
