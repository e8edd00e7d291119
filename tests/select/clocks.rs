//! `after`, `at` and `tick`: when their values come, how often, and to whom.
//!
//! Why here: a part of `select`. What the clock does with given times is tested beside it; here it is the time of the machine, which may
//! run late, never early.
//!
//! *Invariants*: T1 and T2 of `common/procs`.
//!
//! *Locks*: none.
//!
//! *Go:* TestChan, TestTicker of package time; test/fixedbugs/issue9110.go.

use std::time::{Duration, Instant};

use goruntime::channel::{
    Receiver, RecvError, RecvTimeoutError, Select, TryRecvError, after, at, bounded, never, select, tick, unbounded,
};
use goruntime::{go, spawn};

use super::LONG;
use super::procs::{settle, with_procs};

/// Short, but longer than nothing.
const SHORT: Duration = Duration::from_millis(3);

#[test]
fn a_value_comes_once_and_not_early() {
    with_procs(1, || {
        for receive in [
            |rx: &Receiver<Instant>| rx.recv(),
            |rx: &Receiver<Instant>| rx.recv_timeout(LONG).map_err(|_| RecvError),
            |rx: &Receiver<Instant>| select! { recv(rx) -> when => when, recv(never::<()>()) -> _ => Err(RecvError) },
            |rx: &Receiver<Instant>| select! { recv(rx) -> when => when, default(LONG) => Err(RecvError) },
        ] {
            let when = Instant::now() + SHORT;
            let rx = at(when);
            assert_eq!(receive(&rx), Ok(when));
            assert!(Instant::now() >= when);
            assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
            assert_eq!(rx.recv_timeout(Duration::from_millis(1)), Err(RecvTimeoutError::Timeout));
            let begun = Instant::now();
            assert!(receive(&after(SHORT)).unwrap() >= begun + SHORT);
        }
    });
}

#[test]
fn the_channel_has_room_for_one_value() {
    with_procs(1, || {
        for rx in [after(LONG), tick(LONG)] {
            assert_eq!((rx.capacity(), rx.len(), rx.is_empty(), rx.is_full()), (Some(1), 0, true, false));
        }
        for rx in [after(SHORT), tick(SHORT)] {
            goruntime::time::sleep(3 * SHORT);
            assert_eq!(rx.capacity(), Some(1));
            assert_eq!((rx.len(), rx.is_empty(), rx.is_full()), (1, false, true));
            assert!(rx.try_recv().is_ok());
        }
        let far = after(Duration::MAX);
        assert_eq!(
            (far.try_recv(), far.recv_timeout(SHORT)),
            (Err(TryRecvError::Empty), Err(RecvTimeoutError::Timeout))
        );
        assert!(tick(Duration::MAX).try_recv().is_err() && after(Duration::ZERO).try_recv().is_ok());
    });
}

