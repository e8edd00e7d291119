//! Models of the semaphore's permits: none too many, none lost, the queue in order.
//!
//! *What.* The queuing that `Semaphore` does around the word: the lock and the queue are a mutex over a list of what is wanted, a condition variable
//! stands for parking. The permit protects a cell: two holders of a single permit are a race.
//!
//! *Why here.* `sync::permits` is lock-free as long as nobody queues.
//!
//! *Invariants.* PM1 and PM2 of `sync::permits`, SM1 of `sync::semaphore`.
//!
//! *Locks.* The semaphore's.
//!
//! *Go:* none.

use std::collections::VecDeque;

use loom::cell::UnsafeCell;
use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
use loom::thread;

use crate::explore;
use crate::sync::permits::{Given, Permits};

/// What the lock protects.
#[derive(Default)]
struct Waiting {
    /// Who wants how many.
    queue: VecDeque<(u32, usize)>,
    granted: Vec<u32>,
}

struct Semaphore {
    permits: Permits,
    waiting: Mutex<Waiting>,
    changed: Condvar,
    value: UnsafeCell<u32>,
}

// SAFETY: the cell is what the model is about; loom checks its accesses.
unsafe impl Sync for Semaphore {}

impl Semaphore {
    fn new(count: usize) -> Arc<Semaphore> {
        let permits = Permits::new(count);
        // Once, see H1 of the shim.
        assert_eq!(permits.available(), count);
        Arc::new(Semaphore {
            permits,
            waiting: Mutex::new(Waiting::default()),
            changed: Condvar::new(),
            value: UnsafeCell::new(0),
        })
    }

    fn acquire(&self, who: u32, count: usize) {
        if self.permits.try_take(count) {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap();
        if self.permits.take_or_announce(count) {
            return;
        }
        waiting.queue.push_back((who, count));
        while !waiting.granted.contains(&who) {
            waiting = self.changed.wait(waiting).unwrap();
        }
    }

    /// Asks, and gives up at the first opportunity: true if that was too late.
    fn acquire_briefly(&self, who: u32, count: usize) -> bool {
        if self.permits.try_take(count) {
            return true;
        }
        let mut waiting = self.waiting.lock().unwrap();
        if self.permits.take_or_announce(count) {
            return true;
        }
        waiting.queue.push_back((who, count));
        drop(waiting);
        let mut waiting = self.waiting.lock().unwrap();
        if waiting.granted.contains(&who) {
            return true;
        }
        waiting.queue.retain(|waiter| waiter.0 != who);
        self.grant(waiting);
        false
    }

    fn release(&self, count: usize) {
        match self.permits.give(count) {
            Given::Free => {}
            Given::MustGrant => {
                let waiting = self.waiting.lock().unwrap();
                assert!(self.permits.add(count));
                self.grant(waiting);
            }
            Given::TooMany => unreachable!("there are few"),
        }
    }

    fn grant(&self, mut waiting: MutexGuard<'_, Waiting>) {
        while let Some(&(who, count)) = waiting.queue.front() {
            if !self.permits.suffice(count) {
                break;
            }
            self.permits.grant(count);
            waiting.queue.pop_front();
            waiting.granted.push(who);
        }
        if waiting.queue.is_empty() {
            self.permits.calm();
        }
        drop(waiting);
        self.changed.notify_all();
    }

    /// Something that the permit is for.
    fn use_it(&self) {
        // SAFETY: as above.
        self.value.with_mut(|value| unsafe { *value += 1 });
    }

    fn used(&self) -> u32 {
        // SAFETY: as above.
        self.value.with(|value| unsafe { *value })
    }
}

/// Fails with Relaxed instead of Acquire in `try_take` or instead of Release in `give`, and if `give` adds although somebody is queued.
#[test]
fn one_permit_is_held_by_one() {
    explore(|| {
        let semaphore = Semaphore::new(1);
        assert!(semaphore.permits.try_take(1), "nobody else is there yet");
        let others = [1, 2].map(|who| {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || {
                semaphore.acquire(who, 1);
                semaphore.use_it();
                semaphore.release(1);
            })
        });
        semaphore.use_it();
        semaphore.release(1);
        for other in others {
            other.join().unwrap();
        }
        semaphore.acquire(3, 1);
        assert_eq!((semaphore.used(), semaphore.permits.available()), (3, 0));
    });
}

/// Fails if `take_or_announce` announces without looking again, or lets somebody queue without announcing.
#[test]
fn who_wants_all_gets_all() {
    explore(|| {
        let semaphore = Semaphore::new(2);
        let small = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || {
                for who in [1, 2] {
                    semaphore.acquire(who, 1);
                    semaphore.release(1);
                }
            })
        };
        semaphore.acquire(0, 2);
        semaphore.use_it();
        semaphore.release(2);
        small.join().unwrap();
        assert_eq!(semaphore.permits.available(), 2);
        assert!(semaphore.permits.try_take(2), "nobody waits any more");
    });
}

/// Fails if whoever gives up does not grant what it stood in the way of, or does not `calm` an empty queue.
#[test]
fn who_gives_up_is_in_nobodys_way() {
    explore(|| {
        let semaphore = Semaphore::new(1);
        assert!(semaphore.permits.try_take(1), "nobody else is there yet");
        let large = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || {
                if semaphore.acquire_briefly(1, 2) {
                    semaphore.release(2);
                }
            })
        };
        let small = {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || {
                semaphore.acquire(2, 1);
                semaphore.use_it();
                semaphore.release(1);
            })
        };
        semaphore.use_it();
        semaphore.release(1);
        small.join().unwrap();
        large.join().unwrap();
        assert_eq!(semaphore.permits.available(), 1);
        assert!(semaphore.permits.try_take(1), "nobody waits any more");
        assert_eq!(semaphore.used(), 2);
    });
}
