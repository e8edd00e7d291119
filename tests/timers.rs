//! Timers, tickers and functions that are called later: Go 1.23's contract for their channels, and who holds what.
//!
//! Why here: from outside, with goroutines and plain threads. No test depends on how late something fires, only on the order of things.
//!
//! *Invariants*: T1 and T2 of `common/procs`.
//!
//! *Locks*: none.
//!
//! *Go:* sleep_test.go, tick_test.go.

#[path = "timers/limits.rs"]
mod limits;
#[path = "common/procs.rs"]
mod procs;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use goruntime::channel::{RecvError, RecvTimeoutError, TryRecvError, bounded, unbounded};
use goruntime::runtime::{goexit, num_goroutine, yield_now};
use goruntime::sync::Arc;
use goruntime::time::{self, Duration, Instant, Ticker, Timer, after_func, sleep, sleep_until};
use goruntime::{go, spawn};

use self::procs::{panic_text, settle, with_procs};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

fn on_some_procs(f: impl Fn() + Send + Sync) {
    for procs in [1, 2, 4] {
        with_procs(procs, &f);
    }
}

/// Counts how many of its values exist.
#[derive(Clone, Default)]
struct Alive(Arc<()>);

impl Alive {
    fn count(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

#[test]
fn a_timer_sends_its_time_once_and_not_before() {
    on_some_procs(|| {
        let begin = Instant::now();
        let timer = Timer::new(2 * MS);
        let at = timer.receiver().recv().unwrap();
        assert!(at >= begin + 2 * MS && Instant::now() >= at);
        assert_eq!(timer.receiver().try_recv(), Err(TryRecvError::Empty));
        assert_eq!(timer.receiver().recv_timeout(MS), Err(RecvTimeoutError::Timeout));
    });
}

#[test]
fn a_timer_of_no_time_is_there_at_once_and_one_of_too_much_never() {
    assert!(Timer::new(Duration::ZERO).receiver().try_recv().is_ok());
    let never = Timer::new(Duration::MAX);
    assert_eq!(never.receiver().recv_timeout(MS), Err(RecvTimeoutError::Timeout));
    assert!(never.reset(Duration::MAX) && never.stop() && !never.stop());
}

#[test]
fn stop_says_whether_the_value_was_not_received() {
    on_some_procs(|| {
        let timer = Timer::new(HOUR);
        assert_eq!((timer.stop(), timer.stop()), (true, false));
        // Its time has come, and nobody has received it.
        let expired = Timer::new(MS);
        sleep(2 * MS);
        assert!(expired.stop());
        assert_eq!(expired.receiver().try_recv(), Err(TryRecvError::Empty));
        let received = Timer::new(MS);
        received.receiver().recv().unwrap();
        assert!(!received.stop());
    });
}

#[test]
fn reset_says_whether_the_value_was_not_received() {
    on_some_procs(|| {
        let timer = Timer::new(HOUR);
        assert!(timer.reset(MS));
        timer.receiver().recv().unwrap();
        assert!(!timer.reset(MS));
        sleep(2 * MS);
        assert!(timer.reset(HOUR));
        assert!(timer.stop());
        assert!(!timer.reset(MS));
        timer.receiver().recv().unwrap();
    });
}

#[test]
fn after_a_reset_only_the_new_value_comes() {
    on_some_procs(|| {
        let timer = Timer::new(Duration::ZERO);
        for round in 0..200_u32 {
            // Expired, about to expire, or not, as it comes.
            if round % 3 == 0 {
                sleep(Duration::from_micros(u64::from(round % 7) * 50));
            }
            let now = Instant::now();
            timer.reset(Duration::from_micros(300));
            assert!(timer.receiver().recv().unwrap() >= now + Duration::from_micros(300), "a stale value");
            timer.reset(Duration::from_micros(u64::from(round % 5) * 100));
        }
    });
}

#[test]
fn who_waits_already_gets_the_value_of_a_later_setting() {
    on_some_procs(|| {
        for before in [HOUR, MS] {
            let timer = Arc::new(Timer::new(before));
            timer.stop();
            timer.reset(HOUR);
            let theirs = timer.clone();
            let waiter = spawn(move || theirs.receiver().recv());
            yield_now();
            let now = Instant::now();
            timer.reset(2 * MS);
            assert!(waiter.join().unwrap().unwrap() >= now + 2 * MS);
        }
    });
}

#[test]
fn who_waits_for_a_stopped_timer_waits_until_it_is_set() {
    // A time that is over before the test can stop the timer says nothing; the next one is longer.
    let is_stopped_in = |time: Duration| {
        with_procs(1, || {
            let timer = Timer::new(time);
            let receiver = timer.receiver().clone();
            let waiter = spawn(move || receiver.recv());
            settle();
            let stopped = timer.stop();
            if stopped {
                sleep(3 * time);
                assert!(!waiter.is_finished() && !timer.reset(Duration::ZERO));
            }
            waiter.join().unwrap().is_ok() && stopped
        })
    };
    assert!((0..16).any(|doublings| is_stopped_in(MS * (1 << doublings))));
}

#[test]
fn dropping_a_timer_or_ticker_ends_its_channel() {
    on_some_procs(|| {
        let (timer, ticker) = (Timer::new(HOUR), Ticker::new(HOUR));
        let receivers = [timer.receiver().clone(), ticker.receiver().clone()];
        let waiters = receivers.map(|receiver| spawn(move || receiver.recv()));
        yield_now();
        drop((timer, ticker));
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Err(RecvError));
        }
        // Also a value whose time had come.
        let expired = Timer::new(Duration::ZERO);
        let receiver = expired.receiver().clone();
        drop(expired);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    });
}

