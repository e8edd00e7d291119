//! Models of the hand-off: a P never has two users, no claim stays in flight, no P gets lost.
//!
//! *What.* A P's contents are a cell that each owner changes: two owners at a time, or an owner that does not see its
//! predecessor's changes, are a race. An M without a P waits on the idle list: a lost P is a deadlock. There is no lock around the
//! ownership; the two words of `gmp::claim` are all that protects it.
//!
//! *Why here.* No test on a machine can be trusted to meet the windows of this protocol.
//!
//! *Invariants.* C1 to C4 of `gmp::claim`, B1 of `gmp::barrier`.
//!
//! *Locks.* The idle list's.
//!
//! *Go:* none.

use std::ops::Range;

use loom::cell::UnsafeCell;
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use crate::base::shim::{AtomicU32, Ordering::Relaxed};
use crate::explore;
use crate::gmp::claim::{CLAIM, Claim, Claimed, LOST, PREEMPT};

/// The number of a P or M in a word whose zero means none.
type Id = u32;

/// The M whose goroutine enters and leaves.
const M: Id = 1;

struct Processor {
    m: AtomicU32,
    schedtick: AtomicU32,
    /// P's queues, caches and heaps: owner only (C4).
    contents: UnsafeCell<usize>,
}

struct World {
    claim: Claim,
    /// `m.p`
    p: AtomicU32,
    ps: [Processor; 2],
    idle: Mutex<Vec<Id>>,
    returned: Condvar,
}

impl World {
    /// The M is inside and owns P 1; P 2 is idle if there is one.
    fn new(idle: Range<Id>) -> Arc<World> {
        let processor =
            |m| Processor { m: AtomicU32::new(m), schedtick: AtomicU32::new(0), contents: UnsafeCell::new(0) };
        let claim = Claim::new();
        // Loom gets to know the words (H1 of the shim).
        assert_eq!((claim.depth(), claim.bits()), (1, 0), "an M starts inside");
        let world = World {
            claim,
            p: AtomicU32::new(1),
            ps: [processor(M), processor(0)],
            idle: Mutex::new(idle.collect()),
            returned: Condvar::new(),
        };
        // These too (H1).
        world.p.load(Relaxed);
        for pp in &world.ps {
            pp.m.load(Relaxed);
            pp.schedtick.load(Relaxed);
        }
        Arc::new(world)
    }

    fn processor(&self, p: Id) -> &Processor {
        &self.ps[p as usize - 1]
    }

    /// An owner's work on its P.
    fn touch(&self, p: Id) {
        // SAFETY: the caller owns the P; loom checks it.
        self.processor(p).contents.with_mut(|contents| unsafe { *contents += 1 });
    }

    /// The M's work on whatever it owns.
    fn touch_own(&self) {
        let p = self.p.load(Relaxed);
        assert_ne!(p, 0, "inside, without CLAIM and LOST, and no P (C4)");
        assert_eq!(self.processor(p).m.load(Relaxed), M, "m.p and p.m disagree");
        self.touch(p);
    }

    /// `releasep` and `pidleput`, by the owner.
    fn release(&self, p: Id) {
        self.idle.lock().unwrap().push(p);
        self.returned.notify_one();
    }

    /// The M gives its P away; it is inside.
    fn release_own(&self) {
        let p = self.p.load(Relaxed);
        self.processor(p).m.store(0, Relaxed);
        self.p.store(0, Relaxed);
        self.release(p);
    }

    /// The M waits for an idle P; it is inside.
    fn acquire(&self) {
        let mut idle = self.idle.lock().unwrap();
        let p = loop {
            match idle.pop() {
                Some(p) => break p,
                None => idle = self.returned.wait(idle).unwrap(),
            }
        };
        drop(idle);
        self.processor(p).m.store(M, Relaxed);
        self.p.store(p, Relaxed);
    }

    /// The outermost enter of an operation, with all that `proc::enter` does about the bits; returns them.
    fn enter(&self) -> u32 {
        let mut bits = self.claim.enter();
        if bits & CLAIM != 0 {
            bits = self.claim.settle();
        }
        if bits & LOST != 0 {
            assert_eq!(self.p.load(Relaxed), 0, "LOST is seen before the loss");
            self.claim.clear(LOST);
            self.acquire();
        }
        bits
    }

