//! Models of the run queue: whatever its owner and stealers do, each item comes out once and can be used by whoever got it.
//!
//! *What.* An item is a cell that the owner fills before it puts the item, and that its taker changes: loom reports a second
//! taker, and a taker that does not see the filling, as a race.
//!
//! *Why here.* `gmp::runq` rests on orderings that x86-64 never breaks.
//!
//! *Invariants.* Those of `gmp::runq`: R1 to R4.
//!
//! *Locks.* None.
//!
//! *Go:* none.

use std::ptr::NonNull;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use crate::explore;
use crate::gmp::runq::RunQueue;

/// 0 before it is put, 1 while it is queued, 2 after it was taken.
struct Item(UnsafeCell<u32>);

/// The items of one execution and the queue they go through.
struct Bench<const N: usize> {
    items: [Item; N],
    queue: RunQueue<Item>,
}

impl<const N: usize> Bench<N> {
    fn new() -> Arc<Bench<N>> {
        let items = std::array::from_fn(|_| Item(UnsafeCell::new(0)));
        Arc::new(Bench { items, queue: empty_queue() })
    }

    /// Fills item `index` for its taker.
    fn make(&self, index: usize) -> NonNull<Item> {
        let item = &self.items[index];
        // SAFETY: the owner has the item for itself until it is put; loom checks it.
        item.0.with_mut(|state| unsafe { *state = 1 });
        NonNull::from(item)
    }

    /// The owner's put; returns what came out by overflow.
    fn put(&self, index: usize, next: bool) -> Vec<NonNull<Item>> {
        // SAFETY: only the main thread of a model puts into this queue.
        let full = unsafe { self.queue.put(self.make(index), next) };
        // SAFETY: as above; the item is the one that `put` returned.
        full.and_then(|item| unsafe { self.queue.overflow(item) }).into_iter().flatten().collect()
    }

    /// The owner's get.
    fn get(&self) -> Option<NonNull<Item>> {
        // SAFETY: only the main thread of a model owns this queue.
        unsafe { self.queue.get() }.map(|(item, _)| item)
    }

    /// A thief's round with a queue of its own: everything that it got, used.
    fn rob(&self) -> usize {
        let loot = empty_queue();
        // SAFETY: `loot` is this thread's own, and not the victim.
        let Some(first) = (unsafe { loot.steal_into(&self.queue) }) else { return 0 };
        use_up(first);
        let mut count = 1;
        // SAFETY: as above.
        while let Some((item, inherits)) = unsafe { loot.get() } {
            assert!(!inherits, "stolen items do not go to runnext");
            use_up(item);
            count += 1;
        }
        count
    }

    /// A thief's look at runnext.
    fn rob_next(&self) -> usize {
        match self.queue.peek_next() {
            Some(item) if self.queue.steal_next(item) => use_up(item),
            _ => 0,
        }
    }

    /// Everything that is left, used by the owner.
    fn drain(&self) -> usize {
        std::iter::from_fn(|| self.get()).map(use_up).sum()
    }
}

/// A queue whose words loom knows (H1 of the shim).
fn empty_queue() -> RunQueue<Item> {
    let queue = RunQueue::new();
    assert!(queue.is_empty());
    queue
}

/// What a taker does with its item, alone.
fn use_up(item: NonNull<Item>) -> usize {
    // SAFETY: the bench outlives the threads that use its items.
    let item = unsafe { item.as_ref() };
    item.0.with_mut(|state| {
        // SAFETY: the taker has the item for itself; loom checks it.
        let state = unsafe { &mut *state };
        assert_eq!(*state, 1, "an item was taken twice or before it was filled");
        *state = 2;
    });
    1
}

/// Fails with Relaxed instead of Release for `tail` in `push`, and with Relaxed instead of Acquire for it in `steal_into`.
#[test]
fn owner_and_stealer_take_each_item_once() {
    explore(|| {
        let bench = Bench::<3>::new();
        let thief = Arc::clone(&bench);
        let thief = thread::spawn(move || thief.rob());
        let mut taken = 0;
        for index in 0..3 {
            assert!(bench.put(index, false).is_empty());
        }
        taken += bench.get().map_or(0, use_up);
        taken += thief.join().unwrap();
        taken += bench.drain();
        assert_eq!(taken, 3);
        assert!(bench.queue.is_empty());
    });
}

/// Fails with a plain store instead of the CAS of `head` in `get` or in `steal_into`.
#[test]
fn owner_and_two_stealers_take_each_item_once() {
    explore(|| {
        let bench = Bench::<3>::new();
        for index in 0..3 {
            assert!(bench.put(index, false).is_empty());
        }
        let thieves = [(); 2].map(|()| {
            let thief = Arc::clone(&bench);
            thread::spawn(move || thief.rob())
        });
        let mut taken = bench.get().map_or(0, use_up);
        taken += thieves.into_iter().map(|thief| thief.join().unwrap()).sum::<usize>();
        taken += bench.drain();
        assert_eq!(taken, 3);
    });
}