#[test]
fn a_time_limit_before_the_value_is_kept() {
    with_procs(1, || {
        let (rx, begun) = (after(LONG), Instant::now());
        assert_eq!(rx.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
        assert_eq!(rx.recv_deadline(begun + 2 * SHORT), Err(RecvTimeoutError::Timeout));
        assert!(begun.elapsed() >= 2 * SHORT);
        select! { recv(rx) -> _ => unreachable!("in an hour"), default(SHORT) => assert!(begun.elapsed() >= 3 * SHORT) }
    });
}

#[test]
fn clones_share_the_value_and_are_the_same_channel() {
    with_procs(1, || {
        let rx = after(SHORT);
        let (both, other) = ([rx.clone(), rx.clone()], after(SHORT));
        assert!(rx.same_channel(&both[0]) && !rx.same_channel(&other));
        let (done, results) = unbounded();
        for rx in both {
            let done = done.clone();
            go(move || _ = done.send(rx.recv_timeout(10 * SHORT).is_ok()));
        }
        assert_eq!(results.recv().unwrap() as i32 + results.recv().unwrap() as i32, 1);
    });
}

#[test]
fn ticks_come_at_intervals_and_are_not_hoarded() {
    with_procs(1, || {
        let begun = Instant::now();
        let ticker = tick(SHORT);
        let ticks: Vec<_> = ticker.iter().take(5).collect();
        assert!(ticks[0] >= begun + SHORT && ticks.windows(2).all(|pair| pair[1] - pair[0] >= SHORT));
        goruntime::time::sleep(10 * SHORT);
        assert!(ticker.try_recv().is_ok_and(|tick| tick >= ticks[4] + SHORT));
        let next = ticker.recv().unwrap();
        assert!(next >= ticks[4] + 10 * SHORT, "those that were missed are left out");
    });
}

#[test]
fn every_tick_goes_to_one_of_those_who_wait() {
    with_procs(2, || {
        let ticker = tick(Duration::from_millis(1));
        let receivers: Vec<_> = (0..4)
            .map(|_| {
                let ticker = ticker.clone();
                spawn(move || (0..5).map(|_| ticker.recv().unwrap()).collect::<Vec<_>>())
            })
            .collect();
        let mut ticks: Vec<_> = receivers.into_iter().flat_map(|receiver| receiver.join().unwrap()).collect();
        ticks.sort_unstable();
        assert!(ticks.len() == 20 && ticks.windows(2).all(|pair| pair[0] < pair[1]));
    });
}

/// A million clocks that nobody waits for cost a million small allocations that are freed, and no timer.
#[test]
fn receivers_that_are_dropped_leave_nothing_behind() {
    with_procs(1, || {
        let (tx, rx) = unbounded();
        for i in 0..100_000 {
            tx.send(i).unwrap();
            select! {
                recv(rx) -> value => assert_eq!(value, Ok(i)),
                recv(after(LONG)) -> _ => unreachable!("in an hour"),
                recv(tick(LONG)) -> _ => unreachable!("in an hour"),
            }
        }
        // Parked ones take their time limit with them.
        let (tx, rx) = bounded(0);
        go(move || (0..10_000).for_each(|i| tx.send(i).unwrap()));
        for i in 0..10_000 {
            select! {
                recv(rx) -> value => assert_eq!(value, Ok(i)),
                recv(after(LONG)) -> _ => unreachable!("in an hour"),
            }
        }
    });
}

#[test]
fn the_earliest_of_several_clocks_wakes() {
    with_procs(1, || {
        for late in [LONG, Duration::MAX] {
            let (a, b, c) = (after(late), after(SHORT), tick(late));
            let chosen =
                select! { recv(a) -> _ => 'a', recv(b) -> _ => 'b', recv(c) -> _ => 'c', default(late) => 'd' };
            assert_eq!(chosen, 'b');
            let mut select = Select::new();
            let clocks = [after(late), tick(SHORT), tick(late)];
            clocks.iter().for_each(|clock| _ = select.recv(clock));
            assert_eq!(
                select.select_timeout(late).map(|operation| (operation.index(), operation.recv(&clocks[1]).is_ok())),
                Ok((1, true))
            );
        }
    });
}

#[test]
fn a_clock_can_be_closed() {
    with_procs(1, || {
        let rx = after(LONG);
        let waiter = spawn({
            let rx = rx.clone();
            move || (rx.recv(), select! { recv(rx) -> end => end, recv(never::<()>()) -> _ => Ok(Instant::now()) })
        });
        settle();
        rx.close();
        assert_eq!(waiter.join().unwrap(), (Err(RecvError), Err(RecvError)));
    });
}

/// A close meets receivers whose time is just up and who look again: none of them goes to sleep on the closed channel.
#[test]
fn a_close_is_seen_by_those_whose_time_is_up() {
    const RECEIVERS: usize = 100;
    for procs in [1, 2, 4] {
        with_procs(procs, || {
            for round in 0..40 {
                let when = Instant::now() + SHORT;
                let rx = at(when);
                let receivers: Vec<_> = (0..RECEIVERS)
                    .map(|_| {
                        let rx = rx.clone();
                        spawn(move || rx.recv())
                    })
                    .collect();
                let closer = std::thread::spawn(move || {
                    let then = when + Duration::from_micros(5 * round);
                    while Instant::now() < then {
                        std::thread::yield_now();
                    }
                    rx.close();
                });
                let got = receivers.into_iter().map(|receiver| receiver.join().unwrap());
                assert!(got.filter(Result::is_ok).count() <= 1);
                closer.join().unwrap();
            }
        });
    }
}
