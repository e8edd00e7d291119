//! Goroutines as the user meets them: start, join, scopes, locals, names, stack sizes.
//!
//! Why here: the public interface, used as a program uses it; every test body is a goroutine.
//!
//! *Invariants*
//! - G1. No test waits without `within`, so that a hang is a failure with a dump.
//!
//! *Locks*: none.
//!
//! *Go:* `runtime/proc_test.go`; std's `thread/tests.rs` for what mirrors std.

mod common;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use common::{until, within};
use goruntime::runtime::{goid, num_goroutine, yield_now};
use goruntime::{Builder, Goexit, goroutine_local, run, scope, spawn, thread};

/// Counts its drops.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

fn counter() -> (Arc<AtomicUsize>, Counted) {
    let count = Arc::new(AtomicUsize::new(0));
    (Arc::clone(&count), Counted(count))
}

#[goruntime::test]
fn join_returns_the_result() {
    within(|| {
        assert_eq!(spawn(|| 6 * 7).join().unwrap(), 42);
        assert_eq!(spawn(|| String::from("text")).join().unwrap(), "text");
        spawn(|| ()).join().unwrap();
    });
}

#[goruntime::test]
fn closures_and_results_of_any_size_arrive_whole() {
    within(|| {
        let large = [7_u64; 1_000];
        assert_eq!(spawn(move || large).join().unwrap(), large);
        for size in 0..24_usize {
            let bytes = vec![size; size];
            assert_eq!(spawn(move || bytes).join().unwrap(), vec![size; size]);
        }
        #[repr(align(64))]
        struct Aligned(u8);
        let aligned = Aligned(3);
        assert_eq!(spawn(move || std::ptr::from_ref(&aligned).addr() % 64 + usize::from(aligned.0)).join().unwrap(), 3);
    });
}

#[goruntime::test]
fn the_macro_takes_an_expression() {
    within(|| {
        static SEEN: AtomicUsize = AtomicUsize::new(0);
        fn add(number: usize) -> usize {
            SEEN.fetch_add(number, Ordering::Release)
        }
        let number = 5;
        goruntime::go!(add(number));
        until(|| SEEN.load(Ordering::Acquire) == 5);
    });
}

#[goruntime::test]
fn a_detached_goroutine_runs_to_its_end() {
    within(|| {
        let (drops, counted) = counter();
        drop(spawn(move || {
            yield_now();
            drop(counted);
        }));
        until(|| drops.load(Ordering::Acquire) == 1);
    });
}

#[goruntime::test]
fn a_result_that_nobody_takes_is_dropped_once() {
    within(|| {
        let (drops, counted) = counter();
        let finished = spawn(move || counted);
        until(|| finished.is_finished());
        assert_eq!(drops.load(Ordering::Acquire), 0);
        drop(finished);
        assert_eq!(drops.load(Ordering::Acquire), 1);

        let (drops, counted) = counter();
        drop(spawn(move || {
            yield_now();
            counted
        }));
        until(|| drops.load(Ordering::Acquire) == 1);
    });
}

#[goruntime::test]
fn what_a_closure_holds_is_dropped_before_join_returns() {
    within(|| {
        for _ in 0..200 {
            let (drops, counted) = counter();
            spawn(move || drop(counted)).join().unwrap();
            assert_eq!(drops.load(Ordering::Acquire), 1);
        }
    });
}

#[goruntime::test]
fn a_panic_is_the_joiners() {
    within(|| {
        let payload = spawn(|| std::panic::resume_unwind(Box::new(17_u8))).join().map(|(): ()| ()).unwrap_err();
        assert_eq!(*payload.downcast::<u8>().unwrap(), 17);
    });
}

#[goruntime::test]
fn a_handle_may_be_joined_elsewhere() {
    within(|| {
        let first = spawn(|| {
            yield_now();
            5
        });
        let second = spawn(move || first.join().unwrap() + 1);
        let third = std::thread::spawn(move || second.join().unwrap() + 1);
        assert_eq!(third.join().unwrap(), 7);
    });
}

#[goruntime::test]
fn is_finished_turns_true_without_a_join() {
    within(|| {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let waits = spawn(move || until(|| seen.load(Ordering::Acquire)));
        assert!(!waits.is_finished());
        stop.store(true, Ordering::Release);
        until(|| waits.is_finished());
        waits.join().unwrap();
    });
}

#[goruntime::test]
fn ten_thousand_goroutines_are_joined() {
    within(|| {
        let all: Vec<_> = (0..10_000_u64).map(|number| spawn(move || number)).collect();
        assert_eq!(all.into_iter().map(|one| one.join().unwrap()).sum::<u64>(), 49_995_000);
    });
}

#[goruntime::test]
fn a_chain_of_a_thousand_spawns_ends() {
    fn chain(left: u32) -> u32 {
        if left == 0 { 0 } else { spawn(move || chain(left - 1)).join().unwrap() + 1 }
    }
    within(|| assert_eq!(chain(1_000), 1_000));
}

