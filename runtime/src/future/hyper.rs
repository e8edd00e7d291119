//! What hyper asks of a runtime: who runs its tasks, and what time it is.
//!
//! The streams of [`net`](crate::net) and [`os::unix::net`](crate::os::unix::net) are `hyper::rt::Read` and `hyper::rt::Write` themselves. With
//! the cargo feature `hyper`.
//!
//! # Examples
//!
//! ```
//! use goruntime::future::{self, block_on};
//! use hyper::rt::{Executor, Timer};
//! use std::time::Duration;
//!
//! goruntime::run(|| {
//!     let (tx, rx) = goruntime::channel::bounded(1);
//!     future::hyper::Executor.execute(async move {
//!         future::hyper::Timer.sleep(Duration::from_millis(1)).await;
//!         tx.send("later").unwrap();
//!     });
//!     assert_eq!(rx.recv(), Ok("later"));
//! });
//! ```
//!
//! *Why here.* Floor 8. *Invariants.* None. *Locks.* None. *Go:* none.

use core::pin::Pin;
use core::task::{Context, Poll};

use crate::future;
use crate::time::{Duration, Instant};

/// Runs each task in a goroutine of its own. A panic of a task ends the program, as with [`go`](crate::go()).
#[derive(Clone, Copy, Debug, Default)]
pub struct Executor;

impl<F> ::hyper::rt::Executor<F> for Executor
where
    F: Future<Output: Send> + Send + 'static,
{
    #[track_caller]
    fn execute(&self, future: F) {
        future::go(future);
    }
}

/// The timers of this runtime.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timer;

/// A sleep in a shape that hyper can set again.
#[derive(Debug)]
struct Sleep(future::Sleep);

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl ::hyper::rt::Sleep for Sleep {}

impl ::hyper::rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn ::hyper::rt::Sleep>> {
        Box::pin(Sleep(future::sleep(duration)))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn ::hyper::rt::Sleep>> {
        Box::pin(Sleep(future::sleep_until(deadline)))
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn ::hyper::rt::Sleep>>, new_deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<Sleep>() {
            Some(mut ours) => ours.0.reset(new_deadline),
            None => *sleep = self.sleep_until(new_deadline),
        }
    }
}
