//! `timeout`: the caller goes on after some time, whatever happens.
//!
//! *Why here.* Floor 8: it starts a goroutine.
//!
//! *Invariants.* None of its own.
//!
//! *Locks.* None.
//!
//! *Go:* a goroutine, a channel and a `select` with `time.After`.

use core::fmt;
use std::error::Error;
use std::panic::resume_unwind;

use crate::context::{Context, background, with_timeout};
use crate::task::spawn::spawn;
use crate::time::Duration;

/// The time was up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("timed out")
    }
}

impl Error for Elapsed {}

/// Runs `f` in a goroutine of its own and waits for its value for at most `duration`.
///
/// `f` takes an argument, the context that ends when the time is up: `|ctx| ..`, or `|_| ..` if it has no use for it. For futures there is
/// [`future::timeout`](crate::future::timeout).
///
/// Code that blocks cannot be broken off from outside. When the time is up the caller goes on, and so does `f`: it is told by the [`Context`] that it
/// gets, which ends at that moment, and whose `_ctx` operations then return; its value is dropped. Where nothing has to be left behind, wait with
/// [`with_timeout`] and `_ctx` operations right away.
///
/// # Blocking
///
/// Parks until `f` has returned or the time is up.
///
/// # Errors
///
/// [`Elapsed`] if the time is up first.
///
/// # Panics
///
/// With the payload of `f`, if that panics before the caller goes on.
///
/// # Examples
///
/// ```
/// use goruntime::channel;
/// use goruntime::time::{self, Duration, Elapsed};
///
/// goruntime::run(|| {
///     // What waits by itself takes the context, and is over when the time is up.
///     let (_tx, rx) = channel::bounded::<i32>(0);
///     let outcome = time::timeout(Duration::from_millis(1), move |ctx| rx.recv_ctx(ctx));
///     assert_eq!(outcome.unwrap_err(), Elapsed);
///
///     // What knows nothing of contexts goes on in the background.
///     assert_eq!(time::timeout(Duration::from_secs(60), |_| 6 * 7), Ok(42));
/// });
/// ```
#[track_caller]
pub fn timeout<F, T>(duration: Duration, f: F) -> Result<T, Elapsed>
where
    F: FnOnce(&Context) -> T + Send + 'static,
    T: Send + 'static,
{
    let (ctx, cancel) = with_timeout(&background(), duration);
    let (given, theirs) = (ctx.clone(), ctx.clone());
    // What returns because it was told is too late, even if that is known before the caller goes on.
    let in_time = move |value| theirs.err().is_none().then_some(value);
    let handle = spawn(move || in_time(f(&given)));
    // By the context, and not by a time of its own: when the caller goes on the context has ended.
    let outcome = handle.join_ctx(&ctx);
    drop(cancel);
    match outcome {
        Ok(Ok(value)) => value.ok_or(Elapsed),
        Ok(Err(payload)) => resume_unwind(payload),
        Err(_) => Err(Elapsed),
    }
}
