//! Channels in async code: futures that receive and send.
//!
//! *Why here.* Floor 8: they need somebody who calls wakers. `channel::tasks` does the work.
//!
//! *Invariants.* None of its own.
//!
//! *Locks.* The channel's. *Go:* none.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::channel::tasks::{Receiving, Sending};
use crate::channel::{Receiver, RecvError, SendError, Sender};
use crate::task::wake::call_elsewhere;

/// The future of [`Receiver::recv_async`].
#[must_use = "a future does nothing until it is polled"]
pub struct RecvFuture<'a, T: Send + 'static> {
    receiver: &'a Receiver<T>,
    receiving: Receiving<T>,
}

/// The future of [`Sender::send_async`].
#[must_use = "a future does nothing until it is polled"]
pub struct SendFuture<'a, T: Send + 'static> {
    sender: &'a Sender<T>,
    sending: Sending<T>,
}

impl<T: Send + 'static> Receiver<T> {
    /// As [`recv`](Receiver::recv), for async code in whatever executor.
    ///
    /// The future stands in line with those who wait otherwise, from its first poll on, and gets what it would get as a goroutine; so
    /// [`try_send`](Sender::try_send) and a `select!` see it. It loses nothing when it is dropped: a value that it was given but has not yielded yet becomes the
    /// first of the channel again, or goes to the next in line.
    ///
    /// # Errors
    ///
    /// As [`recv`](Receiver::recv).
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::channel::{RecvError, bounded};
    /// use goruntime::future::block_on;
    ///
    /// goruntime::run(|| {
    ///     let (tx, rx) = bounded(0);
    ///     goruntime::go(move || tx.send(1).unwrap());
    ///     block_on(async {
    ///         assert_eq!(rx.recv_async().await, Ok(1));
    ///         assert_eq!(rx.recv_async().await, Err(RecvError));
    ///     });
    /// });
    /// ```
    pub fn recv_async(&self) -> RecvFuture<'_, T> {
        RecvFuture { receiver: self, receiving: Receiving::new() }
    }
}

impl<T: Send + 'static> Sender<T> {
    /// As [`send`](Sender::send), for async code in whatever executor.
    ///
    /// The future stands in line with those who wait otherwise, from its first poll on. When it is dropped before it is ready the value is dropped with it,
    /// unless a receiver has just taken it.
    ///
    /// # Errors
    ///
    /// As [`send`](Sender::send).
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::channel::bounded;
    /// use goruntime::future::block_on;
    ///
    /// goruntime::run(|| {
    ///     let (tx, rx) = bounded(0);
    ///     let receiver = goruntime::spawn(move || rx.recv().unwrap());
    ///     block_on(async {
    ///         tx.send_async(1).await.unwrap();
    ///         assert_eq!(receiver.await.unwrap(), 1);
    ///         assert_eq!(tx.send_async(2).await.unwrap_err().into_inner(), 2);
    ///     });
    /// });
    /// ```
    pub fn send_async(&self, value: T) -> SendFuture<'_, T> {
        SendFuture { sender: self, sending: Sending::new(Some(value)) }
    }
}

impl<T: Send + 'static> Future for RecvFuture<'_, T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, RecvError>> {
        let this = &mut *self;
        this.receiving.poll(this.receiver, cx, call_elsewhere)
    }
}

impl<T: Send + 'static> Drop for RecvFuture<'_, T> {
    fn drop(&mut self) {
        self.receiving.cancel(self.receiver);
    }
}

impl<T: Send + 'static> Future for SendFuture<'_, T> {
    type Output = Result<(), SendError<T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError<T>>> {
        let this = self.get_mut();
        this.sending.poll(this.sender, cx, call_elsewhere)
    }
}

/// The value is moved, not pinned.
impl<T: Send + 'static> Unpin for SendFuture<'_, T> {}

impl<T: Send + 'static> Drop for SendFuture<'_, T> {
    fn drop(&mut self) {
        self.sending.cancel(self.sender);
    }
}

impl<T: Send + 'static> fmt::Debug for RecvFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("RecvFuture { .. }")
    }
}

impl<T: Send + 'static> fmt::Debug for SendFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("SendFuture { .. }")
    }
}
