//! The sending side, as users see it.
//!
//! *Why here.* Floor 7: names, documentation and error types over `transfer`.
//!
//! *Invariants.* None of its own.
//!
//! *Locks.* None.
//!
//! *Go:* `chan<-`.

use core::fmt;
use core::panic::{Location, RefUnwindSafe, UnwindSafe};
use core::time::Duration;
use std::time::Instant;

use crate::channel::error::{SendError, SendTimeoutError, TrySendError};
use crate::channel::half::Half;
use crate::channel::patience::Patience;
use crate::channel::transfer::Unsent;
use crate::sync::cancel::Cancel;

/// The sending side of a channel; clones send into the same channel.
///
/// When the last one is dropped, receivers get what is left and then [`RecvError`](super::RecvError).
///
/// # Examples
///
/// ```
/// use goruntime::{channel, go};
///
/// goruntime::run(|| {
///     let (tx, rx) = channel::bounded(0);
///     for id in [1, 2] {
///         let tx = tx.clone();
///         go(move || tx.send(id).unwrap());
///     }
///     drop(tx);
///     assert_eq!(rx.iter().sum::<i32>(), 3);
/// });
/// ```
#[doc(alias = "chan")]
pub struct Sender<T> {
    pub(super) half: Half<T, true>,
}

impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}

impl<T> Sender<T> {
    /// Sends a value, waiting for room, or for a receiver if the channel has no buffer.
    ///
    /// # Blocking
    ///
    /// Parks the goroutine (or the plain thread) until there is room, a receiver takes the value, or the channel is closed. Waiting senders
    /// are served in the order they came. Does not park if a receiver waits: the value goes straight to it.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the value, if the channel is closed or all receivers are gone, before or while it waits.
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = goruntime::channel::bounded(1);
    /// assert_eq!(tx.send(1), Ok(()));
    /// drop(rx);
    /// assert_eq!(tx.send(2).unwrap_err().into_inner(), 2);
    /// ```
    // Always: while there is room it is short, and compilers are in two minds about that. In a debug build the caller's
    // frame would have slots that nothing is written to, in which the affinity guard finds what is left of earlier calls.
    #[cfg_attr(debug_assertions, inline)]
    #[cfg_attr(not(debug_assertions), inline(always))]
    #[track_caller]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        match self.half.send(value, Patience::Endless, Location::caller()) {
            Ok(()) => Ok(()),
            Err(Unsent::Closed(value) | Unsent::NoRoom(value)) => Err(SendError(value)),
        }
    }

    /// Sends a value if that is possible at once.
    ///
    /// # Errors
    ///
    /// [`TrySendError`] with the value: `Full` if there is no room, or, without a buffer, no receiver waits; `Disconnected` as for [`send`].
    ///
    /// [`send`]: Sender::send
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::channel::{TrySendError, bounded};
    ///
    /// let (tx, _rx) = bounded(1);
    /// assert_eq!(tx.try_send(1), Ok(()));
    /// assert_eq!(tx.try_send(2), Err(TrySendError::Full(2)));
    /// ```
    #[inline]
    #[track_caller]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        if self.half.looks_full() {
            return Err(TrySendError::Full(value));
        }
        match self.half.send(value, Patience::None, Location::caller()) {
            Ok(()) => Ok(()),
            Err(Unsent::NoRoom(value)) => Err(TrySendError::Full(value)),
            Err(Unsent::Closed(value)) => Err(TrySendError::Disconnected(value)),
        }
    }

    /// As [`Sender::send`], for at most `timeout`.
    ///
    /// # Blocking
    ///
    /// As [`Sender::send`], and until the time is up.
    ///
    /// # Errors
    ///
    /// [`SendTimeoutError`] with the value.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::channel::{SendTimeoutError, bounded};
    /// use goruntime::time::Duration;
    ///
    /// let (tx, _rx) = bounded(0);
    /// assert_eq!(tx.send_timeout(1, Duration::from_millis(1)), Err(SendTimeoutError::Timeout(1)));
    /// ```
    #[inline]
    #[track_caller]
    pub fn send_timeout(&self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.half.send(value, Patience::For(timeout), Location::caller()).map_err(timed)
    }

    /// As [`Sender::send`], at most until `deadline`.
    ///
    /// # Blocking
    ///
    /// As [`Sender::send`], and until the deadline has passed.
    ///
    /// # Errors
    ///
    /// [`SendTimeoutError`] with the value.
    #[inline]
    #[track_caller]
    pub fn send_deadline(&self, value: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        self.half.send(value, Patience::Until(deadline), Location::caller()).map_err(timed)
    }

    /// As [`Sender::send`], until `cancel` ends: then `Timeout`.
    pub(crate) fn send_within(
        &self,
        value: T,
        cancel: &Cancel,
        at: &'static Location<'static>,
    ) -> Result<(), SendTimeoutError<T>> {
        self.half.send(value, Patience::Within(cancel), at).map_err(timed)
    }

    /// Closes the channel unless it is closed.
    pub(crate) fn disconnect(&self) {
        self.half.disconnect();
    }

    /// Closes the channel, for all handles of both sides.
    ///
    /// Receivers get what is left in the buffer and then [`RecvError`](super::RecvError). Senders, also those that wait now, get [`SendError`].
    /// Dropping the last sender does the same; this is for the many senders or receivers that cannot know which is the last.
    ///
    /// # Panics
    ///
    /// `close of closed channel` the second time, whoever called it first. A channel that was only disconnected can still be closed once.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::channel::{RecvError, bounded};
    ///
    /// let (tx, rx) = bounded(1);
    /// tx.send(1).unwrap();
    /// tx.close();
    /// assert!(tx.send(2).is_err());
    /// assert_eq!((rx.recv(), rx.recv()), (Ok(1), Err(RecvError)));
    /// ```
    #[track_caller]
    pub fn close(&self) {
        self.half.close();
    }

    /// Whether the buffer holds no values; always true without a buffer.
    pub fn is_empty(&self) -> bool {
        self.half.count() == 0
    }

    /// Whether the buffer has no room; always true without a buffer.
    pub fn is_full(&self) -> bool {
        self.half.is_full()
    }

    /// Number of values in the buffer.
    pub fn len(&self) -> usize {
        self.half.count()
    }

    /// Size of the buffer; `None` if it has no bounds.
    #[doc(alias = "cap")]
    pub fn capacity(&self) -> Option<usize> {
        self.half.capacity()
    }

    /// Whether `other` sends into the same channel.
    pub fn same_channel(&self, other: &Sender<T>) -> bool {
        self.half.is_same(&other.half)
    }
}

fn timed<T>(unsent: Unsent<T>) -> SendTimeoutError<T> {
    match unsent {
        Unsent::NoRoom(value) => SendTimeoutError::Timeout(value),
        Unsent::Closed(value) => SendTimeoutError::Disconnected(value),
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        Sender { half: self.half.clone() }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Sender { .. }")
    }
}
