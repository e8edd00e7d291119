//! The handle of a goroutine: wait for its end and take the result.
//!
//! *Why here.* Floor 8.
//!
//! What the handle, the goroutine and a joiner tell each other is one word of the G (`gmp::join_word`).
//!
//! *Invariants.* J1 and J3 of `gmp::join_word`.
//!
//! *Locks.* That of a `Cancel`, in a join with a limit.
//!
//! *Go:* none; mirrors `std::thread::JoinHandle`.

use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;
use std::sync::{Arc, OnceLock};
use std::thread;

use crate::gmp::join_word::{CLAIM, Detached};
use crate::gmp::{GPtr, WaitReason};
use crate::proc::newproc::recycle;
use crate::proc::park::{check_goexit, note_place};
use crate::proc::{enter, enter_preemptible, gopark};
use crate::sync::cancel::{self, Bounds, Cancel, Ending};
use crate::sync::sudog::{self, expect_claim};
use crate::task::finish::drop_quietly;
use crate::task::join_task::{self, JoinTask};
use crate::task::slot;
use crate::thread::Thread;

/// The right to wait for a goroutine and take its result; dropping it detaches the goroutine.
///
/// It is also `goruntime::thread::JoinHandle`.
///
/// It is also a future, whose output is what [`join`](JoinHandle::join) returns.
pub struct JoinHandle<T> {
    pub(super) claim: Claim<T>,
    thread: OnceLock<Thread>,
}

/// The right to the result; dropping it detaches.
pub(super) struct Claim<T> {
    pub(super) gp: GPtr,
    /// What a task has left that waits for the end.
    pub(super) task: Option<Arc<JoinTask>>,
    result: PhantomData<T>,
}

// SAFETY: what moves is the right to take a `T` that another goroutine has made, so T must be Send; the join word synchronises.
unsafe impl<T: Send> Send for Claim<T> {}
// SAFETY: a shared claim gives out only the state, which is atomic; the rest takes an exclusive one.
unsafe impl<T> Sync for Claim<T> {}

impl<T> JoinHandle<T> {
    pub(crate) fn new(gp: GPtr) -> JoinHandle<T> {
        JoinHandle { claim: Claim { gp, task: None, result: PhantomData }, thread: OnceLock::new() }
    }

    /// The handle of a goroutine that a builder may have named.
    pub(crate) fn named(gp: GPtr, name: Option<Arc<str>>) -> JoinHandle<T> {
        let handle = JoinHandle::new(gp);
        if name.is_some() {
            // The cell is new, so it takes the value.
            let _ = handle.thread.set(Thread::of_goroutine(gp, name));
        }
        handle
    }

    /// Waits for the goroutine to end and returns its result.
    ///
    /// # Blocking
    ///
    /// Parks the goroutine, or the thread, until the other one has ended.
    ///
    /// # Errors
    ///
    /// `Err` holds the payload of the panic that ended the goroutine, or [`crate::Goexit`].
    ///
    /// # Panics
    ///
    /// `the result of the goroutine was taken before`, if the handle was polled as a future until it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// let outcome = goruntime::run(|| goruntime::spawn(|| -> i32 { panic!("no") }).join());
    /// assert_eq!(*outcome.unwrap_err().downcast::<&str>().unwrap(), "no");
    /// ```
    #[track_caller]
    pub fn join(mut self) -> thread::Result<T> {
        self.wait(core::panic::Location::caller());
        // SAFETY: DONE was seen with Acquire.
        let result = unsafe { self.claim.take() };
        let gp = self.claim.gp;
        // It has nothing but the G any more: the wait has withdrawn its task.
        core::mem::forget(self.claim);
        let_go(gp);
        result
    }

    /// As [`JoinHandle::join`], for at most `timeout`.
    ///
    /// # Blocking
    ///
    /// As [`JoinHandle::join`], and until the time is up. With zero it does not wait.
    ///
    /// # Errors
    ///
    /// The handle, if the goroutine has not ended in time; it goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::time::Duration;
    ///
    /// goruntime::run(|| {
    ///     let (tx, rx) = goruntime::channel::bounded::<i32>(0);
    ///     let handle = goruntime::spawn(move || rx.recv().unwrap());
    ///     let handle = handle.join_timeout(Duration::from_millis(1)).unwrap_err();
    ///     tx.send(5).unwrap();
    ///     assert_eq!(handle.join().unwrap(), 5);
    /// });
    /// ```
    #[track_caller]
    pub fn join_timeout(mut self, timeout: Duration) -> Result<thread::Result<T>, JoinHandle<T>> {
        let bounds = Bounds { when: sudog::deadline(timeout), cancel: None };
        let may_wait = !timeout.is_zero();
        if self.is_finished() || may_wait && self.wait_within(bounds, core::panic::Location::caller()) {
            return Ok(self.join());
        }
        Err(self)
    }