#[test]
fn the_channel_of_a_timer_looks_empty_and_has_no_capacity() {
    let (timer, ticker) = (Timer::new(Duration::ZERO), Ticker::new(MS));
    sleep(2 * MS);
    for receiver in [timer.receiver(), ticker.receiver()] {
        assert_eq!((receiver.len(), receiver.capacity()), (0, Some(0)));
        assert!(receiver.try_recv().is_ok());
    }
}

#[test]
fn one_value_goes_to_one_of_those_who_wait() {
    on_some_procs(|| {
        let timer = Timer::new(2 * MS);
        let waiters: Vec<_> = (0..8)
            .map(|_| {
                let receiver = timer.receiver().clone();
                spawn(move || receiver.recv().is_ok())
            })
            .collect();
        while !waiters.iter().any(|waiter| waiter.is_finished()) {
            yield_now();
        }
        drop(timer);
        assert_eq!(waiters.into_iter().map(|waiter| usize::from(waiter.join().unwrap())).sum::<usize>(), 1);
    });
}

#[test]
fn plain_threads_wait_for_timers_too() {
    let timer = Arc::new(Timer::new(MS));
    let theirs = timer.clone();
    let waiter = thread::spawn(move || (theirs.receiver().recv(), theirs.receiver().recv()));
    while timer.reset(HOUR) {
        timer.reset(MS);
        thread::yield_now();
    }
    timer.reset(MS);
    assert!(matches!(waiter.join().unwrap(), (Ok(_), Ok(_))));
    let ticker = Ticker::new(MS);
    assert_eq!(ticker.receiver().iter().take(3).count(), 3);
}

#[test]
fn ticks_keep_their_rhythm_and_at_most_one_waits() {
    on_some_procs(|| {
        let ticker = Ticker::new(MS);
        let first = ticker.receiver().recv().unwrap();
        sleep_until(first + 5 * MS);
        let now = Instant::now();
        let late = ticker.receiver().recv().unwrap();
        // Of the ticks that were missed this was the only one left.
        let next = ticker.receiver().recv().unwrap();
        assert!(first < late && late < next && now < next);
        for tick in [late, next] {
            assert_eq!((tick - first).as_nanos() % MS.as_nanos(), 0, "{:?}", tick - first);
        }
    });
}

#[test]
fn a_ticker_can_be_stopped_and_set_again() {
    on_some_procs(|| {
        let ticker = Ticker::new(MS);
        sleep(2 * MS);
        ticker.stop();
        assert_eq!(ticker.receiver().try_recv(), Err(TryRecvError::Empty));
        assert_eq!(ticker.receiver().recv_timeout(3 * MS), Err(RecvTimeoutError::Timeout));
        let now = Instant::now();
        ticker.reset(2 * MS);
        let ticks: Vec<_> = ticker.receiver().iter().take(3).collect();
        assert!(ticks[0] >= now + 2 * MS && ticks[1] >= ticks[0] + 2 * MS);
    });
}

#[test]
fn intervals_of_no_time_are_refused_with_the_words_of_go() {
    assert_eq!(panic_text(|| drop(Ticker::new(Duration::ZERO))), "non-positive interval for NewTicker");
    let ticker = Ticker::new(HOUR);
    assert_eq!(panic_text(|| ticker.reset(Duration::ZERO)), "non-positive interval for Ticker.Reset");
}

#[test]
fn a_function_is_called_in_a_goroutine_of_its_own() {
    on_some_procs(|| {
        let (tx, rx) = bounded(0);
        let begin = Instant::now();
        let before = num_goroutine();
        let later = after_func(HOUR, || ());
        assert!(num_goroutine() <= before, "what waits for its time is no goroutine yet");
        assert!(later.stop());
        let handle = after_func(2 * MS, move || tx.send((Instant::now(), goruntime::thread::current().id())).unwrap());
        let (at, id) = rx.recv().unwrap();
        assert!(at >= begin + 2 * MS && id != goruntime::thread::current().id());
        assert!(!handle.stop());
    });
}

