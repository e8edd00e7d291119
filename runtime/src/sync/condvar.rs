//! `Condvar`: waits until somebody says that a condition may have changed.
//!
//! *Why here.* Floor 7.
//!
//! A waiter queues, unlocks its mutex, and parks. Between the first and the last step it can already be notified; then it does not park (QU4).
//!
//! *Invariants.* CV1. A waiter is queued before its mutex is unlocked, so whoever changes the condition under the mutex and then notifies finds it.
//! CV2. A notification reaches one waiter: the dequeuer, and no time-out, has claimed it. CV3. While anybody waits, all wait with the mutex whose
//! address is the queue's state.
//!
//! *Locks.* The queue's, rank 1. The mutex is unlocked without it, and locked again without it.
//!
//! *Go:* cond.go, `notifyList` of sema.go, whose tickets are our places in the queue.

use core::fmt;
use core::panic::Location;
use core::ptr;
use core::time::Duration;
use std::sync::{LockResult, PoisonError};
use std::time::Instant;

use crate::gmp::WaitReason;
use crate::proc::park::check_goexit;
use crate::proc::{enter, enter_preemptible};
use crate::sync::mutex::MutexGuard;
use crate::sync::queue::{self, Notified, Queue, Wait, Waited};
use crate::sync::raw_mutex::RawMutex;
use crate::sync::sudog::{self, Claims};

/// Waits until somebody says that a condition may have changed; see `std::sync::Condvar`, whose interface it has.
///
/// Waiters are notified in the order they came, and only by a notification: there are no spurious wake-ups. (A condition is still to be looked at again,
/// because others may have changed it before the mutex was locked anew; `wait_while` does that.)
///
/// # Examples
///
/// ```
/// use goruntime::sync::{Arc, Condvar, Mutex};
///
/// goruntime::run(|| {
///     let shared = Arc::new((Mutex::new(false), Condvar::new()));
///     goruntime::go({
///         let shared = shared.clone();
///         move || {
///             *shared.0.lock().unwrap() = true;
///             shared.1.notify_one();
///         }
///     });
///     let guard = shared.1.wait_while(shared.0.lock().unwrap(), |is_ready| !*is_ready).unwrap();
///     assert!(*guard);
/// });
/// ```
#[doc(alias = "Cond")]
pub struct Condvar {
    /// The address of the mutex of those who wait (CV3).
    queue: Queue<usize>,
}

