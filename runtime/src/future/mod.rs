//! Goroutines and async code: futures on goroutines, and goroutines in futures.
//!
//! Code for this runtime is plain blocking code. Much of the ecosystem is `async`; this module lets the two call each other.
//!
//! # Async code in a goroutine
//!
//! [`block_on`] runs a future on the calling goroutine, which is parked while the future is pending: that costs what a channel receive costs, and no
//! thread. [`spawn`] runs one on a goroutine of its own, so `future::spawn` takes the place of an executor's `spawn`. Nothing else is needed
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
#[cfg(feature = "tokio")]
mod tokio;

pub use self::block_on::{block_on, go, spawn};
pub use self::channel::{RecvFuture, SendFuture};
pub use self::sleep::{Sleep, sleep, sleep_until, timeout};
#[cfg(feature = "tokio")]
pub use self::tokio::{tokio_handle, with_tokio};