#[test]
fn a_stopped_function_is_not_called_and_is_freed_with_its_handle() {
    on_some_procs(|| {
        let alive = Alive::default();
        for _ in 0..100 {
            let theirs = alive.clone();
            let handle = after_func(HOUR, move || unreachable!("{}", theirs.count()));
            assert_eq!(alive.count(), 1);
            assert_eq!((handle.stop(), handle.stop()), (true, false));
            drop(handle);
            assert_eq!(alive.count(), 0);
        }
    });
}

#[test]
fn a_function_whose_handle_was_dropped_is_called_and_freed() {
    on_some_procs(|| {
        let (alive, (tx, rx)) = (Alive::default(), unbounded());
        for number in 0..50 {
            let (theirs, tx) = (alive.clone(), tx.clone());
            after_func(number % 3 * MS, move || tx.send(theirs.count()).unwrap());
        }
        drop(tx);
        assert_eq!(rx.iter().count(), 50);
        while alive.count() != 0 {
            yield_now();
        }
    });
}

#[test]
fn reset_moves_a_call_or_makes_one_more() {
    on_some_procs(|| {
        let (tx, rx) = unbounded();
        let handle = after_func(HOUR, move || tx.send(Instant::now()).unwrap());
        let now = Instant::now();
        assert!(handle.reset(2 * HOUR) && handle.reset(2 * MS));
        assert!(rx.recv().unwrap() >= now + 2 * MS);
        for _ in 0..20 {
            assert!(!handle.reset(Duration::ZERO));
            rx.recv().unwrap();
        }
        assert!(!handle.reset(HOUR));
        assert!(handle.stop());
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    });
}

#[test]
fn calls_and_stops_add_up_when_they_race() {
    on_some_procs(|| {
        let called = Arc::new(AtomicUsize::new(0));
        let mut expected = 0;
        for round in 0..500_u64 {
            let theirs = called.clone();
            let handle = after_func(Duration::from_micros(round % 40), move || {
                theirs.fetch_add(1, Ordering::Relaxed);
            });
            if round % 4 == 0 {
                yield_now();
            }
            // One more call, unless the first was still to come.
            expected += 1 + usize::from(!handle.reset(Duration::from_micros(round % 30)));
            if round % 3 == 0 {
                expected -= usize::from(handle.stop());
            }
        }
        while called.load(Ordering::Relaxed) < expected {
            yield_now();
        }
        sleep(MS);
        assert_eq!(called.load(Ordering::Relaxed), expected);
    });
}

#[test]
fn a_function_may_set_its_own_timer_again() {
    on_some_procs(|| {
        let (give, take) = bounded::<time::AfterFunc>(1);
        let (again, (tx, rx)) = (give.clone(), unbounded());
        let mut calls = 0;
        let handle = after_func(MS, move || {
            calls += 1;
            // The last one is dropped here: in the channel it would keep the function, which has both ends of it.
            if let Some(own) = take.recv().ok().filter(|_| calls < 5) {
                assert!(!own.reset(Duration::ZERO));
                again.send(own).unwrap();
            }
            tx.send(calls).unwrap();
        });
        give.send(handle).unwrap();
        assert_eq!((0..5).map(|_| rx.recv().unwrap()).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    });
}

#[test]
fn goroutines_that_keep_a_processor_busy_do_not_starve_timers() {
    with_procs(1, || {
        let (ping, pong) = (bounded::<()>(0), bounded::<()>(0));
        let (stop, stopped) = bounded::<()>(0);
        let theirs = (ping.0.clone(), pong.1.clone());
        go(move || while theirs.0.send(()).is_ok() && theirs.1.recv().is_ok() {});
        let busy = spawn(move || {
            while stopped.try_recv() == Err(TryRecvError::Empty) {
                ping.1.recv().unwrap();
                pong.0.send(()).unwrap();
            }
        });
        let (tx, rx) = bounded(1);
        after_func(MS, move || tx.send(()).unwrap());
        rx.recv().unwrap();
        Timer::new(MS).receiver().recv().unwrap();
        drop(stop);
        busy.join().unwrap();
    });
}

#[test]
fn a_function_that_ends_by_goexit_does_no_harm() {
    with_procs(2, || {
        let (tx, rx) = bounded(1);
        let handle = after_func(Duration::ZERO, move || {
            tx.send(()).unwrap();
            goexit();
        });
        for _ in 0..3 {
            rx.recv().unwrap();
            assert!(!handle.reset(Duration::ZERO));
        }
        rx.recv().unwrap();
    });
}
