//! Futures within a context.
//!
//! *Why here.* Floor 8: `_ctx` operations of async code, over `Context::done`.
//!
//! *Invariants.* None.
//!
//! *Locks.* Those of the context's channel. *Go:* a `select` with `<-ctx.Done()`.

use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::Poll;

use crate::context::{Cause, Context};
use crate::future::block_on;

/// Waits for a future until a context ends; then drops it.
///
/// On a context that has ended the future is not polled. To wait for the end alone: `ctx.done().recv_async()`.
///
/// # Errors
///
/// The cause, if the context ended first.
///
/// # Examples
///
/// ```
/// use goruntime::context;
/// use goruntime::future::{block_on, within};
/// use std::future::{pending, ready};
///
/// let (ctx, cancel) = context::with_cancel(&context::background());
/// assert_eq!(block_on(within(&ctx, ready(7))).unwrap(), 7);
/// goruntime::go(move || cancel.cancel());
/// assert_eq!(block_on(within(&ctx, pending::<()>())).unwrap_err().to_string(), "context canceled");
/// ```
pub async fn within<F: IntoFuture>(ctx: &Context, future: F) -> Result<F::Output, Cause> {
    if let Some(cause) = ctx.cause() {
        return Err(cause);
    }
    let mut done = ctx.done().recv_async();
    let mut future = pin!(future.into_future());
    let ended = poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Pin::new(&mut done).poll(cx).map(|_| None),
    })
    .await;
    // The channel is closed by the end of the context, or because nothing can end it any more: not while it is borrowed here.
    ended.ok_or_else(|| ctx.cause().expect("a context whose channel is closed has a cause"))
}

/// As [`block_on`], until a context ends; then the future is dropped.
///
/// # Blocking
///
/// As [`block_on`], and until the context ends. On a context that has ended it returns at once.
///
/// # Errors
///
/// The cause, if the context ends first.
///
/// # Panics
///
/// If the future does.
///
/// # Examples
///
/// ```
/// use goruntime::context;
/// use goruntime::future::block_on_ctx;
/// use goruntime::time::Duration;
///
/// let (ctx, _cancel) = context::with_timeout(&context::background(), Duration::from_millis(1));
/// let cause = block_on_ctx(&ctx, std::future::pending::<()>()).unwrap_err();
/// assert_eq!(cause.to_string(), "context deadline exceeded");
/// ```
#[track_caller]
pub fn block_on_ctx<F: IntoFuture>(ctx: &Context, future: F) -> Result<F::Output, Cause> {
    block_on(within(ctx, future))
}