#[goruntime::test]
fn ids_differ_and_stay() {
    within(|| {
        let mut ids: Vec<u64> = (0..100).map(|_| spawn(goid)).map(|one| one.join().unwrap()).collect();
        ids.push(goid());
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 101);
        let before = goid();
        yield_now();
        assert_eq!(goid(), before);
    });
}

#[goruntime::test]
fn goexit_in_run_is_an_error_and_no_hang() {
    within(|| {
        let outcome = catch_unwind(|| run(|| -> () { goruntime::runtime::goexit() }));
        assert!(outcome.unwrap_err().is::<Goexit>());
        assert!(num_goroutine() >= 1);
    });
}

mod scopes {
    use super::*;

    #[goruntime::test]
    fn members_borrow_and_are_waited_for() {
        within(|| {
            let mut numbers = vec![0_usize; 100];
            scope(|s| {
                for (index, number) in numbers.iter_mut().enumerate() {
                    s.go(move || {
                        yield_now();
                        *number = index;
                    });
                }
            });
            assert!(numbers.iter().copied().eq(0..100));
        });
    }

    #[goruntime::test]
    fn members_may_start_members() {
        within(|| {
            let count = AtomicUsize::new(0);
            scope(|s| {
                for _ in 0..10 {
                    s.go(|| {
                        s.go(|| _ = count.fetch_add(1, Ordering::Relaxed));
                        s.spawn(|| _ = count.fetch_add(1, Ordering::Relaxed)).join().unwrap();
                    });
                }
            });
            assert_eq!(count.into_inner(), 20);
        });
    }

    #[goruntime::test]
    fn the_value_of_the_body_is_returned() {
        within(|| assert_eq!(scope(|s| s.spawn(|| 3).join().unwrap() + 1), 4));
    }

    /// Runs a scope that panics and returns its message.
    fn message(body: impl FnOnce()) -> String {
        let payload = catch_unwind(AssertUnwindSafe(body)).unwrap_err();
        (*payload.downcast_ref::<&str>().expect("a text")).to_owned()
    }

    #[goruntime::test]
    fn a_panic_of_go_is_the_scopes() {
        within(|| {
            // Often, because who is first decides about the path that the panic takes.
            for _ in 0..20 {
                let text = message(|| scope(|s| s.go(|| std::panic::resume_unwind(Box::new("lost")))));
                assert_eq!(text, "a scoped thread panicked");
            }
        });
    }

    #[goruntime::test]
    fn a_panic_of_a_member_that_is_not_joined_is_the_scopes() {
        within(|| {
            let text = message(|| {
                scope(|s| {
                    let member = s.spawn(|| std::panic::resume_unwind(Box::new("lost")));
                    until(|| member.is_finished());
                });
            });
            assert_eq!(text, "a scoped thread panicked");
        });
    }

    #[goruntime::test]
    fn a_panic_that_is_joined_is_not_the_scopes() {
        within(|| {
            scope(|s| {
                let member = s.spawn(|| std::panic::resume_unwind(Box::new("taken")));
                assert_eq!(*member.join().map(|(): ()| ()).unwrap_err().downcast::<&str>().unwrap(), "taken");
            });
        });
    }

    #[goruntime::test]
    fn the_panic_of_the_body_wins_and_comes_after_the_members() {
        within(|| {
            let done = AtomicBool::new(false);
            let text = message(|| {
                scope(|s| {
                    s.go(|| {
                        (0..100).for_each(|_| yield_now());
                        done.store(true, Ordering::Release);
                    });
                    std::panic::resume_unwind(Box::new("the body's"))
                })
            });
            assert_eq!(text, "the body's");
            assert!(done.into_inner());
        });
    }

    #[goruntime::test]
    fn goexit_of_the_body_waits_for_the_members() {
        within(|| {
            let done = Arc::new(AtomicBool::new(false));
            let seen = Arc::clone(&done);
            let outer = spawn(move || {
                scope(|s| {
                    s.go(|| {
                        (0..100).for_each(|_| yield_now());
                        seen.store(true, Ordering::Release);
                    });
                    let leave = || -> () { goruntime::runtime::goexit() };
                    leave();
                });
            });
            assert!(outer.join().unwrap_err().is::<Goexit>());
            assert!(done.load(Ordering::Acquire));
        });
    }
}

mod locals {
    use super::*;

    goroutine_local! {
        static NUMBER: Cell<u32> = Cell::new(1);
        static NAMES: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
    }

    #[goruntime::test]
    fn each_goroutine_has_its_own() {
        within(|| {
            NUMBER.with(|number| number.set(5));
            let others: Vec<_> = (0..50)
                .map(|start| {
                    spawn(move || {
                        assert_eq!(NUMBER.with(Cell::get), 1);
                        NUMBER.with(|number| number.set(start));
                        (0..10).for_each(|_| yield_now());
                        NUMBER.with(Cell::get)
                    })
                })
                .collect();
            for (start, other) in (0..).zip(others) {
                assert_eq!(other.join().unwrap(), start);
            }
            assert_eq!(NUMBER.with(Cell::get), 5);
            NAMES.with(|names| names.borrow_mut().push("mine"));
            assert_eq!(NAMES.with(|names| names.borrow().len()), 1);
        });
    }