    /// Whether the goroutine has ended, so that `join` would not wait.
    pub fn is_finished(&self) -> bool {
        self.claim.gp.join.is_done()
    }

    /// The goroutine as a thread, to unpark or name it.
    pub fn thread(&self) -> &Thread {
        self.thread.get_or_init(|| Thread::of_goroutine(self.claim.gp, None))
    }

    /// Waits until the result is there.
    pub(crate) fn wait(&mut self, at: &'static core::panic::Location<'static>) {
        while !self.wait_or_deadlock(at) {}
    }

    /// Waits until the result is there, or until a deadlock is found while a test waits here: then false.
    pub(crate) fn wait_or_deadlock(&mut self, at: &'static core::panic::Location<'static>) -> bool {
        fn commit(gp: GPtr, target: *mut ()) -> bool {
            let Some(target) = GPtr::from_raw(target.cast()) else { return false };
            target.join.announce(gp.as_ptr().expose_provenance(), 0)
        }
        join_task::withdraw(self.claim.gp, &mut self.claim.task);
        if self.is_finished() {
            return true;
        }
        check_goexit();
        let inside = enter_preemptible();
        note_place(&inside, at);
        gopark(&inside, WaitReason::Join, commit, self.claim.gp.as_ptr().cast());
        self.is_finished()
    }

    /// Waits until the result is there (true), or until the bounds end the wait.
    pub(crate) fn wait_within(&mut self, bounds: Bounds<'_>, at: &'static core::panic::Location<'static>) -> bool {
        fn commit(gp: GPtr, target: *mut ()) -> bool {
            let Some(target) = GPtr::from_raw(target.cast()) else { return false };
            target.join.announce(gp.as_ptr().expose_provenance(), CLAIM)
        }
        if bounds.are_none() {
            self.wait(at);
            return true;
        }
        join_task::withdraw(self.claim.gp, &mut self.claim.task);
        if self.is_finished() {
            return true;
        }
        check_goexit();
        let inside = enter_preemptible();
        note_place(&inside, at);
        expect_claim(inside.g());
        // Orders the commit before the end of a wait whose time is up: see `park_within`.
        let nobody = Cancel::new();
        let bounds = Bounds { cancel: bounds.cancel.or(Some(&nobody)), ..bounds };
        let target = self.claim.gp.as_ptr().cast();
        let ending = cancel::park_within(&inside, bounds, WaitReason::Join, commit, target);
        if ending != Ending::Served {
            // J3.
            self.claim.gp.join.leave();
        }
        ending == Ending::Served
    }
}

impl<T> Claim<T> {
    /// Takes the result.
    ///
    /// # Safety
    ///
    /// - DONE was seen with Acquire.
    #[inline]
    #[track_caller]
    pub(super) unsafe fn take(&mut self) -> thread::Result<T> {
        assert!(!self.gp.join.is_taken(), "the result of the goroutine was taken before");
        // SAFETY: the caller has seen DONE, so the result is in the slot, and it was not taken before: only the handle takes it (J1).
        unsafe { slot::take::<thread::Result<T>>(self.gp.slot.get()) }
    }
}

/// The handle is let go after its result was taken.
fn let_go(gp: GPtr) {
    if gp.join.let_go() {
        let inside = enter();
        recycle(inside.p(), gp);
    }
}

impl<T> Drop for Claim<T> {
    fn drop(&mut self) {
        let gp = self.gp;
        join_task::withdraw(gp, &mut self.task);
        let detached = gp.join.detach();
        if detached == Detached::Late {
            // SAFETY: DONE was seen with Acquire and the handle is still held, so the result is ours and the G is not recycled (J1).
            drop_quietly::<T>(unsafe { slot::take(gp.slot.get()) });
        }
        if detached != Detached::Early {
            let_go(gp);
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("goid", &self.claim.gp.goid())
            .field("finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}
