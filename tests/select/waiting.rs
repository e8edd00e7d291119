//! Selects that park, and what wakes them.
//!
//! Why here: a part of `select`. On one processor the order of things is known: `settle` lets everybody park.
//!
//! *Invariants*: T1 and T2 of `common/procs`.
//!
//! *Locks*: none.
//!
//! *Go:* TestSelfSelect, TestSelectDuplicateChannel of chan_test.go, test/chan/select6.go, test/chanlinear.go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use goruntime::channel::{
    Receiver, RecvError, Select, Sender, TryRecvError, TrySendError, bounded, never, select, unbounded,
};
use goruntime::runtime::yield_now;
use goruntime::{go, spawn};

use super::procs::{IS_SANITIZED, settle, with_procs};
use super::{Counted, LONG};

/// Runs a select in a goroutine until it parks; its value comes out of the channel.
pub(crate) fn parked<T: Send + 'static>(select: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (done, result) = unbounded();
    go(move || done.send(select()).unwrap());
    settle();
    assert!(result.is_empty(), "it did not park");
    result
}

#[test]
fn a_value_goes_straight_to_a_parked_select() {
    with_procs(1, || {
        for cap in [0, 1, 5] {
            let ((tx, rx), (_other, idle)) = (bounded(cap), bounded::<i32>(cap));
            let result = parked(move || {
                select! {
                    recv(idle) -> _ => Err(RecvError),
                    recv(rx) -> value => value,
                }
            });
            assert_eq!((tx.try_send(5), tx.len()), (Ok(()), 0));
            assert_eq!(result.recv(), Ok(Ok(5)));
        }
    });
}

#[test]
fn selects_meet_each_other() {
    for procs in [1, 2, 4] {
        with_procs(procs, || {
            for cap in [0, 1] {
                let ((tx1, rx1), (tx2, rx2)) = (bounded(cap), bounded(cap));
                let total = 2000;
                let sender = spawn(move || {
                    let mut sent = [0; 2];
                    for i in 0..total {
                        select! {
                            send(tx1, i) -> result => { result.unwrap(); sent[0] += 1 }
                            send(tx2, i) -> result => { result.unwrap(); sent[1] += 1 }
                        }
                    }
                    sent
                });
                let mut received = [Vec::new(), Vec::new()];
                loop {
                    select! {
                        recv(rx1) -> value => match value { Ok(value) => received[0].push(value), Err(RecvError) => break },
                        recv(rx2) -> value => match value { Ok(value) => received[1].push(value), Err(RecvError) => break },
                    }
                }
                received[0].extend(rx1.iter());
                received[1].extend(rx2.iter());
                assert!(received.iter().all(|values| values.is_sorted()), "first in, first out");
                assert_eq!(received.each_ref().map(Vec::len), sender.join().unwrap());
                let mut all = received.concat();
                all.sort_unstable();
                assert!(all.into_iter().eq(0..total));
            }
        });
    }
}

#[test]
fn a_select_does_not_talk_to_itself() {
    for procs in [1, 2] {
        with_procs(procs, || {
            for cap in [0, 1, 10] {
                let (tx, rx) = bounded(cap);
                let both: Vec<_> = (0..2)
                    .map(|own| {
                        let (tx, rx) = (tx.clone(), rx.clone());
                        spawn(move || {
                            for _ in 0..1000 {
                                select! {
                                    send(tx, own) -> sent => sent.unwrap(),
                                    recv(rx) -> value => assert!(cap > 0 || value != Ok(own), "its own value"),
                                }
                            }
                        })
                    })
                    .collect();
                // Whoever is done first leaves the other without a partner.
                while !both.iter().all(|worker| worker.is_finished()) {
                    select! {
                        recv(rx) -> _ => {}
                        send(tx, 2) -> _ => {}
                        default => yield_now(),
                    }
                }
                both.into_iter().for_each(|worker| worker.join().unwrap());
            }
        });
    }
}

#[test]
fn one_channel_may_be_in_several_cases() {
    with_procs(1, || {
        for round in 0..50 {
            let (tx, rx) = bounded(0);
            let result = parked({
                let (tx, rx) = (tx.clone(), rx.clone());
                move || {
                    select! {
                        recv(rx) -> value => value,
                        send(tx, 1) -> sent => { sent.unwrap(); Ok(-1) }
                        recv(rx) -> value => value,
                        recv(rx) -> value => value,
                    }
                }
            });
            if round % 2 == 0 {
                tx.send(5).unwrap();
                assert_eq!(result.recv(), Ok(Ok(5)));
            } else {
                assert_eq!((rx.recv(), result.recv()), (Ok(1), Ok(Ok(-1))));
            }
            // Nobody is left over in either queue.
            assert_eq!((tx.try_send(7), rx.try_recv()), (Err(TrySendError::Full(7)), Err(TryRecvError::Empty)));
        }
    });
}

