//! The permit of `thread::park`: one word a goroutine.
//!
//! *Why here.* Floor 5: parking with a permit and a timeout, used by the `thread` mirror.
//!
//! | word       | meaning                                  |
//! |------------|------------------------------------------|
//! | `EMPTY`    | no permit, nobody parked                 |
//! | `PARKED`   | the goroutine waits for a permit         |
//! | `NOTIFIED` | a permit is there                        |
//!
//! Whoever changes PARKED to something else readies the goroutine; nobody else does.
//!
//! *Invariants.* PE1. Out of PARKED the word changes by one swap or compare-exchange, whose maker readies the goroutine. A permit for a
//! goroutine that has ended may reach the next life of its G: a spurious wake-up, which `park` allows.
//!
//! *Locks.* None. *Go:* no counterpart; `std::thread::park`'s protocol.

use core::ptr::{NonNull, null_mut};
use core::sync::atomic::Ordering;

use crate::gmp::timers::Timer;
use crate::gmp::{GPtr, WaitReason};
use crate::proc::{Entered, gopark, goready, timer};

const EMPTY: u32 = 0;
const PARKED: u32 = 1;
const NOTIFIED: u32 = 2;

/// Waits for the permit and takes it; with `until`, at most until then.
pub(crate) fn park(inside: &Entered, until: Option<i64>) {
    let gp = inside.g();
    // Acquire: pairs with the Release in `unpark`.
    if gp.permit.compare_exchange(NOTIFIED, EMPTY, Ordering::Acquire, Ordering::Relaxed).is_ok() {
        return;
    }
    if let Some(when) = until {
        timer::arm(inside, &gp.timer, when, time_out);
    }
    gopark(inside, WaitReason::ThreadPark, commit, null_mut());
    if until.is_some() {
        inside.g().timer.cancel();
    }
    // Acquire: as above. A time-out leaves EMPTY.
    gp.permit.swap(EMPTY, Ordering::Acquire);
}

fn commit(gp: GPtr, _: *mut ()) -> bool {
    // A permit or a time-out that came first leaves the word not EMPTY: do not park.
    // AcqRel: pairs with the swaps in `unpark` and `time_out`: who changes PARKED sees all that was done before the park.
    gp.permit.compare_exchange(EMPTY, PARKED, Ordering::AcqRel, Ordering::Acquire).is_ok()
}

/// Makes the permit available. The caller is inside.
pub(crate) fn unpark(gp: GPtr) {
    // AcqRel: Release gives what happened before to the parked one; Acquire orders the ready after its park.
    if gp.permit.swap(NOTIFIED, Ordering::AcqRel) == PARKED {
        goready(gp);
    }
}

/// The timer of a timed park: gives a permit, which the one that timed out takes back.
fn time_out(timer: NonNull<Timer>, _now: i64) {
    let gp = timer::goroutine_of(timer);
    // AcqRel: as in `unpark`.
    let was_parked = gp.permit.swap(NOTIFIED, Ordering::AcqRel) == PARKED;
    // SAFETY: the timer is part of a G, which is never freed.
    unsafe { timer.as_ref() }.fired();
    if was_parked {
        goready(gp);
    }
}
