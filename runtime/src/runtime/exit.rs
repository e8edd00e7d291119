//! Leaving: exit hooks, the freeze, the status.

// *Why here.* Floor 8.
//
// *Invariants.* EX1. Hooks run once, last registered first. EX2. After the freeze no goroutine is started or resumed.
//
// *Locks.* The list of hooks.
//
// *Go:* `runOnExitHooks`, `exit`.

use core::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use crate::gmp::SCHED;
use crate::os::{self, race};
use crate::proc::{enter, mstart};

type Hook = Box<dyn FnOnce() + Send>;

static HOOKS: Mutex<Vec<Hook>> = Mutex::new(Vec::new());

/// Registers `f` to run when the process ends by [`exit`] or by `main`'s return; the last registered runs first.
///
/// Hooks do not run when a panic or a fatal error ends the process.
///
/// # Examples
///
/// ```
/// goruntime::runtime::at_exit(|| println!("bye"));
/// ```
pub fn at_exit(f: impl FnOnce() + Send + 'static) {
    HOOKS.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(f));
}

/// Ends the process at once with the given status, after the exit hooks. Other goroutines are not waited for, and no destructors run.
pub fn exit(code: i32) -> ! {
    while let Some(hook) = next_hook() {
        hook();
    }
    let inside = enter();
    freeze();
    core::mem::forget(inside);
    // TLS destructors and atexit functions of the user see a plain thread.
    mstart::forget_current();
    race::before_exit();
    std::process::exit(code)
}

fn next_hook() -> Option<Hook> {
    HOOKS.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

/// Keeps the scheduler from starting anything further; waits a little for goroutines that are in the middle of something (EX2).
fn freeze() {
    // SeqCst: this store, then the looks at the Ps; the scheduler's look is before each goroutine.
    SCHED.exiting.store(true, Ordering::SeqCst);
    for pp in SCHED.ps() {
        if let Some(mp) = pp.m() {
            mp.claim.request_preempt();
        }
    }
    let until = os::nanotime() + 1_000_000;
    let me = crate::gmp::m::current();
    let busy = || {
        SCHED.ps().any(|pp| pp.m().is_some_and(|mp| Some(mp) != me && mp.curg().is_some() && !mp.claim.is_outside()))
    };
    while busy() && os::nanotime() < until {
        os::yield_cpu();
    }
}
