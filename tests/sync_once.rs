//! What `Once`, `OnceLock` and `LazyLock` promise: one run, seen by all, whatever becomes of it.
//!
//! Why here: from outside, with goroutines and plain threads. What they share with std's is in `sync_std.rs`.
//!
//! *Invariants*: T1 and T2 of `common/procs`.
//!
//! *Locks*: none.
//!
//! *Go:* once_test.go, oncefunc_test.go.

#[path = "common/procs.rs"]
mod procs;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use goruntime::channel::bounded;
use goruntime::runtime::{goexit, yield_now};
use goruntime::spawn;
use goruntime::sync::{Arc, LazyLock, Once, OnceLock, WaitGroup};

use self::procs::{panic_text, settle, with_procs};

/// Everybody returns after the one run has ended.
#[test]
fn it_runs_once_and_all_wait_for_the_end() {
    for procs in [1, 2, 4] {
        with_procs(procs, || {
            for _ in 0..50 {
                let (once, steps, group) = (Arc::new(Once::new()), Arc::new(AtomicUsize::new(0)), WaitGroup::new());
                for id in 0..8 {
                    let (once, steps) = (once.clone(), steps.clone());
                    let call = move || {
                        once.call_once(|| {
                            steps.fetch_add(1, Ordering::Relaxed);
                            yield_now();
                            steps.fetch_add(1, Ordering::Relaxed);
                        });
                        assert_eq!(steps.load(Ordering::Relaxed), 2);
                        once.wait();
                        assert!(once.is_completed());
                    };
                    if id == 0 {
                        group.add(1);
                        let group = group.clone();
                        thread::spawn(move || {
                            call();
                            group.done();
                        });
                    } else {
                        group.go(call);
                    }
                }
                group.wait();
            }
        });
    }
}

#[test]
fn those_who_wait_for_a_run_that_panics_panic_or_run() {
    with_procs(1, || {
        let once = Arc::new(Once::new());
        let (let_go, gate) = bounded::<()>(0);
        let first = spawn({
            let once = once.clone();
            move || {
                once.call_once(|| {
                    assert!(gate.recv().is_err());
                    resume_unwind(Box::new(()));
                })
            }
        });
        settle();
        let call = |force: bool| {
            let once = once.clone();
            spawn(move || {
                if force {
                    once.call_once_force(|state| assert!(state.is_poisoned()));
                } else {
                    once.call_once(|| unreachable!("it is poisoned"));
                }
            })
        };
        let waits = |force: bool| {
            let once = once.clone();
            spawn(move || if force { once.wait_force() } else { once.wait() })
        };
        let (usual, waiter, forced_waiter) = (call(false), waits(false), waits(true));
        settle();
        drop(let_go);
        assert!(first.join().is_err());
        let text = |result: Result<(), Box<dyn std::any::Any + Send>>| *result.unwrap_err().downcast::<&str>().unwrap();
        assert_eq!(text(usual.join()), "Once instance has previously been poisoned");
        assert_eq!(text(waiter.join()), "Once instance has previously been poisoned");
        assert!(!once.is_completed());
        call(true).join().unwrap();
        forced_waiter.join().unwrap();
        assert!(once.is_completed());
        // From now on it is as any other that is complete.
        once.call_once(|| unreachable!("it is complete"));
        once.wait();
    });
}

#[test]
fn a_run_that_ends_by_goexit_is_as_if_it_had_not_begun() {
    with_procs(1, || {
        let (once, value) = (Arc::new(Once::new()), Arc::new(OnceLock::<i32>::new()));
        let (let_go, gate) = bounded::<()>(0);
        let ends = spawn({
            let once = once.clone();
            move || {
                once.call_once(|| {
                    assert!(gate.recv().is_err());
                    goexit()
                })
            }
        });
        settle();
        let waiter = spawn({
            let once = once.clone();
            move || {
                let mut ran = false;
                once.call_once(|| ran = true);
                ran
            }
        });
        settle();
        drop(let_go);
        assert!(ends.join().unwrap_err().is::<goruntime::Goexit>());
        assert!(waiter.join().unwrap(), "whoever waited runs it");
        let ends = spawn({
            let value = value.clone();
            move || *value.get_or_init(|| goexit())
        });
        assert!(ends.join().is_err());
        assert_eq!((value.get(), value.get_or_init(|| 3)), (None, &3));
    });
}

