//! Selects that wait to send: their message comes after the choice, or not at all.
//!
//! Why here: a part of `select`.
//!
//! *Invariants*: T1 and T2 of `common/procs`.
//!
//! *Locks*: none.
//!
//! *Go:* none; there the message is evaluated before the choice.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use goruntime::channel::{Receiver, RecvError, Select, Sender, TrySendError, bounded, never, select};
use goruntime::runtime::yield_now;
use goruntime::{go, spawn};

use super::procs::{IS_SANITIZED, settle, with_procs};
use super::waiting::parked;
use super::{LONG, no_message};

#[test]
fn a_parked_select_sends_to_whoever_receives() {
    with_procs(1, || {
        for cap in [0, 1, 3] {
            for receive in [
                Receiver::recv,
                |rx: &Receiver<i32>| rx.recv_timeout(LONG).map_err(|_| RecvError),
                |rx: &Receiver<i32>| rx.try_recv().map_err(|_| RecvError),
            ] {
                let (tx, rx) = bounded(cap);
                (0..cap as i32).for_each(|i| tx.send(i).unwrap());
                let result = parked(move || {
                    select! {
                        send(tx, 100) -> sent => sent,
                        recv(never::<()>()) -> _ => Ok(()),
                    }
                });
                for i in 0..cap as i32 {
                    assert_eq!(receive(&rx), Ok(i));
                    // The room is kept for the select, which fills it.
                    settle();
                }
                assert_eq!(receive(&rx), Ok(100));
                assert_eq!(result.recv(), Ok(Ok(())));
                assert_eq!(receive(&rx), Err(RecvError));
            }
        }
    });
}

/// The room that a receive makes is promised to the select, which was first in line; a newcomer does not get it.
#[test]
fn room_for_a_parked_select_is_nobody_elses() {
    with_procs(1, || {
        let (tx, rx) = bounded(1);
        tx.send(1).unwrap();
        let result = parked({
            let tx = tx.clone();
            move || select! { send(tx, 2) -> sent => sent, recv(never::<()>()) -> _ => Ok(()) }
        });
        assert_eq!(rx.recv(), Ok(1));
        assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)));
        assert_eq!((rx.recv(), result.recv()), (Ok(2), Ok(Ok(()))));
        assert_eq!(tx.try_send(3), Ok(()));
    });
}

/// Promises a value and breaks the promise.
fn never_sends(tx: &Sender<i32>) {
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        select! { send(tx, no_message()) -> _ => {} recv(never::<()>()) -> _ => {} }
    }));
    assert!(panicked.is_err());
}

/// A receiver that was taken for a message that never comes gets the next one, however it waits.
#[test]
fn a_panic_in_a_message_lets_the_receiver_go_on() {
    with_procs(1, || {
        for wait in [
            |rx: Receiver<i32>| rx.recv(),
            |rx: Receiver<i32>| rx.recv_timeout(LONG).map_err(|_| RecvError),
            |rx: Receiver<i32>| select! { recv(rx) -> value => value, recv(never()) -> value => value },
            |rx: Receiver<i32>| select! { recv(rx) -> value => value, default(LONG) => Err(RecvError) },
        ] {
            // The receiver waits first.
            let (tx, rx) = bounded(0);
            let result = parked(move || wait(rx));
            never_sends(&tx);
            tx.send(7).unwrap();
            assert_eq!(result.recv(), Ok(Ok(7)));
            // The select waits first.
            let (tx, rx) = bounded(0);
            let panics = parked({
                let tx = tx.clone();
                move || never_sends(&tx)
            });
            go(move || tx.send(8).unwrap());
            assert_eq!(wait(rx), Ok(8));
            assert_eq!(panics.recv(), Ok(()));
        }
    });
}

/// Room that was promised to a message that never comes goes to the next sender in line.
#[test]
fn a_panic_in_a_message_passes_the_room_on() {
    with_procs(1, || {
        let (tx, rx) = bounded(1);
        tx.send(0).unwrap();
        let panics = parked({
            let tx = tx.clone();
            move || {
                catch_unwind(AssertUnwindSafe(|| {
                    select! { send(tx, no_message()) -> _ => {} recv(never::<()>()) -> _ => {} }
                }))
                .is_err()
            }
        });
        let selects = parked({
            let tx = tx.clone();
            move || select! { send(tx, 1) -> sent => sent, recv(never::<()>()) -> _ => Ok(()) }
        });
        let sends = parked(move || tx.send(2));
        assert_eq!((rx.recv(), panics.recv()), (Ok(0), Ok(true)));
        // It has the room; its value comes now. Before that, a receive would take the other one's.
        assert_eq!((selects.recv(), rx.recv()), (Ok(Ok(())), Ok(1)));
        assert_eq!((sends.recv(), rx.recv()), (Ok(Ok(())), Ok(2)));
        assert_eq!(rx.recv(), Err(RecvError));
    });
}

/// The limit passes while a promised message is being evaluated: the receiver that has been promised it does not give up any more.
#[test]
fn a_promise_outlasts_the_time_limit_of_its_receiver() {
    with_procs(2, || {
        let ((tx, rx), (evaluate, go_on)) = (bounded(0), bounded::<()>(0));
        let sender = spawn(move || {
            select! {
                send(tx, { go_on.recv().unwrap_err(); 5 }) -> sent => sent,
                recv(never::<()>()) -> _ => Ok(()),
            }
        });
        let receiver = spawn(move || {
            let begun = Instant::now();
            loop {
                match rx.recv_timeout(Duration::from_millis(1)) {
                    Ok(value) => return (value, begun.elapsed()),
                    Err(_) => yield_now(),
                }
            }
        });
        let pause = Duration::from_millis(20);
        goruntime::time::sleep(pause);
        drop(evaluate);
        assert_eq!(sender.join().unwrap(), Ok(()));
        assert_eq!(receiver.join().unwrap().0, 5);
    });
}