    #[goruntime::test]
    fn a_reference_stays_good_over_a_park() {
        within(|| {
            NUMBER.with(|number| {
                number.set(9);
                (0..100).for_each(|_| yield_now());
                spawn(yield_now).join().unwrap();
                assert_eq!(number.get(), 9);
            });
        });
    }

    static ENDS: std::sync::Mutex<Vec<&str>> = std::sync::Mutex::new(Vec::new());

    struct Late(&'static str);

    impl Drop for Late {
        fn drop(&mut self) {
            // A destructor may use other locals and park.
            NUMBER.with(|number| number.set(number.get() + 1));
            yield_now();
            ENDS.lock().unwrap().push(self.0);
        }
    }

    goroutine_local! {
        static FIRST: Late = Late("first");
        static SECOND: Late = Late("second");
    }

    #[goruntime::test]
    fn they_are_dropped_at_the_end_last_made_first() {
        within(|| {
            let ends = spawn(|| {
                FIRST.with(|_| ());
                SECOND.with(|_| ());
            });
            ends.join().unwrap();
            assert_eq!(*ENDS.lock().unwrap(), ["second", "first"]);
        });
    }

    #[test]
    fn a_plain_thread_has_its_own() {
        let value = std::thread::spawn(|| {
            NUMBER.with(|number| number.set(8));
            NUMBER.with(Cell::get)
        });
        assert_eq!(value.join().unwrap(), 8);
        assert_eq!(std::thread::spawn(|| NUMBER.with(Cell::get)).join().unwrap(), 1);
    }

    static SEEN: std::sync::Mutex<Vec<(&str, u32)>> = std::sync::Mutex::new(Vec::new());

    /// Uses what was made before it, and what nobody has made, when it is dropped.
    struct Looks(&'static str);

    impl Drop for Looks {
        fn drop(&mut self) {
            let number = NUMBER.with(|number| number.replace(number.get() + 1));
            assert_eq!(thread::current().id(), thread::current().id());
            SEEN.lock().unwrap().push((self.0, number));
            if self.0 == "last" {
                BY_A_DESTRUCTOR.with(|_| ());
            }
        }
    }

    goroutine_local! {
        static LAST: Looks = Looks("last");
        static BY_A_DESTRUCTOR: Looks = Looks("made by a destructor");
    }

    #[test]
    fn at_the_end_of_a_thread_destructors_of_locals_find_the_others() {
        let thread = std::thread::spawn(|| {
            NUMBER.with(|number| number.set(3));
            LAST.with(|_| ());
        });
        thread.join().unwrap();
        assert_eq!(*SEEN.lock().unwrap(), [("last", 3), ("made by a destructor", 4)]);
    }
}

mod builder {
    use super::*;

    #[goruntime::test]
    fn the_name_is_the_goroutines() {
        within(|| {
            let named = Builder::new().name("worker").spawn(|| thread::current().name().map(str::to_owned)).unwrap();
            assert_eq!(named.thread().name(), Some("worker"));
            assert_eq!(named.join().unwrap().as_deref(), Some("worker"));
            assert_eq!(spawn(|| thread::current().name().map(str::to_owned)).join().unwrap(), None);
        });
    }

    #[goruntime::test]
    fn stack_sizes_out_of_range_are_refused_with_the_range() {
        within(|| {
            for bytes in [0, 1, 4096, (1 << 30) + 1, usize::MAX] {
                let error = Builder::new().stack_size(bytes).spawn(|| ()).map(drop).unwrap_err();
                assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
                let text = error.to_string();
                let range = text
                    .strip_prefix(&format!("stack size of {bytes} bytes is out of range; accepted are "))
                    .expect(&text);
                let (smallest, largest) = range.split_once(" to ").expect(&text);
                assert_eq!(largest, "1073741824 bytes");
                let smallest: usize = smallest.parse().unwrap();
                let accepted = Builder::new().stack_size(smallest).spawn(|| 1).unwrap();
                assert_eq!(accepted.join().unwrap(), 1);
                assert!(Builder::new().stack_size(smallest - 1).go(|| ()).is_err() || !smallest.is_power_of_two());
            }
        });
    }

    #[goruntime::test]
    fn sizes_between_powers_of_two_work() {
        within(|| {
            for bytes in [40_000, 100_000, 300_000, 3 << 20, 100 << 20] {
                assert_eq!(Builder::new().stack_size(bytes).spawn(move || bytes).unwrap().join().unwrap(), bytes);
            }
        });
    }

    #[goruntime::test]
    fn go_and_spawn_scoped_take_the_same() {
        within(|| {
            let number = AtomicUsize::new(0);
            scope(|s| {
                let member =
                    Builder::new().name("member").spawn_scoped(s, || number.fetch_add(1, Ordering::Relaxed)).unwrap();
                assert_eq!(member.thread().name(), Some("member"));
                member.join().unwrap();
            });
            assert_eq!(number.into_inner(), 1);
            static RAN: AtomicBool = AtomicBool::new(false);
            Builder::new().stack_size(64 << 10).go(|| RAN.store(true, Ordering::Release)).unwrap();
            until(|| RAN.load(Ordering::Acquire));
        });
    }
}
