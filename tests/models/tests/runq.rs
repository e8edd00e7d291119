//! The run queue on real threads: its order, its limits, and three stealers at once.
//!
//! *What.* `runtime/src/gmp/runq.rs` as it is, with its 256 slots. Items are numbers dressed as pointers: the queue never looks
//! through them. `RUNQ_SEED` repeats a stress run, `RUNQ_ITEMS` makes it longer.
//!
//! *Why here.* Beside the models, because it too takes the file out of the runtime by `#[path]`.
//!
//! *Invariants.* R1 to R5 of `gmp::runq`.
//!
//! *Locks.* None.
//!
//! *Go:* `testSchedLocalQueueLocal`, `testSchedLocalQueueSteal` of proc_test.go.

#[path = "../../../runtime/src/base"]
#[allow(dead_code, unused_imports, reason = "the queue uses a part of the shim")]
mod base {
    pub(crate) mod shim;
}

#[path = "../../../runtime/src/gmp"]
mod gmp {
    pub(crate) mod runq;
}

use std::mem;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::base::shim::RUNQ_SIZE;
use crate::gmp::runq::RunQueue;

/// What the queue takes for a goroutine.
struct Item;

fn item(number: usize) -> NonNull<Item> {
    NonNull::new(ptr::without_provenance_mut(number + 1)).unwrap()
}

fn number(item: NonNull<Item>) -> usize {
    item.addr().get() - 1
}

/// The owner's put; returns what came out by overflow.
///
/// # Safety
/// - The caller is the queue's only owner.
unsafe fn put(queue: &RunQueue<Item>, number: usize, next: bool) -> Vec<usize> {
    // SAFETY: passed on to the caller; items are not looked through.
    let full = unsafe { queue.put(item(number), next) };
    // SAFETY: as above.
    let spilled = full.and_then(|item| unsafe { queue.overflow(item) });
    spilled.into_iter().flatten().map(self::number).collect()
}

/// The owner's get.
///
/// # Safety
/// - The caller is the queue's only owner.
unsafe fn get(queue: &RunQueue<Item>) -> Option<(usize, bool)> {
    // SAFETY: passed on to the caller.
    unsafe { queue.get() }.map(|(item, inherits)| (number(item), inherits))
}

/// Everything in the queue, in the order in which its owner gets it.
///
/// # Safety
/// - The caller is the queue's only owner.
unsafe fn drain(queue: &RunQueue<Item>) -> Vec<usize> {
    // SAFETY: passed on to the caller.
    std::iter::from_fn(|| unsafe { get(queue) }).map(|(number, _)| number).collect()
}

