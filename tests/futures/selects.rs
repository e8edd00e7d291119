//! Selects and tasks that wait at the same channel: what a select promises, and what it is promised.
//!
//! Why here: beside the other futures.
//!
//! *Invariants*
//! - FU1.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use std::task::Poll;
use std::time::Duration;

use goruntime::channel::{Select, bounded};
use goruntime::future::{block_on, timeout};
use goruntime::runtime::yield_now;
use goruntime::select;

use crate::channels::{begin, count, poll};
use crate::run;

/// A select evaluates its message when it has found its receiver, who may be gone by then.
#[test]
fn a_selects_message_reaches_the_next_when_its_receiver_gives_up() {
    run(|| {
        for cap in [0, 1] {
            let (tx, rx) = bounded(cap);
            let mut receive = Some(begin(rx.recv_async()));
            if cap == 1 {
                // A room is what the select gets.
                drop(receive.take());
            }
            select! {
                send(tx, { drop(receive.take()); 7 }) -> sent => sent.unwrap(),
            }
            assert_eq!(rx.recv(), Ok(7));
        }
    });
}

/// Room that is reserved for a message is no room for a value that comes back; which is older all the same.
#[test]
fn a_value_that_comes_back_is_received_before_a_message_that_is_made_since() {
    run(|| {
        for cap in 1..4 {
            let (tx, rx) = bounded(cap);
            let (one, two) = (begin(rx.recv_async()), begin(rx.recv_async()));
            tx.send(0).unwrap();
            tx.send(1).unwrap();
            (2..cap + 1).for_each(|n| tx.send(n).unwrap());
            let mut given = Some([two, one]);
            select! {
                send(tx, { given.take().into_iter().flatten().for_each(drop); cap + 1 }) -> sent => sent.unwrap(),
            }
            drop(tx);
            assert_eq!(rx.iter().collect::<Vec<_>>(), (0..cap + 2).collect::<Vec<_>>());
        }
    });
}

#[test]
fn a_select_that_fails_lets_its_receiver_wait_again() {
    run(|| {
        let (tx, rx) = bounded::<i32>(0);
        let (count, waker) = count();
        let mut receive = rx.recv_async();
        assert!(poll(&mut receive, &waker).is_pending());
        let fail = || -> i32 { panic!("no message") };
        for failures in 1..=2 {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                select! { send(tx, fail()) -> _ => () }
            }));
            assert!(outcome.is_err());
            count.expect(failures);
            assert!(poll(&mut receive, &waker).is_pending());
        }
        tx.send(1).unwrap();
        assert_eq!(poll(&mut receive, &waker), Poll::Ready(Ok(1)));
    });
}

#[test]
fn a_waiting_select_serves_a_task() {
    run(|| {
        let (tx, rx) = bounded(0);
        let sender = goruntime::spawn(move || {
            for n in 0..100 {
                select! { send(tx, n) -> sent => sent.unwrap() }
            }
        });
        block_on(async {
            for n in 0..100 {
                // Whatever the first one was promised when it gives up is not lost.
                let hasty = if n % 3 == 0 { timeout(Duration::ZERO, rx.recv_async()).await.ok() } else { None };
                let received = match hasty {
                    Some(received) => received,
                    None => rx.recv_async().await,
                };
                assert_eq!(received, Ok(n));
            }
        });
        sender.join().unwrap();
    });
}

#[test]
fn a_watching_select_learns_that_a_value_has_come_back() {
    run(|| {
        let (tx, rx) = bounded(0);
        let receive = begin(rx.recv_async());
        tx.send(1).unwrap();
        let (started_tx, started) = bounded(0);
        let other = rx.clone();
        let watcher = goruntime::spawn(move || {
            let mut select = Select::new();
            select.recv(&other);
            started_tx.send(()).unwrap();
            select.ready();
            other.recv()
        });
        started.recv().unwrap();
        yield_now();
        drop(receive);
        assert_eq!(watcher.join().unwrap(), Ok(1));
    });
}
