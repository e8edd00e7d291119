//! `Ticker`: a value at the end of each period.
//!
//! *Why here.* Floor 8: the public shell of `channel::clock`.
//!
//! *Invariants.* CK1, CK2.
//!
//! *Locks.* The channel's.
//!
//! *Go:* tick.go, whose texts it uses.

use core::fmt;

use crate::channel::Receiver;
use crate::channel::clock::ClockChannel;
use crate::time::{Duration, Instant};

/// Sends a value at the end of each period: the time itself.
///
/// At most one tick waits to be received: a receiver that is slower than the ticker misses some, and the others keep their rhythm.
///
/// A ticker takes no resources but its memory: it is known to the scheduler only while somebody waits for it. Dropping it frees that memory and ends
/// the channel: who waits on a clone of the [`receiver`](Ticker::receiver) gets `RecvError`.
///
/// # Examples
///
/// ```
/// use goruntime::time::{Duration, Instant, Ticker};
///
/// goruntime::run(|| {
///     let begin = Instant::now();
///     let ticker = Ticker::new(Duration::from_millis(2));
///     for (number, at) in (1..=3).zip(ticker.receiver()) {
///         assert!(at >= begin + number * Duration::from_millis(2));
///     }
/// });
/// ```
#[doc(alias = "NewTicker")]
pub struct Ticker {
    channel: ClockChannel,
}

impl Ticker {
    /// Makes a ticker whose first tick comes in `period`.
    ///
    /// # Panics
    ///
    /// `non-positive interval for NewTicker` if `period` is zero.
    #[track_caller]
    pub fn new(period: Duration) -> Ticker {
        assert!(!period.is_zero(), "non-positive interval for NewTicker");
        Ticker { channel: ClockChannel::new(period, period) }
    }

    /// The channel that the ticks come on, for `recv`, `select!`, `for` and their like.
    ///
    /// As in Go it always looks empty and has no capacity. If several receive, each tick goes to one of them.
    #[doc(alias = "C")]
    pub fn receiver(&self) -> &Receiver<Instant> {
        self.channel.receiver()
    }

    /// Stops the ticks: none is received after the return until [`reset`](Ticker::reset).
    ///
    /// # Blocking
    ///
    /// Never waits. Who waits for a tick goes on waiting.
    #[doc(alias = "Stop")]
    pub fn stop(&self) {
        self.channel.set(None, Duration::ZERO);
    }

    /// Changes the period; the next tick comes when the new one is over, and none of the old ones.
    ///
    /// # Blocking
    ///
    /// Never waits. Who waits already gets the next tick.
    ///
    /// # Panics
    ///
    /// `non-positive interval for Ticker.Reset` if `period` is zero.
    #[doc(alias = "Reset")]
    #[track_caller]
    pub fn reset(&self, period: Duration) {
        assert!(!period.is_zero(), "non-positive interval for Ticker.Reset");
        self.channel.set(Some(period), period);
    }
}

impl fmt::Debug for Ticker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticker").finish_non_exhaustive()
    }
}
