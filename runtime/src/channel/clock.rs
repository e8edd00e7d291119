//! Channels that time fills: those of `after`, `at` and `tick`, and of `Timer` and `Ticker`, whose clocks can be set.
//!
//! *Why here.* Floor 7: the source of values of a channel without senders.
//!
//! There is no timer. Whether a value is there is seen when somebody looks, from the clock; whoever has to wait for one waits with a time limit of
//! its own, the timer embedded in its goroutine. So a receiver that nobody waits on costs nothing, dropping it leaves nothing behind, and a
//! deadlock is seen although such channels exist. And a value that was made for an earlier setting of a clock cannot exist.
//!
//! *Invariants.* CK1. The fields change only under the channel's lock, `due` also when a value is taken. CK2. Who waits has as limit the `due` that it has
//! seen under the lock, or an earlier one; whoever sets the clock takes all waiters off the queue, to look again.
//!
//! *Locks.* The channel's; `due` may be read without it as a hint.
//!
//! *Go:* the timer channels of Go 1.23, whose timers are in a heap only while somebody is blocked on them.

use core::cell::Cell;
use core::sync::atomic::{AtomicI64, Ordering};
use core::time::Duration;
use std::time::Instant;

use crate::channel::Receiver;
use crate::channel::half::lone_receiver;
use crate::channel::hchan::Hchan;
use crate::os;
use crate::proc::enter;
use crate::sync::sudog::Claims;

/// No value will come any more.
const NEVER_DUE: i64 = i64::MAX;
/// A value is to come, at a time that the clock will not reach.
const FAR: i64 = i64::MAX - 1;

/// A source of points in time.
pub(crate) struct Clock<T> {
    /// When the next value is there, ns of the monotonic clock (CK1).
    due: AtomicI64,
    /// From one value to the next; None if there is only one (CK1).
    period: Cell<Option<i64>>,
    /// The same moment on the monotonic clock and for users (CK1).
    origin: Cell<(i64, Instant)>,
    kind: Kind,
    /// What makes a value of a point in time.
    value: fn(Instant) -> T,
}

/// Whose rules a clock follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// crossbeam's: its value counts as one in the channel, and its ticks follow the receiver.
    Fixed,
    /// Go's: the channel always looks empty, and ticks that were missed do not change the rhythm.
    Settable,
}

impl Clock<Instant> {
    /// Yields the time in `wait`, and then every `period` unless that is zero; can be set.
    fn settable(wait: Duration, period: Duration) -> Clock<Instant> {
        let (due, period, origin) = setting(Some(wait), period);
        let (period, origin) = (Cell::new(period), Cell::new(origin));
        Clock { due: AtomicI64::new(due), period, origin, kind: Kind::Settable, value: |when| when }
    }

    /// Yields `when` as soon as it has passed; None if that is too far away for the clock.
    pub(super) fn once(when: Instant) -> Option<Clock<Instant>> {
        let wait = when.saturating_duration_since(Instant::now());
        // The second clock is read after the first: what is due by it has passed by the other one, too.
        let due = os::nanotime().checked_add(nanos(wait)?)?;
        let (period, origin) = (Cell::new(None), Cell::new((due, when)));
        Some(Clock { due: AtomicI64::new(due), period, origin, kind: Kind::Fixed, value: |when| when })
    }

    /// Yields the time at intervals, the first one from now; None if that is too far away for the clock.
    pub(super) fn periodic(period: Duration) -> Option<Clock<Instant>> {
        let now = Instant::now();
        let origin = (os::nanotime(), now);
        let period = nanos(period)?;
        let due = origin.0.checked_add(period)?;
        let (period, origin) = (Cell::new(Some(period)), Cell::new(origin));
        Some(Clock { due: AtomicI64::new(due), period, origin, kind: Kind::Fixed, value: |when| when })
    }
}

impl<T> Clock<T> {
    /// When the next value is there; None if there will be none.
    pub(super) fn due(&self) -> Option<i64> {
        Some(self.due.load(Ordering::Relaxed)).filter(|&due| due < FAR)
    }

    /// Whether a value that is there counts as one in the channel.
    pub(super) fn shows(&self) -> bool {
        self.kind == Kind::Fixed
    }

    /// Whether a value is there, as of some moment.
    pub(super) fn is_due(&self, now: i64) -> bool {
        self.due.load(Ordering::Relaxed) <= now
    }

