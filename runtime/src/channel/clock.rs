//! Channels that time fills: `after`, `at` and `tick`.
//!
//! *Why here.* Floor 7: the source of values of a channel without senders.
//!
//! There is no timer. Whether a value is there is seen when somebody looks, from the clock; whoever has to wait for one waits with a time limit of
//! its own, the timer embedded in its goroutine. So a receiver that nobody waits on costs nothing, dropping it leaves nothing behind, and a
//! deadlock is seen although such channels exist.
//!
//! *Invariants.* CK1. `due` is when the next value comes, and changes only under the channel's lock: whoever moves it on has taken the value.
//!
//! *Locks.* The channel's; `due` may be read without it as a hint.
//!
//! *Go:* the timer channels of Go 1.23, whose timers are in a heap only while somebody is blocked on them.

use core::sync::atomic::{AtomicI64, Ordering};
use core::time::Duration;
use std::time::Instant;

use crate::os;

/// No value will come any more.
const NEVER_DUE: i64 = i64::MAX;

/// A source of points in time.
pub(crate) struct Clock<T> {
    /// When the next value is there, ns of the monotonic clock (CK1).
    due: AtomicI64,
    /// From one value to the next; None if there is only one.
    period: Option<i64>,
    /// The same moment on the monotonic clock and for users.
    origin: (i64, Instant),
    /// What makes a value of a point in time.
    value: fn(Instant) -> T,
}

impl Clock<Instant> {
    /// Yields `when` as soon as it has passed; None if that is too far away for the clock.
    pub(super) fn once(when: Instant) -> Option<Clock<Instant>> {
        let wait = when.saturating_duration_since(Instant::now());
        // The second clock is read after the first: what is due by it has passed by the other one, too.
        let due = os::nanotime().checked_add(nanos(wait)?)?;
        Some(Clock { due: AtomicI64::new(due), period: None, origin: (due, when), value: |when| when })
    }

    /// Yields the time at intervals, the first one from now; None if that is too far away for the clock.
    pub(super) fn periodic(period: Duration) -> Option<Clock<Instant>> {
        let now = Instant::now();
        let origin = (os::nanotime(), now);
        let period = nanos(period)?;
        let due = origin.0.checked_add(period)?;
        Some(Clock { due: AtomicI64::new(due), period: Some(period), origin, value: |when| when })
    }
}

impl<T> Clock<T> {
    /// When the next value is there; None if there will be none.
    pub(super) fn due(&self) -> Option<i64> {
        Some(self.due.load(Ordering::Relaxed)).filter(|&due| due != NEVER_DUE)
    }

    /// Whether a value is there, as of some moment.
    pub(super) fn is_due(&self, now: i64) -> bool {
        self.due.load(Ordering::Relaxed) <= now
    }

    /// Takes the value, if one is there. The caller holds the channel's lock (CK1) and has been looking since `since`: a receiver that was there
    /// in time gets the next value one period after this one, a late one a period after it came. What it has missed is left out.
    pub(super) fn take(&self, now: i64, since: i64) -> Option<T> {
        let due = self.due.load(Ordering::Relaxed);
        if due > now || due == NEVER_DUE {
            return None;
        }
        let next = self.period.map_or(NEVER_DUE, |period| due.max(since).saturating_add(period));
        self.due.store(next, Ordering::Relaxed);
        let (origin, instant) = self.origin;
        Some((self.value)(instant + Duration::from_nanos(due.abs_diff(origin))))
    }
}

fn nanos(duration: Duration) -> Option<i64> {
    i64::try_from(duration.as_nanos()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn a_point_in_time_is_yielded_once_and_as_it_was_given() {
        let when = Instant::now() + Duration::from_secs(1);
        let clock = Clock::once(when).unwrap();
        let due = clock.due().unwrap();
        assert_eq!(clock.take(due - 1, due - 1), None);
        assert_eq!(clock.take(due, due), Some(when));
        assert_eq!((clock.take(i64::MAX, due), clock.due()), (None, None));
    }

    #[test]
    fn a_past_point_in_time_is_due_at_once() {
        let Some(when) = Instant::now().checked_sub(Duration::from_millis(1)) else { return };
        let clock = Clock::once(when).unwrap();
        let now = os::nanotime();
        assert!(clock.is_due(now));
        assert_eq!(clock.take(now, now), Some(when));
    }

    #[test]
    fn a_receiver_in_time_gets_the_next_tick_a_period_later_without_drift() {
        let clock = Clock::periodic(Duration::from_secs(1)).unwrap();
        let first = clock.due().unwrap();
        // It looked half a second before the tick, and was woken a little late.
        let tick = clock.take(first + 1000, first - SECOND / 2).unwrap();
        assert_eq!(clock.due(), Some(first + SECOND));
        assert_eq!(clock.take(first + SECOND, first + 1000), Some(tick + Duration::from_secs(1)));
    }

    #[test]
    fn a_late_receiver_gets_one_tick_and_the_next_one_a_period_after_it_came() {
        let clock = Clock::periodic(Duration::from_secs(1)).unwrap();
        let first = clock.due().unwrap();
        let late = first + 5 * SECOND / 2;
        assert!(clock.take(late, late).is_some());
        assert_eq!(clock.take(late, late), None);
        assert_eq!(clock.due(), Some(late + SECOND));
    }

    #[test]
    fn what_is_beyond_the_clock_is_refused() {
        assert!(Clock::periodic(Duration::MAX).is_none());
        assert!(Clock::periodic(Duration::from_nanos(i64::MAX as u64)).is_none());
    }
}
