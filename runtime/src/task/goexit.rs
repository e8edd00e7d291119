//! `goexit`: ends the calling goroutine, running its destructors.
//!
//! *Why here.* Floor 8: an unwind with a private payload.
//!
//! If user code catches the payload, the goroutine is still to end: the flag stays, and the next public operation that may park raises it
//! again. It is not raised while another panic unwinds, nor inside a wait that others borrow through (a scope's).
//!
//! *Invariants.* GE1. The payload type is private, so no user code can make or keep one on purpose.
//!
//! *Locks.* None.
//!
//! *Go:* `runtime.Goexit`.

use core::any::Any;
use core::fmt;
use std::error::Error;
use std::panic::resume_unwind;

use crate::base::throw::throw;
use crate::gmp::g::flag;
use crate::gmp::{GPtr, P, WaitReason};
use crate::proc::park::GoexitPayload;
use crate::proc::{enter, gopark};

/// What a joiner gets in `Err` when the goroutine ended by `goexit`.
///
/// # Examples
///
/// ```
/// let outcome = goruntime::run(|| goruntime::spawn(|| goruntime::runtime::goexit()).join());
/// assert!(outcome.unwrap_err().is::<goruntime::Goexit>());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Goexit {}

impl Goexit {
    pub(crate) fn new() -> Goexit {
        Goexit {}
    }
}

impl fmt::Display for Goexit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the goroutine ended by goexit")
    }
}

impl Error for Goexit {}

/// Whether a caught payload is goexit's.
pub(crate) fn is_goexit(payload: &(dyn Any + Send)) -> bool {
    payload.is::<GoexitPayload>()
}

/// Ends the calling goroutine; see `runtime::goexit`.
pub(crate) fn goexit() -> ! {
    let gp = enter().g();
    assert!(!gp.has(flag::THREAD), "goexit called on a thread that is not a goroutine");
    gp.set(flag::GOEXIT | flag::GOEXIT_UNWINDS);
    if cfg!(panic = "abort") {
        park_for_good(gp);
    }
    resume_unwind(Box::new(GoexitPayload))
}

/// Without unwinding the goroutine can only stop: it counts as ended, and its stack is never used again (G5). If somebody waits for it in a scope
/// or in `run`, what it has started may still use what they lend, so for them it does not end.
fn park_for_good(gp: GPtr) -> ! {
    if !gp.has(flag::BORROWS) {
        let inside = enter();
        match inside.p() {
            Some(pp) => P::count(&pp.ended),
            None => throw("a goroutine ended without a P"),
        }
        drop(inside);
        // After the count: whoever joined sees one goroutine less.
        if let Some(leave) = gp.entry.take() {
            // SAFETY: `entry_spawn` has put it there for this goroutine, which goes nowhere from here.
            unsafe { leave(gp) };
        }
        // Neither counted nor shown from here on.
        gp.set(flag::SYSTEM);
    }
    loop {
        let inside = enter();
        gopark(&inside, WaitReason::Goexited, |_, _| true, core::ptr::null_mut());
    }
}
