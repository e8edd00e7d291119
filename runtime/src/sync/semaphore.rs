//! `Semaphore`: a number of permits, given out in the order of asking.
//!
//! *Why here.* Floor 7, over `permits`.
//!
//! *Invariants.* PM1, PM2. SM1. Whenever the lock is free, the first in the queue wants more than is free: permits that come, and waiters that leave in
//! front of others, are followed by `grant`. The tag of a waiter is what it wants.
//!
//! *Locks.* The queue's, rank 1.
//!
//! *Go:* golang.org/x/sync/semaphore (`Weighted`).

use core::fmt;
use core::mem;
use core::panic::Location;
use core::time::Duration;
use std::sync::Arc;

use crate::gmp::WaitReason;
use crate::proc::park::check_goexit;
use crate::proc::{enter, enter_preemptible};
use crate::sync::cancel::Bounds;
use crate::sync::permits::{Given, MOST_PERMITS, Permits};
use crate::sync::queue::{Locked, Queue, Wait, Waited, wake_all};
use crate::sync::sudog::{self, Claims};

/// A number of permits that goroutines hold for a while, given out strictly in the order of asking.
///
/// Who asks for many is not overtaken by those who ask for few: they wait behind it, even if what they want is free. Dropping a permit gives it back.
/// Permits may be given back on another goroutine than they were taken on, and [`release`](Semaphore::release) adds to their number.
///
/// Taking and giving back while nobody waits does not enter the runtime. Works on goroutines and on plain threads.
///
/// # Examples
///
/// At most two downloads at once:
///
/// ```
/// use goruntime::sync::{Arc, Semaphore, WaitGroup};
///
/// goruntime::run(|| {
///     let (slots, group) = (Arc::new(Semaphore::new(2)), WaitGroup::new());
///     for _ in 0..10 {
///         let permit = slots.clone().acquire_owned();
///         group.go(move || {
///             let _permit = permit;
///             // Here it works.
///         });
///     }
///     group.wait();
///     assert_eq!(slots.available(), 2);
/// });
/// ```
pub struct Semaphore {
    permits: Permits,
    /// The number of those who are queued.
    queue: Queue<usize>,
}

/// Permits that are held; dropping it gives them back.
#[must_use = "if unused the permits are given back at once"]
#[clippy::has_significant_drop]
#[derive(Debug)]
pub struct SemaphorePermit<'a> {
    semaphore: &'a Semaphore,
    count: usize,
}

/// Permits that are held, with a share of the semaphore; dropping it gives them back.
#[must_use = "if unused the permits are given back at once"]
#[clippy::has_significant_drop]
#[derive(Debug)]
pub struct OwnedSemaphorePermit {
    semaphore: Arc<Semaphore>,
    count: usize,
}

impl Semaphore {
    /// Most permits there can be.
    pub const MAX_PERMITS: usize = MOST_PERMITS;

    /// Makes a semaphore with `permits` free permits.
    ///
    /// # Panics
    ///
    /// If that is more than [`Semaphore::MAX_PERMITS`].
    pub const fn new(permits: usize) -> Semaphore {
        assert!(permits <= MOST_PERMITS, "too many permits in Semaphore");
        Semaphore { permits: Permits::new(permits), queue: Queue::new(0) }
    }

