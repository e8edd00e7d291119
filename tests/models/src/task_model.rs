//! Models of async code: a goroutine that runs a future against wakers that are called at any time, and tasks that wait for a socket.
//!
//! *What.* `gmp::permit` with `gmp::status` around it, as `proc::waker` uses them; `netpoll::edges` with the slots of `proc::proxy` around it, which are a
//! flag under a lock here. What the waker announces, and what arrives at the socket, is a counter without an order of its own. A goroutine that
//! is readied twice, or never, is a failure.
//!
//! *Why here.* A lost wake is a task that hangs for ever.
//!
//! *Invariants.* PE1 and PE2 of `gmp::permit`, BO1 of `future::block_on`, TK1, TK2 and TK4 of `netpoll::edges`, PX2 of `proc::proxy`.
//!
//! *Locks.* The proxy's, then nothing.
//!
//! *Go:* none.

use loom::sync::atomic::{AtomicU32, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use crate::gmp::permit::Permit;
use crate::gmp::status::{GStatus, State};
use crate::netpoll::edges::{Announced, Edges, Emptied, Seen};
use crate::{explore, explore_up_to};

/// A goroutine in `block_on`.
struct Waiter {
    status: GStatus,
    permit: Permit,
    /// How far the future has come.
    progress: AtomicU32,
    /// The run queue: how often the goroutine is in it.
    runnable: Mutex<u32>,
    queued: Condvar,
}

impl Waiter {
    fn new() -> Arc<Waiter> {
        let waiter = Waiter {
            status: GStatus::new(),
            permit: Permit::new(),
            progress: AtomicU32::new(0),
            runnable: Mutex::new(0),
            queued: Condvar::new(),
        };
        waiter.status.dead_to_runnable();
        waiter.status.runnable_to_running();
        waiter.permit.clear();
        waiter.progress.store(0, Ordering::Relaxed);
        Arc::new(waiter)
    }

    fn wake(&self) {
        if self.permit.give() {
            assert!(self.status.waiting_to_runnable(), "who is parked waits, and is readied once");
            let mut runnable = self.runnable.lock().unwrap();
            *runnable += 1;
            assert_eq!(*runnable, 1, "one goroutine is queued twice");
            self.queued.notify_one();
        }
    }

    fn step(&self) {
        self.progress.fetch_add(1, Ordering::Relaxed);
        self.wake();
    }

    fn wait(&self) {
        if self.permit.take() {
            return;
        }
        self.status.running_to_waiting();
        if self.permit.commit() {
            let mut runnable = self.runnable.lock().unwrap();
            while *runnable == 0 {
                runnable = self.queued.wait(runnable).unwrap();
            }
            *runnable -= 1;
        } else {
            assert!(self.status.waiting_to_runnable(), "nobody else may ready it");
        }
        self.status.runnable_to_running();
        self.permit.finish();
    }

    /// Polls until the future has come so far.
    fn block_on(&self, wanted: u32) {
        while self.progress.load(Ordering::Relaxed) < wanted {
            self.wait();
        }
    }
}

fn beside<T: Send + Sync + 'static>(world: &Arc<T>, body: fn(&T)) -> thread::JoinHandle<()> {
    let world = Arc::clone(world);
    thread::spawn(move || body(&world))
}

/// Fails with Relaxed instead of Release in `give`, with Relaxed instead of Acquire in `take` or `finish`, and if the commit is a plain store.
#[test]
fn a_wake_that_meets_the_park_is_not_lost() {
    explore(|| {
        let waiter = Waiter::new();
        let waker = beside(&waiter, Waiter::step);
        waiter.block_on(1);
        waker.join().unwrap();
        assert_eq!(waiter.status.load(), State::Running);
    });
}

/// Two wakers, each called once for its own step.
#[test]
fn of_two_wakes_none_is_lost() {
    explore(|| {
        let waiter = Waiter::new();
        let wakers = [beside(&waiter, Waiter::step), beside(&waiter, Waiter::step)];
        waiter.block_on(2);
        for waker in wakers {
            waker.join().unwrap();
        }
        assert_eq!(waiter.status.load(), State::Running);
    });
}

/// The second wake says nothing new: it may find the goroutine parked, running, or done.
#[test]
fn a_wake_too_many_does_no_harm() {
    explore(|| {
        let waiter = Waiter::new();
        let waker = beside(&waiter, |waiter| {
            waiter.step();
            waiter.wake();
        });
        waiter.block_on(1);
        waker.join().unwrap();
        assert_eq!(waiter.status.load(), State::Running);
    });
}

