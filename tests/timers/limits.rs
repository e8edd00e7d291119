//! Waits with a limit: joins, wait groups, whole functions.
//!
//! Why here: beside the timers that end them.
//!
//! *Invariants*: T1 and T2 of `common/procs`.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use goruntime::channel::bounded;
use goruntime::sync::WaitGroup;
use goruntime::time::{self, Duration, Elapsed, Instant, sleep};
use goruntime::{go, spawn};

use crate::procs::panic_text;
use crate::{HOUR, MS, on_some_procs};

#[test]
fn a_join_may_be_given_up_and_taken_up_again() {
    on_some_procs(|| {
        let (tx, rx) = bounded(0);
        let mut handle = spawn(move || rx.recv().unwrap());
        for timeout in [Duration::ZERO, MS, 2 * MS] {
            handle = handle.join_timeout(timeout).expect_err("nothing was sent");
        }
        tx.send(7).unwrap();
        assert_eq!(handle.join_timeout(HOUR).expect("in time").unwrap(), 7);
        let panicked = spawn(|| panic!("on purpose")).join_timeout(HOUR).expect("in time");
        assert!(panicked.is_err());
    });
}

#[test]
fn joins_whose_time_is_up_as_the_goroutine_ends_lose_nothing() {
    on_some_procs(|| {
        for round in 0..300_u64 {
            let mut handle = spawn(move || {
                sleep(Duration::from_micros(round % 50));
                round
            });
            let value = loop {
                match handle.join_timeout(Duration::from_micros(1 + round % 60)) {
                    Ok(value) => break value,
                    Err(again) => handle = again,
                }
            };
            assert_eq!(value.unwrap(), round);
            // Nothing of the join is left that could end another wait too early.
            let begin = Instant::now();
            sleep(Duration::from_micros(100));
            assert!(begin.elapsed() >= Duration::from_micros(100));
        }
    });
}

#[test]
fn a_wait_group_can_be_waited_for_with_a_limit() {
    on_some_procs(|| {
        let group = WaitGroup::new();
        assert!(group.wait_timeout(Duration::ZERO));
        group.add(1);
        assert!(!group.wait_timeout(Duration::ZERO) && !group.wait_timeout(MS));
        let theirs = group.clone();
        let waiters: Vec<_> = [HOUR, HOUR, MS]
            .map(|limit| {
                let group = group.clone();
                spawn(move || group.wait_timeout(limit))
            })
            .into();
        sleep(2 * MS);
        theirs.done();
        let results: Vec<_> = waiters.into_iter().map(|waiter| waiter.join().unwrap()).collect();
        assert_eq!(results[..2], [true, true]);
        // Nobody is counted who does not wait any more.
        group.add(1);
        group.done();
        group.wait();
    });
}

#[test]
fn wait_groups_whose_limits_race_with_the_last_done_stay_sound() {
    on_some_procs(|| {
        let group = WaitGroup::new();
        for round in 0..500_u64 {
            group.add(1);
            let theirs = group.clone();
            go(move || {
                sleep(Duration::from_micros(round % 30));
                theirs.done();
            });
            let others: Vec<_> = (0..2)
                .map(|_| {
                    let group = group.clone();
                    spawn(move || while !group.wait_timeout(Duration::from_micros(1 + round % 40)) {})
                })
                .collect();
            while !group.wait_timeout(Duration::from_micros(1 + round % 35)) {}
            for other in others {
                other.join().unwrap();
            }
        }
    });
}

#[test]
fn who_returns_because_the_time_is_up_is_late() {
    on_some_procs(|| {
        for _ in 0..100 {
            let outcome = time::timeout(Duration::from_micros(20), |ctx| while ctx.err().is_none() {});
            assert_eq!(outcome, Err(Elapsed));
        }
    });
}

#[test]
fn timeout_gives_the_caller_back_and_tells_the_function() {
    on_some_procs(|| {
        let (tx, rx) = bounded(1);
        let outcome = time::timeout(MS, move |ctx| {
            let told = time::sleep_ctx(HOUR, ctx);
            tx.send(told.unwrap_err().to_string()).unwrap();
        });
        assert_eq!(outcome, Err(Elapsed));
        assert_eq!(rx.recv().unwrap(), "context deadline exceeded");
        assert_eq!(time::timeout(HOUR, |_| "in time"), Ok("in time"));
        assert_eq!(panic_text(|| _ = time::timeout(HOUR, |_| panic!("on purpose"))), "on purpose");
        assert_eq!(Elapsed.to_string(), "timed out");
    });
}
