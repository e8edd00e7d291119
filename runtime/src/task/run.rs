//! `run`: a goroutine's result for a plain thread, and the body of `#[goruntime::test]`.
//!
//! *Why here.* Floor 8.
//!
//! *Invariants.* RU1. What the goroutine borrows outlives it: `run` returns only after its end.
//!
//! *Locks.* None.
//!
//! *Go:* the c-archive case.

use core::any::type_name;
use core::panic::Location;
use core::ptr::null_mut;
use core::sync::atomic::Ordering;
use std::panic::resume_unwind;

use crate::base::env::DEBUG;
use crate::gmp::g::flag;
use crate::gmp::status::State;
use crate::gmp::{SCHED, gslab};
use crate::proc::boot;
use crate::proc::deadlock::{self, Policy};
use crate::task::JoinHandle;
use crate::task::spawn::start_joined;

/// Runs `f` as a goroutine and returns its value.
///
/// From a plain thread this is the way in: a program without `#[goruntime::main]` starts the runtime with it. On a goroutine it is the same as
/// spawning and joining. Nested uses are fine.
///
/// # Blocking
///
/// Parks the caller until `f` has returned.
///
/// # Panics
///
/// With the payload of `f`, if that panics.
///
/// # Examples
///
/// ```
/// assert_eq!(goruntime::run(|| 6 * 7), 42);
/// ```
#[track_caller]
pub fn run<F, T>(f: F) -> T
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    let at = Location::caller();
    // SAFETY: `join` below returns only when the result is there, after all that the goroutine borrows was used and dropped (RU1); it cannot be left by
    // a goexit, which would have been raised by `start_joined`, before anything was started.
    let gp = unsafe {
        start_joined(f, boot::default_stack_class(), null_mut(), flag::RUN | flag::BORROWS, type_name::<F>, at)
    };
    let handle: JoinHandle<T> = JoinHandle::new(gp);
    match handle.join() {
        Ok(value) => value,
        Err(payload) => resume_unwind(payload),
    }
}

/// The body of `#[goruntime::test]`: runs `f` as a goroutine; a deadlock of the whole process fails the tests that wait.
#[doc(hidden)]
#[track_caller]
pub fn test<R: Send + 'static>(f: fn() -> R) -> R {
    let at = Location::caller();
    // Before the start: an M that goes to sleep under another policy suspects nothing.
    deadlock::set_policy(Policy::FailTests);
    // SAFETY: a plain function borrows nothing.
    let gp = unsafe { start_joined(f, boot::default_stack_class(), null_mut(), flag::RUN, type_name::<fn() -> R>, at) };
    let mut handle: JoinHandle<R> = JoinHandle::new(gp);
    let waiter = crate::task::extra::current_g();
    deadlock::watch_test(gp, waiter);
    let ended = handle.wait_or_deadlock(at);
    deadlock::unwatch_test(gp);
    if !ended {
        core::mem::forget(handle);
        panic!("all goroutines are asleep - deadlock!");
    }
    match handle.join() {
        Ok(value) => value,
        Err(payload) => resume_unwind(payload),
    }
}

/// Whether every goroutine but the caller waits: what a test of an order yields for. Those of the runtime do not count. On one processor
/// the answer holds until the caller lets others run.
#[doc(hidden)]
pub fn others_wait() -> bool {
    let me = crate::task::extra::current_g();
    let mut quiet = true;
    gslab::for_each(|gp| {
        let counts = gp != me && gp.goid() != 0 && !gp.has(flag::SYSTEM | flag::THREAD);
        quiet &= !(counts && matches!(gp.status.load(), State::Runnable | State::Running));
    });
    quiet
}

/// Turns time slices off or on again, as `GODEBUG=asyncpreemptoff=1` does from the start: a test of an order must not depend on how long the
/// machine keeps it waiting.
#[doc(hidden)]
pub fn set_time_slices(on: bool) {
    DEBUG.asyncpreemptoff.set(i64::from(!on));
}

/// Threads whose goroutine computes without a processor, which lengthens the slices of the others.
#[doc(hidden)]
pub fn computing_threads() -> u32 {
    SCHED.computing.load(Ordering::Relaxed)
}
