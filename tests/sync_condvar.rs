//! What `Condvar` and `Barrier` promise beyond std: order, and no wake-up out of nothing.
//!
//! Why here: from outside, with goroutines and plain threads. What they share with std's is in `sync_std.rs`.
//!
//! *Invariants*: T1 and T2 of `common/procs`.
//!
//! *Locks*: none.
//!
//! *Go:* cond_test.go.

#[path = "common/procs.rs"]
mod procs;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use goruntime::channel::{TryRecvError, unbounded};
use goruntime::runtime::{goexit, yield_now};
use goruntime::spawn;
use goruntime::sync::{Arc, Barrier, Condvar, Mutex};

use self::procs::{panic_text, settle, with_procs};

type Shared<T> = Arc<(Mutex<T>, Condvar)>;

fn shared<T>(value: T) -> Shared<T> {
    Arc::new((Mutex::new(value), Condvar::new()))
}

/// Each notification wakes one, the one that came first; nobody wakes without.
#[test]
fn notify_one_wakes_in_the_order_of_coming() {
    with_procs(1, || {
        let pair = shared(());
        let (awake, woken) = unbounded();
        for id in 0..5 {
            let (pair, awake) = (pair.clone(), awake.clone());
            goruntime::go(move || {
                drop(pair.1.wait(pair.0.lock().unwrap()).unwrap());
                awake.send(id).unwrap();
            });
            settle();
        }
        for id in 0..5 {
            assert_eq!(woken.try_recv(), Err(TryRecvError::Empty));
            pair.1.notify_one();
            settle();
            assert_eq!(woken.try_recv(), Ok(id));
        }
        pair.1.notify_one();
        pair.1.notify_all();
    });
}

#[test]
fn those_who_are_all_notified_run_in_order_after_the_last() {
    with_procs(1, || {
        let pair = shared(Vec::new());
        for id in 0..6 {
            let pair = pair.clone();
            goruntime::go(move || {
                let mut log = pair.1.wait(pair.0.lock().unwrap()).unwrap();
                log.push(id);
            });
            settle();
        }
        pair.1.notify_all();
        settle();
        assert_eq!(*pair.0.lock().unwrap(), [5, 0, 1, 2, 3, 4]);
    });
}

/// Go's `TestCondSignalGenerations`: a notification is for one that waits already, never for one that comes later.
#[test]
fn a_later_waiter_does_not_take_a_notification() {
    for procs in [1, 2, 4] {
        with_procs(procs, || {
            let pair = shared(());
            let (waits, waiting) = unbounded();
            let (awake, woken) = unbounded();
            for id in 0..100 {
                let (in_goroutine, waits, awake) = (pair.clone(), waits.clone(), awake.clone());
                let wait = move || {
                    let guard = in_goroutine.0.lock().unwrap();
                    waits.send(()).unwrap();
                    drop(in_goroutine.1.wait(guard).unwrap());
                    awake.send(id).unwrap();
                };
                if id % 10 == 5 {
                    drop(thread::spawn(wait))
                } else {
                    goruntime::go(wait)
                }
                if id > 0 {
                    assert_eq!(woken.recv().unwrap(), id - 1);
                }
                waiting.recv().unwrap();
                // It has queued when it lets the mutex go.
                drop(pair.0.lock().unwrap());
                pair.1.notify_one();
            }
            assert_eq!(woken.recv(), Ok(99));
        });
    }
}

/// A queue between producers and consumers: the count shows a lost wake-up by a hang, a wrong one by a panic.
#[test]
fn no_notification_is_lost() {
    for procs in [1, 2, 4] {
        with_procs(procs, || {
            let (queue, is_there, has_room) = (Mutex::new(Vec::new()), Condvar::new(), Condvar::new());
            let all = Arc::new((queue, is_there, has_room));
            let each = 1_000;
            let mut threads = Vec::new();
            let mut goroutines = Vec::new();
            for id in 0..8 {
                let all = all.clone();
                let work = move || {
                    let (queue, is_there, has_room) = &*all;
                    for n in 0..each {
                        let mut values = queue.lock().unwrap();
                        if id % 2 == 0 {
                            values = has_room.wait_while(values, |values| values.len() >= 2).unwrap();
                            values.push(n);
                            is_there.notify_one();
                        } else {
                            values = is_there.wait_while(values, |values| values.is_empty()).unwrap();
                            assert!(values.pop().is_some_and(|value| value < each));
                            has_room.notify_one();
                        }
                    }
                };
                if id < 6 { goroutines.push(spawn(work)) } else { threads.push(thread::spawn(work)) }
            }
            goroutines.into_iter().for_each(|one| one.join().unwrap());
            threads.into_iter().for_each(|one| one.join().unwrap());
            assert!(all.0.lock().unwrap().is_empty());
        });
    }
}

/// A waiter whose time is up leaves its place to the next: the notification goes to one that still waits.
#[test]
fn a_notification_is_not_spent_on_a_waiter_that_has_given_up() {
    with_procs(1, || {
        let pair = shared(());
        let (guard, result) = pair.1.wait_timeout(pair.0.lock().unwrap(), Duration::from_millis(2)).unwrap();
        assert!(result.timed_out());
        drop(guard);
        let impatient = spawn({
            let pair = pair.clone();
            move || pair.1.wait_timeout(pair.0.lock().unwrap(), Duration::from_millis(5)).unwrap().1.timed_out()
        });
        settle();
        let patient = spawn({
            let pair = pair.clone();
            move || drop(pair.1.wait(pair.0.lock().unwrap()).unwrap())
        });
        assert!(impatient.join().unwrap());
        // On a machine that is busy the time may have been up before, and the join did not wait for anybody.
        settle();
        pair.1.notify_one();
        patient.join().unwrap();
    });
}

