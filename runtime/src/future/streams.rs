//! Channels as streams and sinks of the crate `futures`.
//!
//! *Why here.* Floor 8: thin, over `channel::tasks`. With the cargo feature `futures`.
//!
//! *Invariants.* None of its own.
//!
//! *Locks.* The channel's. *Go:* none.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use futures_core::{FusedStream, Stream};
use futures_sink::Sink;

use crate::channel::tasks::{Receiving, Sending};
use crate::channel::{Receiver, SendError, Sender};
use crate::task::wake::call_elsewhere;

/// The values of a channel as a stream; see [`Receiver::into_stream`].
#[must_use = "a stream does nothing until it is polled"]
pub struct RecvStream<T: Send + 'static> {
    receiver: Receiver<T>,
    receiving: Receiving<T>,
    has_ended: bool,
}

/// A channel as a sink; see [`Sender::into_sink`].
#[must_use = "a sink does nothing until it is polled"]
pub struct SendSink<T: Send + 'static> {
    /// None after a close.
    sender: Option<Sender<T>>,
    sending: Sending<T>,
}

impl<T: Send + 'static> Receiver<T> {
    /// Makes a stream of the values, which ends when the channel is empty, and closed or without senders.
    ///
    /// A stream that is polled stands in line as [`recv_async`](Receiver::recv_async) does, between two polls as well; dropping it loses nothing. With the
    /// cargo feature `futures`.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_core::Stream;
    /// use goruntime::{channel, future};
    /// use std::future::poll_fn;
    /// use std::pin::pin;
    ///
    /// goruntime::run(|| {
    ///     let (tx, rx) = channel::bounded(0);
    ///     goruntime::go(move || (1..=3).for_each(|n| tx.send(n).unwrap()));
    ///     let sum = future::block_on(async {
    ///         // With the crate `futures`: `rx.into_stream().fold(..)`.
    ///         let (mut stream, mut sum) = (pin!(rx.into_stream()), 0);
    ///         while let Some(n) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
    ///             sum += n;
    ///         }
    ///         sum
    ///     });
    ///     assert_eq!(sum, 6);
    /// });
    /// ```
    pub fn into_stream(self) -> RecvStream<T> {
        RecvStream { receiver: self, receiving: Receiving::new(), has_ended: false }
    }
}

impl<T: Send + 'static> Sender<T> {
    /// Makes a sink that sends into the channel. It holds one value that waits for room or a receiver; closing it drops the sender.
    ///
    /// With the cargo feature `futures`.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_sink::Sink;
    /// use goruntime::{channel, future};
    /// use std::future::poll_fn;
    /// use std::pin::pin;
    ///
    /// goruntime::run(|| {
    ///     let (tx, rx) = channel::bounded(0);
    ///     future::go(async move {
    ///         // With the crate `futures`: `sink.send(n)`, `sink.close()`.
    ///         let mut sink = pin!(tx.into_sink());
    ///         for n in 1..=3 {
    ///             poll_fn(|cx| sink.as_mut().poll_ready(cx)).await.unwrap();
    ///             sink.as_mut().start_send(n).unwrap();
    ///         }
    ///         poll_fn(|cx| sink.as_mut().poll_close(cx)).await.unwrap();
    ///     });
    ///     assert_eq!(rx.iter().collect::<Vec<_>>(), [1, 2, 3]);
    /// });
    /// ```
    pub fn into_sink(self) -> SendSink<T> {
        SendSink { sender: Some(self), sending: Sending::new(None) }
    }
}

impl<T: Send + 'static> Stream for RecvStream<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = &mut *self;
        if this.has_ended {
            return Poll::Ready(None);
        }
        let received = ready!(this.receiving.poll(&this.receiver, cx, call_elsewhere));
        this.has_ended = received.is_err();
        Poll::Ready(received.ok())
    }
}

impl<T: Send + 'static> FusedStream for RecvStream<T> {
    fn is_terminated(&self) -> bool {
        self.has_ended
    }
}

impl<T: Send + 'static> Drop for RecvStream<T> {
    fn drop(&mut self) {
        self.receiving.cancel(&self.receiver);
    }
}

impl<T: Send + 'static> SendSink<T> {
    /// Sends what it holds.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError<T>>> {
        match &self.sender {
            Some(sender) => self.sending.poll(sender, cx, call_elsewhere),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl<T: Send + 'static> Sink<T> for SendSink<T> {
    type Error = SendError<T>;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError<T>>> {
        self.get_mut().poll_idle(cx)
    }

    /// Takes a value, to be sent by the next poll.
    ///
    /// # Errors
    ///
    /// [`SendError`] after a close.
    ///
    /// # Panics
    ///
    /// `the sink is not ready`, if it still holds one.
    fn start_send(self: Pin<&mut Self>, value: T) -> Result<(), SendError<T>> {
        let this = self.get_mut();
        assert!(!this.sending.is_busy(), "the sink is not ready");
        if this.sender.is_none() {
            return Err(SendError(value));
        }
        this.sending.start(value);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError<T>>> {
        self.get_mut().poll_idle(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError<T>>> {
        let this = self.get_mut();
        let sent = ready!(this.poll_idle(cx));
        this.sender = None;
        Poll::Ready(sent)
    }
}

/// The value is moved, not pinned.
impl<T: Send + 'static> Unpin for SendSink<T> {}

impl<T: Send + 'static> Drop for SendSink<T> {
    fn drop(&mut self) {
        if let Some(sender) = &self.sender {
            self.sending.cancel(sender);
        }
    }
}

impl<T: Send + 'static> fmt::Debug for RecvStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("RecvStream { .. }")
    }
}

impl<T: Send + 'static> fmt::Debug for SendSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("SendSink { .. }")
    }
}
