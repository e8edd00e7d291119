//! Models of the word that a goroutine and its handle share: the result is taken or dropped once, the G recycled once, and whoever waits is readied.
//!
//! *What.* The steps of `task::finish`, `task::join` and `task::join_task` around `gmp::join_word`, which is the runtime's. The result and the G are cells: who reads
//! the result before it is there, or who recycles beside somebody, is a race. A joiner that is forgotten is a deadlock.
//!
//! *Why here.* Between the two there is nothing but this word.
//!
//! *Invariants.* J1 and J3 of `gmp::join_word`, JT1 and JT2 of `task::join_task`.
//!
//! *Locks.* Those of the joiner's place in the run queue and of the waker.
//!
//! *Go:* none.

use loom::cell::UnsafeCell;
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use crate::base::shim::{AtomicU32, Ordering};
use crate::explore;
use crate::gmp::join_word::{CLAIM, Detached, JoinWord, TASK};

/// Where the joiner and a task are said to be.
const JOINER: usize = 0x100;
const LEFT_BY_TASK: usize = 0x200;

struct World {
    word: JoinWord,
    /// 0 before the end, 1 when the result is there, 2 when it was taken or dropped.
    result: UnsafeCell<u32>,
    recycled: UnsafeCell<u32>,
    /// What a joiner touches until it waits, and who readies it afterwards.
    joiner: UnsafeCell<u32>,
    claimed: AtomicU32,
    readied: Mutex<bool>,
    ready: Condvar,
    /// What the task's waker has been called for, and counts of what it has left.
    calls: Mutex<u32>,
    released: Mutex<u32>,
}

// SAFETY: the cells are what the models are about; loom checks their accesses.
unsafe impl Sync for World {}

impl World {
    fn new() -> Arc<World> {
        let cell = || UnsafeCell::new(0);
        let world = World {
            word: JoinWord::default(),
            result: cell(),
            recycled: cell(),
            joiner: cell(),
            claimed: AtomicU32::new(0),
            readied: Mutex::new(false),
            ready: Condvar::new(),
            calls: Mutex::new(0),
            released: Mutex::new(0),
        };
        // Once, see H1 of the shim.
        assert!(!world.word.is_done());
        world.claimed.store(0, Ordering::Relaxed);
        Arc::new(world)
    }

    fn step_result(&self, from: u32) {
        self.result.with_mut(|result| {
            // SAFETY: the caller has the result for itself; loom checks it.
            let result = unsafe { &mut *result };
            assert_eq!(*result, from, "the result is not there, or was taken before");
            *result += 1;
        });
    }

    /// Only who has everything to itself may.
    fn recycle(&self) {
        for cell in [&self.recycled, &self.result, &self.joiner] {
            // SAFETY: as above.
            cell.with_mut(|word| unsafe { *word += 1 });
        }
    }

