//! `Timer`: one value, at a time that can be changed.
//!
//! *Why here.* Floor 8: the public shell of `channel::clock`.
//!
//! *Invariants.* CK1, CK2.
//!
//! *Locks.* The channel's.
//!
//! *Go:* `time.Timer` with a channel.

use core::fmt;

use crate::channel::Receiver;
use crate::channel::clock::ClockChannel;
use crate::time::{Duration, Instant};

/// Sends one value when its time has come: the time itself.
///
/// It may be stopped and set again, with the guarantees of Go 1.23: when [`stop`](Timer::stop) or [`reset`](Timer::reset) has returned, no value of the
/// earlier setting will be received, even if its time had come.
///
/// A timer takes no resources but its memory: it is known to the scheduler only while somebody waits for it. Dropping it frees that memory and ends
/// the channel: who waits on a clone of the [`receiver`](Timer::receiver) gets `RecvError`.
///
/// For a receive with a time limit, `recv_timeout` is simpler and faster.
///
/// # Examples
///
/// ```
/// use goruntime::time::{Duration, Instant, Timer};
///
/// goruntime::run(|| {
///     let begin = Instant::now();
///     let timer = Timer::new(Duration::from_millis(2));
///     let at = timer.receiver().recv().unwrap();
///     assert!(at >= begin + Duration::from_millis(2));
///
///     assert!(!timer.reset(Duration::from_secs(3600)));
///     assert!(timer.stop());
///     assert!(timer.receiver().try_recv().is_err());
/// });
/// ```
#[doc(alias = "NewTimer")]
pub struct Timer {
    channel: ClockChannel,
}

impl Timer {
    /// Makes a timer that sends in `duration`; at once, if that is zero.
    pub fn new(duration: Duration) -> Timer {
        Timer { channel: ClockChannel::new(duration, Duration::ZERO) }
    }

    /// The channel that the value comes on, for `recv`, `select!` and their like.
    ///
    /// As in Go it always looks empty and has no capacity. If several receive, one of them gets the value.
    #[doc(alias = "C")]
    pub fn receiver(&self) -> &Receiver<Instant> {
        self.channel.receiver()
    }

    /// Takes the value back. True if it had not been received yet, whether its time had come or not.
    ///
    /// # Blocking
    ///
    /// Never waits. Who waits for the value goes on waiting, until the timer is set again or dropped.
    #[doc(alias = "Stop")]
    pub fn stop(&self) -> bool {
        self.channel.set(None, Duration::ZERO)
    }

    /// Sets the timer to send in `duration` from now. True if the value of the earlier setting had not been received yet; it will not be.
    ///
    /// # Blocking
    ///
    /// Never waits. Who waits already gets the new value.
    #[doc(alias = "Reset")]
    pub fn reset(&self, duration: Duration) -> bool {
        self.channel.set(Some(duration), Duration::ZERO)
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").finish_non_exhaustive()
    }
}
