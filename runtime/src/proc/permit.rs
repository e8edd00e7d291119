//! `thread::park`: every goroutine has a permit.
//!
//! *Why here.* Floor 5: parking with a permit and a timeout, used by the `thread` mirror.
//!
//! *Invariants.* PE1, PE2 of `gmp::permit`. A permit for a goroutine that has ended may reach the next life of its G: a spurious wake-up, which
//! `park` allows.
//!
//! *Locks.* None. *Go:* no counterpart; `std::thread::park`'s protocol.

use core::ptr::{NonNull, null_mut};

use crate::gmp::timers::Timer;
use crate::gmp::{GPtr, WaitReason};
use crate::proc::{Entered, gopark, goready, timer};

/// Waits for the permit and takes it; with `until`, at most until then.
pub(crate) fn park(inside: &Entered, until: Option<i64>) {
    let gp = inside.g();
    if gp.permit.take() {
        return;
    }
    if let Some(when) = until {
        debug_assert!(!gp.timer.is_firing(), "the timer of a goroutine is armed while it fires (T4)");
        timer::arm(inside, &gp.timer, when, time_out);
    }
    // A permit or a time-out that came first keeps it from parking.
    gopark(inside, WaitReason::ThreadPark, |gp, _| gp.permit.commit(), null_mut());
    if until.is_some() {
        inside.g().timer.cancel();
    }
    gp.permit.finish();
}

/// Makes the permit available. The caller is inside.
pub(crate) fn unpark(gp: GPtr) {
    if gp.permit.give() {
        goready(gp);
    }
}

/// The timer of a timed park: gives a permit, which the one that timed out takes back.
fn time_out(timer: NonNull<Timer>, _now: i64) {
    let gp = timer::goroutine_of(timer);
    let was_parked = gp.permit.give();
    // SAFETY: the timer is part of a G, which is never freed.
    unsafe { timer.as_ref() }.fired();
    if was_parked {
        goready(gp);
    }
}