    /// Takes the value, if one is there. The caller holds the channel's lock (CK1) and has been looking since `since`: a receiver that was there
    /// in time gets the next value one period after this one; a late one a period after it came, or in the rhythm of a clock that can be set. What
    /// it has missed is left out.
    pub(super) fn take(&self, now: i64, since: i64) -> Option<T> {
        let due = self.due.load(Ordering::Relaxed);
        if due > now || due >= FAR {
            return None;
        }
        let last = |period| match self.kind {
            Kind::Fixed => due.max(since),
            Kind::Settable => now - (now - due) % period,
        };
        let next = self.period.get().map_or(NEVER_DUE, |period| last(period).saturating_add(period).min(FAR));
        self.due.store(next, Ordering::Relaxed);
        let (origin, instant) = self.origin.get();
        Some((self.value)(instant + Duration::from_nanos(due.abs_diff(origin))))
    }
}

fn nanos(duration: Duration) -> Option<i64> {
    i64::try_from(duration.as_nanos()).ok()
}

/// Time of the next value, period and origin of a clock that is set now. No `wait`: it is stopped.
fn setting(wait: Option<Duration>, period: Duration) -> (i64, Option<i64>, (i64, Instant)) {
    let instant = Instant::now();
    let now = os::nanotime();
    let due = wait.map_or(NEVER_DUE, |wait| nanos(wait).and_then(|wait| now.checked_add(wait)).unwrap_or(FAR).min(FAR));
    (due, (!period.is_zero()).then(|| nanos(period).unwrap_or(FAR)), (now, instant))
}

impl<T> Hchan<T> {
    /// Changes when values come; true if one was still to come, or was there and nobody had received it.
    fn set_clock(&self, wait: Option<Duration>, period: Duration) -> bool {
        let clock = self.clock().expect("only timers are set");
        let (due, period, origin) = setting(wait, period);
        let _inside = enter();
        let mut waiters = Claims::new();
        let locked = self.lock();
        let before = clock.due.swap(due, Ordering::Relaxed);
        clock.period.set(period);
        clock.origin.set(origin);
        // SAFETY: the channel is locked.
        while let Some(waiter) = unsafe { self.recvq.dequeue() } {
            waiters.push_back(waiter);
        }
        drop(locked);
        while let Some(waiter) = waiters.pop() {
            waiter.wake_in_vain();
        }
        before != NEVER_DUE
    }
}

/// A channel that a settable clock fills; what timers and tickers are made of. Dropping it ends the channel, also for clones of the receiver.
pub(crate) struct ClockChannel {
    receiver: Receiver<Instant>,
}

impl ClockChannel {
    /// A channel whose first value comes in `wait`, and the others every `period` unless that is zero.
    pub(crate) fn new(wait: Duration, period: Duration) -> ClockChannel {
        ClockChannel { receiver: Receiver { half: lone_receiver(Hchan::clocked(Clock::settable(wait, period))) } }
    }

    /// The receiving side.
    pub(crate) fn receiver(&self) -> &Receiver<Instant> {
        &self.receiver
    }

    /// Changes when values come; without `wait` none do. After the return no value of an earlier setting can be received. True if one was still
    /// to come, or was there and nobody had received it.
    pub(crate) fn set(&self, wait: Option<Duration>, period: Duration) -> bool {
        self.receiver.half.set_clock(wait, period)
    }
}

impl Drop for ClockChannel {
    fn drop(&mut self) {
        self.set(None, Duration::ZERO);
        self.receiver.half.disconnect();
    }
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
    fn a_settable_clock_keeps_its_rhythm_and_leaves_out_what_was_missed() {
        let clock = Clock::settable(Duration::from_secs(1), Duration::from_secs(1));
        let (first, (origin, instant)) = (clock.due().unwrap(), clock.origin.get());
        assert_eq!(first, origin + SECOND);
        let taken = [0, 1, 7, 8, 10].map(|half| clock.take(first + half * SECOND / 2, first + 1));
        let seconds = |count| Some(instant + Duration::from_secs(count));
        assert_eq!(taken, [seconds(1), None, seconds(2), seconds(5), seconds(6)]);
    }

    #[test]
    fn a_settable_clock_knows_a_value_that_never_comes_from_none() {
        let far = Clock::settable(Duration::MAX, Duration::ZERO);
        assert_eq!((far.due.load(Ordering::Relaxed), far.due(), far.take(i64::MAX, 0)), (FAR, None, None));
        let once = Clock::settable(Duration::ZERO, Duration::ZERO);
        assert!(once.take(i64::MAX - 2, 0).is_some());
        assert_eq!(once.due.load(Ordering::Relaxed), NEVER_DUE);
    }

    #[test]
    fn what_is_beyond_the_clock_is_refused() {
        assert!(Clock::periodic(Duration::MAX).is_none());
        assert!(Clock::periodic(Duration::from_nanos(i64::MAX as u64)).is_none());
    }
}
