//! Time: sleeping without a thread, timers, tickers, and functions that are called later.
//!
//! `use goruntime::time` replaces `use std::time`. What else waits for at most some time: `recv_timeout` and `send_timeout` of channels,
//! [`thread::park_timeout`](crate::thread::park_timeout), [`JoinHandle::join_timeout`](crate::JoinHandle::join_timeout),
//! [`WaitGroup::wait_timeout`](crate::sync::WaitGroup::wait_timeout), and whatever takes a [`Context`].
//!
//! # Examples
//!
//! ```
//! use goruntime::time::{Duration, Instant, Ticker, sleep};
//!
//! goruntime::run(|| {
//!     let begun = Instant::now();
//!     let ticker = Ticker::new(Duration::from_millis(2));
//!     for _ in 0..3 {
//!         ticker.receiver().recv().unwrap();
//!     }
//!     sleep(Duration::from_millis(1));
//!     assert!(begun.elapsed() >= Duration::from_millis(7));
//! });
//! ```

// *Why here.* Floor 8: sleeping parks with the timer that every goroutine carries; `after_func` and `timeout` start goroutines.
//
// *Invariants.* T1-T3 of `gmp::timers`, CK1 and CK2 of `channel::clock`, AF1 and AF2 of `after_func`. *Locks.* See each file.
//
// *Go:* package time.

mod after_func;
mod ticker;
mod timeout;
mod timer;

use core::panic::Location;

use crate::context::{self, Cause, Context};
use crate::gmp::WaitReason;
use crate::gmp::g::flag;
use crate::os;
use crate::proc::park::{check_goexit, note_place};
use crate::proc::{enter_preemptible, gopark, timer as timers};

pub use std::time::{Duration, Instant, SystemTime, SystemTimeError, TryFromFloatSecsError, UNIX_EPOCH};

pub use self::after_func::{AfterFunc, after_func};
pub use self::ticker::Ticker;
pub use self::timeout::{Elapsed, timeout};
pub use self::timer::Timer;

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

/// As [`sleep`], until the context ends.
///
/// # Blocking
///
/// As [`sleep`], and until the context ends. On a context that has ended it returns at once.
///
/// # Errors
///
/// The cause, if the context ends first.
///
/// # Examples
///
/// ```
/// use goruntime::context;
/// use goruntime::time::{Duration, sleep_ctx};
///
/// let (ctx, _cancel) = context::with_timeout(&context::background(), Duration::from_millis(1));
/// assert!(sleep_ctx(Duration::ZERO, &ctx).is_ok());
/// assert_eq!(sleep_ctx(Duration::from_secs(3600), &ctx).unwrap_err().to_string(), "context deadline exceeded");
/// ```
#[track_caller]
pub fn sleep_ctx(duration: Duration, ctx: &Context) -> Result<(), Cause> {
    context::sleep_ctx(duration, ctx, Location::caller())
}

/// The time `duration` from now on the monotonic clock, ns; saturates as in Go.
pub(crate) fn deadline_after(duration: Duration) -> i64 {
    let ns = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    os::nanotime().saturating_add(ns)
}

pub(crate) fn sleep_from(duration: Duration, at: &'static Location<'static>) {
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
            timers::arm_on_g0(gp, when.addr() as i64, timers::ready_sleeper);
            true
        },
        core::ptr::without_provenance_mut(when as usize),
    );
}
