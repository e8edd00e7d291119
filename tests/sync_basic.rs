//! What the locks promise: exclusion, fairness, poisoning, and the counts of a wait group.
//!
//! Why here: from outside, with goroutines and plain threads.
//!
//! *Invariants*: T1 and T2 of `common/procs`.
//!
//! *Locks*: none.
//!
//! *Go:* mutex_test.go, waitgroup_test.go.

#[path = "common/procs.rs"]
mod procs;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use goruntime::channel::bounded;
use goruntime::go;
use goruntime::runtime::{goexit, yield_now};
use goruntime::sync::{Arc, Mutex, TryLockError, WaitGroup};
use goruntime::time::sleep;

use self::procs::{panic_text, settle, with_procs};

#[test]
fn wait_returns_when_the_count_is_zero() {
    for procs in [1, 2, 4] {
        with_procs(procs, || {
            for count in [0, 1, 100] {
                let (group, ended) = (WaitGroup::new(), Arc::new(AtomicUsize::new(0)));
                group.add(count);
                for _ in 0..count {
                    let (group, ended) = (group.clone(), ended.clone());
                    go(move || {
                        yield_now();
                        ended.fetch_add(1, Ordering::Relaxed);
                        group.done();
                    });
                }
                group.wait();
                assert_eq!(ended.load(Ordering::Relaxed) as i64, count);
            }
        });
    }
}

#[test]
fn a_group_can_be_used_again_and_again_by_many_who_wait() {
    for procs in [1, 2, 4] {
        with_procs(procs, || {
            for _ in 0..500 {
                let (start, end) = (WaitGroup::new(), WaitGroup::new());
                start.add(1);
                end.add(4);
                for _ in 0..4 {
                    let (start, end) = (start.clone(), end.clone());
                    go(move || {
                        start.wait();
                        end.done();
                    });
                }
                yield_now();
                start.done();
                end.wait();
            }
        });
    }
}

#[test]
fn misuse_of_a_group_panics_with_the_words_of_go() {
    with_procs(1, || {
        assert_eq!(panic_text(|| WaitGroup::new().done()), "sync: negative WaitGroup counter");
        let group = WaitGroup::new();
        group.add(2);
        assert_eq!(panic_text(|| group.add(-3)), "sync: negative WaitGroup counter");
        assert_eq!(panic_text(|| group.add(1 << 40)), "sync: WaitGroup counter out of range");
    });
}

/// An addition from zero between the last `done` and the return of a waiter, which on one processor can be had without a race.
#[test]
fn a_group_that_is_used_again_too_early_panics_with_the_words_of_go() {
    with_procs(1, || {
        let group = WaitGroup::new();
        group.add(1);
        let waiter = goruntime::spawn({
            let group = group.clone();
            move || group.wait()
        });
        settle();
        group.done();
        group.add(1);
        let payload = waiter.join().unwrap_err();
        let text = payload.downcast_ref::<&str>().expect("a text");
        assert_eq!(*text, "sync: WaitGroup is reused before previous Wait has returned");
    });
}

/// Go's `TestWaitGroupGo` and `TestIssue76126`: an end by goexit counts, and `go` counts before it starts.
#[test]
fn goroutines_of_a_group_are_counted_until_they_end() {
    for procs in [1, 4] {
        with_procs(procs, || {
            let (group, ended) = (WaitGroup::new(), Arc::new(AtomicUsize::new(0)));
            for id in 0..20 {
                let ended = ended.clone();
                group.go(move || {
                    yield_now();
                    ended.fetch_add(1, Ordering::Relaxed);
                    if id % 2 == 0 {
                        goexit();
                    }
                });
            }
            group.wait();
            assert_eq!(ended.load(Ordering::Relaxed), 20);
        });
    }
}

#[test]
fn those_who_wait_for_a_group_run_in_order_after_the_last() {
    with_procs(1, || {
        let (group, log) = (WaitGroup::new(), Arc::new(std::sync::Mutex::new(Vec::new())));
        group.add(1);
        for k in 0..6 {
            let (group, log) = (group.clone(), log.clone());
            go(move || {
                group.wait();
                log.lock().unwrap().push(k);
            });
            settle();
        }
        group.done();
        settle();
        assert_eq!(*log.lock().unwrap(), [5, 0, 1, 2, 3, 4]);
    });
}

