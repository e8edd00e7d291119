//! The receiving side, as users see it.
//!
//! *Why here.* Floor 7: names, documentation and error types over `transfer`.
//!
//! *Invariants.* None of its own.
//!
//! *Locks.* None.
//!
//! *Go:* `<-chan`, `range`.

use core::fmt;
use core::panic::{Location, RefUnwindSafe, UnwindSafe};
use core::time::Duration;
use std::time::Instant;

use crate::channel::error::{RecvError, RecvTimeoutError, TryRecvError};
use crate::channel::half::Half;
use crate::channel::hchan::NEVER;
use crate::channel::iter::{IntoIter, Iter, TryIter};
use crate::channel::patience::Patience;
use crate::channel::transfer::Missed;
use crate::sync::cancel::Cancel;

/// The receiving side of a channel; clones receive from the same channel, each value going to one of them.
///
/// When the last one is dropped, the values that are left are dropped, and senders get [`SendError`](super::SendError).
///
/// # Examples
///
/// ```
/// use goruntime::{channel, go};
///
/// goruntime::run(|| {
///     let (tx, rx) = channel::unbounded();
///     go(move || (0..3).for_each(|i| tx.send(i).unwrap()));
///     assert_eq!(rx.recv(), Ok(0));
///     assert_eq!(rx.into_iter().collect::<Vec<_>>(), [1, 2]);
/// });
/// ```
#[doc(alias = "chan")]
pub struct Receiver<T> {
    pub(super) half: Half<T, false>,
}

impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}

impl<T> Receiver<T> {
    /// Receives a value, waiting for one.
    ///
    /// # Blocking
    ///
    /// Parks the goroutine (or the plain thread) until a value comes or the channel is closed. Waiting receivers are served in the order
    /// they came, with one exception: where a [`select!`](crate::select!) has chosen to send to a receiver, and the evaluation of its message then
    /// fails or leaves the select, the receiver waits again as the first in line, but what was sent meanwhile has gone to the next one.
    ///
    /// # Errors
    ///
    /// [`RecvError`] if the channel is empty, and closed or without senders.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::channel::{RecvError, bounded};
    ///
    /// let (tx, rx) = bounded(1);
    /// tx.send(1).unwrap();
    /// drop(tx);
    /// assert_eq!((rx.recv(), rx.recv()), (Ok(1), Err(RecvError)));
    /// ```
    // As for `Sender::send`.
    #[cfg_attr(debug_assertions, inline)]
    #[cfg_attr(not(debug_assertions), inline(always))]
    #[track_caller]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.half.recv(Patience::Endless, Location::caller()).map_err(|_| RecvError)
    }

    /// Receives a value if one can be had at once: from the buffer, or, without a buffer, from a sender that waits.
    ///
    /// # Blocking
    ///
    /// Only if the sender that waits is a [`select!`](crate::select!) or a [`Select`](super::Select): it evaluates its message when it is received, and
    /// this waits for that.
    ///
    /// # Errors
    ///
    /// [`TryRecvError`]: `Empty` if nothing is there now, `Disconnected` if nothing will ever come.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::channel::{TryRecvError, bounded};
    ///
    /// let (tx, rx) = bounded(1);
    /// assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    /// tx.send(1).unwrap();
    /// assert_eq!(rx.try_recv(), Ok(1));
    /// ```
    #[inline]
    #[track_caller]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        if self.half.is_surely_empty() {
            return Err(TryRecvError::Empty);
        }
        self.half.recv(Patience::None, Location::caller()).map_err(|missed| match missed {
            Missed::Nothing => TryRecvError::Empty,
            Missed::Closed => TryRecvError::Disconnected,
        })
    }

    /// As [`Receiver::recv`], for at most `timeout`.
    ///
    /// # Blocking
    ///
    /// As [`Receiver::recv`], and until the time is up; beyond that for a message that a [`select!`](crate::select!) is evaluating for this receiver.
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError`].
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::channel::{RecvTimeoutError, bounded};
    /// use goruntime::time::Duration;
    ///
    /// let (_tx, rx) = bounded::<i32>(0);
    /// assert_eq!(rx.recv_timeout(Duration::from_millis(1)), Err(RecvTimeoutError::Timeout));
    /// ```
    #[inline]
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.half.recv(Patience::For(timeout), Location::caller()).map_err(timed)
    }

    /// As [`Receiver::recv`], at most until `deadline`.
    ///
    /// # Blocking
    ///
    /// As [`Receiver::recv`], and until the deadline has passed; beyond that as [`Receiver::recv_timeout`].
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError`].
    #[inline]
    #[track_caller]
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.half.recv(Patience::Until(deadline), Location::caller()).map_err(timed)
    }

    /// As [`Receiver::recv`], until `cancel` ends: then `Timeout`.
    pub(crate) fn recv_within(&self, cancel: &Cancel, at: &'static Location<'static>) -> Result<T, RecvTimeoutError> {
        self.half.recv(Patience::Within(cancel), at).map_err(timed)
    }

    /// Receives until the channel is empty, and closed or without senders.
    ///
    /// # Blocking
    ///
    /// Each step as [`Receiver::recv`].
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = goruntime::channel::bounded(3);
    /// (0..3).for_each(|i| tx.send(i).unwrap());
    /// drop(tx);
    /// assert_eq!(rx.iter().collect::<Vec<_>>(), [0, 1, 2]);
    /// ```
    #[doc(alias = "range")]
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { receiver: self }
    }

    /// Receives what is there, without waiting.
    ///
    /// # Blocking
    ///
    /// Each step as [`Receiver::try_recv`].
    ///
    /// # Examples
    ///
    /// ```
    /// let (tx, rx) = goruntime::channel::bounded(3);
    /// tx.send(1).unwrap();
    /// assert_eq!(rx.try_iter().collect::<Vec<_>>(), [1]);
    /// ```
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter { receiver: self }
    }

    /// Closes the channel, for all handles of both sides; see [`Sender::close`](super::Sender::close).
    ///
    /// # Panics
    ///
    /// `close of closed channel` the second time; `close of nil channel` on the channel of [`never`](super::never).
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

    /// Whether `other` receives from the same channel; all channels of [`never`](super::never) are the same.
    pub fn same_channel(&self, other: &Receiver<T>) -> bool {
        self.half.is_same(&other.half) || (self.half.has(NEVER) && other.half.has(NEVER))
    }
}

fn timed(missed: Missed) -> RecvTimeoutError {
    match missed {
        Missed::Nothing => RecvTimeoutError::Timeout,
        Missed::Closed => RecvTimeoutError::Disconnected,
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        Receiver { half: self.half.clone() }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Receiver { .. }")
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter { receiver: self }
    }
}
