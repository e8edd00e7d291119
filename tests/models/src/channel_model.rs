//! Models of the channel: every value arrives once or comes back, with what its sender did before; a close meets whoever waits.
//!
//! *What.* The body of `send`, `recv`, `close`, of selects and of the handles' ends, on goroutines that are threads of the model. A value is the number of a
//! cell that its sender has written: whoever has the value and does not see the writing is a race; who is forgotten is a deadlock.
//!
//! *Why here.* A waiter is served from outside of the lock, by whoever has dequeued it.
//!
//! *Invariants.* CH1 to CH3 of `channel::hchan`, TR1 of `channel::transfer`, PR1 of `channel::promise`, HA1 of `channel::half`, SU1 to SU5 of `sync::sudog`, SP1
//! of `sync::spin`.
//!
//! *Locks.* The channel's, and the canceller's.
//!
//! *Go:* none.

use std::mem::MaybeUninit;
use std::panic::Location;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::half::{Half, pair};
use super::hchan::Hchan;
use super::patience::Patience;
use super::promise::Right;
use super::select::operation::Operation;
use super::select::search::{Case, Mode, Outcome, Scratch, Search};
use super::transfer::{Missed, Unsent};
use super::{Receiver, Sender};
use crate::base::shim::{AtomicBool, AtomicUsize, Ordering};
use crate::explore_up_to;
use crate::goroutines::{LIMIT, acquaint, pass};
use crate::proc::enter;
use crate::sync::cancel::Cancel;

/// What senders do before they send.
struct Deeds([UnsafeCell<u32>; 3]);

impl Deeds {
    fn act(&self, place: usize) {
        // SAFETY: the cells are what the models are about; loom checks their accesses.
        self.0[place].with_mut(|deed| unsafe { *deed += 1 });
    }

    fn seen(&self, place: usize) -> u32 {
        // SAFETY: as above.
        self.0[place].with(|deed| unsafe { *deed })
    }
}

// SAFETY: as in `act`.
unsafe impl Sync for Deeds {}
// SAFETY: as in `act`.
unsafe impl Send for Deeds {}

/// What a handle's value is: the drop of one that is not received looks for the deed, too.
struct Value {
    place: usize,
    deeds: Arc<Deeds>,
    dropped: Arc<Deeds>,
}

impl Drop for Value {
    fn drop(&mut self) {
        assert_eq!(self.deeds.seen(self.place), 1, "the deed comes before the value");
        self.dropped.act(self.place);
    }
}

struct World {
    chans: [(Sender<usize>, Receiver<usize>); 2],
    cancel: Cancel,
    deeds: Deeds,
}