#[test]
fn ten_spawned_run_as_in_go_the_last_one_first() {
    let queue = RunQueue::new();
    for number in 0..10 {
        // SAFETY: the queue is this thread's own.
        assert!(unsafe { put(&queue, number, true) }.is_empty());
    }
    assert_eq!(queue.len(), 10);
    // SAFETY: as above.
    assert_eq!(unsafe { get(&queue) }, Some((9, true)), "runnext inherits the time slice");
    // SAFETY: as above.
    assert_eq!(unsafe { get(&queue) }, Some((0, false)));
    // SAFETY: as above.
    assert_eq!(unsafe { drain(&queue) }, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert!(queue.is_empty());
}

#[test]
fn a_full_ring_spills_its_older_half_and_the_new_item() {
    let queue = RunQueue::new();
    for number in 0..RUNQ_SIZE {
        // SAFETY: the queue is this thread's own.
        assert!(unsafe { put(&queue, number, false) }.is_empty());
    }
    // SAFETY: as above.
    let spilled = unsafe { put(&queue, RUNQ_SIZE, false) };
    let expected: Vec<usize> = (0..RUNQ_SIZE / 2).chain([RUNQ_SIZE]).collect();
    assert_eq!(spilled, expected);
    // SAFETY: as above.
    assert_eq!(unsafe { drain(&queue) }, (RUNQ_SIZE / 2..RUNQ_SIZE).collect::<Vec<_>>());
}

#[test]
fn a_full_ring_spills_the_displaced_runnext() {
    let queue = RunQueue::new();
    for number in 0..=RUNQ_SIZE {
        // SAFETY: the queue is this thread's own.
        assert!(unsafe { put(&queue, number, true) }.is_empty());
    }
    // SAFETY: as above.
    let spilled = unsafe { put(&queue, RUNQ_SIZE + 1, true) };
    assert_eq!(spilled.len(), RUNQ_SIZE / 2 + 1);
    assert_eq!(spilled.last(), Some(&RUNQ_SIZE));
    // SAFETY: as above.
    assert_eq!(unsafe { get(&queue) }, Some((RUNQ_SIZE + 1, true)));
}

#[test]
fn a_batch_takes_what_there_is_room_for() {
    let queue = RunQueue::new();
    // SAFETY: the queue is this thread's own.
    assert!(unsafe { put(&queue, 0, false) }.is_empty());
    let mut batch = (1..RUNQ_SIZE + 5).map(item);
    // SAFETY: as above.
    unsafe { queue.put_batch(&mut batch) };
    assert_eq!(batch.map(number).collect::<Vec<_>>(), (RUNQ_SIZE..RUNQ_SIZE + 5).collect::<Vec<_>>());
    // SAFETY: as above.
    assert_eq!(unsafe { drain(&queue) }, (0..RUNQ_SIZE).collect::<Vec<_>>());
}

#[test]
fn a_hint_looks_ahead_as_far_as_there_are_items() {
    let queue = RunQueue::new();
    for number in 0..3 {
        // SAFETY: the queue is this thread's own.
        assert!(unsafe { put(&queue, number, false) }.is_empty());
    }
    let ahead = |places| queue.hint_ahead(places).map(number);
    assert_eq!([ahead(0), ahead(1), ahead(2), ahead(3)], [Some(0), Some(1), Some(2), None]);
    // SAFETY: as above.
    assert_eq!(unsafe { drain(&queue) }.len(), 3);
    assert_eq!(queue.hint_ahead(0), None);
}

#[test]
fn a_steal_takes_the_older_half_rounded_up() {
    for length in 0..=RUNQ_SIZE {
        let (victim, thief) = (RunQueue::new(), RunQueue::new());
        for number in 0..length {
            // SAFETY: both queues are this thread's own.
            assert!(unsafe { put(&victim, number, false) }.is_empty());
        }
        // SAFETY: as above.
        let run_at_once = unsafe { thief.steal_into(&victim) }.map(number);
        let stolen = length.div_ceil(2);
        assert_eq!(run_at_once, stolen.checked_sub(1));
        assert_eq!(thief.len(), stolen.saturating_sub(1));
        // SAFETY: as above.
        assert_eq!(unsafe { drain(&thief) }, (0..stolen.saturating_sub(1)).collect::<Vec<_>>());
        // SAFETY: as above.
        assert_eq!(unsafe { drain(&victim) }, (stolen..length).collect::<Vec<_>>());
    }
}

#[test]
fn a_steal_takes_no_more_than_there_is_room_for() {
    let (victim, thief) = (RunQueue::new(), RunQueue::new());
    for number in 0..RUNQ_SIZE {
        // SAFETY: both queues are this thread's own.
        assert!(unsafe { put(&victim, number, false) }.is_empty());
        // SAFETY: as above.
        assert!(number < 3 || unsafe { put(&thief, number + 1000, false) }.is_empty());
    }
    // SAFETY: as above.
    assert_eq!(unsafe { thief.steal_into(&victim) }.map(number), Some(3));
    assert_eq!((thief.len(), victim.len()), (RUNQ_SIZE, RUNQ_SIZE - 4));
}

#[test]
fn a_steal_leaves_runnext_to_steal_next() {
    let (victim, thief) = (RunQueue::new(), RunQueue::<Item>::new());
    // SAFETY: both queues are this thread's own.
    assert!(unsafe { put(&victim, 7, true) }.is_empty());
    // SAFETY: as above.
    assert!(unsafe { thief.steal_into(&victim) }.is_none());
    assert!(!victim.steal_next(item(8)), "another item than the expected one");
    let seen = victim.peek_next().unwrap();
    assert!(victim.steal_next(seen));
    assert!(victim.is_empty());
}

#[test]
fn zeroed_memory_is_an_empty_queue() {
    // SAFETY: integers and atomic pointers of a null are valid as zeros (R5).
    let queue: Box<RunQueue<Item>> = Box::new(unsafe { mem::zeroed() });
    assert!(queue.is_empty());
    assert_eq!(queue.len(), 0);
    // SAFETY: the queue is this thread's own.
    assert!(unsafe { put(&queue, 3, false) }.is_empty());
    // SAFETY: as above.
    assert_eq!(unsafe { drain(&queue) }, [3]);
}

#[test]
fn indices_wrap_around_at_two_to_the_32() {
    let mut queue = RunQueue::new();
    let start = u32::MAX - 100;
    let indices: *mut RunQueue<Item> = &mut queue;
    // SAFETY: the queue is `repr(C)` and begins with head and tail, which are 32-bit words.
    unsafe { indices.cast::<[u32; 2]>().write([start, start]) };
    for number in 0..RUNQ_SIZE {
        // SAFETY: the queue is this thread's own.
        assert!(unsafe { put(&queue, number, false) }.is_empty());
    }
    // SAFETY: as above.
    assert_eq!(unsafe { put(&queue, RUNQ_SIZE, false) }.len(), RUNQ_SIZE / 2 + 1);
    let thief = RunQueue::new();
    // SAFETY: as above.
    assert_eq!(unsafe { thief.steal_into(&queue) }.map(number), Some(RUNQ_SIZE / 2 + RUNQ_SIZE / 4 - 1));
    // SAFETY: as above.
    assert_eq!(unsafe { drain(&queue) }, (RUNQ_SIZE / 2 + RUNQ_SIZE / 4..RUNQ_SIZE).collect::<Vec<_>>());
}

/// A number from the environment, or what `otherwise` gives.
fn setting(name: &str, otherwise: impl FnOnce() -> u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or_else(otherwise)
}

/// Xorshift: enough to vary a schedule.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// A stealer: takes from the victim and from its runnext into a queue of its own, and runs what it has.
fn rob(victim: &RunQueue<Item>, over: &AtomicBool, mut dice: Dice, run: impl Fn(usize)) {
    let own = RunQueue::new();
    loop {
        let last_round = over.load(Ordering::Acquire);
        // SAFETY: `own` is this thread's own, and not the victim.
        let mut found = unsafe { own.steal_into(victim) };
        if found.is_none() && dice.below(4) == 0 {
            found = victim.peek_next().filter(|&next| victim.steal_next(next));
        }
        match found {
            Some(item) => run(number(item)),
            None if last_round => return,
            None => thread::yield_now(),
        }
        // SAFETY: as above.
        unsafe { drain(&own) }.into_iter().for_each(&run);
    }
}

#[test]
fn stress_three_stealers_run_each_item_once() {
    let seed = setting("RUNQ_SEED", || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64 | 1);
    let count = setting("RUNQ_ITEMS", || 3_000_000) as usize;
    println!("RUNQ_SEED={seed} RUNQ_ITEMS={count}");
    let runs: Vec<AtomicU32> = (0..count).map(|_| AtomicU32::new(0)).collect();
    let run = |number: usize| {
        runs[number].fetch_add(1, Ordering::Relaxed);
    };
    let queue = RunQueue::new();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for stealer in 1..=3 {
            let (queue, over) = (&queue, &over);
            scope.spawn(move || rob(queue, over, Dice(seed.wrapping_mul(2 * stealer + 1) | 1), run));
        }
        let mut dice = Dice(seed | 1);
        let mut number = 0;
        while number < count {
            match dice.below(64) {
                0 => {
                    let end = (number + 100).min(count);
                    let mut batch = (number..end).map(item);
                    // SAFETY: this thread alone owns the queue.
                    unsafe { queue.put_batch(&mut batch) };
                    number = batch.next().map_or(end, self::number);
                }
                // SAFETY: as above.
                1..20 => unsafe { get(&queue) }.into_iter().for_each(|(number, _)| run(number)),
                roll => {
                    // SAFETY: as above.
                    unsafe { put(&queue, number, roll % 2 == 0) }.into_iter().for_each(run);
                    number += 1;
                }
            }
            assert!(queue.len() <= RUNQ_SIZE + 1);
        }
        // SAFETY: as above.
        unsafe { drain(&queue) }.into_iter().for_each(run);
        // Release: pairs with the Acquire in `rob`.
        over.store(true, Ordering::Release);
    });
    assert!(queue.is_empty());
    for (number, runs) in runs.iter().enumerate() {
        assert_eq!(runs.load(Ordering::Relaxed), 1, "item {number} of seed {seed}");
    }
}
