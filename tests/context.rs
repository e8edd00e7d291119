//! The tree of contexts: who ends with whom, when, and why.
//!
//! Why here: from outside; the numbers of steps are counted in the runtime's own tests, the waits are in `context_ops.rs`.
//!
//! *Invariants*: T1 and T2 of `common/procs`.
//!
//! *Locks*: none.
//!
//! *Go:* context_test.go, x_test.go.

#[path = "common/procs.rs"]
mod procs;

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use goruntime::channel::{TryRecvError, bounded, unbounded};
use goruntime::context::{self, CancelFunc, Cause, Context, ContextError, background, todo};
use goruntime::runtime::{num_goroutine, yield_now};
use goruntime::sync::{Arc, WaitGroup};
use goruntime::time::{Duration, Instant};
use goruntime::{Builder, go, spawn};

use self::procs::with_procs;

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

fn on_some_procs(f: impl Fn() + Send + Sync) {
    for procs in [1, 2, 4] {
        with_procs(procs, &f);
    }
}

#[derive(Debug, PartialEq)]
struct Reason(u32);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reason {}", self.0)
    }
}

impl Error for Reason {}

/// Error and text of the cause of a context.
fn end_of(ctx: &Context) -> Option<(ContextError, String)> {
    ctx.err().map(|error| (error, ctx.cause().expect("an end has a cause").to_string()))
}

fn is_done(ctx: &Context) -> bool {
    ctx.done().try_recv() == Err(TryRecvError::Disconnected)
}

#[track_caller]
fn assert_ended(ctx: &Context, error: ContextError, cause: &str) {
    assert_eq!(end_of(ctx), Some((error, cause.to_owned())), "{ctx}");
    assert!(is_done(ctx), "{ctx}");
}

#[track_caller]
fn assert_lives(ctx: &Context) {
    assert!(ctx.err().is_none() && ctx.cause().is_none() && !is_done(ctx), "{ctx}");
}

fn cancellable(parent: &Context) -> (Context, CancelFunc) {
    context::with_cancel(parent)
}

const CANCELED: &str = "context canceled";
const EXCEEDED: &str = "context deadline exceeded";

#[test]
fn the_roots_never_end_and_have_nothing() {
    for root in [background(), todo(), context::without_cancel(&background())] {
        assert_lives(&root);
        assert!(root.deadline().is_none() && root.value::<u8>().is_none());
        assert_eq!(root.done().recv_timeout(MS).unwrap_err().to_string(), "timed out waiting on receive operation");
    }
}

#[test]
fn contexts_show_themselves_as_gos_do() {
    let (ctx, _cancel) = cancellable(&background());
    let ctx = context::with_value(&ctx, 7_u8);
    assert_eq!(ctx.to_string(), "context.Background.WithCancel.WithValue(u8)");
    assert_eq!(context::without_cancel(&todo()).to_string(), format!("{}.WithoutCancel", todo()));
    assert!(todo().to_string().starts_with("context.T"));
    let (ctx, _cancel) = context::with_timeout(&background(), HOUR);
    assert!(ctx.to_string().starts_with("context.Background.WithDeadline("), "{ctx}");
    let (inner, _cancel) = context::with_timeout(&ctx, 2 * HOUR);
    assert!(inner.to_string().ends_with(").WithCancel"), "{inner}");
}

#[test]
fn the_texts_are_those_of_go() {
    assert_eq!(
        [ContextError::Canceled, ContextError::DeadlineExceeded].map(|error| error.to_string()),
        [CANCELED, EXCEEDED]
    );
    assert_eq!([ContextError::Canceled, ContextError::DeadlineExceeded].map(ContextError::is_timeout), [false, true]);
}

#[test]
fn an_end_goes_down_and_not_up() {
    on_some_procs(|| {
        let (parent, cancel_parent) = cancellable(&background());
        let (child, cancel_child) = cancellable(&parent);
        let (sibling, _cancel) = cancellable(&parent);
        let grandchild = context::with_value(&child, 1);
        let (last, _cancel) = context::with_timeout(&grandchild, HOUR);
        cancel_child.cancel();
        for ended in [&child, &grandchild, &last] {
            assert_ended(ended, ContextError::Canceled, CANCELED);
        }
        for living in [&parent, &sibling] {
            assert_lives(living);
        }
        cancel_parent.cancel();
        assert_ended(&sibling, ContextError::Canceled, CANCELED);
    });
}