/// Either it was notified, and the notification was its own, or its time was up.
#[test]
fn notifications_and_time_limits_may_race() {
    for procs in [1, 2, 4] {
        with_procs(procs, || {
            let pair = shared(0_u32);
            let (given, taken) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let waiters: Vec<_> = (0..4)
                .map(|id| {
                    let (pair, taken) = (pair.clone(), taken.clone());
                    spawn(move || {
                        for round in 0..200 {
                            let limit = Duration::from_micros(10 + (id * 37 + round * 13) % 200);
                            let begun = Instant::now();
                            let guard = pair.0.lock().unwrap();
                            let (mut tokens, result) =
                                pair.1.wait_timeout_while(guard, limit, |tokens| *tokens == 0).unwrap();
                            assert_eq!(result.timed_out(), *tokens == 0);
                            if result.timed_out() {
                                assert!(begun.elapsed() >= limit);
                            } else {
                                *tokens -= 1;
                                taken.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    })
                })
                .collect();
            let giver = spawn({
                let (pair, given) = (pair.clone(), given.clone());
                move || {
                    for _ in 0..400 {
                        *pair.0.lock().unwrap() += 1;
                        pair.1.notify_one();
                        given.fetch_add(1, Ordering::Relaxed);
                        yield_now();
                    }
                }
            });
            giver.join().unwrap();
            waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
            let left = *pair.0.lock().unwrap() as usize;
            assert_eq!(taken.load(Ordering::Relaxed) + left, given.load(Ordering::Relaxed));
        });
    }
}

#[test]
fn waiting_with_two_mutexes_at_once_panics() {
    with_procs(1, || {
        let pair = shared(());
        let waiter = spawn({
            let pair = pair.clone();
            move || drop(pair.1.wait(pair.0.lock().unwrap()).unwrap())
        });
        settle();
        let other = Mutex::new(());
        let text = panic_text(|| drop(pair.1.wait(other.lock().unwrap())));
        assert_eq!(text, "attempted to use a condition variable with two mutexes");
        assert!(other.try_lock().is_err_and(|error| error.to_string().contains("poisoned")));
        pair.1.notify_one();
        waiter.join().unwrap();
        // One after the other is no mistake.
        let other = Mutex::new(());
        drop(pair.1.wait_timeout(other.lock().unwrap(), Duration::from_millis(1)).unwrap());
    });
}

#[test]
fn a_waiter_has_the_mutex_again_when_it_ends_by_goexit() {
    with_procs(1, || {
        let pair = shared(0);
        let waiter = spawn({
            let pair = pair.clone();
            move || {
                let mut guard = pair.1.wait(pair.0.lock().unwrap()).unwrap();
                *guard += 1;
                goexit();
            }
        });
        settle();
        pair.1.notify_one();
        assert!(waiter.join().unwrap_err().is::<goruntime::Goexit>());
        assert_eq!(*pair.0.lock().unwrap(), 1);
    });
}

#[test]
fn a_mutex_that_was_poisoned_meanwhile_is_an_error_of_the_wait() {
    with_procs(1, || {
        let pair = shared(7);
        let waiter = spawn({
            let pair = pair.clone();
            move || pair.1.wait(pair.0.lock().unwrap()).map(|guard| *guard).map_err(|error| *error.into_inner())
        });
        settle();
        let poisoner = pair.clone();
        let panics = spawn(move || {
            let _guard = poisoner.0.lock().unwrap();
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(panics.join().is_err());
        pair.1.notify_all();
        assert_eq!(waiter.join().unwrap(), Err(7));
    });
}

/// Rounds of a barrier do not mix: nobody is two rounds ahead.
#[test]
fn nobody_passes_a_barrier_before_all_have_come() {
    for procs in [1, 2, 4] {
        with_procs(procs, || {
            const SIZE: usize = 6;
            const ROUNDS: usize = 200;
            let (barrier, arrived) = (Arc::new(Barrier::new(SIZE)), Arc::new(AtomicUsize::new(0)));
            let mut threads = Vec::new();
            let mut goroutines = Vec::new();
            for id in 0..SIZE {
                let (barrier, arrived) = (barrier.clone(), arrived.clone());
                let work = move || {
                    let mut led = 0;
                    for round in 1..=ROUNDS {
                        arrived.fetch_add(1, Ordering::Relaxed);
                        led += usize::from(barrier.wait().is_leader());
                        let seen = arrived.load(Ordering::Relaxed);
                        assert!(seen >= round * SIZE && seen <= (round + 1) * SIZE, "round {round}: {seen}");
                    }
                    led
                };
                if id < 5 { goroutines.push(spawn(work)) } else { threads.push(thread::spawn(work)) }
            }
            let led: usize = goroutines.into_iter().map(|one| one.join().unwrap()).sum();
            let led = led + threads.into_iter().map(|one| one.join().unwrap()).sum::<usize>();
            assert_eq!(led, ROUNDS);
        });
    }
}
