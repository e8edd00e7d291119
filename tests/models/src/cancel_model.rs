//! Models of a wait in two queues: a sender hands over, a context ends, both at once, and the waiter leaves the other queue before its frame dies.
//!
//! *What.* As `park_model`, with a second queue. The goroutine queues itself at the channel and, with a hook, at the canceller, holds both locks until
//! its status is set, and is readied by whoever claims `selected`. What others touch of its frame are cells: whoever does so after its end is a race.
//!
//! *Why here.* The protocol of `sync::cancel`; the claim is that of `sync::sudog`.
//!
//! *Invariants.* CA1 to CA3 of `sync::cancel`.
//!
//! *Locks.* The channel's, then the canceller's.
//!
//! *Go:* none.

use loom::cell::UnsafeCell;
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use crate::base::shim::{AtomicU32, Ordering};
use crate::explore;
use crate::gmp::status::GStatus;

const UNCLAIMED: u32 = 0;
const SERVED: u32 = 1;
const CANCELLED: u32 = 2;

#[derive(Default)]
struct Channel {
    messages: u32,
    waiter: bool,
}

#[derive(Default)]
struct Canceller {
    ended: bool,
    hook: bool,
}

struct World {
    status: GStatus,
    selected: AtomicU32,
    /// The place for a value, on the waiter's frame.
    place: UnsafeCell<u32>,
    /// Its sudog in the canceller's queue.
    hook: UnsafeCell<bool>,
    channel: Mutex<Channel>,
    canceller: Mutex<Canceller>,
    runnable: Mutex<u32>,
    queued: Condvar,
}

impl World {
    fn new() -> Arc<World> {
        let world = World {
            status: GStatus::new(),
            selected: AtomicU32::new(UNCLAIMED),
            place: UnsafeCell::new(0),
            hook: UnsafeCell::new(false),
            channel: Mutex::new(Channel::default()),
            canceller: Mutex::new(Canceller::default()),
            runnable: Mutex::new(0),
            queued: Condvar::new(),
        };
        world.status.dead_to_runnable();
        world.status.runnable_to_running();
        world.selected.load(Ordering::Relaxed);
        Arc::new(world)
    }

    fn claim(&self, case: u32) -> bool {
        self.selected.compare_exchange(UNCLAIMED, case, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn ready(&self) {
        assert!(self.status.waiting_to_runnable(), "a claimed waiter is a parked one (CA2)");
        let mut runnable = self.runnable.lock().unwrap();
        *runnable += 1;
        assert_eq!(*runnable, 1, "one goroutine is queued twice");
        self.queued.notify_one();
    }

    /// A send: into the hands of the waiter, or into the buffer.
    fn send(&self) {
        let mut channel = self.channel.lock().unwrap();
        let claimed = core::mem::take(&mut channel.waiter) && self.claim(SERVED);
        channel.messages += u32::from(!claimed);
        drop(channel);
        if claimed {
            // SAFETY: the place is the dequeuer's until the ready; loom checks it.
            self.place.with_mut(|place| unsafe { *place += 1 });
            self.ready();
        }
    }

    fn cancel(&self) {
        let mut canceller = self.canceller.lock().unwrap();
        canceller.ended = true;
        let hooked = core::mem::take(&mut canceller.hook);
        if hooked {
            // SAFETY: a hook that is queued is on a living frame; loom checks it.
            let is_alive = self.hook.with(|hook| unsafe { *hook });
            assert!(is_alive, "a hook outlived its wait");
        }
        let claimed = hooked && self.claim(CANCELLED);
        drop(canceller);
        if claimed {
            self.ready();
        }
    }

    /// A receive under the canceller; true if it got a message.
    fn receive(&self) -> bool {
        self.selected.store(UNCLAIMED, Ordering::Relaxed);
        // SAFETY: the frame begins here; loom checks it.
        self.place.with_mut(|place| unsafe { *place = 0 });
        // SAFETY: as above.
        self.hook.with_mut(|hook| unsafe { *hook = true });
        let mut channel = self.channel.lock().unwrap();
        if channel.messages > 0 {
            channel.messages -= 1;
            return true;
        }
        let mut canceller = self.canceller.lock().unwrap();
        if canceller.ended {
            return false;
        }
        (channel.waiter, canceller.hook) = (true, true);
        self.status.running_to_waiting();
        // What the commit does on g0.
        drop(channel);
        drop(canceller);
        self.schedule();
        let served = self.selected.load(Ordering::Relaxed) == SERVED;
        self.canceller.lock().unwrap().hook = false;
        if !served {
            self.channel.lock().unwrap().waiter = false;
        }
        // SAFETY: the frame ends here, and nobody has it any more; loom checks it.
        let got = self.place.with_mut(|place| unsafe { core::mem::replace(&mut *place, 99) });
        // SAFETY: as above.
        self.hook.with_mut(|hook| unsafe { *hook = false });
        assert_eq!(got, u32::from(served), "the value is there exactly if the wait was served");
        served
    }

    fn schedule(&self) {
        let mut runnable = self.runnable.lock().unwrap();
        while *runnable == 0 {
            runnable = self.queued.wait(runnable).unwrap();
        }
        *runnable -= 1;
        drop(runnable);
        self.status.runnable_to_running();
    }

    fn left(&self) -> u32 {
        self.channel.lock().unwrap().messages
    }
}

/// Fails if the canceller's lock is let go before the status is set; without the claim in `send` or in `cancel`; and if the waiter does not take its
/// hook off again under the lock.
#[test]
fn of_a_sender_and_a_canceller_one_ends_the_wait() {
    explore(|| {
        let world = World::new();
        let sender = Arc::clone(&world);
        let sender = thread::spawn(move || sender.send());
        let canceller = Arc::clone(&world);
        let canceller = thread::spawn(move || canceller.cancel());
        let got = world.receive();
        sender.join().unwrap();
        canceller.join().unwrap();
        assert_eq!(u32::from(got) + world.left(), 1, "the message is received or still there");
        assert_eq!(*world.runnable.lock().unwrap(), 0);
    });
}

/// The end of the first wait comes late, when the goroutine waits again: it must not end the second one, which nobody ends but the sender.
#[test]
fn a_hook_of_an_earlier_wait_ends_no_later_one() {
    explore(|| {
        let world = World::new();
        let sender = Arc::clone(&world);
        let sender = thread::spawn(move || {
            sender.send();
            sender.send();
        });
        let first = world.receive();
        let second = world.receive();
        sender.join().unwrap();
        assert!(first && second && world.left() == 0);
        world.cancel();
        assert!(!world.receive(), "nothing is queued where everything has ended");
    });
}
