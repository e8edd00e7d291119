//! Models of waiting for a socket: edges, closes and deadlines against the one goroutine that waits, and the kick that ends the poller's sleep.
//!
//! *What.* `netpoll::word` and `netpoll::gate` as they are. Around the word stands what the descriptor adds: flags under a lock, under which a park
//! commits and an end unblocks. The socket is a counter that the other side raises before it reports an edge, with an order that only the
//! word gives. A goroutine that is readied twice, or never, is a failure.
//!
//! *Why here.* A lost edge is a connection that hangs for ever.
//!
//! *Invariants.* WD1 to WD3 of `netpoll::word`, PD3 of `netpoll::polldesc`, FD3 of `net::fd`, GA1 and GA2 of `netpoll::gate`.
//!
//! *Locks.* The descriptor's, then nothing.
//!
//! *Go:* none.

use core::ptr::NonNull;

use loom::sync::atomic::{AtomicU32, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use crate::base::note::Note;
use crate::explore;
use crate::netpoll::gate::Gate;
use crate::netpoll::word::{Prepared, Word};

/// What the descriptor's lock protects.
#[derive(Default)]
struct Flags {
    closed: bool,
    expired: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Data,
    Closed,
    Deadline,
}

struct World {
    word: Word,
    flags: Mutex<Flags>,
    /// Bytes that have arrived.
    arrived: AtomicU32,
    /// Whether the goroutine is parked, and whether it was readied.
    parked: Mutex<(bool, bool)>,
    readied: Condvar,
}

/// Stands for the goroutine; never dereferenced.
fn goroutine() -> NonNull<()> {
    NonNull::<u64>::dangling().cast()
}

impl World {
    fn new() -> Arc<World> {
        let world = World {
            word: Word::new(),
            flags: Mutex::new(Flags::default()),
            arrived: AtomicU32::new(0),
            parked: Mutex::new((false, false)),
            readied: Condvar::new(),
        };
        world.word.clear();
        Arc::new(world)
    }

    fn ready(&self, gp: Option<NonNull<()>>) {
        if let Some(gp) = gp {
            assert_eq!(gp, goroutine());
            let mut parked = self.parked.lock().unwrap();
            assert_eq!(*parked, (true, false), "readied although it does not wait, or twice");
            parked.1 = true;
            self.readied.notify_one();
        }
    }

    /// A byte arrives, and the poller reports the edge.
    fn arrive(&self) {
        self.arrived.fetch_add(1, Ordering::Relaxed);
        self.ready(self.word.unblock(true));
    }

    fn close(&self) {
        let mut flags = self.flags.lock().unwrap();
        flags.closed = true;
        let gp = self.word.unblock(false);
        drop(flags);
        self.ready(gp);
    }

    /// The deadline passes, or is set to one that has not passed.
    fn set_expired(&self, expired: bool) {
        let mut flags = self.flags.lock().unwrap();
        flags.expired = expired;
        let gp = if expired { self.word.unblock(false) } else { None };
        drop(flags);
        self.ready(gp);
    }

    fn check(flags: &Flags) -> Option<End> {
        if flags.closed {
            return Some(End::Closed);
        }
        flags.expired.then_some(End::Deadline)
    }

    /// Parks and comes back; `netwait::wait` without its loop. True: an edge.
    fn park(&self) -> bool {
        // The goroutine's status is Waiting before the commit publishes it.
        self.parked.lock().unwrap().0 = true;
        let flags = self.flags.lock().unwrap();
        let committed = Self::check(&flags).is_none() && self.word.commit(goroutine());
        drop(flags);
        let mut parked = self.parked.lock().unwrap();
        while committed && !parked.1 {
            parked = self.readied.wait(parked).unwrap();
        }
        *parked = (false, false);
        drop(parked);
        self.word.finish()
    }

    fn wait(&self) -> Result<(), End> {
        loop {
            match self.word.prepare() {
                Prepared::Ready => return Ok(()),
                Prepared::Busy => panic!("two wait"),
                Prepared::Wait => {}
            }
            if self.park() {
                return Ok(());
            }
            if let Some(end) = Self::check(&self.flags.lock().unwrap()) {
                return Err(end);
            }
        }
    }

    /// Takes what has come, which was more than `had`, and all there was; false when the wait ended otherwise. After a read that has taken all
    /// there was (`drained`), waits before it looks (FD6 of `net::fd`).
    fn drain(&self, had: &mut u32, drained: bool) -> bool {
        let mut is_empty = drained;
        if !drained {
            self.word.reset();
        }
        loop {
            if !is_empty {
                let arrived = self.arrived.load(Ordering::Relaxed);
                if arrived > *had {
                    *had = arrived;
                    return true;
                }
            }
            is_empty = false;
            if self.wait().is_err() {
                return false;
            }
        }
    }

    /// An operation that needs `bytes` bytes in all; `Io::run`.
    fn receive(&self, bytes: u32) -> End {
        self.word.reset();
        while self.arrived.load(Ordering::Relaxed) < bytes {
            if let Err(end) = self.wait() {
                return end;
            }
        }
        End::Data
    }
}

fn beside(world: &Arc<World>, action: fn(&World)) -> thread::JoinHandle<()> {
    let world = Arc::clone(world);
    thread::spawn(move || action(&world))
}

/// Fails if `unblock` leaves WAIT alone, and if `commit` stores instead of comparing.
#[test]
fn an_edge_that_meets_the_park_is_not_lost() {
    explore(|| {
        let world = World::new();
        let poller = beside(&world, World::arrive);
        assert_eq!(world.receive(1), End::Data);
        poller.join().unwrap();
    });
}

/// Fails if an edge that finds READY only looks at it, and with Relaxed instead of Acquire in `reset`, `prepare` or `finish`.
#[test]
fn an_edge_that_is_merged_with_another_is_not_lost() {
    explore(|| {
        let world = World::new();
        let poller = beside(&world, |world| {
            world.arrive();
            world.arrive();
        });
        assert_eq!(world.receive(2), End::Data);
        poller.join().unwrap();
    });
}

/// Fails if the second read resets the word before it waits.
#[test]
fn a_read_that_waits_first_loses_no_edge() {
    explore(|| {
        let world = World::new();
        let poller = beside(&world, |world| {
            world.arrive();
            world.arrive();
        });
        let (mut had, mut drained) = (0, false);
        while had < 2 {
            assert!(world.drain(&mut had, drained));
            drained = true;
        }
        poller.join().unwrap();
    });
}

/// The same with an operation before, which may leave the second edge behind for the reset.
#[test]
fn an_edge_before_an_operation_is_forgotten_without_loss() {
    explore(|| {
        let world = World::new();
        let poller = beside(&world, |world| {
            world.arrive();
            world.arrive();
        });
        assert_eq!(world.receive(1), End::Data);
        assert_eq!(world.receive(2), End::Data);
        poller.join().unwrap();
    });
}

/// Fails if the close unblocks before it sets its flag, and if the park commits without a look at the flags.
#[test]
fn a_close_ends_the_wait() {
    explore(|| {
        let world = World::new();
        let closer = beside(&world, World::close);
        assert_eq!(world.receive(1), End::Closed);
        closer.join().unwrap();
    });
}

/// An edge and a close: one of them readies the goroutine, and it sees either.
#[test]
fn of_an_edge_and_a_close_one_readies() {
    explore(|| {
        let world = World::new();
        let others = [beside(&world, World::arrive), beside(&world, World::close)];
        assert_ne!(world.receive(1), End::Deadline);
        for other in others {
            other.join().unwrap();
        }
    });
}

/// A deadline that passes and is changed at once: the goroutine times out, or it goes on and gets what arrives.
#[test]
fn a_deadline_that_is_extended_does_not_lose_the_edge() {
    explore(|| {
        let world = World::new();
        let other = beside(&world, |world| {
            world.set_expired(true);
            world.set_expired(false);
            world.arrive();
        });
        assert_ne!(world.receive(1), End::Closed);
        other.join().unwrap();
    });
}

/// The poller has checked the tag of an event when the descriptor begins a new life: the new owner is woken in vain and waits again.
#[test]
fn an_edge_of_an_earlier_life_wakes_in_vain() {
    explore(|| {
        let world = World::new();
        let late = beside(&world, |world| world.ready(world.word.unblock(true)));
        let poller = beside(&world, World::arrive);
        assert_eq!(world.receive(1), End::Data);
        late.join().unwrap();
        poller.join().unwrap();
    });
}

/// The eventfd: what is written before the sleep ends it.
#[derive(Default)]
struct Kick(Mutex<bool>, Condvar);

/// Fails without either of the fences, and if the sleeper looks at its note before it announces itself.
#[test]
fn a_wake_finds_the_sleeper_or_keeps_it_awake() {
    explore(|| {
        let shared = Arc::new((Note::new(), Gate::new(), Kick::default()));
        shared.0.clear();
        shared.1.leave();
        let wakers = [(); 2].map(|()| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.0.wake();
                if shared.1.claim_kick() {
                    *shared.2.0.lock().unwrap() = true;
                    shared.2.1.notify_one();
                }
            })
        });
        while !shared.0.is_woken() {
            shared.1.announce();
            if !shared.0.is_woken() {
                let mut kicked = shared.2.0.lock().unwrap();
                while !*kicked {
                    kicked = shared.2.1.wait(kicked).unwrap();
                }
                *kicked = false;
            }
            shared.1.leave();
        }
        for waker in wakers {
            waker.join().unwrap();
        }
    });
}
