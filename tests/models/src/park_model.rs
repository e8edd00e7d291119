//! Models of parking and readying: no lost wake-up, never two runners, with a dumper that looks at the stack meanwhile.
//!
//! *What.* One goroutine waits for a message. Its M publishes it as a waiter under a lock, saves its stack, sets the status, and only
//! then lets the lock go, as `gopark`'s commit does on g0. The stack is a cell: a second runner, or a dumper beside a
//! runner, is a race.
//!
//! *Why here.* `gmp::status` is the lock of a goroutine's stack.
//!
//! *Invariants.* S1 to S3 of `gmp::status`.
//!
//! *Locks.* The channel's, then nothing.
//!
//! *Go:* none.

use loom::cell::UnsafeCell;
use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
use loom::thread;

use crate::explore;
use crate::gmp::status::{GStatus, State};

/// The goroutine: its status and its stack.
struct Goroutine {
    status: GStatus,
    stack: UnsafeCell<u32>,
}

impl Goroutine {
    /// A step of the goroutine, by the M that runs it.
    fn run(&self) {
        // SAFETY: the runner owns the stack; loom checks it.
        self.stack.with_mut(|stack| unsafe { *stack += 1 });
    }
}

/// What the channel's lock protects.
#[derive(Default)]
struct Channel {
    message: bool,
    waiter: bool,
}

struct World {
    g: Goroutine,
    channel: Mutex<Channel>,
    /// The run queue: how often the goroutine is in it.
    runnable: Mutex<u32>,
    queued: Condvar,
}

impl World {
    fn new() -> Arc<World> {
        let world = World {
            g: Goroutine { status: GStatus::new(), stack: UnsafeCell::new(0) },
            channel: Mutex::new(Channel::default()),
            runnable: Mutex::new(0),
            queued: Condvar::new(),
        };
        world.g.status.dead_to_runnable();
        world.g.status.runnable_to_running();
        Arc::new(world)
    }

    /// Parks the running goroutine; `channel` is the lock that the commit lets go. Afterwards it is somebody else's.
    fn park(&self, mut channel: MutexGuard<'_, Channel>) {
        channel.waiter = true;
        self.g.run();
        self.g.status.running_to_waiting();
        drop(channel);
    }

    /// Whoever takes the waiter off the list readies it; true if that was the caller.
    fn take_waiter(&self) -> bool {
        let mut channel = self.channel.lock().unwrap();
        let waited = core::mem::take(&mut channel.waiter);
        channel.message |= !waited;
        waited
    }

    /// A send: hands over to the waiter, or leaves the message.
    fn send(&self) {
        if self.take_waiter() {
            assert!(self.g.status.waiting_to_runnable(), "a published waiter is waiting");
            let mut runnable = self.runnable.lock().unwrap();
            *runnable += 1;
            assert_eq!(*runnable, 1, "one goroutine is queued twice");
            self.queued.notify_one();
        }
    }

    /// Takes the goroutine from the run queue and runs it.
    fn schedule(&self) {
        let mut runnable = self.runnable.lock().unwrap();
        while *runnable == 0 {
            runnable = self.queued.wait(runnable).unwrap();
        }
        *runnable -= 1;
        drop(runnable);
        self.g.status.runnable_to_running();
        self.g.run();
    }

    /// A receive: true if it had to wait for the message.
    fn receive(&self) -> bool {
        let mut channel = self.channel.lock().unwrap();
        if core::mem::take(&mut channel.message) {
            drop(channel);
            self.g.run();
            return false;
        }
        self.park(channel);
        self.schedule();
        true
    }

    /// The dumper's look at a waiting goroutine.
    fn dump(&self) {
        if self.g.status.try_scan() {
            // SAFETY: the scan bit keeps readiers away; loom checks it.
            self.g.stack.with(|stack| unsafe { *stack });
            self.g.status.end_scan();
        }
    }
}

