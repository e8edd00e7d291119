//! Join handles as futures: a task of async code that waits for the end of a goroutine.
//!
//! *Why here.* Floor 8: the goroutine that ends calls the waker itself, in user mode, which is where user code may run.
//!
//! What the task leaves is shared by two: its handle, and the `join` word of the G, which names it by its address and the bit TASK. Whoever takes the
//! word's share takes it out with the read-modify-write that ends the wait: the goroutine with DONE, the handle before that.
//!
//! *Invariants.* J1. JT1. The word owns one count of what it names, until DONE is set or the handle has cleared it. JT2. A waker is left before DONE is
//! looked at once more, and the goroutine takes it after DONE: one of the two sees the other.
//!
//! *Locks.* `waker`, a leaf: nothing is called or dropped under it.
//!
//! *Go:* none.

use core::pin::Pin;
use core::ptr::with_exposed_provenance;
use core::task::{Context, Poll, Waker};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::gmp::GPtr;
use crate::gmp::join_word::{JOIN_FLAGS, TASK};
use crate::task::{JoinHandle, ScopedJoinHandle, goexit, panics};

/// What a task leaves where a goroutine will end. Aligned so that the flags of the word do not meet the address.
#[repr(align(256))]
pub(super) struct JoinTask {
    waker: Mutex<Option<Waker>>,
}

const _: () = assert!(align_of::<JoinTask>() > JOIN_FLAGS);

impl JoinTask {
    /// Exchanges the waker that will be called; gives back the one before.
    fn exchange(&self, waker: Option<Waker>) -> Option<Waker> {
        core::mem::replace(&mut *self.waker.lock().unwrap_or_else(PoisonError::into_inner), waker)
    }

    fn knows(&self, waker: &Waker) -> bool {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|known| known.will_wake(waker))
    }
}

/// Has a waker called when the goroutine ends. False: it has ended.
fn watch(gp: GPtr, task: &mut Option<Arc<JoinTask>>, waker: &Waker) -> bool {
    if let Some(task) = task {
        if !task.knows(waker) {
            let before = task.exchange(Some(waker.clone()));
            drop(before);
        }
        // If DONE is not seen (JT2), the goroutine takes the waker later, under the lock.
        return !gp.join.is_done();
    }
    let new = Arc::new(JoinTask { waker: Mutex::new(Some(waker.clone())) });
    let address = Arc::as_ptr(&new).expose_provenance();
    let words = Arc::into_raw(Arc::clone(&new));
    if !gp.join.announce(address, TASK) {
        // SAFETY: the word has not become the owner of this count.
        drop(unsafe { Arc::from_raw(words) });
        return false;
    }
    *task = Some(new);
    true
}

/// The handle does not wait any more, or in another way.
#[inline]
pub(super) fn withdraw(gp: GPtr, task: &mut Option<Arc<JoinTask>>) {
    if let Some(task) = task.take() {
        clear(gp, &task);
    }
}

#[cold]
fn clear(gp: GPtr, task: &Arc<JoinTask>) {
    if gp.join.withdraw_task() {
        // SAFETY: the word owned a count (JT1), which it does not name any more; the goroutine has not seen it.
        drop(unsafe { Arc::from_raw(Arc::as_ptr(task)) });
    }
}

/// The goroutine has ended: calls the waker of the task that the word has named, at `address`. For user mode. A waker that panics ends the program, as a `go` that does.
#[cold]
pub(super) fn wake(address: usize) {
    // SAFETY: the word named this task and owned a count of it (JT1), which became the caller's with DONE.
    let task = unsafe { Arc::from_raw(with_exposed_provenance::<JoinTask>(address)) };
    let waker = task.exchange(None);
    let call = AssertUnwindSafe(|| {
        drop(task);
        waker.into_iter().for_each(Waker::wake);
    });
    if let Err(payload) = catch_unwind(call)
        && !goexit::is_goexit(&*payload)
    {
        panics::unobserved(payload);
    }
}

/// Waits for the end without parking, in whatever executor. The output is what [`join`](JoinHandle::join) returns; the handle has no result after that, and
/// a second one may neither be polled nor joined for.
///
/// # Panics
///
/// `the result of the goroutine was taken before`, when polled again after it was ready.
///
/// # Examples
///
/// ```
/// use goruntime::future::block_on;
///
/// goruntime::run(|| {
///     let handles = [goruntime::spawn(|| 1), goruntime::spawn(|| 2)];
///     let sum = block_on(async {
///         let mut sum = 0;
///         for handle in handles {
///             sum += handle.await.unwrap();
///         }
///         sum
///     });
///     assert_eq!(sum, 3);
/// });
/// ```
impl<T> Future for JoinHandle<T> {
    type Output = thread::Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<thread::Result<T>> {
        let this = self.get_mut();
        if !this.is_finished() && watch(this.claim.gp, &mut this.claim.task, cx.waker()) {
            return Poll::Pending;
        }
        withdraw(this.claim.gp, &mut this.claim.task);
        // SAFETY: DONE was seen with Acquire, here or by `watch`.
        let result = unsafe { this.claim.take() };
        this.claim.gp.join.set_taken();
        Poll::Ready(result)
    }
}

/// No result is pinned by its handle.
impl<T> Unpin for JoinHandle<T> {}

/// As the future of [`JoinHandle`]. The scope waits for the goroutine in any case, whatever becomes of the future.
impl<T> Future for ScopedJoinHandle<'_, T> {
    type Output = thread::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<thread::Result<T>> {
        match Pin::new(&mut self.handle).poll(cx) {
            Poll::Ready(_) => Poll::Ready(self.outcome()),
            Poll::Pending => Poll::Pending,
        }
    }
}
