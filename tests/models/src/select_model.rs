//! Models of the select: one case is chosen and the others have had no effect, nobody waits for ever, no lock is freed twice.
//!
//! *What.* The body of the runtime's select over two channels without buffers, against itself, a close, a time limit and plain operations.
//!
//! *Why here.* A goroutine can be chosen while the commit of its park still frees locks; no test on a machine can be trusted to meet that.
//!
//! *Invariants.* SE1 to SE3 of `channel::select::search`, SU1 to SU5 of `sync::sudog`. Not seen here is a commit that looks at the frame after its last
//! unlock (SE2): a frame that is gone can still be read in a model.
//!
//! *Locks.* Those of the channels.
//!
//! *Go:* none.

use std::mem::MaybeUninit;
use std::panic::Location;

use loom::sync::Arc;
use loom::thread;

use crate::channel::select::search::{Case, Mode, Outcome, Scratch, Search};
use crate::goroutines::{Entered, G, GPtr, pass};
use crate::select_world::{Chan, Give, Operation, Patience, Recv, Right, hand};
use crate::{explore, explore_up_to};

/// What a select has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    /// By which case.
    Received(usize, u32),
    Sent(usize),
    Closed(usize),
    Ready(usize),
    TimedOut,
}

/// Does one of two operations; a send sends `value`.
fn select(gp: GPtr, operations: [&dyn Operation; 2], value: u32, patience: Patience, mode: Mode) -> Done {
    let mut place = MaybeUninit::<u32>::uninit();
    let elem = place.as_mut_ptr().cast();
    let [first, second] = operations;
    let mut cases = [Case { operation: first, elem, index: 0 }, Case { operation: second, elem, index: 1 }];
    let (inside, at) = (Entered(gp), Location::caller());
    let mut search = Search::new(&mut cases, mode, true, at);
    let (mut sudogs, mut order) = ([const { MaybeUninit::uninit() }; 2], [0; 2]);
    let found = search.wait(&inside, patience, &mut Scratch { sudogs: &mut sudogs, order: &mut order });
    let Some((case, outcome, _)) = found else { return Done::TimedOut };
    match outcome {
        // SAFETY: the outcome says that a value is there.
        Outcome::Received => Done::Received(case.index, unsafe { place.assume_init() }),
        Outcome::Closed | Outcome::MaySend(Right::Closed) => Done::Closed(case.index),
        Outcome::MaySend(Right::Hand(receiver)) => {
            hand(receiver, value);
            Done::Sent(case.index)
        }
        Outcome::MaySend(Right::Room) => unreachable!("there is no buffer"),
        Outcome::Ready => Done::Ready(case.index),
    }
}

/// Two channels.
fn channels() -> Arc<[Chan; 2]> {
    Arc::new([Chan::new(), Chan::new()])
}

/// Fails if the channels are locked in the order of the cases.
#[test]
fn two_selects_over_two_channels_meet_on_one() {
    explore(|| {
        let (one, other) = (channels(), G::running());
        let both = Arc::clone(&one);
        let second = thread::spawn(move || {
            let [a, b] = &*both;
            select(other, [&Give(b), &Recv(a)], 2, Patience::Endless, Mode::Do)
        });
        let [a, b] = &*one;
        let first = select(G::running(), [&Give(a), &Recv(b)], 1, Patience::Endless, Mode::Do);
        match (first, second.join().unwrap()) {
            (Done::Sent(0), Done::Received(1, 1)) | (Done::Received(1, 2), Done::Sent(0)) => {}
            wrong => panic!("{wrong:?}"),
        }
        assert!(a.is_left_by_all() && b.is_left_by_all());
    });
}

/// Both directions of one channel in both selects: each has a partner, which is the other and not itself.
#[test]
fn two_selects_over_one_channel_meet() {
    explore(|| {
        let (one, other) = (channels(), G::running());
        let both = Arc::clone(&one);
        let second =
            thread::spawn(move || select(other, [&Recv(&both[0]), &Give(&both[0])], 2, Patience::Endless, Mode::Do));
        let first = select(G::running(), [&Give(&one[0]), &Recv(&one[0])], 1, Patience::Endless, Mode::Do);
        match (first, second.join().unwrap()) {
            (Done::Sent(0), Done::Received(0, 1)) | (Done::Received(1, 2), Done::Sent(1)) => {}
            wrong => panic!("{wrong:?}"),
        }
        assert!(one[0].is_left_by_all());
    });
}