#[test]
fn who_is_made_of_an_ended_context_has_ended_with_its_cause() {
    let (parent, cancel) = context::with_cancel_cause(&background());
    cancel.cancel(Reason(1));
    let (child, child_cancel) = context::with_cancel_cause(&parent);
    let (timed, _cancel) = context::with_timeout(&child, HOUR);
    child_cancel.cancel(Reason(2));
    for ctx in [&child, &timed] {
        assert_ended(ctx, ContextError::Canceled, "reason 1");
        assert_eq!(ctx.cause().unwrap().downcast_ref(), Some(&Reason(1)));
    }
}

#[test]
fn the_first_cause_stays() {
    let (ctx, cancel) = context::with_cancel_cause(&background());
    let (inner, inner_cancel) = context::with_cancel_cause(&ctx);
    inner_cancel.cancel(Reason(1));
    cancel.clone().cancel(Reason(2));
    cancel.cancel("a text");
    assert_ended(&ctx, ContextError::Canceled, "reason 2");
    assert_ended(&inner, ContextError::Canceled, "reason 1");
    assert!(ctx.cause().unwrap().same_error(&ctx.clone().cause().unwrap()));
}

#[test]
fn causes_are_errors_and_stay_what_they_are() {
    fn fails() -> Result<(), Box<dyn Error>> {
        Err(Cause::new(Reason(3)))?
    }
    assert_eq!(fails().unwrap_err().to_string(), "reason 3");
    let cause = Cause::new(Reason(4));
    let again = Cause::new(cause.clone());
    assert!(again.same_error(&cause) && again.is::<Reason>());
    assert!(again.get_ref().downcast_ref::<Reason>().is_some());
    assert_eq!(format!("{again:?}"), "Reason(4)");
}

#[test]
fn without_cancel_keeps_the_values_only() {
    let (parent, cancel) = context::with_timeout(&context::with_value(&background(), 5_i32), HOUR);
    let ctx = context::without_cancel(&parent);
    cancel.cancel();
    assert_lives(&ctx);
    assert!(ctx.deadline().is_none());
    assert_eq!(ctx.value::<i32>(), Some(&5));
    let (below, _cancel) = cancellable(&ctx);
    assert_lives(&below);
}

