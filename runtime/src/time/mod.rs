//! Time: sleeping without a thread.
//!
//! *Why here.* Floor 7: parks with the timer that every goroutine carries.
//!
//! *Invariants.* T1-T3 of `gmp::timers`.
//!
//! *Locks.* None.
//!
//! *Go:* package time.

use core::panic::Location;

use crate::gmp::WaitReason;
use crate::gmp::g::flag;
use crate::os;
use crate::proc::park::{check_goexit, note_place};
use crate::proc::{enter_preemptible, gopark, timer};

pub use std::time::{Duration, Instant};

/// Puts the goroutine to sleep for at least `duration`.
///
/// # Blocking
///
/// Parks the goroutine; its thread runs others. Allocates nothing. Zero returns at once. On a plain thread it is `std::thread::sleep`.
///
/// # Examples
///
/// ```
/// use goruntime::time::{Duration, Instant, sleep};
///
/// let slept = goruntime::run(|| {
///     let before = Instant::now();
///     sleep(Duration::from_millis(2));
///     before.elapsed()
/// });
/// assert!(slept >= Duration::from_millis(2));
/// ```
#[track_caller]
pub fn sleep(duration: Duration) {
    sleep_from(duration, Location::caller());
}

/// Puts the goroutine to sleep until `deadline`; returns at once if that has passed.
///
/// # Blocking
///
/// As [`sleep`].
///
/// # Examples
///
/// ```
/// use goruntime::time::{Duration, Instant, sleep_until};
///
/// let deadline = Instant::now() + Duration::from_millis(2);
/// goruntime::run(move || sleep_until(deadline));
/// assert!(Instant::now() >= deadline);
/// ```
#[track_caller]
pub fn sleep_until(deadline: Instant) {
    sleep_from(deadline.saturating_duration_since(Instant::now()), Location::caller());
}

/// The time `duration` from now on the monotonic clock, ns; saturates as in Go.
pub(crate) fn deadline_after(duration: Duration) -> i64 {
    let ns = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    os::nanotime().saturating_add(ns)
}

fn sleep_from(duration: Duration, at: &'static Location<'static>) {
    if duration.is_zero() {
        return;
    }
    check_goexit();
    let when = deadline_after(duration);
    let inside = enter_preemptible();
    if inside.g().has(flag::THREAD) {
        drop(inside);
        return std::thread::sleep(duration);
    }
    note_place(&inside, at);
    gopark(
        &inside,
        WaitReason::Sleep,
        |gp, when| {
            timer::arm_on_g0(gp, when.addr() as i64, timer::ready_sleeper);
            true
        },
        core::ptr::without_provenance_mut(when as usize),
    );
}