/// One channel is closed, and a value is offered on the other: one of the two ends the select. Fails if a dequeuer claims
/// with a store instead of the CAS.
#[test]
fn a_select_meets_a_close_and_a_value() {
    for close_first in [true, false] {
        explore_up_to(1, move || {
            let one = channels();
            let other = Arc::clone(&one);
            let other = thread::spawn(move || {
                if close_first {
                    other[0].close();
                }
                let sent = other[1].try_send(7);
                if !close_first {
                    other[0].close();
                }
                sent
            });
            let [a, b] = &*one;
            let done = select(G::running(), [&Recv(a), &Recv(b)], 0, Patience::Endless, Mode::Do);
            assert_eq!(done, if other.join().unwrap() { Done::Received(1, 7) } else { Done::Closed(0) });
            assert!(a.is_left_by_all() && b.is_left_by_all());
        });
    }
}

/// The same for a select that waits to send.
#[test]
fn a_sending_select_meets_a_close() {
    explore(|| {
        let one = channels();
        let closer = Arc::clone(&one);
        let closer = thread::spawn(move || {
            closer[1].close();
            closer[0].close();
        });
        let [a, b] = &*one;
        let done = select(G::running(), [&Give(a), &Give(b)], 0, Patience::Endless, Mode::Do);
        closer.join().unwrap();
        assert!(matches!(done, Done::Closed(_)), "{done:?}");
        assert!(a.is_left_by_all() && b.is_left_by_all());
    });
}

/// A value and the end of the time: the sender knows which was first. Fails if the timer readies without a claim, and
/// if a select does not leave the queues of the cases that lost.
#[test]
fn a_select_meets_its_time_limit_and_a_value() {
    for value_first in [true, false] {
        explore_up_to(1, move || {
            let (one, gp) = (channels(), G::running());
            let other = Arc::clone(&one);
            let other = thread::spawn(move || {
                let sent_first = value_first && other[1].try_send(7);
                pass();
                sent_first || !value_first && other[1].try_send(7)
            });
            let [a, b] = &*one;
            let done = select(gp, [&Recv(a), &Recv(b)], 0, Patience::Limited, Mode::Do);
            assert_eq!(done, if other.join().unwrap() { Done::Received(1, 7) } else { Done::TimedOut });
            assert!(a.is_left_by_all() && b.is_left_by_all());
        });
    }
}

/// Two selects meet while the time of one passes: both have met, or none, and then the other one still waits, until a close.
#[test]
fn two_selects_meet_or_one_gives_up() {
    explore(|| {
        let (one, gp, other) = (channels(), G::running(), G::running());
        let both = Arc::clone(&one);
        let second =
            thread::spawn(move || select(other, [&Recv(&both[0]), &Recv(&both[1])], 0, Patience::Endless, Mode::Do));
        pass();
        let [a, b] = &*one;
        let first = select(gp, [&Give(b), &Give(a)], 5, Patience::Limited, Mode::Do);
        if first == Done::TimedOut {
            a.close();
        }
        match (first, second.join().unwrap()) {
            (Done::Sent(sent), Done::Received(received, 5)) => assert_eq!(sent + received, 1),
            (Done::TimedOut, Done::Closed(0)) => {}
            wrong => panic!("{wrong:?}"),
        }
        assert!(a.is_left_by_all() && b.is_left_by_all());
    });
}

/// One who only watches is woken and takes nothing: the value goes to the one who receives. Fails if a watcher is taken for a receiver.
#[test]
fn a_watcher_does_not_take_the_value() {
    explore(|| {
        let (one, other) = (channels(), G::running());
        let both = Arc::clone(&one);
        let watcher = thread::spawn(move || {
            let [a, b] = &*both;
            select(other, [&Recv(a), &Recv(b)], 0, Patience::Endless, Mode::Watch)
        });
        let [a, b] = &*one;
        if a.try_send(7) {
            panic!("nobody receives");
        }
        a.close();
        assert_eq!(watcher.join().unwrap(), Done::Ready(0));
        assert!(a.is_left_by_all() && b.is_left_by_all());
    });
}