#[test]
fn values_are_found_by_type_the_nearest_first() {
    struct Name(&'static str);
    let outer = context::with_value(&background(), Name("outer"));
    let (middle, _cancel) = cancellable(&context::with_value(&outer, 1_u64));
    let inner = context::with_value(&middle, Name("inner"));
    let name = |ctx: &Context| ctx.value::<Name>().map(|name| name.0);
    assert_eq!([name(&outer), name(&middle), name(&inner)], [Some("outer"), Some("outer"), Some("inner")]);
    assert_eq!((inner.value::<u64>(), outer.value::<u64>()), (Some(&1), None));
}

#[test]
fn a_deadline_ends_a_context_and_what_is_below() {
    on_some_procs(|| {
        let begin = Instant::now();
        let (ctx, _cancel) = context::with_deadline(&background(), begin + 2 * MS);
        let (below, _cancel_below) = cancellable(&context::with_value(&ctx, 1));
        assert_eq!((ctx.deadline(), below.deadline()), (Some(begin + 2 * MS), Some(begin + 2 * MS)));
        assert!(below.done().recv().is_err() && Instant::now() >= begin + 2 * MS);
        for ctx in [&ctx, &below] {
            assert_ended(ctx, ContextError::DeadlineExceeded, EXCEEDED);
        }
    });
}

#[test]
fn a_deadline_that_has_passed_ends_at_once() {
    let (ctx, _cancel) = context::with_deadline_cause(&background(), Instant::now(), Reason(1));
    assert_ended(&ctx, ContextError::DeadlineExceeded, "reason 1");
    let (far, cancel) = context::with_timeout(&background(), Duration::MAX);
    assert!(far.deadline().is_none());
    assert_lives(&far);
    cancel.cancel();
    assert_ended(&far, ContextError::Canceled, CANCELED);
}

#[test]
fn of_two_deadlines_the_earlier_one_counts() {
    on_some_procs(|| {
        let now = Instant::now();
        for (outer, inner) in [(2 * MS, HOUR), (HOUR, 2 * MS)] {
            let (outer, _cancel) = context::with_deadline_cause(&background(), now + outer, Reason(1));
            let (inner, _cancel) = context::with_deadline_cause(&outer, now + inner, Reason(2));
            assert_eq!(inner.deadline(), Some(now + 2 * MS));
            assert!(inner.done().recv().is_err());
            let cause = if outer.err().is_some() { "reason 1" } else { "reason 2" };
            assert_ended(&inner, ContextError::DeadlineExceeded, cause);
        }
    });
}

#[test]
fn the_cause_of_a_deadline_counts_only_if_it_ends_the_context() {
    on_some_procs(|| {
        let (ctx, _cancel) = context::with_timeout_cause(&background(), MS, "too slow");
        assert!(ctx.done().recv().is_err());
        assert_ended(&ctx, ContextError::DeadlineExceeded, "too slow");
        let (ctx, cancel) = context::with_timeout_cause(&background(), HOUR, "too slow");
        cancel.cancel();
        assert_ended(&ctx, ContextError::Canceled, CANCELED);
    });
}

#[test]
fn dropping_the_last_right_to_cancel_cancels() {
    let (ctx, cancel) = cancellable(&background());
    let other = cancel.clone();
    drop(cancel);
    assert_lives(&ctx);
    drop(other);
    assert_ended(&ctx, ContextError::Canceled, CANCELED);
}

#[test]
fn a_right_that_was_given_up_cancels_no_more() {
    on_some_procs(|| {
        let (parent, cancel_parent) = cancellable(&background());
        let (ctx, cancel) = context::with_timeout(&parent, HOUR);
        let other = cancel.clone();
        cancel.detach();
        drop(other);
        assert_lives(&ctx);
        let (timed, cancel) = context::with_timeout(&parent, MS);
        cancel.detach();
        assert!(timed.done().recv().is_err());
        cancel_parent.cancel();
        assert_ended(&ctx, ContextError::Canceled, CANCELED);
    });
}

#[test]
fn functions_are_called_once_after_the_end() {
    on_some_procs(|| {
        let (ctx, cancel) = cancellable(&background());
        let (calls, (tx, rx)) = (Arc::new(AtomicUsize::new(0)), unbounded());
        let stops: Vec<_> = (0..10)
            .map(|number| {
                let (calls, tx, seen) = (calls.clone(), tx.clone(), ctx.clone());
                context::after_func(&context::with_value(&ctx, number), move || {
                    assert!(seen.err().is_some());
                    calls.fetch_add(1, Ordering::Relaxed);
                    tx.send(number).unwrap();
                })
            })
            .collect();
        for stop in &stops[..5] {
            assert_eq!((stop.stop(), stop.stop()), (true, false));
        }
        cancel.cancel();
        cancel.cancel();
        let tx_late = tx.clone();
        // The end has come: at once.
        let late = context::after_func(&ctx, move || tx_late.send(99).unwrap());
        drop(tx);
        assert!(!late.stop() && !stops[7].stop());
        let mut called: Vec<_> = rx.iter().collect();
        called.sort_unstable();
        assert_eq!(called, [5, 6, 7, 8, 9, 99]);
        assert_eq!(calls.load(Ordering::Relaxed), 5);
    });
}

#[test]
fn a_function_is_called_although_nobody_has_the_context_any_more() {
    on_some_procs(|| {
        let (parent, cancel_parent) = cancellable(&background());
        let (tx, rx) = unbounded();
        for timeout in [MS, HOUR] {
            let (ctx, cancel) = context::with_timeout(&parent, timeout);
            let tx = tx.clone();
            _ = context::after_func(&ctx, move || tx.send(timeout).unwrap());
            cancel.detach();
        }
        assert_eq!(rx.recv(), Ok(MS));
        cancel_parent.cancel();
        assert_eq!(rx.recv(), Ok(HOUR));
    });
}

#[test]
fn a_stopped_function_is_dropped() {
    let alive = Arc::new(());
    let (ctx, _cancel) = cancellable(&background());
    for ctx in [&ctx, &background()] {
        let theirs = alive.clone();
        let stop = context::after_func(ctx, move || drop(theirs));
        assert!(stop.stop());
        assert_eq!(Arc::strong_count(&alive), 1);
    }
}

#[test]
fn many_cancels_at_once_are_one() {
    on_some_procs(|| {
        for _ in 0..50 {
            let (root, cancel) = context::with_cancel_cause(&background());
            let (children, cancels): (Vec<_>, Vec<_>) = (0..10).map(|_| context::with_cancel_cause(&root)).unzip();
            let (leaves, _keep): (Vec<_>, Vec<_>) = children.iter().map(cancellable).unzip();
            let group = WaitGroup::new();
            for (number, one) in cancels.iter().chain([&cancel, &cancel]).cloned().enumerate() {
                let leaves = leaves.clone();
                group.go(move || {
                    one.cancel(Reason(number as u32));
                    // When a cancel returns everything below has ended, whoever was faster.
                    let ended = leaves.iter().filter(|leaf| leaf.err().is_some()).count();
                    assert!(ended >= if number < 10 { 1 } else { 10 });
                });
            }
            group.wait();
            for (child, leaf) in children.iter().zip(&leaves) {
                assert!(child.cause().unwrap().same_error(&leaf.cause().unwrap()));
                assert!(is_done(leaf));
            }
        }
    });
}

#[test]
fn cancels_from_both_ends_of_a_chain_meet() {
    on_some_procs(|| {
        for _ in 0..30 {
            let mut chain = vec![cancellable(&background())];
            for _ in 0..30 {
                let next = cancellable(&chain[chain.len() - 1].0);
                chain.push(next);
            }
            let group = WaitGroup::new();
            for from in [0, 10, 20, 30] {
                let (cancel, below) =
                    (chain[from].1.clone(), chain[from..].iter().map(|c| c.0.clone()).collect::<Vec<_>>());
                group.go(move || {
                    cancel.cancel();
                    assert!(below.iter().all(|ctx| ctx.err().is_some()));
                });
            }
            group.wait();
        }
    });
}

#[test]
fn cancels_and_deadlines_race_for_the_cause() {
    on_some_procs(|| {
        for round in 0..200_u64 {
            let (ctx, cancel) = context::with_cancel_cause(&background());
            let (ctx, _cancel) = context::with_timeout_cause(&ctx, Duration::from_micros(round % 40 + 1), "late");
            let (below, _cancel_below) = cancellable(&ctx);
            go(move || cancel.cancel("cancelled"));
            assert!(below.done().recv().is_err());
            let (error, cause) = end_of(&below).unwrap();
            assert_eq!(end_of(&ctx), Some((error, cause.clone())));
            let expected = if error == ContextError::Canceled { "cancelled" } else { "late" };
            assert_eq!(cause, expected);
        }
    });
}

#[test]
fn children_that_are_made_while_the_parent_ends_end_too() {
    on_some_procs(|| {
        for _ in 0..100 {
            let (parent, cancel) = cancellable(&background());
            let makers: Vec<_> = (0..4)
                .map(|_| {
                    let parent = parent.clone();
                    spawn(move || {
                        let (made, rights): (Vec<_>, Vec<_>) = (0..20).map(|_| cancellable(&parent)).unzip();
                        drop(parent);
                        (made, rights)
                    })
                })
                .collect();
            yield_now();
            cancel.cancel();
            for maker in makers {
                let (made, _rights) = maker.join().unwrap();
                assert!(made.iter().all(is_done));
            }
        }
    });
}

#[test]
fn ten_thousand_contexts_in_a_row_end_and_go_on_a_small_stack() {
    with_procs(2, || {
        let small = Builder::new().stack_size(64 << 10).spawn(|| {
            let (root, cancel) = cancellable(&background());
            let mut rights = Vec::new();
            let mut last = root.clone();
            for number in 0..10_000 {
                let (next, right) = cancellable(&context::with_value(&last, number));
                rights.push(right);
                last = next;
            }
            cancel.cancel();
            assert_ended(&last, ContextError::Canceled, CANCELED);
            drop(rights);
            drop(last);
            // Another one that is dropped as a whole, by its last link, without having ended.
            let mut last = background();
            for _ in 0..10_000 {
                let (next, right) = cancellable(&last);
                right.detach();
                last = next;
            }
            drop(last);
        });
        small.unwrap().join().unwrap();
    });
}

#[test]
fn ten_thousand_children_end_with_their_parent_and_nobody_stays() {
    on_some_procs(|| {
        let before = num_goroutine();
        let (parent, cancel) = cancellable(&background());
        let ended = Arc::new(AtomicUsize::new(0));
        let children: Vec<_> = (0..10_000)
            .map(|_| {
                let (child, right) = context::with_timeout(&parent, HOUR);
                let ended = ended.clone();
                _ = context::after_func(&child, move || {
                    ended.fetch_add(1, Ordering::Relaxed);
                });
                (child, right)
            })
            .collect();
        // Fewer, if one of before was about to end when it was counted.
        assert!(num_goroutine() <= before, "a context is no goroutine");
        cancel.cancel();
        assert!(children.iter().all(|(child, _)| is_done(child)));
        while ended.load(Ordering::Relaxed) < 10_000 || num_goroutine() > before {
            yield_now();
        }
        assert_eq!(ended.load(Ordering::Relaxed), 10_000);
    });
}

#[test]
fn a_destructor_of_a_value_may_cancel_the_context_it_came_from() {
    struct Cancels(CancelFunc);
    impl Drop for Cancels {
        fn drop(&mut self) {
            self.0.cancel();
        }
    }
    with_procs(2, || {
        let (root, cancel) = cancellable(&background());
        let holder = context::with_value(&root, Cancels(cancel.clone()));
        let (below, right) = cancellable(&holder);
        right.detach();
        drop(holder);
        let (tx, rx) = bounded(1);
        _ = context::after_func(&below, move || tx.send(()).unwrap());
        drop(below);
        cancel.cancel();
        rx.recv().unwrap();
        assert_ended(&root, ContextError::Canceled, CANCELED);
    });
}