    /// User code on the M, then the next operation.
    fn outside(&self) -> u32 {
        self.claim.leave();
        let bits = self.enter();
        self.touch_own();
        bits
    }

    /// Sysmon's look at a P and the retake that follows.
    fn retake(&self, p: Id) -> bool {
        self.retake_of(p, self.processor(p).schedtick.load(Relaxed))
    }

    /// Sysmon's retake of the P that it believes the M to have, and what the new owner does with it.
    fn retake_of(&self, p: Id, schedtick: u32) -> bool {
        let pp = self.processor(p);
        if pp.m.load(Relaxed) != M {
            return false;
        }
        let unchanged =
            || self.p.load(Relaxed) == p && pp.m.load(Relaxed) == M && pp.schedtick.load(Relaxed) == schedtick;
        let take = || {
            self.p.store(0, Relaxed);
            pp.m.store(0, Relaxed);
        };
        let taken = self.claim.try_claim(unchanged, take) == Claimed::Taken;
        if taken {
            self.touch(p);
            self.release(p);
        }
        taken
    }

    /// When all is over and the M is inside.
    fn check_end(&self) {
        assert_eq!(self.claim.bits() & (CLAIM | LOST), 0, "a claim is left dangling");
        self.touch_own();
        let idle = self.idle.lock().unwrap();
        for p in 1..=2 {
            let owners = usize::from(self.processor(p).m.load(Relaxed) != 0);
            let listed = idle.iter().filter(|&&listed| listed == p).count();
            assert!(owners + listed <= 1, "P {p} is in two places");
        }
    }
}

/// Fails without either barrier, with Relaxed in `leave`, in `enter`, in `settle`, in the load of `in_runtime` or where LOST is set, if
/// `settle` does not wait, and if the P is taken after LOST is set.
#[test]
fn a_p_has_one_owner_while_its_m_comes_and_goes() {
    explore(|| {
        let world = World::new(0..0);
        let sysmon = Arc::clone(&world);
        let sysmon = thread::spawn(move || sysmon.retake(1));
        world.touch_own();
        world.outside();
        world.outside();
        sysmon.join().unwrap();
        world.check_end();
    });
}

/// The second claim meets an M that has lost its P, is just regaining it, or has it again.
#[test]
fn a_p_can_be_retaken_again() {
    explore(|| {
        let world = World::new(0..0);
        let sysmon = Arc::clone(&world);
        let sysmon = thread::spawn(move || {
            sysmon.retake(1);
            sysmon.retake(1);
        });
        world.outside();
        world.outside();
        sysmon.join().unwrap();
        world.check_end();
    });
}

/// The M computes on and never enters again until sysmon is done: the claim must not wait for it.
#[test]
fn an_m_that_stays_outside_loses_its_p() {
    explore(|| {
        let world = World::new(0..0);
        world.touch_own();
        world.claim.leave();
        let sysmon = Arc::clone(&world);
        assert!(thread::spawn(move || sysmon.retake(1)).join().unwrap());
        assert_eq!(world.enter() & (CLAIM | LOST), LOST);
        world.check_end();
    });
}

/// Fails if the inner `leave` clears the depth.
#[test]
fn a_nested_operation_keeps_the_p() {
    explore(|| {
        let world = World::new(0..0);
        let sysmon = Arc::clone(&world);
        let sysmon = thread::spawn(move || sysmon.retake(1));
        assert_eq!(world.claim.enter(), 0, "a nested operation has nothing to attend to");
        world.touch_own();
        world.claim.leave();
        world.touch_own();
        world.outside();
        sysmon.join().unwrap();
        world.check_end();
    });
}

/// A goroutine parks two deep and is resumed by an M that is one deep: the depth goes with it, and the M is inside all the time.
///
/// Fails without the store in `set_depth`.
#[test]
fn the_depth_goes_with_the_goroutine() {
    explore(|| {
        let world = World::new(0..0);
        let sysmon = Arc::clone(&world);
        let sysmon = thread::spawn(move || sysmon.retake(1));
        assert_eq!(world.claim.enter(), 0);
        let depth = world.claim.depth();
        // g0 takes the next goroutine, which is one deep, and comes and goes.
        world.claim.set_depth(1);
        world.processor(1).schedtick.store(1, Relaxed);
        world.claim.leave();
        assert!(world.claim.is_outside());
        world.enter();
        world.touch_own();
        world.claim.set_depth(depth);
        world.claim.leave();
        assert!(!world.claim.is_outside());
        world.touch_own();
        sysmon.join().unwrap();
        world.check_end();
    });
}