/// However often a receiver is let down, it needs no more stack for that.
#[test]
fn broken_promises_do_not_pile_up() {
    const BROKEN: usize = 20_000;
    for procs in [1, 2] {
        for receive in [
            |rx: Receiver<usize>| rx.recv(),
            |rx: Receiver<usize>| rx.recv_timeout(LONG).map_err(|_| RecvError),
            |rx: Receiver<usize>| select! { recv(rx) -> value => value, recv(never()) -> value => value },
        ] {
            with_procs(procs, move || {
                let (tx, rx) = bounded(0);
                let receiver = spawn(move || receive(rx));
                let mut tried = 0;
                loop {
                    select! {
                        send(tx, { tried += 1; if tried < BROKEN { continue } tried }) -> sent => break sent.unwrap(),
                        recv(never::<()>()) -> _ => {}
                    }
                }
                assert_eq!(receiver.join().unwrap(), Ok(BROKEN));
            });
        }
    }
}

/// Behind a promise that is broken there is a sender with a value: it was there all the time, so there is something to receive.
#[test]
fn who_waits_behind_a_broken_promise_is_found() {
    with_procs(1, || {
        for receive in [
            |rx: &Receiver<i32>| rx.try_recv().ok(),
            |rx: &Receiver<i32>| select! { recv(rx) -> value => value.ok(), default => None },
            |rx: &Receiver<i32>| select! { recv(rx) -> value => value.ok(), recv(never::<()>()) -> _ => None, default => None },
            |rx: &Receiver<i32>| {
                let mut list = Select::new();
                list.recv(rx);
                list.try_select().ok().and_then(|operation| operation.recv(rx).ok())
            },
        ] {
            let (tx, rx) = bounded(0);
            let promises = parked({
                let tx = tx.clone();
                move || never_sends(&tx)
            });
            let sends = parked(move || tx.send(2));
            assert_eq!(receive(&rx), Some(2));
            assert_eq!((promises.recv(), sends.recv()), (Ok(()), Ok(Ok(()))));
        }
    });
}

/// A receiver that was let down is the first in line again.
#[test]
fn a_broken_promise_does_not_cost_the_place_in_the_line() {
    with_procs(1, || {
        for receive in [
            |rx: Receiver<i32>| rx.recv(),
            |rx: Receiver<i32>| rx.recv_timeout(LONG).map_err(|_| RecvError),
            |rx: Receiver<i32>| select! { recv(never()) -> value => value, recv(rx) -> value => value },
        ] {
            let (tx, rx) = bounded(0);
            let results: Vec<_> = (0..3)
                .map(|_| {
                    let rx = rx.clone();
                    parked(move || receive(rx))
                })
                .collect();
            for _ in 0..2 {
                never_sends(&tx);
                settle();
            }
            for (i, result) in results.iter().enumerate() {
                tx.send(i as i32).unwrap();
                assert_eq!(result.recv(), Ok(Ok(i as i32)));
            }
        }
    });
}

/// The message of the only case is evaluated when it can be sent, as everybody else's.
#[test]
fn a_single_send_evaluates_its_message_when_it_is_chosen() {
    with_procs(1, || {
        let (tx, rx) = bounded(0);
        let is_evaluated = Arc::new(AtomicBool::new(false));
        let evaluated = Arc::clone(&is_evaluated);
        let result = parked(move || {
            select! {
                send(tx, { evaluated.store(true, Ordering::Relaxed); 1 }) -> sent => sent,
            }
        });
        assert!(!is_evaluated.load(Ordering::Relaxed));
        assert_eq!((rx.recv(), result.recv()), (Ok(1), Ok(Ok(()))));
        assert!(is_evaluated.load(Ordering::Relaxed));
    });
}

/// Values of which one is in the buffer, perhaps one is promised, and others wait; and as many receivers as there are values without the promise: each
/// must find one at its first try, whenever it comes.
#[test]
fn a_channel_whose_value_is_replaced_never_looks_empty() {
    const CHANNELS: usize = if IS_SANITIZED { 100 } else { 2000 };
    let try_recv = |rx: &Receiver<i32>| rx.try_recv().ok();
    let select = |rx: &Receiver<i32>| select! { recv(rx) -> value => value.ok(), default => None };
    for (receive, receivers, is_promised) in
        [(try_recv as fn(&_) -> _, 2, false), (select, 2, false), (try_recv, 3, true), (select, 3, true)]
    {
        with_procs(1, move || {
            let channels: Vec<_> = (0..CHANNELS).map(|_| bounded(1)).collect();
            for (tx, _) in &channels {
                tx.send(1).unwrap();
                if is_promised {
                    let tx = tx.clone();
                    go(move || select! { send(tx, 2) -> _ => {}, recv(never::<()>()) -> _ => {} });
                    settle();
                }
                for _ in 1..receivers {
                    let tx = tx.clone();
                    go(move || _ = tx.send(3));
                }
            }
            settle();
            let arrived = AtomicUsize::new(0);
            let missed = || {
                let is_missed = |&(round, (_, rx)): &(usize, &(_, Receiver<i32>))| {
                    arrived.fetch_add(1, Ordering::Relaxed);
                    while arrived.load(Ordering::Relaxed) < receivers * round {
                        thread::yield_now();
                    }
                    receive(rx).is_none()
                };
                (1..).zip(&channels).filter(is_missed).count()
            };
            thread::scope(|scope| {
                let threads: Vec<_> = (0..receivers).map(|_| scope.spawn(missed)).collect();
                assert_eq!(threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>(), 0);
            });
        });
    }
}
