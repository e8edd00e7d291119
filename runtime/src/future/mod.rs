//! Goroutines and async code: futures on goroutines, and goroutines in futures.
//!
//! Code for this runtime is plain blocking code. Much of the ecosystem is `async`; this module lets the two call each other.
//!
//! # Async code in a goroutine
//!
//! [`block_on`] runs a future on the calling goroutine, which is parked while the future is pending: that costs what a channel receive costs, and no
//! thread. [`spawn`] runs one on a goroutine of its own, so `future::spawn` takes the place of an executor's `spawn`; it has a stack only while the
//! future is polled, or something in it blocks. Nothing else is needed
//! for futures that bring their own wakers: channels and locks of other crates, `async` functions, combinators.
//!
//! Futures that wait for sockets or time need somebody who tells them:
//!
//! | they use | with the cargo feature | do |
//! |---|---|---|
//! | `futures_io` traits | `futures-io` | give them a [`TcpStream`](crate::net::TcpStream) or a `UnixStream` |
//! | tokio's I/O traits  | `tokio` | the same |
//! | hyper's traits      | `hyper` | the same, and `future::hyper`'s executor and timer |
//! | tokio's own sockets, timers or `tokio::spawn` | `tokio` | wrap them in `future::with_tokio` |
//! | time, and do not care whose | | [`sleep`], [`timeout`] |
//! | a context | | [`within`], [`block_on_ctx`] |
//!
//! # Goroutines in async code
//!
//! The other way round works in any executor, on any thread; the runtime starts with the first use:
//!
//! | async code wants to | it says |
//! |---|---|
//! | run blocking code on a goroutine | `goruntime::spawn(..).await`: a [`JoinHandle`](crate::JoinHandle) is a future |
//! | receive from a goroutine, or send to one | [`recv_async`](crate::channel::Receiver::recv_async), [`send_async`](crate::channel::Sender::send_async) |
//! | the same as `Stream` and `Sink` (cargo feature `futures`) | `rx.into_stream()`, `tx.into_sink()` |
//! | use a socket that goroutines use, too | the traits above; [`accept_async`](crate::net::TcpListener::accept_async) |
//! | sleep or give up by the runtime's timers | [`sleep`], [`timeout`] |
//!
//! Such a future stands in the same line as goroutines and threads that wait for the same thing, and may be dropped at any moment without a loss: a
//! message that was handed to it goes back to the channel.
//!
//! ```
//! use goruntime::channel::bounded;
//! use goruntime::future::block_on;
//!
//! // Any executor will do in the place of this one.
//! block_on(async {
//!     let (tx, rx) = bounded(0);
//!     let goroutine = goruntime::spawn(move || tx.send(20).map(|()| 22).unwrap());
//!     let received = rx.recv_async().await.unwrap();
//!     assert_eq!(received + goroutine.await.unwrap(), 42);
//! });
//! ```
//!
//! Timeouts of a socket (`set_read_timeout`, `set_write_timeout`) are for operations that block; polled ones know the socket's deadlines (`set_deadline`), which
//! end them as well, and [`timeout`].
//!
//! # What a poll may do
//!
//! A task of this runtime is a goroutine: a poll may compute, block and call anything that parks, and nobody starves. But what it waits for in one
//! branch of a `select` or a `join` the other branches wait for, too; there use futures throughout.
//!
//! # Examples
//!
//! ```
//! use goruntime::future::{block_on, sleep, timeout};
//! use goruntime::time::{Duration, Elapsed};
//!
//! goruntime::run(|| {
//!     let slow = async {
//!         sleep(Duration::from_secs(3600)).await;
//!         1
//!     };
//!     assert_eq!(block_on(timeout(Duration::from_millis(1), slow)), Err(Elapsed));
//! });
//! ```

// *Why here.* Floor 8: polls user code, starts goroutines. `proc::waker` is the waker of a goroutine, `proc::proxy` what stands for a task where the
// runtime wants a waiter.
//
// *Invariants.* BO1, FS1, TO1 in the files; WK1, WK2, PX1, PX2 below. *Locks.* None here. *Go:* none.

mod block_on;
mod channel;
#[cfg(feature = "hyper")]
pub mod hyper;
mod sleep;
#[cfg(feature = "futures")]
mod streams;
mod task;
#[cfg(feature = "tokio")]
mod tokio;
mod within;

pub use self::block_on::block_on;
pub use self::channel::{RecvFuture, SendFuture};
pub use self::sleep::{Sleep, sleep, sleep_until, timeout};
#[cfg(feature = "futures")]
pub use self::streams::{RecvStream, SendSink};
pub use self::task::{go, spawn};
#[cfg(feature = "tokio")]
pub use self::tokio::{tokio_handle, with_tokio};
pub use self::within::{block_on_ctx, within};