/// The function of a lazy value is used up by the attempt, so that its goexit cannot be undone.
#[test]
fn a_lazy_value_whose_function_leaves_is_poisoned() {
    with_procs(1, || {
        for leave in [|| goexit(), || resume_unwind(Box::new(()))] as [fn() -> i32; 2] {
            let lazy = Arc::new(LazyLock::new(leave));
            let first = spawn({
                let lazy = lazy.clone();
                move || **lazy
            });
            assert!(first.join().is_err());
            assert_eq!(panic_text(|| _ = **lazy), "LazyLock instance has previously been poisoned");
            assert_eq!(LazyLock::get(&lazy), None);
        }
    });
}

#[test]
fn a_lazy_value_is_made_once_and_dropped_once() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let (made, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let lazy = || {
        let (made, dropped) = (made.clone(), dropped.clone());
        LazyLock::new(move || {
            made.fetch_add(1, Ordering::Relaxed);
            Counted(dropped)
        })
    };
    let mut used = lazy();
    assert!(LazyLock::get(&used).is_none() && LazyLock::get_mut(&mut used).is_none());
    goruntime::scope(|s| {
        for _ in 0..10 {
            s.spawn(|| assert_eq!(used.0.load(Ordering::Relaxed), 0));
        }
    });
    assert!(LazyLock::get(&used).is_some());
    LazyLock::force_mut(&mut used).0.fetch_add(0, Ordering::Relaxed);
    assert_eq!(made.load(Ordering::Relaxed), 1);
    drop(used);
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
    // One that was never used has no value, only its function.
    drop(lazy());
    let mut changed = lazy();
    changed.0 = Arc::default();
    drop(changed);
    assert_eq!((made.load(Ordering::Relaxed), dropped.load(Ordering::Relaxed)), (2, 1));
    assert_eq!(Arc::strong_count(&dropped), 1, "functions and values are gone");
}

#[test]
fn a_value_that_is_set_once_is_dropped_once() {
    let counted = Arc::new(());
    let cell = OnceLock::new();
    cell.set(counted.clone()).unwrap();
    assert!(cell.set(counted.clone()).is_err());
    assert_eq!(Arc::strong_count(&counted), 2);
    let copy = cell.clone();
    assert_eq!(Arc::strong_count(&counted), 3);
    drop((copy, cell));
    let mut cell = OnceLock::from(counted.clone());
    assert!(cell.take().is_some() && cell.take().is_none());
    assert_eq!(Arc::strong_count(&counted), 1);
    cell.set(counted.clone()).unwrap();
    assert!(cell.into_inner().is_some());
    assert_eq!(Arc::strong_count(&counted), 1);
}

/// As with std's: what the value borrows may be dropped before the cell.
#[test]
fn a_value_may_borrow_what_goes_away_before_the_cell() {
    let cell: OnceLock<&String> = OnceLock::new();
    let text = "short".to_owned();
    cell.set(&text).unwrap();
    assert_eq!(cell.get().map(|text| text.as_str()), Some("short"));
}

/// All set it; one wins, and all see the winner's value.
#[test]
fn one_of_many_sets_the_value() {
    for procs in [1, 2, 4] {
        with_procs(procs, || {
            for _ in 0..100 {
                let cell = Arc::new(OnceLock::new());
                let waiter = spawn({
                    let cell = cell.clone();
                    move || *cell.wait()
                });
                let setters: Vec<_> = (0..6)
                    .map(|id| {
                        let cell = cell.clone();
                        spawn(move || (cell.set(id).is_ok(), *cell.get().unwrap()))
                    })
                    .collect();
                let results: Vec<_> = setters.into_iter().map(|setter| setter.join().unwrap()).collect();
                let value = waiter.join().unwrap();
                assert!(results.iter().all(|result| result.1 == value));
                let winners: Vec<_> = results.iter().enumerate().filter(|(_, result)| result.0).collect();
                assert_eq!(winners.len(), 1);
                assert_eq!(winners[0].0, value);
            }
        });
    }
}

/// The first use of the runtime by a plain thread is in a destructor that runs because of a panic.
#[test]
fn it_works_while_a_thread_panics() {
    struct Initializes(Arc<Once>);
    impl Drop for Initializes {
        fn drop(&mut self) {
            self.0.call_once(|| ());
        }
    }
    let once = Arc::new(Once::new());
    let initializes = Initializes(once.clone());
    let panics = thread::spawn(move || {
        let _initializes = initializes;
        resume_unwind(Box::new(()));
    });
    assert!(panics.join().is_err());
    assert!(once.is_completed());
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _initializes = Initializes(Arc::new(Once::new()));
        resume_unwind(Box::new(()));
    }));
    assert!(caught.is_err());
}