/// A side of a socket, its proxy with one slot, and its task.
struct Socket {
    edges: Edges,
    emptied: Emptied,
    /// The slot: whether the task is to be called.
    slot: Mutex<bool>,
    /// Bytes that have arrived.
    arrived: AtomicU32,
    closed: AtomicU32,
    /// Proxies on lists.
    listed: AtomicU32,
    called: Mutex<bool>,
    calls: Condvar,
}

impl Socket {
    fn new() -> Arc<Socket> {
        let socket = Socket {
            edges: Edges::new(),
            emptied: Emptied::new(),
            slot: Mutex::new(false),
            arrived: AtomicU32::new(0),
            closed: AtomicU32::new(0),
            listed: AtomicU32::new(0),
            called: Mutex::new(false),
            calls: Condvar::new(),
        };
        socket.edges.called();
        for number in [&socket.arrived, &socket.closed, &socket.listed] {
            number.store(0, Ordering::Relaxed);
        }
        Arc::new(socket)
    }

    /// Whoever has seen an edge, or ends the waits.
    fn edge(&self) {
        if self.edges.edge() {
            assert_eq!(self.listed.fetch_add(1, Ordering::Relaxed), 0, "a proxy is on two lists (TK1)");
            self.listed.fetch_sub(1, Ordering::Relaxed);
            self.edges.called();
            if core::mem::take(&mut *self.slot.lock().unwrap()) {
                *self.called.lock().unwrap() = true;
                self.calls.notify_one();
            }
        }
    }

    fn arrive(&self) {
        self.arrived.fetch_add(1, Ordering::Relaxed);
        self.edge();
    }

    fn close(&self) {
        self.closed.store(1, Ordering::Relaxed);
        self.edge();
    }

    /// The task: true when so much has arrived, false when the socket was closed before.
    fn read(&self, wanted: u32) -> bool {
        loop {
            let seen = self.edges.seen();
            if self.closed.load(Ordering::Relaxed) != 0 {
                return false;
            }
            if self.arrived.load(Ordering::Relaxed) >= wanted {
                return true;
            }
            self.wait(seen);
        }
    }

    /// The task: takes all that has arrived, at least one byte, and does not try where it knows that there is nothing.
    fn take(&self) -> u32 {
        loop {
            let seen = self.edges.seen();
            let taken = if self.emptied.holds(seen) { 0 } else { self.arrived.swap(0, Ordering::Relaxed) };
            if taken > 0 {
                self.emptied.note(Some(seen));
                return taken;
            }
            self.wait(seen);
        }
    }

    /// Until there is an edge that was not `seen`.
    fn wait(&self, seen: Seen) {
        let mut slot = self.slot.lock().unwrap();
        *slot = true;
        *slot = self.edges.announce(seen) != Announced::Missed;
        let waits = *slot;
        drop(slot);
        if waits {
            let mut called = self.called.lock().unwrap();
            while !*called {
                called = self.calls.wait(called).unwrap();
            }
            *called = false;
        }
    }
}

/// Fails if an announcement does not look at the count, and with Relaxed instead of Release in `edge` or of Acquire in `seen`.
#[test]
fn an_edge_that_meets_the_announcement_is_not_lost() {
    explore(|| {
        let socket = Socket::new();
        let poller = beside(&socket, Socket::arrive);
        assert!(socket.read(1));
        poller.join().unwrap();
    });
}

/// Fails if the proxy says that it was called only after it has looked at its slots.
#[test]
fn the_second_edge_finds_the_task_again() {
    explore(|| {
        let socket = Socket::new();
        let poller = beside(&socket, |socket| {
            socket.arrive();
            socket.arrive();
        });
        assert!(socket.read(1) && socket.read(2));
        poller.join().unwrap();
    });
}

/// Fails if the read notes the edges that are to be seen after it.
#[test]
fn what_comes_after_a_read_that_has_taken_all_is_found() {
    explore(|| {
        let socket = Socket::new();
        let poller = beside(&socket, |socket| {
            socket.arrive();
            socket.arrive();
        });
        let mut taken = 0;
        while taken < 2 {
            taken += socket.take();
        }
        poller.join().unwrap();
    });
}

/// An edge and a close from two threads: the proxy is on one list at a time, and the task ends.
#[test]
fn an_edge_and_a_close_call_the_task() {
    explore_up_to(1, || {
        let socket = Socket::new();
        let others = [beside(&socket, Socket::arrive), beside(&socket, Socket::close)];
        socket.read(1);
        assert!(!socket.read(2));
        for other in others {
            other.join().unwrap();
        }
    });
}