    /// Takes one permit, waiting for it.
    ///
    /// # Blocking
    ///
    /// Parks the goroutine (or the plain thread) until a permit is free and all who asked before have theirs.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::sync::Semaphore;
    ///
    /// let semaphore = Semaphore::new(1);
    /// let permit = semaphore.acquire();
    /// assert!(semaphore.try_acquire().is_none());
    /// drop(permit);
    /// assert!(semaphore.try_acquire().is_some());
    /// ```
    #[inline]
    #[track_caller]
    pub fn acquire(&self) -> SemaphorePermit<'_> {
        self.acquire_many(1)
    }

    /// Takes `count` permits at once, waiting for them. Zero are had as soon as nobody waits.
    ///
    /// # Blocking
    ///
    /// As [`Semaphore::acquire`]. More permits than ever exist are waited for in vain, and whoever comes later waits, too.
    #[inline]
    #[track_caller]
    pub fn acquire_many(&self, count: usize) -> SemaphorePermit<'_> {
        self.take(count);
        SemaphorePermit { semaphore: self, count }
    }

    /// Takes one permit if it is free and nobody waits.
    #[inline]
    pub fn try_acquire(&self) -> Option<SemaphorePermit<'_>> {
        self.try_acquire_many(1)
    }

    /// Takes `count` permits if they are free and nobody waits.
    #[inline]
    pub fn try_acquire_many(&self, count: usize) -> Option<SemaphorePermit<'_>> {
        self.permits.try_take(count).then(|| SemaphorePermit { semaphore: self, count })
    }

    /// As [`Semaphore::acquire`], for at most `timeout`; None if the time was up.
    ///
    /// # Blocking
    ///
    /// As [`Semaphore::acquire`], and until the time is up.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::sync::Semaphore;
    /// use goruntime::time::Duration;
    ///
    /// let semaphore = Semaphore::new(0);
    /// assert!(semaphore.acquire_timeout(Duration::from_millis(1)).is_none());
    /// semaphore.release(1);
    /// assert!(semaphore.acquire_timeout(Duration::from_secs(60)).is_some());
    /// ```
    #[inline]
    #[track_caller]
    pub fn acquire_timeout(&self, timeout: Duration) -> Option<SemaphorePermit<'_>> {
        self.acquire_many_timeout(1, timeout)
    }

    /// As [`Semaphore::acquire_many`], for at most `timeout`; None if the time was up.
    ///
    /// # Blocking
    ///
    /// As [`Semaphore::acquire_timeout`].
    #[inline]
    #[track_caller]
    pub fn acquire_many_timeout(&self, count: usize, timeout: Duration) -> Option<SemaphorePermit<'_>> {
        let bounds = Bounds { when: sudog::deadline(timeout), cancel: None };
        let taken =
            self.permits.try_take(count) || !timeout.is_zero() && self.take_slow(count, bounds, Location::caller());
        taken.then(|| SemaphorePermit { semaphore: self, count })
    }

    /// As [`Semaphore::acquire`], with a permit that can be given to another goroutine.
    ///
    /// # Blocking
    ///
    /// As [`Semaphore::acquire`].
    #[inline]
    #[track_caller]
    pub fn acquire_owned(self: Arc<Semaphore>) -> OwnedSemaphorePermit {
        self.acquire_many_owned(1)
    }

    /// As [`Semaphore::acquire_many`], with permits that can be given to another goroutine.
    ///
    /// # Blocking
    ///
    /// As [`Semaphore::acquire_many`].
    #[inline]
    #[track_caller]
    pub fn acquire_many_owned(self: Arc<Semaphore>, count: usize) -> OwnedSemaphorePermit {
        self.take(count);
        OwnedSemaphorePermit { semaphore: self, count }
    }

    /// As [`Semaphore::try_acquire`], with a permit that can be given to another goroutine.
    #[inline]
    pub fn try_acquire_owned(self: Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        self.permits.try_take(1).then(|| OwnedSemaphorePermit { semaphore: self, count: 1 })
    }

    /// Gives back `count` permits that were kept by [`forget`](SemaphorePermit::forget), or adds so many new ones. Whoever waits for them has them at
    /// once, in the order of asking.
    ///
    /// # Panics
    ///
    /// `too many permits in Semaphore` beyond [`Semaphore::MAX_PERMITS`].
    #[inline]
    #[track_caller]
    pub fn release(&self, count: usize) {
        assert!(count <= MOST_PERMITS, "too many permits in Semaphore");
        let given = self.permits.give(count);
        if given != Given::Free {
            assert!(given != Given::TooMany && self.release_slow(count), "too many permits in Semaphore");
        }
    }

    /// How many permits are free at this moment, some of which may wait for those who need more.
    pub fn available(&self) -> usize {
        self.permits.available()
    }

    /// As [`Semaphore::acquire_many`]; None if the bounds have ended the wait.
    pub(crate) fn acquire_within(
        &self,
        count: usize,
        bounds: Bounds<'_>,
        at: &'static Location<'static>,
    ) -> Option<SemaphorePermit<'_>> {
        let taken = self.permits.try_take(count) || self.take_slow(count, bounds, at);
        taken.then(|| SemaphorePermit { semaphore: self, count })
    }

    #[inline]
    #[track_caller]
    fn take(&self, count: usize) {
        if !self.permits.try_take(count) {
            // Without a time limit it ends with success.
            let taken = self.take_slow(count, Bounds::default(), Location::caller());
            debug_assert!(taken, "a wait without a time limit was given up");
        }
    }

    #[cold]
    #[track_caller]
    fn take_slow(&self, count: usize, bounds: Bounds<'_>, at: &'static Location<'static>) -> bool {
        check_goexit();
        let inside = enter_preemptible();
        let mut locked = self.queue.lock(&inside);
        if self.permits.take_or_announce(count) {
            return true;
        }
        *locked += 1;
        let how = Wait { tag: count, ..Wait::within(WaitReason::Semacquire, at, bounds) };
        match locked.wait(&inside, &how) {
            // Whoever dequeued it has taken the permits for it.
            (Waited::Woken, _) => true,
            (Waited::TimedOut, locked) => {
                // It may have been what the others wait behind.
                let granted = locked.map(|mut locked| {
                    *locked -= 1;
                    self.grant(&mut locked)
                });
                granted.into_iter().for_each(wake_all);
                false
            }
        }
    }

    #[cold]
    fn release_slow(&self, count: usize) -> bool {
        let inside = enter();
        let mut locked = self.queue.lock(&inside);
        let added = self.permits.add(count);
        let granted = self.grant(&mut locked);
        drop(locked);
        wake_all(granted);
        added
    }

    /// Gives what is free to those who are queued, as far as it reaches (SM1). They are readied after the unlock.
    fn grant(&self, locked: &mut Locked<'_, usize>) -> Claims {
        let mut granted = Claims::new();
        while let Some(waiter) = locked.dequeue_if(|wanted| self.permits.suffice(wanted)) {
            self.permits.grant(waiter.elem().addr());
            **locked -= 1;
            granted.push_back(waiter);
        }
        if locked.nobody_waits() {
            self.permits.calm();
        }
        granted
    }
}

impl SemaphorePermit<'_> {
    /// How many permits these are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Takes the permits away for good, unless [`Semaphore::release`] brings them back.
    pub fn forget(self) {
        mem::forget(self);
    }
}

impl OwnedSemaphorePermit {
    /// How many permits these are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The semaphore they are from.
    pub fn semaphore(&self) -> &Arc<Semaphore> {
        &self.semaphore
    }

    /// Takes the permits away for good, unless [`Semaphore::release`] brings them back.
    pub fn forget(mut self) {
        self.count = 0;
    }
}

impl Drop for SemaphorePermit<'_> {
    fn drop(&mut self) {
        self.semaphore.release(self.count);
    }
}

impl Drop for OwnedSemaphorePermit {
    fn drop(&mut self) {
        self.semaphore.release(self.count);
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inside = enter();
        let waiting = *self.queue.lock(&inside);
        drop(inside);
        f.debug_struct("Semaphore").field("available", &self.available()).field("waiting", &waiting).finish()
    }
}