#[test]
fn a_plain_thread_can_wait_for_goroutines() {
    with_procs(2, || {
        let group = WaitGroup::new();
        group.add(10);
        let waiter = thread::spawn({
            let group = group.clone();
            move || group.wait()
        });
        for _ in 0..10 {
            let group = group.clone();
            go(move || group.done());
        }
        waiter.join().unwrap();
    });
}

#[test]
fn two_holders_never_overlap() {
    for procs in [1, 2, 4] {
        with_procs(procs, || {
            let (count, group) = (Arc::new(Mutex::new((0_u64, 0_u64))), WaitGroup::new());
            group.add(8);
            let mut threads = Vec::new();
            for id in 0..8 {
                let (count, group) = (count.clone(), group.clone());
                let work = move || {
                    for i in 0..20_000 {
                        let mut both = count.lock().unwrap();
                        both.0 += 1;
                        if i % 1000 == id * 100 {
                            // Others come while it is held.
                            yield_now();
                        }
                        both.1 += 1;
                        assert_eq!(both.0, both.1);
                    }
                    group.done();
                };
                if id < 6 { go(work) } else { threads.push(thread::spawn(work)) }
            }
            group.wait();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(*count.lock().unwrap(), (160_000, 160_000));
        });
    }
}

#[test]
fn a_waiter_gets_the_lock_from_those_who_never_let_it_rest() {
    for procs in [1, 2] {
        with_procs(procs, || {
            let (lock, is_over) = (Arc::new(Mutex::new(())), Arc::new(AtomicBool::new(false)));
            let hogs: Vec<_> = (0..2)
                .map(|_| {
                    let (lock, is_over) = (lock.clone(), is_over.clone());
                    goruntime::spawn(move || {
                        while !is_over.load(Ordering::Relaxed) {
                            drop(lock.lock().unwrap());
                        }
                    })
                })
                .collect();
            yield_now();
            for _ in 0..20 {
                drop(lock.lock().unwrap());
                yield_now();
            }
            is_over.store(true, Ordering::Relaxed);
            hogs.into_iter().for_each(|hog| hog.join().unwrap());
        });
    }
}

/// Go's `TestMutexFairness`: one holds the lock nearly always, the other wants it now and then.
#[test]
fn a_lock_that_is_nearly_always_held_is_had_nonetheless() {
    for procs in [1, 2, 4] {
        with_procs(procs, || {
            let (lock, is_over) = (Arc::new(Mutex::new(0)), Arc::new(AtomicBool::new(false)));
            let hog = goruntime::spawn({
                let (lock, is_over) = (lock.clone(), is_over.clone());
                move || {
                    while !is_over.load(Ordering::Relaxed) {
                        let mut rounds = lock.lock().unwrap();
                        *rounds += 1;
                        sleep(Duration::from_micros(100));
                    }
                }
            });
            for _ in 0..10 {
                sleep(Duration::from_micros(100));
                drop(lock.lock().unwrap());
            }
            is_over.store(true, Ordering::Relaxed);
            hog.join().unwrap();
            assert!(*lock.lock().unwrap() > 0);
        });
    }
}

/// A waiter that has waited for over a millisecond is handed the lock: who unlocks it and wants it again comes after.
#[test]
fn the_lock_is_handed_to_a_waiter_that_starves() {
    with_procs(1, || {
        let (lock, log) = (Arc::new(Mutex::new(())), Arc::new(std::sync::Mutex::new(Vec::new())));
        let guard = lock.lock().unwrap();
        let waiters: Vec<_> = (0..3)
            .map(|id| {
                let (lock, log) = (lock.clone(), log.clone());
                let waiter = goruntime::spawn(move || {
                    let _guard = lock.lock().unwrap();
                    log.lock().unwrap().push(id);
                });
                settle();
                waiter
            })
            .collect();
        // The first of them competes once, after so long, and loses: from then on the lock goes from hand to hand.
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(5) {
            yield_now();
        }
        drop(guard);
        let again = lock.lock().unwrap();
        settle();
        assert!(log.lock().unwrap().is_empty());
        drop(again);
        assert!(
            matches!(lock.try_lock(), Err(TryLockError::WouldBlock)),
            "a newcomer takes a lock that was handed over"
        );
        let last = lock.lock().unwrap();
        log.lock().unwrap().push(9);
        drop(last);
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        assert_eq!(*log.lock().unwrap(), [0, 1, 2, 9]);
    });
}

