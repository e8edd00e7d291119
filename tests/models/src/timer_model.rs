//! Models of a timer's word: a cancel that returns has ended its arming, and nobody frees a timer that a heap still knows.
//!
//! *What.* `gmp::timers` with callbacks that touch a cell: a callback beside the owner who has cancelled is a race.
//!
//! *Why here.* `fired` changes the word without the heap's lock, and `abandon` decides without it who frees the memory.
//!
//! *Invariants.* T1, T2 and T4 of `gmp::timers`, G3 of `gmp`.
//!
//! *Locks.* The heap's, as loom's mutex.
//!
//! *Go:* none.

use std::mem::offset_of;
use std::ptr::NonNull;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use crate::explore;
use crate::gmp::timers::{Timer, TimerHeap, Top};

/// A timer, and what its callback does.
#[repr(C)]
struct Owner {
    timer: Timer,
    calls: UnsafeCell<u32>,
}

struct World {
    owner: Owner,
    heaps: [TimerHeap; 2],
}

// SAFETY: the cell is what the model is about; loom checks its accesses.
unsafe impl Sync for World {}
// SAFETY: as for Sync.
unsafe impl Send for World {}

fn call(timer: NonNull<Timer>, _: i64) {
    // SAFETY: every timer here is the first field of its owner, which lives as long as the model.
    let owner = unsafe { timer.byte_sub(offset_of!(Owner, timer)).cast::<Owner>().as_ref() };
    owner.touch();
    owner.timer.fired();
}

impl Owner {
    fn touch(&self) {
        // SAFETY: as above.
        self.calls.with_mut(|calls| unsafe { *calls += 1 });
    }

    /// For those who have ended all callbacks.
    fn count(&self) -> u32 {
        // SAFETY: as above.
        self.calls.with(|calls| unsafe { *calls })
    }
}

impl World {
    fn new() -> Arc<World> {
        let owner = Owner { timer: Timer::default(), calls: UnsafeCell::new(0) };
        let world = Arc::new(World { owner, heaps: [TimerHeap::new(), TimerHeap::new()] });
        // Once, see H1 of the shim: a whole life on each heap.
        for heap in &world.heaps {
            let _ = world.owner.timer.arm(heap, 1, call);
            assert!(world.owner.timer.cancel());
            assert!(matches!(heap.pop_due(1), Top::Nothing));
        }
        assert!(world.owner.timer.abandon());
        world
    }

    fn arm(&self, when: i64) {
        let _ = self.owner.timer.arm(&self.heaps[0], when, call);
    }

    /// What an M does; how often it has called, and whether it got the memory.
    fn run(&self, now: i64) -> (u32, bool) {
        let (mut calls, mut released) = (0, false);
        for heap in &self.heaps {
            loop {
                match heap.pop_due(now) {
                    Top::Due(due) => {
                        due.fire(now);
                        calls += 1;
                    }
                    Top::Released(_) => {
                        self.owner.touch();
                        released = true;
                    }
                    Top::Nothing => break,
                }
            }
        }
        (calls, released)
    }
}

fn beside<R: 'static>(world: &Arc<World>, body: fn(&World) -> R) -> thread::JoinHandle<R> {
    let world = Arc::clone(world);
    thread::spawn(move || body(&world))
}

/// Fails with Relaxed in `fired` or in the wait of `cancel`, and if `cancel` does not wait.
#[test]
fn after_a_cancel_nothing_of_the_arming_happens() {
    explore(|| {
        let world = World::new();
        world.arm(5);
        let other = beside(&world, |world| world.run(5));
        let prevented = world.owner.timer.cancel();
        assert_eq!(world.owner.count(), u32::from(!prevented));
        // Somebody else's frame by now.
        world.owner.touch();
        let (calls, _) = other.join().unwrap();
        assert_eq!(calls, u32::from(!prevented));
    });
}

/// Two Ms look at the same heap.
#[test]
fn a_timer_fires_once() {
    explore(|| {
        let world = World::new();
        world.arm(5);
        let others = [beside(&world, |world| world.run(5).0), beside(&world, |world| world.run(5).0)];
        let calls = others.map(|other| other.join().unwrap());
        assert_eq!((calls[0] + calls[1], world.owner.count()), (1, 1));
    });
}

/// Fails if `set_state` stores while the callback runs: the next cancel would wait for ever.
#[test]
fn a_timer_is_armed_anew_while_it_fires() {
    explore(|| {
        let world = World::new();
        world.arm(5);
        let other = beside(&world, |world| world.run(5).0);
        // An owner that does not mind two at once (T4): only the word is looked at.
        let _ = world.owner.timer.arm(&world.heaps[0], 9, |timer, _| {
            // SAFETY: as above.
            unsafe { timer.as_ref() }.fired();
        });
        let calls = other.join().unwrap();
        assert!(world.owner.timer.cancel(), "it is armed for later");
        assert!(!world.owner.timer.is_firing() && calls <= 1);
    });
}

/// Fails with Relaxed in `abandon` or in `pop_due`, if both or neither are given the memory.
#[test]
fn the_last_one_who_knows_a_timer_gets_its_memory() {
    explore(|| {
        let world = World::new();
        world.arm(5);
        let other = beside(&world, |world| world.run(5).1);
        world.owner.timer.cancel();
        let is_free = world.owner.timer.abandon();
        if is_free {
            world.owner.touch();
        }
        let released = other.join().unwrap();
        assert_eq!(u32::from(is_free) + u32::from(released | world.run(5).1), 1);
    });
}

/// The P of the heap stops, and its timers move. Fails if `cancel` does not look again under the lock.
#[test]
fn a_timer_that_moves_is_found() {
    explore(|| {
        let world = World::new();
        world.arm(5);
        let other = beside(&world, |world| {
            world.heaps[0].move_all(&world.heaps[1]);
            world.run(5).0
        });
        let prevented = world.owner.timer.cancel();
        assert_eq!(world.owner.count(), u32::from(!prevented));
        world.owner.touch();
        assert_eq!(other.join().unwrap(), u32::from(!prevented));
    });
}