fn deeds() -> Deeds {
    Deeds(std::array::from_fn(|_| UnsafeCell::new(0)))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Yes,
    NoRoom,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Got {
    Value(usize),
    Nothing,
    Closed,
}

/// Loom gets to know the words that are looked at without the lock (H1 of the shim).
fn acquaint_with<T>(chan: &Hchan<T>) {
    assert!(chan.looks_empty() && chan.recvq.is_empty());
    let _inside = enter();
    assert!(!chan.lock().is_between());
}

/// What a handle points to.
#[repr(C)]
struct Shared<T> {
    chan: Hchan<T>,
    counts: [AtomicUsize; 2],
    is_half: AtomicBool,
}

/// The same for those that only the ends of the sides look at.
fn acquaint_with_end<T, const SENDER: bool>(half: &Half<T, SENDER>) {
    let shared = std::ptr::from_ref::<Hchan<T>>(half).cast::<Shared<T>>();
    // SAFETY: the channel is the first field of what the handle points to, which is laid out like this.
    let shared = unsafe { &*shared };
    assert!(shared.counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
    assert!(!shared.is_half.load(Ordering::Relaxed));
}

impl World {
    fn new(cap: usize) -> Arc<World> {
        let chan = || {
            let (sender, receiver) = pair(Hchan::bounded(cap));
            acquaint_with(&sender);
            (Sender { half: sender }, Receiver { half: receiver })
        };
        let mut chans = [chan(), chan()];
        // A select locks in the order of the addresses, which is to be the same in each execution.
        chans.sort_by_key(|(sender, _)| std::ptr::from_ref(sender.half.raw_lock()).addr());
        let world = World { chans, cancel: Cancel::new(), deeds: deeds() };
        acquaint(&world.cancel);
        Arc::new(world)
    }

    fn chan(&self) -> &Hchan<usize> {
        &self.chans[0].0.half
    }

    fn send_within(&self, place: usize, patience: Patience<'_>) -> Sent {
        self.deeds.act(place);
        match self.chan().send(place, patience, Location::caller()) {
            Ok(()) => Sent::Yes,
            Err(Unsent::NoRoom(back)) if back == place => Sent::NoRoom,
            Err(Unsent::Closed(back)) if back == place => Sent::Closed,
            Err(_) => panic!("the wrong value has come back"),
        }
    }

    fn send(&self, place: usize) -> Sent {
        self.send_within(place, Patience::Endless)
    }

    fn recv_within(&self, patience: Patience<'_>) -> Got {
        match self.chan().recv(patience, Location::caller()) {
            Ok(place) => {
                assert_eq!(self.deeds.seen(place), 1, "the deed comes before the value");
                Got::Value(place)
            }
            Err(Missed::Nothing) => Got::Nothing,
            Err(Missed::Closed) => Got::Closed,
        }
    }

    fn recv(&self) -> Got {
        self.recv_within(Patience::Endless)
    }

    /// Does one of two operations; a send sends `place`.
    fn select(&self, operations: [&dyn Operation; 2], place: usize) -> (usize, Got) {
        let mut received = MaybeUninit::<usize>::uninit();
        let elem = received.as_mut_ptr().cast();
        let [first, second] = operations;
        let mut cases = [Case { operation: first, elem, index: 0 }, Case { operation: second, elem, index: 1 }];
        let at = Location::caller();
        let inside = enter();
        let mut search = Search::new(&mut cases, Mode::Do, true, at);
        let (mut sudogs, mut order) = ([const { MaybeUninit::uninit() }; 2], [0; 2]);
        let scratch = &mut Scratch { sudogs: &mut sudogs, order: &mut order };
        let found = search.wait(&inside, Patience::Endless, scratch);
        let (case, outcome, _) = found.expect("a select without a limit ends with a case");
        let got = match outcome {
            Outcome::Received => {
                // SAFETY: the outcome says that a value is there.
                let place = unsafe { received.assume_init() };
                assert_eq!(self.deeds.seen(place), 1, "the deed comes before the value");
                Got::Value(place)
            }
            Outcome::Closed | Outcome::MaySend(Right::Closed) => Got::Closed,
            Outcome::MaySend(right) => {
                self.deeds.act(place);
                match self.chans[case.index].0.half.fulfil(right, place, at) {
                    Ok(()) => Got::Nothing,
                    Err(_) => Got::Closed,
                }
            }
            Outcome::Ready => unreachable!("nobody watches"),
        };
        (case.index, got)
    }

    /// Nobody waits, and so many values are left.
    fn check_end(&self, left: usize) {
        for (sender, _) in &self.chans {
            assert!(sender.half.recvq.is_empty() && sender.half.sendq.is_empty());
        }
        assert_eq!(self.chan().len(), left);
    }
}

fn beside<R: 'static>(world: &Arc<World>, body: impl FnOnce(&World) -> R + 'static) -> thread::JoinHandle<R> {
    let world = Arc::clone(world);
    thread::spawn(move || body(&world))
}

/// Fails with Relaxed in `SpinLock::lock` or `unlock`, and if a receiver is readied before its value is in its place.
#[test]
fn a_value_goes_from_hand_to_hand() {
    explore_up_to(2, || {
        let world = World::new(0);
        let sender = beside(&world, |world| world.send(0));
        assert_eq!(world.recv(), Got::Value(0));
        assert_eq!(sender.join().unwrap(), Sent::Yes);
        world.check_end(0);
    });
}

#[test]
fn two_senders_meet_two_receives() {
    explore_up_to(1, || {
        let world = World::new(0);
        let senders = [0, 1].map(|place| beside(&world, move |world| world.send(place)));
        let got = [world.recv(), world.recv()];
        assert!(got == [Got::Value(0), Got::Value(1)] || got == [Got::Value(1), Got::Value(0)], "{got:?}");
        senders.into_iter().for_each(|sender| assert_eq!(sender.join().unwrap(), Sent::Yes));
        world.check_end(0);
    });
}

/// Through a buffer that the second value waits for. Fails if `refill` does not ready the sender whose value it takes.
#[test]
fn values_arrive_in_order() {
    explore_up_to(2, || {
        let world = World::new(1);
        let sender = beside(&world, |world| [world.send(0), world.send(1)]);
        assert_eq!([world.recv(), world.recv()], [Got::Value(0), Got::Value(1)]);
        assert_eq!(sender.join().unwrap(), [Sent::Yes; 2]);
        world.check_end(0);
    });
}

/// Fails if a receive looks at the end before it looks at the buffer.
#[test]
fn what_was_sent_before_the_close_is_received_before_the_end() {
    explore_up_to(2, || {
        let world = World::new(1);
        let sender = beside(&world, |world| {
            let sent = world.send(0);
            world.chan().close();
            sent
        });
        assert_eq!([world.recv(), world.recv()], [Got::Value(0), Got::Closed]);
        assert_eq!(sender.join().unwrap(), Sent::Yes);
        world.check_end(0);
    });
}

/// A sender, a receiver and a close: the value is received or comes back. Fails if a close leaves one of the queues alone, and if a sender that a close
/// has woken believes that it has sent.
#[test]
fn a_close_beside_a_send_and_a_receive() {
    for cap in [0, 1] {
        explore_up_to(1, move || {
            let world = World::new(cap);
            let sender = beside(&world, |world| world.send(0));
            let closer = beside(&world, |world| world.chan().close());
            let got = world.recv();
            closer.join().unwrap();
            let sent = sender.join().unwrap();
            match (sent, got) {
                (Sent::Yes, Got::Value(0)) | (Sent::Closed, Got::Closed) => {}
                // The end was seen first, and the buffer filled before it: not if the close comes before both.
                wrong => panic!("{wrong:?}"),
            }
            world.check_end(0);
        });
    }
}

/// Fails if a receiver whose time is up does not leave the queue, or leaves it without the lock.
#[test]
fn a_value_meets_the_end_of_the_time() {
    explore_up_to(1, || {
        let world = World::new(0);
        let sender = beside(&world, |world| world.send_within(0, Patience::None));
        let time = beside(&world, |_| pass());
        let got = world.recv_within(Patience::At(LIMIT));
        time.join().unwrap();
        match (sender.join().unwrap(), got) {
            (Sent::Yes, Got::Value(0)) | (Sent::NoRoom, Got::Nothing) => {}
            wrong => panic!("{wrong:?}"),
        }
        world.check_end(0);
    });
}

/// A receive under a context that ends; the sender waits, until it is served by a second receive.
#[test]
fn a_value_meets_the_end_of_a_context() {
    explore_up_to(1, || {
        let world = World::new(0);
        let sender = beside(&world, |world| world.send(0));
        let canceller = beside(&world, |world| world.cancel.end());
        let got = world.recv_within(Patience::Within(&world.cancel));
        if got == Got::Nothing {
            assert_eq!(world.recv(), Got::Value(0));
        } else {
            assert_eq!(got, Got::Value(0));
        }
        canceller.join().unwrap();
        assert_eq!(sender.join().unwrap(), Sent::Yes);
        world.check_end(0);
    });
}

/// A select that sends promises a value to the receiver that finds it, or finds the receiver.
#[test]
fn a_promise_meets_a_receive() {
    for cap in [0, 1] {
        explore_up_to(1, move || {
            let world = World::new(cap);
            let selecting = beside(&world, |world| world.select([&world.chans[0].0, &world.chans[1].1], 0));
            assert_eq!(world.recv(), Got::Value(0));
            assert_eq!(selecting.join().unwrap(), (0, Got::Nothing));
            world.check_end(0);
        });
    }
}

/// Both sides select: over the two directions of two channels.
#[test]
fn two_selects_meet() {
    explore_up_to(1, || {
        let world = World::new(0);
        let other = beside(&world, |world| world.select([&world.chans[0].0, &world.chans[1].0], 0));
        let (case, got) = world.select([&world.chans[0].1, &world.chans[1].1], 1);
        assert_eq!(got, Got::Value(0));
        assert_eq!(other.join().unwrap(), (case, Got::Nothing));
        world.check_end(0);
    });
}

/// A select that receives, a sender and a close: one of them ends it, and the sender knows which.
#[test]
fn a_select_meets_a_value_and_a_close() {
    explore_up_to(1, || {
        let world = World::new(0);
        let sender = beside(&world, |world| world.send_within(0, Patience::None));
        let closer = beside(&world, |world| world.chans[1].0.half.close());
        let (case, got) = world.select([&world.chans[0].1, &world.chans[1].1], 1);
        closer.join().unwrap();
        match (sender.join().unwrap(), case, got) {
            (Sent::Yes, 0, Got::Value(0)) | (Sent::NoRoom, 1, Got::Closed) => {}
            wrong => panic!("{wrong:?}"),
        }
        world.check_end(0);
    });
}

/// A promise and a close: the receiver gets the value or the end, and the promiser knows which.
#[test]
fn a_promise_meets_a_receive_and_a_close() {
    explore_up_to(1, || {
        let world = World::new(1);
        let selecting = beside(&world, |world| world.select([&world.chans[0].0, &world.chans[1].1], 0));
        let closer = beside(&world, |world| world.chan().close());
        let got = world.recv();
        closer.join().unwrap();
        match (selecting.join().unwrap(), got) {
            ((0, Got::Nothing), Got::Value(0)) | ((0, Got::Closed), Got::Closed) => {}
            wrong => panic!("{wrong:?}"),
        }
        world.check_end(0);
    });
}

/// The last handles of both sides go, with a value inside. Fails with Relaxed where a count is taken to zero, or where the second side looks for the first.
#[test]
fn the_second_side_frees_the_channel_and_what_is_in_it() {
    explore_up_to(2, || {
        let (sent, dropped) = (Arc::new(deeds()), Arc::new(deeds()));
        let (sender, receiver) = pair(Hchan::<Value>::bounded(1));
        acquaint_with(&sender);
        acquaint_with_end(&receiver);
        let value = Value { place: 0, deeds: Arc::clone(&sent), dropped: Arc::clone(&dropped) };
        let (deeds, twin) = (Arc::clone(&sent), sender.clone());
        let one = thread::spawn(move || {
            deeds.act(0);
            let unsent = sender.send(value, Patience::Endless, Location::caller());
            drop(unsent.map_err(|(Unsent::Closed(value) | Unsent::NoRoom(value))| value));
        });
        let other = thread::spawn(move || drop(twin));
        drop(receiver);
        one.join().unwrap();
        other.join().unwrap();
        assert_eq!(dropped.seen(0), 1, "the value is dropped once");
    });
}

/// A channel without bounds needs a block, which is made outside.
#[test]
fn a_channel_without_bounds_takes_two_senders() {
    explore_up_to(1, || {
        let (sender, receiver) = pair(Hchan::<usize>::unbounded());
        acquaint_with(&sender);
        let senders = [(0, sender.clone()), (1, sender)].map(|(place, sender)| {
            thread::spawn(move || assert!(sender.send(place, Patience::Endless, Location::caller()).is_ok()))
        });
        let recv = || receiver.recv(Patience::Endless, Location::caller());
        let sum = [recv(), recv()].into_iter().map(|got| got.ok().expect("two are sent")).sum::<usize>();
        assert_eq!(sum, 1);
        assert!(matches!(recv(), Err(Missed::Closed)), "both senders are gone");
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    });
}
