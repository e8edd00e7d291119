//! Time for futures: `sleep`, and `timeout`, which gives up on another future.
//!
//! *Why here.* Floor 8: timers that wake tasks instead of goroutines.
//!
//! *Invariants.* FS1. The timer is armed while `armed` says so, for `when`, from when on the future is ready; so a task that leaves its waker too late
//! for the timer sees that the time is up.
//!
//! *Locks.* The proxy's, then a timer heap's. *Go:* none.

use core::fmt;
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};

use crate::os;
use crate::proc::proxy::Proxy;
use crate::sync::sudog::deadline;
use crate::task::wake::call_elsewhere;
use crate::time::{Duration, Elapsed, Instant};

/// A future that is ready when its time has come; see [`sleep`].
#[must_use = "a future does nothing until it is polled"]
pub struct Sleep {
    /// Time of the monotonic clock, ns; None is never.
    when: Option<i64>,
    armed: bool,
    proxy: Option<Proxy>,
}

/// Waits for `duration` from now, however late it is polled first. With zero it does not wait.
///
/// It runs on the timers of this runtime, in any executor. In a goroutine that has nothing else to do meanwhile, [`time::sleep`](crate::time::sleep) costs
/// less.
///
/// # Examples
///
/// ```
/// use goruntime::future::{block_on, sleep};
/// use goruntime::time::{Duration, Instant};
///
/// let begin = Instant::now();
/// block_on(sleep(Duration::from_millis(2)));
/// assert!(begin.elapsed() >= Duration::from_millis(2));
/// ```
pub fn sleep(duration: Duration) -> Sleep {
    Sleep { when: deadline(duration), armed: false, proxy: None }
}

/// Waits until a point in time; as [`sleep`].
///
/// # Examples
///
/// ```
/// use goruntime::future::{block_on, sleep_until};
/// use goruntime::time::{Duration, Instant};
///
/// let when = Instant::now() + Duration::from_millis(2);
/// block_on(sleep_until(when));
/// assert!(Instant::now() >= when);
/// ```
pub fn sleep_until(when: Instant) -> Sleep {
    sleep(when.saturating_duration_since(Instant::now()))
}

impl Sleep {
    /// Sets another time, from now on. A task that waits has to poll again.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::future::{block_on, sleep};
    /// use goruntime::time::{Duration, Instant};
    ///
    /// let mut sleep = sleep(Duration::from_secs(3600));
    /// sleep.reset(Instant::now());
    /// block_on(sleep);
    /// ```
    pub fn reset(&mut self, when: Instant) {
        self.disarm();
        self.when = deadline(when.saturating_duration_since(Instant::now()));
    }

    /// Whether its time has come.
    pub fn is_elapsed(&self) -> bool {
        self.when.is_some_and(|when| when <= os::nanotime())
    }

    fn disarm(&mut self) {
        if let Some(proxy) = self.proxy.as_ref().filter(|_| self.armed) {
            proxy.disarm();
        }
        self.armed = false;
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.is_elapsed() {
            return Poll::Ready(());
        }
        let Some(when) = this.when else { return Poll::Pending };
        let proxy = this.proxy.get_or_insert_with(|| Proxy::new(call_elsewhere, None));
        let armed = &mut this.armed;
        proxy.watch(cx.waker(), |inside| {
            if !core::mem::replace(armed, true) {
                proxy.arm(inside, when);
            }
            true
        });
        // FS1.
        if this.is_elapsed() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.disarm();
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("elapsed", &self.is_elapsed()).finish_non_exhaustive()
    }
}

/// Waits for a future for at most `duration`; then drops it.
///
/// # Errors
///
/// [`Elapsed`] if the time was up first.
///
/// # Examples
///
/// ```
/// use std::future::{pending, ready};
/// use goruntime::future::{block_on, timeout};
/// use goruntime::time::{Duration, Elapsed};
///
/// assert_eq!(block_on(timeout(Duration::from_millis(1), pending::<()>())), Err(Elapsed));
/// assert_eq!(block_on(timeout(Duration::ZERO, ready(7))), Ok(7));
/// ```
pub async fn timeout<F: IntoFuture>(duration: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut sleep = sleep(duration);
    let mut future = pin!(future.into_future());
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Ok(value)),
        Poll::Pending => Pin::new(&mut sleep).poll(cx).map(|()| Err(Elapsed)),
    })
    .await
}