/// Fails if the lock is let go before the status is set.
#[test]
fn a_ready_that_meets_the_park_is_not_lost() {
    explore(|| {
        let world = World::new();
        let sender = Arc::clone(&world);
        let sender = thread::spawn(move || sender.send());
        world.receive();
        sender.join().unwrap();
        assert_eq!(world.g.status.load(), State::Running);
    });
}

/// A send and a time-out both want to ready the goroutine: the list decides, and it runs once.
#[test]
fn of_two_readiers_one_finds_the_waiter() {
    explore(|| {
        let world = World::new();
        let readiers = [(); 2].map(|()| {
            let world = Arc::clone(&world);
            thread::spawn(move || world.send())
        });
        world.receive();
        for readier in readiers {
            readier.join().unwrap();
        }
        assert_eq!(*world.runnable.lock().unwrap(), 0);
        assert_eq!(world.g.status.load(), State::Running);
    });
}

/// The readied goroutine runs on the readier's M while its old M is still behind the commit.
#[test]
fn the_old_m_is_done_with_the_goroutine_at_the_commit() {
    explore(|| {
        let world = World::new();
        let other = Arc::clone(&world);
        let other = thread::spawn(move || {
            if other.take_waiter() {
                assert!(other.g.status.waiting_to_runnable(), "a published waiter is waiting");
                other.g.status.runnable_to_running();
                other.g.run();
                let channel = other.channel.lock().unwrap();
                other.park(channel);
            }
        });
        let channel = world.channel.lock().unwrap();
        if channel.message {
            drop(channel);
        } else {
            world.park(channel);
        }
        other.join().unwrap();
        world.send();
        // The message came before the park, or the goroutine waits again and has just been readied.
        let expected = if *world.runnable.lock().unwrap() == 1 { State::Runnable } else { State::Running };
        assert_eq!(world.g.status.load(), expected);
    });
}

/// Fails with a plain store instead of the CAS in `waiting_to_runnable`, without its wait for the scan bit, with Relaxed instead of
/// Release in `edge` or `end_scan`, and with Relaxed instead of Acquire in `try_scan` or `waiting_to_runnable`.
#[test]
fn the_dumper_never_reads_a_running_stack() {
    explore(|| {
        let world = World::new();
        let sender = Arc::clone(&world);
        let sender = thread::spawn(move || sender.send());
        let dumper = Arc::clone(&world);
        let dumper = thread::spawn(move || dumper.dump());
        world.receive();
        sender.join().unwrap();
        dumper.join().unwrap();
        assert_eq!(world.g.status.load(), State::Running);
    });
}

/// A commit that finds its condition fulfilled takes the park back, while a dumper looks.
#[test]
fn a_park_can_be_taken_back() {
    explore(|| {
        let world = World::new();
        let dumper = Arc::clone(&world);
        let dumper = thread::spawn(move || dumper.dump());
        world.g.run();
        world.g.status.running_to_waiting();
        assert!(world.g.status.waiting_to_runnable(), "nobody else could ready it");
        world.g.status.runnable_to_running();
        world.g.run();
        dumper.join().unwrap();
        assert_eq!(world.g.status.load(), State::Running);
    });
}

/// Fails if `try_scan` succeeds on a goroutine that is already being scanned.
#[test]
fn two_dumpers_take_turns() {
    explore(|| {
        let world = World::new();
        let channel = world.channel.lock().unwrap();
        world.park(channel);
        let dumpers = [(); 2].map(|()| {
            let world = Arc::clone(&world);
            thread::spawn(move || {
                // A write shows the other dumper beside it.
                if world.g.status.try_scan() {
                    world.g.run();
                    world.g.status.end_scan();
                }
            })
        });
        for dumper in dumpers {
            dumper.join().unwrap();
        }
        assert_eq!(world.g.status.load(), State::Waiting);
        world.send();
        assert_eq!(world.g.status.load(), State::Runnable);
    });
}