#[test]
fn a_losing_case_leaves_its_queue() {
    with_procs(1, || {
        let ((tx1, rx1), (tx2, rx2), (tx3, rx3)) = (bounded(0), bounded(0), bounded(0));
        for round in 0..30 {
            let result = parked({
                let (rx1, rx2, tx3) = (rx1.clone(), rx2.clone(), tx3.clone());
                move || {
                    select! {
                        recv(rx1) -> value => value.unwrap(),
                        recv(rx2) -> value => value.unwrap(),
                        send(tx3, 3) -> sent => { sent.unwrap(); 3 }
                    }
                }
            });
            match round % 3 {
                0 => tx1.send(1).unwrap(),
                1 => tx2.send(2).unwrap(),
                _ => assert_eq!(rx3.recv(), Ok(3)),
            }
            assert_eq!(result.recv(), Ok(round % 3 + 1));
            assert_eq!(tx1.try_send(1), Err(TrySendError::Full(1)));
            assert_eq!(tx2.try_send(1), Err(TrySendError::Full(1)));
            assert_eq!(rx3.try_recv(), Err(TryRecvError::Empty));
        }
    });
}

#[test]
fn who_waits_longer_is_served_first() {
    with_procs(1, || {
        let (tx, rx) = bounded(0);
        let waiters: Vec<_> = (0..6)
            .map(|number| {
                let rx = rx.clone();
                parked(move || match number % 3 {
                    0 => rx.recv(),
                    1 => select! { recv(never()) -> value => value, recv(rx) -> value => value },
                    _ => select! { recv(rx) -> value => value, default(LONG) => Ok(-1) },
                })
            })
            .collect();
        for (number, result) in waiters.iter().enumerate() {
            tx.send(number as i32).unwrap();
            assert_eq!(result.recv(), Ok(Ok(number as i32)));
        }
        let senders: Vec<_> = (0..4)
            .map(|number| {
                let tx = tx.clone();
                parked(move || match number % 2 {
                    0 => tx.send(number),
                    _ => select! { send(tx, number) -> sent => sent, recv(never::<()>()) -> _ => Ok(()) },
                })
            })
            .collect();
        assert!((0..4).all(|number| rx.recv() == Ok(number)));
        assert!(senders.iter().all(|result| result.recv() == Ok(Ok(()))));
    });
}

#[test]
fn a_close_wakes_parked_selects() {
    with_procs(1, || {
        for cap in [0, 1] {
            let ((tx, rx), (other, others)) = (bounded(cap), bounded(cap));
            (0..cap).for_each(|_| other.send(String::from("first")).unwrap());
            let receives = parked(move || select! { recv(rx) -> value => value, recv(never()) -> value => value });
            let sends = parked({
                let other = other.clone();
                move || select! { send(other, String::from("back")) -> sent => sent, recv(never::<()>()) -> _ => Ok(()) }
            });
            let times = parked({
                let (others, other) = (never::<()>(), other.clone());
                move || select! { recv(others) -> _ => Ok(()), send(other, String::new()) -> sent => sent, default(LONG) => Ok(()) }
            });
            tx.close();
            assert_eq!(receives.recv(), Ok(Err::<(), _>(RecvError)));
            drop(others);
            assert_eq!(sends.recv().unwrap().unwrap_err().into_inner(), "back");
            assert!(times.recv().unwrap().is_err());
        }
    });
}

#[test]
fn a_value_in_time_wins_and_stops_the_clock() {
    with_procs(1, || {
        let (tx, rx) = bounded(0);
        for i in 0..100 {
            let result = parked({
                let rx = rx.clone();
                move || select! { recv(rx) -> value => value, recv(never()) -> value => value, default(LONG) => Ok(-1) }
            });
            tx.send(i).unwrap();
            assert_eq!(result.recv(), Ok(Ok(i)));
        }
    });
}

