//! `goruntime::thread` and `goruntime::time` behave as std's do.
//!
//! Why here: the public interface, used as a program uses it; every test body is a goroutine unless it says otherwise.
//!
//! *Invariants*
//! - T1. No test waits without `within`, so that a hang is a failure with a dump.
//!
//! *Locks*: none.
//!
//! *Go:* none; std's `thread/tests.rs`. `TestSleep`, `TestOverflowSleep` of package time.

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use common::{until, within};
use goruntime::time::{Duration, Instant, sleep, sleep_until};
use goruntime::{run, spawn, thread};

#[goruntime::test]
fn an_unpark_before_the_park_is_kept() {
    within(|| {
        thread::current().unpark();
        thread::park();
    });
}

#[goruntime::test]
fn permits_do_not_add_up() {
    within(|| {
        thread::current().unpark();
        thread::current().unpark();
        thread::park();
        let start = Instant::now();
        thread::park_timeout(Duration::from_millis(20));
        assert!(start.elapsed() >= Duration::from_millis(20), "a second permit was there");
    });
}

#[goruntime::test]
fn every_unpark_is_seen() {
    within(|| {
        static ROUND: AtomicUsize = AtomicUsize::new(0);
        let waker = thread::current();
        let parked = spawn(move || {
            for round in 1..=10_000 {
                while ROUND.load(Ordering::Acquire) < round {
                    thread::park();
                }
                waker.unpark();
            }
        });
        for round in 1..=10_000 {
            ROUND.store(round, Ordering::Release);
            parked.thread().unpark();
            thread::park();
        }
        parked.join().unwrap();
    });
}

#[goruntime::test]
fn unparking_one_who_has_ended_does_nothing() {
    within(|| {
        let ended = spawn(thread::current).join().unwrap();
        for _ in 0..100 {
            ended.unpark();
            spawn(|| ()).join().unwrap();
        }
    });
}

#[goruntime::test]
fn park_timeout_returns_in_time_or_when_unparked() {
    within(|| {
        let start = Instant::now();
        thread::park_timeout(Duration::from_millis(20));
        assert!(start.elapsed() >= Duration::from_millis(20));
        let long = spawn(|| {
            let start = Instant::now();
            thread::park_timeout(Duration::from_secs(3600));
            start.elapsed()
        });
        long.thread().unpark();
        assert!(long.join().unwrap() < Duration::from_secs(1800));
        thread::park_timeout(Duration::ZERO);
    });
}

#[goruntime::test]
fn a_timeout_and_an_unpark_at_the_same_time_lose_nothing() {
    within(|| {
        for _ in 0..500 {
            let parked = spawn(|| thread::park_timeout(Duration::from_micros(50)));
            let other = parked.thread().clone();
            let waker = spawn(move || other.unpark());
            parked.join().unwrap();
            waker.join().unwrap();
        }
    });
}

#[goruntime::test]
fn a_plain_thread_unparks_a_goroutine() {
    within(|| {
        static READY: AtomicBool = AtomicBool::new(false);
        let me = thread::current();
        let other = std::thread::spawn(move || {
            READY.store(true, Ordering::Release);
            me.unpark();
        });
        while !READY.load(Ordering::Acquire) {
            thread::park();
        }
        other.join().unwrap();
    });
}

#[goruntime::test]
fn ids_and_names_are_those_of_the_goroutine() {
    within(|| {
        let mine = thread::current();
        assert_eq!(mine.id(), thread::current().id());
        let other = spawn(|| thread::current().id());
        let seen = other.thread().id();
        let theirs = other.join().unwrap();
        assert_eq!(seen, theirs);
        assert_ne!(mine.id(), theirs);
        assert!(format!("{mine:?}").starts_with("Thread { id: ThreadId("), "{mine:?}");
    });
}

#[goruntime::test]
fn panicking_is_the_goroutines_own() {
    within(|| {
        static SEEN: AtomicUsize = AtomicUsize::new(0);
        struct Look;
        impl Drop for Look {
            fn drop(&mut self) {
                // Others run meanwhile, perhaps on this thread.
                let other = spawn(thread::panicking);
                assert!(!other.join().unwrap());
                SEEN.fetch_add(usize::from(thread::panicking()), Ordering::Relaxed);
            }
        }
        let unwinds: Vec<_> = (0..8)
            .map(|_| {
                spawn(|| {
                    let _look = Look;
                    std::panic::resume_unwind(Box::new(()));
                })
            })
            .collect();
        for unwind in unwinds {
            assert!(unwind.join().map(|(): ()| ()).is_err());
        }
        assert_eq!(SEEN.load(Ordering::Relaxed), 8);
        assert!(!thread::panicking());
    });
}

#[goruntime::test]
fn available_parallelism_is_gomaxprocs() {
    within(|| assert_eq!(thread::available_parallelism().unwrap().get(), goruntime::runtime::gomaxprocs()));
}

#[goruntime::test]
fn sleep_takes_at_least_its_time() {
    within(|| {
        for micros in [0, 1, 50, 1_000, 20_000] {
            let (start, time) = (Instant::now(), Duration::from_micros(micros));
            sleep(time);
            assert!(start.elapsed() >= time);
        }
        let start = Instant::now();
        thread::sleep(Duration::from_millis(5));
        thread::sleep_until(start + Duration::from_millis(10));
        assert!(start.elapsed() >= Duration::from_millis(10));
        // A time that has passed.
        sleep_until(start);
    });
}

#[goruntime::test]
fn the_longest_sleep_does_not_overflow() {
    within(|| {
        static WOKEN: AtomicBool = AtomicBool::new(false);
        for time in [Duration::MAX, Duration::from_nanos(u64::MAX), Duration::from_secs(1 << 40)] {
            goruntime::go(move || {
                sleep(time);
                WOKEN.store(true, Ordering::Release);
            });
        }
        sleep(Duration::from_millis(10));
        assert!(!WOKEN.load(Ordering::Acquire));
    });
}

#[goruntime::test]
fn ten_thousand_sleepers_wake_and_none_too_early() {
    within(|| {
        let sleeper = |n: u64| {
            spawn(move || {
                let (start, time) = (Instant::now(), Duration::from_micros(n * 7 % 20_000));
                sleep(time);
                start.elapsed() >= time
            })
        };
        let sleepers: Vec<_> = (0..10_000).map(sleeper).collect();
        assert!(sleepers.into_iter().all(|sleeper| sleeper.join().unwrap()));
    });
}

#[test]
fn on_a_plain_thread_everything_works_as_well() {
    let plain = std::thread::Builder::new().name("plain".to_owned());
    let outcome = plain.spawn(|| {
        let me = thread::current();
        assert_eq!(me.name(), Some("plain"));
        let other = me.clone();
        run(move || other.unpark());
        thread::park();
        thread::park_timeout(Duration::from_millis(5));
        let start = Instant::now();
        thread::sleep(Duration::from_millis(5));
        assert!(start.elapsed() >= Duration::from_millis(5));
        thread::yield_now();
        assert_eq!(me.id(), thread::current().id());
        assert!(!thread::panicking());
    });
    outcome.unwrap().join().unwrap();
}

#[goruntime::test]
fn a_plain_thread_waits_in_until_too() {
    within(|| {
        let flag = std::sync::Arc::new(AtomicBool::new(false));
        let seen = std::sync::Arc::clone(&flag);
        let plain = std::thread::spawn(move || until(|| seen.load(Ordering::Acquire)));
        flag.store(true, Ordering::Release);
        plain.join().unwrap();
    });
}