/// Fails if `room` promises one slot more than there is. Not with weaker orderings of `head`: loom does not reorder a load with a later
/// store (L2).
#[test]
fn slots_are_reused_only_after_stealers_have_read_them() {
    explore(|| {
        let bench = Bench::<7>::new();
        for index in 0..4 {
            assert!(bench.put(index, false).is_empty());
        }
        let thief = Arc::clone(&bench);
        let thief = thread::spawn(move || thief.rob());
        let mut taken = 0;
        for index in 4..7 {
            taken += bench.put(index, false).into_iter().map(use_up).sum::<usize>();
            taken += bench.get().map_or(0, use_up);
        }
        taken += thief.join().unwrap();
        taken += bench.drain();
        assert_eq!(taken, 7);
    });
}

/// Fails if `overflow` moves `head` by a plain store, and if it takes items without a look whether the ring is still full.
#[test]
fn overflow_and_two_steals_lose_nothing() {
    explore(|| {
        let bench = Bench::<5>::new();
        for index in 0..4 {
            assert!(bench.put(index, false).is_empty());
        }
        let thief = Arc::clone(&bench);
        let thief = thread::spawn(move || thief.rob() + thief.rob());
        let spilled = bench.put(4, false);
        assert!(spilled.is_empty() || spilled.len() == 3, "half a ring and the new item");
        let mut taken = spilled.into_iter().map(use_up).sum::<usize>();
        taken += thief.join().unwrap();
        taken += bench.drain();
        assert_eq!(taken, 5);
    });
}

/// Fails with a plain store instead of the CAS in `get`, with a load and a store instead of the swap in `put`, and with Relaxed in `put`
/// or `steal_next`.
#[test]
fn runnext_goes_to_one_taker() {
    explore(|| {
        let bench = Bench::<3>::new();
        let thieves = [(); 2].map(|()| {
            let thief = Arc::clone(&bench);
            thread::spawn(move || thief.rob_next())
        });
        let mut taken = 0;
        assert!(bench.put(0, true).is_empty());
        assert!(bench.put(1, true).is_empty());
        taken += bench.get().map_or(0, use_up);
        assert!(bench.put(2, true).is_empty());
        taken += thieves.into_iter().map(|thief| thief.join().unwrap()).sum::<usize>();
        taken += bench.drain();
        assert_eq!(taken, 3);
    });
}

/// The whole life of a ping-pong pair's queue, with a thief that takes the ring first and runnext after it.
#[test]
fn displaced_runnext_is_in_the_ring() {
    explore(|| {
        let bench = Bench::<3>::new();
        let thief = Arc::clone(&bench);
        let thief = thread::spawn(move || thief.rob() + thief.rob_next());
        for index in 0..3 {
            assert!(bench.put(index, true).is_empty());
        }
        let mut taken = bench.get().map_or(0, use_up);
        taken += thief.join().unwrap();
        taken += bench.drain();
        assert_eq!(taken, 3);
    });
}

/// The thief's ring is robbed while it is filled from a victim: the items pass through two queues.
///
/// Fails with Relaxed instead of Release for the thief's `tail` in `steal_into`.
#[test]
fn stolen_items_can_be_stolen_again() {
    explore(|| {
        let bench = Bench::<4>::new();
        for index in 0..4 {
            assert!(bench.put(index, false).is_empty());
        }
        let middle = Arc::new(empty_queue());
        let (victim, own) = (Arc::clone(&bench), Arc::clone(&middle));
        let first = thread::spawn(move || {
            // SAFETY: `own` is filled by this thread only.
            unsafe { own.steal_into(&victim.queue) }.map_or(0, use_up)
        });
        let second = Arc::clone(&middle);
        let second = thread::spawn(move || {
            let loot = empty_queue();
            // SAFETY: `loot` is this thread's own; one item at most is in the victim's ring.
            unsafe { loot.steal_into(&second) }.map_or(0, use_up)
        });
        let mut taken = first.join().unwrap() + second.join().unwrap();
        // SAFETY: its owner has ended.
        while let Some((item, _)) = unsafe { middle.get() } {
            taken += use_up(item);
        }
        taken += bench.drain();
        assert_eq!(taken, 4);
    });
}

/// An idle M's last look: an item that wanders from runnext into the ring is not overlooked.
///
/// Fails without the second look at `tail` in `is_empty`, and with Relaxed for `runnext` there or in `get`.
#[test]
fn a_queue_that_always_holds_an_item_never_looks_empty() {
    explore(|| {
        let bench = Bench::<2>::new();
        assert!(bench.put(0, true).is_empty());
        let idler = Arc::clone(&bench);
        let idler = thread::spawn(move || idler.queue.is_empty());
        // Item 0 goes to the ring and item 1 is taken again: at no time are both places empty, except between the two halves of the put,
        // which the submitter's own barrier and look at the spinning Ms cover.
        assert!(bench.put(1, true).is_empty());
        use_up(bench.get().unwrap());
        assert!(!idler.join().unwrap());
        assert_eq!(bench.drain(), 1);
    });
}