#[test]
fn a_guard_may_be_held_while_its_goroutine_waits() {
    with_procs(1, || {
        let lock = Arc::new(Mutex::new(0));
        let (tx, rx) = bounded(0);
        let holder = goruntime::spawn({
            let lock = lock.clone();
            move || {
                let mut guard = lock.lock().unwrap();
                *guard = rx.recv().unwrap();
            }
        });
        settle();
        assert!(matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
        let waiter = goruntime::spawn({
            let lock = lock.clone();
            move || *lock.lock().unwrap()
        });
        settle();
        tx.send(5).unwrap();
        holder.join().unwrap();
        assert_eq!(waiter.join().unwrap(), 5);
        assert!(lock.try_lock().is_ok());
    });
}

#[test]
fn a_panic_of_the_holder_poisons_and_a_goexit_does_not() {
    with_procs(1, || {
        let lock = Arc::new(Mutex::new(1));
        let ends = |end: fn()| {
            let lock = lock.clone();
            let ended = goruntime::spawn(move || {
                let _guard = lock.lock();
                end();
            });
            assert!(ended.join().is_err());
        };
        ends(|| goexit());
        assert!(!lock.is_poisoned());
        ends(|| std::panic::resume_unwind(Box::new(())));
        assert!(lock.is_poisoned());
        assert!(matches!(lock.try_lock(), Err(TryLockError::Poisoned(_))));
        assert_eq!(**lock.lock().unwrap_err().get_ref(), 1);
        assert_eq!(format!("{lock:?}"), "Mutex { data: 1, poisoned: true, .. }");
        lock.clear_poison();
        assert!(lock.lock().is_ok());
        // What unwinds is a panic, whatever was caught before.
        ends(|| {
            assert!(catch_unwind(|| goexit()).is_err());
            panic!("after a goexit that was caught");
        });
        assert!(lock.is_poisoned());
    });
}

#[test]
fn a_guard_that_is_dropped_in_a_panic_from_before_does_not_poison() {
    struct LocksInDrop(Arc<Mutex<i32>>);
    impl Drop for LocksInDrop {
        fn drop(&mut self) {
            *self.0.lock().unwrap() += 1;
        }
    }
    with_procs(1, || {
        let lock = Arc::new(Mutex::new(0));
        let locks = LocksInDrop(lock.clone());
        assert!(
            catch_unwind(AssertUnwindSafe(move || {
                let _locks = locks;
                std::panic::resume_unwind(Box::new(()));
            }))
            .is_err()
        );
        assert_eq!(*lock.lock().unwrap(), 1);
    });
}

#[test]
fn the_value_is_had_without_locking_by_who_owns_the_mutex() {
    static IN_STATIC: Mutex<i32> = Mutex::new(3);
    assert_eq!(*IN_STATIC.lock().unwrap(), 3);
    let mut lock = Mutex::from(1);
    *lock.get_mut().unwrap() += 1;
    assert_eq!(format!("{lock:?}"), "Mutex { data: 2, poisoned: false, .. }");
    let guard = lock.lock().unwrap();
    assert_eq!(format!("{guard:?} {guard} {lock:?}"), "2 2 Mutex { data: <locked>, poisoned: false, .. }");
    drop(guard);
    assert_eq!(lock.into_inner().unwrap(), 2);
    let unsized_value: &Mutex<[i32]> = &Mutex::new([1, 2]);
    assert_eq!(unsized_value.lock().unwrap().len(), 2);
    assert_eq!(Mutex::<i32>::default().into_inner().unwrap(), 0);
}