    fn claim(&self) -> bool {
        self.claimed.compare_exchange(0, 1, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn ready(&self) {
        // SAFETY: the joiner waits; loom checks it.
        self.joiner.with_mut(|joiner| unsafe { *joiner += 1 });
        let before = std::mem::replace(&mut *self.readied.lock().unwrap(), true);
        assert!(!before, "one joiner is readied twice");
        self.ready.notify_one();
    }

    /// The goroutine: `entry_spawn`, then the last steps on g0.
    fn goroutine(&self) {
        self.step_result(0);
        let before = self.word.finish();
        if before.is_task() {
            assert_eq!(before.address(), LEFT_BY_TASK);
            *self.released.lock().unwrap() += 1;
            *self.calls.lock().unwrap() += 1;
        } else if before.address() != 0 {
            let claimed = !before.must_claim() || self.claim();
            if before.must_claim() {
                self.word.pass();
            }
            if claimed {
                self.ready();
            }
        }
        if before.has_no_handle() {
            self.step_result(1);
        }
        if self.word.gone() {
            self.recycle();
        }
    }

    /// A joiner waits until it is readied; what it does before its wait is seen by whoever readies it.
    fn wait(&self, kind: usize) {
        // SAFETY: nobody knows the joiner yet; loom checks it.
        self.joiner.with_mut(|joiner| unsafe { *joiner += 1 });
        if self.word.announce(JOINER, kind) {
            self.sleep();
        }
    }

    fn sleep(&self) {
        let mut readied = self.readied.lock().unwrap();
        while !*readied {
            readied = self.ready.wait(readied).unwrap();
        }
    }

    /// The end of every join: the goroutine has ended.
    fn take(&self) {
        assert!(self.word.is_done());
        self.step_result(1);
        self.let_go();
    }

    fn let_go(&self) {
        if self.word.let_go() {
            self.recycle();
        }
    }

    /// The handle is dropped.
    fn detach(&self) {
        let detached = self.word.detach();
        if detached == Detached::Late {
            self.step_result(1);
        }
        if detached != Detached::Early {
            self.let_go();
        }
    }

    fn check_end(&self) {
        // SAFETY: everybody has ended.
        assert_eq!(self.recycled.with(|recycled| unsafe { *recycled }), 1, "the G is recycled once");
        // SAFETY: as above.
        assert_eq!(self.result.with(|result| unsafe { *result }), 3, "the result was taken or dropped, before that");
    }
}

fn beside(world: &Arc<World>, body: fn(&World)) -> thread::JoinHandle<()> {
    let world = Arc::clone(world);
    thread::spawn(move || body(&world))
}

/// Fails with Relaxed or Acquire in `finish`, with Relaxed or Acquire in `announce` or Relaxed where it finds the end, with Relaxed or Acquire in `let_go`,
/// and with Relaxed or Release in `gone` or in `let_go`.
#[test]
fn a_joiner_gets_the_result() {
    explore(|| {
        let world = World::new();
        let other = beside(&world, World::goroutine);
        world.wait(0);
        world.take();
        other.join().unwrap();
        world.check_end();
    });
}

/// Fails with Relaxed in `is_done`.
#[test]
fn who_sees_the_end_sees_the_result() {
    explore(|| {
        let world = World::new();
        let other = beside(&world, World::goroutine);
        if !world.word.is_done() {
            world.wait(0);
        }
        world.take();
        other.join().unwrap();
        world.check_end();
    });
}

/// Fails with weaker orderings in `detach`, and if it sets NO_HANDLE although the goroutine has ended.
#[test]
fn a_handle_is_dropped_as_the_goroutine_ends() {
    explore(|| {
        let world = World::new();
        let other = beside(&world, World::goroutine);
        world.detach();
        other.join().unwrap();
        world.check_end();
    });
}

/// The time of a join is up as the goroutine ends, and the handle is dropped then. Fails if `leave` does not wait, and with Relaxed in `pass` or in that wait.
#[test]
fn a_join_whose_time_is_up() {
    explore(|| {
        let world = World::new();
        let other = beside(&world, World::goroutine);
        let timer = beside(&world, |world| {
            if world.claim() {
                *world.readied.lock().unwrap() = true;
                world.ready.notify_one();
            }
        });
        // SAFETY: nobody knows the joiner yet; loom checks it.
        world.joiner.with_mut(|joiner| unsafe { *joiner += 1 });
        // Either the goroutine readies the joiner, or whoever has claimed it does.
        if world.word.announce(JOINER, CLAIM) || !world.claim() {
            world.sleep();
        }
        // As after every wait with a limit that was not served.
        world.word.leave();
        // The joiner's frame ends.
        // SAFETY: nobody knows the joiner any more; loom checks it.
        world.joiner.with_mut(|joiner| unsafe { *joiner += 1 });
        world.detach();
        other.join().unwrap();
        timer.join().unwrap();
        world.check_end();
    });
}

/// A deadlock is reported to a test that waits, as the goroutine ends after all.
#[test]
fn a_joiner_is_given_up_or_served() {
    explore(|| {
        let world = World::new();
        let other = beside(&world, World::goroutine);
        let reporter = beside(&world, |world| {
            if world.word.give_up(JOINER) {
                world.ready();
            }
        });
        world.wait(0);
        world.detach();
        other.join().unwrap();
        reporter.join().unwrap();
        world.check_end();
    });
}

/// A handle is polled, and then waits in another way, or is dropped. Fails if `withdraw_task` says that it has taken out what the goroutine has.
#[test]
fn a_task_leaves_and_withdraws() {
    explore(|| {
        let world = World::new();
        let other = beside(&world, World::goroutine);
        let is_left = world.word.announce(LEFT_BY_TASK, TASK);
        if is_left && world.word.withdraw_task() {
            *world.released.lock().unwrap() += 1;
        }
        if world.word.is_done() {
            world.step_result(1);
            world.word.set_taken();
            assert_eq!(world.word.detach(), Detached::Empty);
            assert!(world.word.is_taken());
            world.let_go();
        } else {
            world.detach();
        }
        other.join().unwrap();
        assert_eq!(*world.released.lock().unwrap(), u32::from(is_left), "each count is given back once");
        world.check_end();
    });
}
