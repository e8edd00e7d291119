//! The permits of a semaphore: how many there are, and whether somebody queues for them.
//!
//! *Why here.* Floor 7, under `Semaphore`, which does the queuing. The models run this file as it is, with loom's atomics.
//!
//! | bits      | meaning                                                                                                      |
//! |-----------|--------------------------------------------------------------------------------------------------------------|
//! | `WAITING` | somebody is queued: whoever takes or gives goes through the lock                                             |
//! | the rest  | free permits, in units of `PERMIT`                                                                           |
//!
//! *Invariants.* PM1. `WAITING` is set and cleared under the semaphore's lock, and is set whenever somebody is queued while the lock is free. PM2. While
//! `WAITING` is set, the number changes under the lock only: so nobody overtakes the queue, and no permit is given that the queue does not see.
//!
//! *Locks.* That of the semaphore, for the functions that say so.
//!
//! *Go:* golang.org/x/sync/semaphore, whose mutex covers everything.

use crate::base::shim::{AtomicUsize, Ordering};

const WAITING: usize = 1;
const PERMIT: usize = 2;

/// Most permits there can be.
pub(crate) const MOST_PERMITS: usize = usize::MAX / PERMIT;

/// Free permits.
#[derive(Debug)]
pub(crate) struct Permits {
    word: AtomicUsize,
}

/// What has come of giving permits back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Given {
    /// They are free; nobody is queued.
    Free,
    /// Somebody is queued: nothing has changed, the caller is to `add` them under the lock and grant them.
    MustGrant,
    /// There would be too many; nothing has changed.
    TooMany,
}

impl Permits {
    /// So many, at most [`MOST_PERMITS`].
    pub(crate) const fn new(count: usize) -> Permits {
        Permits { word: AtomicUsize::new(count * PERMIT) }
    }

    /// How many are free at this moment.
    pub(crate) fn available(&self) -> usize {
        self.word.load(Ordering::Relaxed) / PERMIT
    }

    /// Takes `count` if they are free and nobody is queued.
    #[inline]
    pub(crate) fn try_take(&self, count: usize) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & WAITING == 0 && word / PERMIT >= count {
            // Acquire: pairs with the Release in `give` and `add`.
            match self.word.compare_exchange(word, word - count * PERMIT, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(seen) => word = seen,
            }
        }
        false
    }

    /// Takes `count` as `try_take`, or announces that the caller, who has the lock, is going to queue.
    pub(crate) fn take_or_announce(&self, count: usize) -> bool {
        loop {
            if self.try_take(count) {
                return true;
            }
            let word = self.word.load(Ordering::Relaxed);
            let lacks = word & WAITING != 0 || word / PERMIT < count;
            // Relaxed: who queues is found under the lock.
            if lacks && self.word.compare_exchange(word, word | WAITING, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return false;
            }
        }
    }

    /// Gives `count` back, if nobody is queued.
    #[inline]
    pub(crate) fn give(&self, count: usize) -> Given {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & WAITING != 0 {
                return Given::MustGrant;
            }
            if word / PERMIT > MOST_PERMITS - count {
                return Given::TooMany;
            }
            // Release: pairs with the Acquire in `try_take`.
            match self.word.compare_exchange(word, word + count * PERMIT, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return Given::Free,
                Err(seen) => word = seen,
            }
        }
    }

    /// Gives `count` back, by the holder of the lock, who then grants what is free; false if there would be too many.
    pub(crate) fn add(&self, count: usize) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        while word / PERMIT <= MOST_PERMITS - count {
            // Release: as in `give`.
            match self.word.compare_exchange(word, word + count * PERMIT, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(seen) => word = seen,
            }
        }
        false
    }

    /// Whether `count` are free, for the holder of the lock while somebody is queued (PM2).
    pub(crate) fn suffice(&self, count: usize) -> bool {
        self.available() >= count
    }

    /// Takes `count` that suffice, for the first in the queue; by the holder of the lock.
    pub(crate) fn grant(&self, count: usize) {
        // Acquire: as in `try_take`, for whom they are.
        self.word.fetch_sub(count * PERMIT, Ordering::Acquire);
    }

    /// Nobody is queued any more; by the holder of the lock.
    pub(crate) fn calm(&self) {
        self.word.fetch_and(!WAITING, Ordering::Relaxed);
    }
}
