//! A counter of wake-ups: what Go's locks sleep on.
//!
//! *Why here.* Floor 7, under the locks, which keep their own counts of who has what; this one holds only wake-ups that came before their sleep.
//!
//! *Invariants.* SA1. The count is above zero only while nobody is queued.
//!
//! *Locks.* The queue's, rank 1.
//!
//! *Go:* `semacquire1`, `semrelease1` of sema.go, without the hand-off of the time slice: an unlock happens in destructors, and must not move the
//! goroutine to another thread.

use crate::proc::{enter, enter_preemptible};
use crate::sync::queue::{Queue, Wait, Waited, wake_all};
use crate::sync::sudog::Claims;

/// A counter of wake-ups.
#[derive(Debug)]
pub(crate) struct Sema {
    queue: Queue<u32>,
}

impl Sema {
    /// No wake-ups yet.
    pub(crate) const fn new() -> Sema {
        Sema { queue: Queue::new(0) }
    }

    /// Waits for a wake-up, as long as `how` permits.
    pub(crate) fn acquire(&self, how: &Wait<'_>) -> Waited {
        let inside = enter_preemptible();
        let mut permits = self.queue.lock(&inside);
        if *permits > 0 {
            *permits -= 1;
            return Waited::Woken;
        }
        permits.wait(&inside, how).0
    }

    /// Wakes the first `count` waiters, or as many who are about to wait.
    pub(crate) fn release(&self, count: u32) {
        let inside = enter();
        let mut permits = self.queue.lock(&inside);
        let mut waiters = Claims::new();
        for left in (1..=count).rev() {
            match permits.dequeue() {
                Some(waiter) => waiters.push_back(waiter),
                None => {
                    *permits += left;
                    break;
                }
            }
        }
        drop(permits);
        wake_all(waiters);
    }
}