/// An announced blocking call: the M gives its P away, with LOST set by itself, while sysmon wants it too.
///
/// Fails without the look at `m.p` in `unchanged`.
#[test]
fn a_p_given_away_is_not_taken_too() {
    explore(|| {
        let world = World::new(0..0);
        let sysmon = Arc::clone(&world);
        let sysmon = thread::spawn(move || sysmon.retake(1));
        world.touch_own();
        world.claim.set_lost();
        world.release_own();
        let bits = world.outside();
        assert_eq!(bits & (CLAIM | LOST), LOST);
        sysmon.join().unwrap();
        world.check_end();
    });
}

/// As above, with LOST set only after the P is somebody else's.
#[test]
fn lost_may_be_set_after_the_p_is_given_away() {
    explore(|| {
        let world = World::new(0..0);
        let sysmon = Arc::clone(&world);
        let sysmon = thread::spawn(move || sysmon.retake(1));
        world.touch_own();
        world.release_own();
        world.claim.set_lost();
        let bits = world.outside();
        assert_eq!(bits & (CLAIM | LOST), LOST);
        sysmon.join().unwrap();
        world.check_end();
    });
}

/// The M swaps its P for another one with the same schedtick, and a third thread works on the first.
///
/// Fails if `unchanged` compares the schedtick only.
#[test]
fn a_claim_for_the_old_p_spares_the_new_one() {
    explore(|| {
        let world = World::new(2..3);
        let sysmon = Arc::clone(&world);
        let sysmon = thread::spawn(move || sysmon.retake(1));
        let heir = Arc::clone(&world);
        let heir = thread::spawn(move || {
            let mut idle = heir.idle.lock().unwrap();
            if let Some(position) = idle.iter().position(|&p| p == 1) {
                idle.remove(position);
                drop(idle);
                heir.touch(1);
                heir.release(1);
            }
        });
        world.touch_own();
        let first = world.p.load(Relaxed);
        world.acquire();
        world.processor(first).m.store(0, Relaxed);
        world.release(first);
        world.outside();
        let lost = sysmon.join().unwrap();
        assert!(!lost || first == 1);
        heir.join().unwrap();
        world.check_end();
    });
}

/// A claim that was meant for a goroutine that has ended does not hit the next one: its schedtick is another.
///
/// Fails if `unchanged` does not compare the schedtick.
#[test]
fn a_new_time_slice_withdraws_the_claim() {
    explore(|| {
        let world = World::new(0..0);
        let aim = Arc::new(AtomicU32::new(u32::MAX));
        aim.load(Relaxed);
        let (sysmon, aimed) = (Arc::clone(&world), Arc::clone(&aim));
        let sysmon = thread::spawn(move || {
            let schedtick = sysmon.processor(1).schedtick.load(Relaxed);
            aimed.store(schedtick, Relaxed);
            sysmon.retake_of(1, schedtick)
        });
        let first = world.outside();
        world.processor(1).schedtick.store(1, Relaxed);
        let second = world.outside();
        sysmon.join().unwrap();
        let hit = if first & LOST != 0 {
            Some(0)
        } else if second & LOST != 0 {
            Some(1)
        } else {
            None
        };
        if let Some(tick) = hit {
            assert_eq!(tick, aim.load(Relaxed), "the claim hit another goroutine than it was meant for");
        }
        world.check_end();
    });
}

/// Fails if `try_claim` resolves by a store instead of changing its bits only, or `clear` stores zero.
#[test]
fn a_preemption_request_survives_a_claim() {
    explore(|| {
        let world = World::new(0..0);
        let sysmon = Arc::clone(&world);
        let sysmon = thread::spawn(move || sysmon.retake(1));
        let other = Arc::clone(&world);
        let other = thread::spawn(move || other.claim.request_preempt());
        let seen = world.outside();
        sysmon.join().unwrap();
        other.join().unwrap();
        let left = world.claim.bits();
        assert_ne!((seen | left) & PREEMPT, 0, "nobody has seen the request");
        world.claim.clear(PREEMPT);
        world.check_end();
    });
}