/// Whether a wait ended because its time was up.
#[derive(Debug, PartialEq, Eq, Copy, Clone)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether it did.
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    /// Makes one for which nobody waits.
    #[inline]
    pub const fn new() -> Condvar {
        Condvar { queue: Queue::new(0) }
    }

    /// Unlocks the mutex, waits for a notification, and locks the mutex again. No notification after the unlock is missed.
    ///
    /// # Blocking
    ///
    /// Parks the goroutine (or the plain thread) until it is notified, and then until it has the mutex.
    ///
    /// # Errors
    ///
    /// With the guard, if the mutex is poisoned when it is locked again.
    ///
    /// # Panics
    ///
    /// `attempted to use a condition variable with two mutexes`, if others wait with another mutex.
    #[track_caller]
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        // It ends by a notification only.
        let _ = self.wait_until(guard.raw(), None);
        guard.again()
    }

    /// Waits while `condition` holds for the value; looks at once, and after each notification.
    ///
    /// # Blocking
    ///
    /// As [`Condvar::wait`], any number of times.
    ///
    /// # Errors
    ///
    /// As [`Condvar::wait`].
    ///
    /// # Panics
    ///
    /// As [`Condvar::wait`].
    #[track_caller]
    pub fn wait_while<'a, T, F>(&self, guard: MutexGuard<'a, T>, mut condition: F) -> LockResult<MutexGuard<'a, T>>
    where
        F: FnMut(&mut T) -> bool,
    {
        let mut guard = guard;
        while condition(&mut guard) {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// As [`Condvar::wait`], for at most `dur`.
    ///
    /// # Blocking
    ///
    /// As [`Condvar::wait`], and until the time is up; in both cases until it has the mutex again.
    ///
    /// # Errors
    ///
    /// As [`Condvar::wait`].
    ///
    /// # Panics
    ///
    /// As [`Condvar::wait`].
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::sync::{Condvar, Mutex};
    /// use goruntime::time::Duration;
    ///
    /// let (mutex, condvar) = (Mutex::new(()), Condvar::new());
    /// let (_guard, result) = condvar.wait_timeout(mutex.lock().unwrap(), Duration::from_millis(1)).unwrap();
    /// assert!(result.timed_out());
    /// ```
    #[track_caller]
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        dur: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let waited = self.wait_until(guard.raw(), sudog::deadline(dur));
        let result = WaitTimeoutResult(waited == Waited::TimedOut);
        match guard.again() {
            Ok(guard) => Ok((guard, result)),
            Err(error) => Err(PoisonError::new((error.into_inner(), result))),
        }
    }

    /// As [`Condvar::wait_timeout`], in milliseconds; false if the time was up.
    ///
    /// # Blocking
    ///
    /// As [`Condvar::wait_timeout`].
    ///
    /// # Errors
    ///
    /// As [`Condvar::wait`].
    #[deprecated(note = "replaced by `Condvar::wait_timeout`, as in std")]
    #[track_caller]
    pub fn wait_timeout_ms<'a, T>(&self, guard: MutexGuard<'a, T>, ms: u32) -> LockResult<(MutexGuard<'a, T>, bool)> {
        match self.wait_timeout(guard, Duration::from_millis(ms.into())) {
            Ok((guard, result)) => Ok((guard, !result.timed_out())),
            Err(error) => {
                let (guard, result) = error.into_inner();
                Err(PoisonError::new((guard, !result.timed_out())))
            }
        }
    }

    /// Waits while `condition` holds for the value, for at most `dur` in all.
    ///
    /// # Blocking
    ///
    /// As [`Condvar::wait_timeout`], any number of times.
    ///
    /// # Errors
    ///
    /// As [`Condvar::wait`].
    ///
    /// # Panics
    ///
    /// As [`Condvar::wait`].
    #[track_caller]
    pub fn wait_timeout_while<'a, T, F>(
        &self,
        guard: MutexGuard<'a, T>,
        dur: Duration,
        mut condition: F,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)>
    where
        F: FnMut(&mut T) -> bool,
    {
        let (begun, mut guard) = (Instant::now(), guard);
        loop {
            if !condition(&mut guard) {
                return Ok((guard, WaitTimeoutResult(false)));
            }
            let Some(left) = dur.checked_sub(begun.elapsed()) else { return Ok((guard, WaitTimeoutResult(true))) };
            guard = self.wait_timeout(guard, left)?.0;
        }
    }

    /// Wakes the one that has waited longest, if anybody waits. The mutex may be locked or not.
    #[doc(alias = "Signal")]
    #[inline]
    pub fn notify_one(&self) {
        // Whoever queued before a change that the caller made or has seen under the mutex is seen here (CV1).
        if !self.queue.is_empty() {
            self.notify(1);
        }
    }

    /// Wakes all who wait now, in the order they came.
    #[doc(alias = "Broadcast")]
    #[inline]
    pub fn notify_all(&self) {
        if !self.queue.is_empty() {
            self.notify(u32::MAX);
        }
    }

    #[cold]
    fn notify(&self, most: u32) {
        let inside = enter();
        let mut parked = Claims::new();
        let locked = self.queue.lock(&inside);
        for _ in 0..most {
            match locked.notify_first() {
                Some(Notified::Parked(waiter)) => parked.push_back(waiter),
                Some(Notified::Coming) => {}
                None => break,
            }
        }
        drop(locked);
        queue::wake_all(parked);
    }

    #[track_caller]
    fn wait_until(&self, mutex: &RawMutex, until: Option<i64>) -> Waited {
        check_goexit();
        let at = Location::caller();
        let inside = enter_preemptible();
        let address = ptr::from_ref(mutex).addr();
        let mut locked = self.queue.lock(&inside);
        if !locked.nobody_waits() && *locked != address {
            drop(locked);
            drop(inside);
            panic!("attempted to use a condition variable with two mutexes");
        }
        *locked = address;
        let how = Wait { until, ..Wait::new(WaitReason::CondWait, at) };
        let waited = locked.wait_after(&inside, &how, || mutex.unlock());
        drop(inside);
        mutex.lock(WaitReason::MutexLock, at);
        waited
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}

impl Default for Condvar {
    fn default() -> Condvar {
        Condvar::new()
    }
}