/// A value moves from one channel to the other; at any time it is in one of them, so the default is wrong.
#[test]
fn a_default_is_not_taken_while_some_case_is_always_ready() {
    for procs in [2, 4] {
        with_procs(procs, || {
            for ((tx1, rx1), (tx2, rx2)) in [(bounded(1), bounded(1)), (unbounded(), unbounded())] {
                let ((begin, begun), (end, ended)) = (bounded(0), bounded(0));
                let other = spawn({
                    let (tx2, rx1) = (tx2.clone(), rx1.clone());
                    move || {
                        for () in begun {
                            tx2.send(1).unwrap();
                            _ = rx1.try_recv();
                            end.send(()).unwrap();
                        }
                    }
                });
                for round in 0..5000 {
                    tx1.send(1).unwrap();
                    begin.send(()).unwrap();
                    let zero = Duration::ZERO;
                    match round % 3 {
                        0 => {
                            select! { recv(rx1) -> _ => {} recv(rx2) -> _ => {} default => panic!("a value is there") }
                        }
                        1 => {
                            select! { recv(rx1) -> _ => {} recv(rx2) -> _ => {} default(zero) => panic!("a value is there") }
                        }
                        _ => {
                            let mut select = Select::new();
                            let (_, _) = (select.recv(&rx1), select.recv(&rx2));
                            assert!(select.try_ready().is_ok(), "a value is there");
                        }
                    }
                    ended.recv().unwrap();
                    while rx1.try_recv().is_ok() || rx2.try_recv().is_ok() {}
                }
                drop(begin);
                other.join().unwrap();
            }
        });
    }
}

/// With a removal that walks the queue this takes minutes.
#[test]
fn leaving_a_long_queue_takes_constant_time() {
    const WAITING: usize = if IS_SANITIZED { 1_000 } else { 20_000 };
    with_procs(1, || {
        let ((_tx, crowded), living) = (bounded::<Counted>(0), Arc::default());
        let doors: Vec<(Sender<Counted>, _)> = (0..WAITING)
            .map(|_| {
                let (tx, rx) = bounded(0);
                let crowded = crowded.clone();
                (tx, spawn(move || select! { recv(crowded) -> _ => false, recv(rx) -> value => value.is_ok() }))
            })
            .collect();
        settle();
        // From the middle to both ends, so that neither a walk from the front nor one from the back is short.
        let (front, back) = doors.split_at(WAITING / 2);
        for (door, _) in front.iter().rev().zip(back).flat_map(|(a, b)| [a, b]) {
            door.send(Counted::new(&living)).unwrap();
        }
        assert!(doors.into_iter().all(|(_, waiter)| waiter.join().unwrap()));
        assert_eq!(living.load(Ordering::Relaxed), 0);
        // One select that waits as often in one queue, and loses them all, a hundred times.
        let (tx, rx) = bounded(0);
        go(move || (0..100).for_each(|i| tx.send(i).unwrap()));
        let mut select = Select::new();
        (0..WAITING).for_each(|_| _ = select.recv(&crowded));
        let door = select.recv(&rx);
        for i in 0..100 {
            let operation = select.select();
            assert_eq!((operation.index(), operation.recv(&rx)), (door, Ok(i)));
        }
    });
}

#[test]
fn threads_and_goroutines_select_on_the_same_channels() {
    with_procs(2, || {
        let ((tx1, rx1), (tx2, rx2)) = (bounded(0), bounded(1));
        let (each, sum) = (500, Arc::new(AtomicUsize::new(0)));
        let receive = |rx1: Receiver<usize>, rx2: Receiver<usize>, sum: Arc<AtomicUsize>| {
            move || {
                let mut open = [true; 2];
                let closed = never();
                while open != [false; 2] {
                    let (first, second) = (if open[0] { &rx1 } else { &closed }, if open[1] { &rx2 } else { &closed });
                    let (value, number) = select! {
                        recv(first) -> value => (value, 0),
                        recv(second) -> value => (value, 1),
                    };
                    match value {
                        Ok(value) => _ = sum.fetch_add(value, Ordering::Relaxed),
                        Err(RecvError) => open[number] = false,
                    }
                }
            }
        };
        let send = |tx1: Sender<usize>, tx2: Sender<usize>| {
            move || {
                for i in 1..=each {
                    select! {
                        send(tx1, i) -> sent => sent.unwrap(),
                        send(tx2, i) -> sent => sent.unwrap(),
                    }
                }
            }
        };
        let threads = [
            thread::spawn(send(tx1.clone(), tx2.clone())),
            thread::spawn(receive(rx1.clone(), rx2.clone(), Arc::clone(&sum))),
        ];
        let goroutines = [spawn(send(tx1, tx2)), spawn(receive(rx1, rx2, Arc::clone(&sum)))];
        goroutines.into_iter().for_each(|goroutine| goroutine.join().unwrap());
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(sum.load(Ordering::Relaxed), 2 * each * (each + 1) / 2);
    });
}
