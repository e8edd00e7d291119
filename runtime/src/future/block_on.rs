//! Running a future on a goroutine: poll, park, poll again.
//!
//! *Why here.* Floor 8: it polls user code; the parking is `proc::waker`'s.
//!
//! *Invariants.* WK1, WK2 of `proc::waker`. BO1. The permit is taken before the poll that follows, so that a wake during a poll is not lost. BO2. What
//! the compiler knows of the thread in a poll ends with it: a wait may end on another one.
//!
//! *Locks.* None. *Go:* none.

use core::panic::Location;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};

use crate::proc::enter_preemptible;
use crate::proc::park::{check_goexit, note_place};
use crate::proc::waker::{Unparker, Waking};

/// Runs a future to its end and returns its value.
///
/// The future stands on the stack of the caller. Whatever it waits for, the goroutine is parked meanwhile and no thread is taken; the future may be of
/// any library that needs no reactor of its own (for those of tokio see the [module](crate::future)). It may itself call anything that parks,
/// `block_on` as well: then the whole task waits.
///
/// # Blocking
///
/// Parks the goroutine, or the plain thread, while the future is pending, until its waker is called. A wake that comes during a poll is not lost; one that
/// comes late, twice, or after the end does nothing. A future that wakes itself lets other goroutines go first.
///
/// # Panics
///
/// If the future does.
///
/// # Examples
///
/// ```
/// use goruntime::future::{block_on, sleep, spawn};
/// use goruntime::time::Duration;
///
/// let sum = goruntime::run(|| {
///     block_on(async {
///         sleep(Duration::from_millis(1)).await;
///         let one = spawn(async { 1 });
///         one.join().unwrap() + 1
///     })
/// });
/// assert_eq!(sum, 2);
/// ```
#[track_caller]
pub fn block_on<F: IntoFuture>(future: F) -> F::Output {
    let at = Location::caller();
    let mut future = pin!(future.into_future());
    let waking = Waking::new();
    let mut cx = Context::from_waker(&waking.waker);
    loop {
        if let Poll::Ready(value) = poll(future.as_mut(), &mut cx) {
            return value;
        }
        wait(&waking.unparker, at);
    }
}

/// One poll. Inlined into the loop, it shares the addresses of thread-local values with all the others: the compiler takes it for granted that they do
/// not change, and a poll after a wait used those of the thread before (BO2).
#[inline(never)]
pub(super) fn poll<F: Future>(future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<F::Output> {
    future.poll(cx)
}

fn wait(unparker: &Unparker, at: &'static Location<'static>) {
    check_goexit();
    let inside = enter_preemptible();
    note_place(&inside, at);
    unparker.wait(&inside);
}
