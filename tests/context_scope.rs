//! `context::scope`: goroutines that fail together.
//!
//! Why here: from outside.
//!
//! *Invariants*: T1 and T2 of `common/procs`.
//!
//! *Locks*: none.
//!
//! *Go:* errgroup_test.go.

#[path = "common/procs.rs"]
mod procs;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use goruntime::channel::bounded;
use goruntime::context::{self, Cause, Context, ContextError, background};
use goruntime::runtime::{goexit, num_goroutine, yield_now};
use goruntime::spawn;
use goruntime::time::{Duration, sleep, sleep_ctx};

use self::procs::{panic_text, with_procs};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

fn on_some_procs(f: impl Fn() + Send + Sync) {
    for procs in [1, 2, 4] {
        with_procs(procs, &f);
    }
}

#[derive(Debug, PartialEq)]
struct Failed(u32);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed {}", self.0)
    }
}

impl std::error::Error for Failed {}

#[test]
fn goroutines_borrow_and_the_scope_returns_what_the_body_does() {
    on_some_procs(|| {
        let mut numbers = vec![1, 2, 3];
        let (sum, before) = (AtomicUsize::new(0), num_goroutine());
        let outcome = context::scope(&background(), |s| {
            for number in &mut numbers {
                s.go(|_| {
                    *number += 1;
                    sum.fetch_add(*number, Ordering::Relaxed);
                    Ok(())
                });
            }
            Ok("done")
        });
        assert_eq!((outcome.unwrap(), sum.into_inner(), numbers), ("done", 9, vec![2, 3, 4]));
        // Not `!=`: one of before may still have been about to end when it was counted.
        while num_goroutine() > before {
            yield_now();
        }
    });
}

#[test]
fn the_first_error_ends_the_context_and_is_returned() {
    on_some_procs(|| {
        let seen = AtomicUsize::new(0);
        let outcome = context::scope(&background(), |s| {
            for _ in 0..5 {
                s.go(|ctx| {
                    let cause = sleep_ctx(HOUR, ctx).unwrap_err();
                    assert_eq!(cause.downcast_ref(), Some(&Failed(7)));
                    seen.fetch_add(1, Ordering::Relaxed);
                    Err(cause.into())
                });
            }
            s.go(|_| Err(Failed(7).into()));
            Ok(())
        });
        assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&Failed(7)));
        assert_eq!(seen.into_inner(), 5);
    });
}

#[test]
fn errors_at_the_same_time_are_one_and_the_cause() {
    on_some_procs(|| {
        for _ in 0..50 {
            let mut kept = None;
            let error = context::scope(&background(), |s| {
                kept = Some(s.context().clone());
                (0..8).for_each(|number| s.go(move |_| Err(Failed(number).into())));
                Ok(())
            });
            assert!(kept.unwrap().cause().unwrap().same_error(&error.unwrap_err()));
        }
    });
}

#[test]
fn an_error_of_the_body_ends_the_others() {
    on_some_procs(|| {
        let outcome: Result<(), Cause> = context::scope(&background(), |s| {
            s.go(|ctx| Ok(sleep_ctx(HOUR, ctx)?));
            Err("no more".into())
        });
        assert_eq!(outcome.unwrap_err().to_string(), "no more");
    });
}

#[test]
fn the_context_ends_with_the_scope_and_with_its_parent() {
    on_some_procs(|| {
        let mut kept = None;
        context::scope(&background(), |s| {
            kept = Some(s.context().clone());
            Ok(())
        })
        .unwrap();
        assert_eq!(kept.unwrap().err(), Some(ContextError::Canceled));
        let (parent, cancel) = context::with_cancel_cause(&background());
        let outcome = context::scope(&parent, |s| {
            s.go(|ctx| Ok(sleep_ctx(HOUR, ctx)?));
            cancel.cancel("the parent");
            Ok(())
        });
        assert_eq!(outcome.unwrap_err().to_string(), "the parent");
    });
}

#[test]
fn a_panic_ends_the_context_and_is_resumed_when_all_have_ended() {
    on_some_procs(|| {
        let stopped = AtomicBool::new(false);
        let text = panic_text(|| {
            let _ = context::scope(&background(), |s| {
                s.go(|ctx| {
                    let cause = sleep_ctx(HOUR, ctx).unwrap_err();
                    assert_eq!(cause.to_string(), "panic: on purpose");
                    sleep(2 * MS);
                    stopped.store(true, Ordering::Relaxed);
                    Ok(())
                });
                s.go(|_| panic!("on purpose"));
                Ok(())
            });
        });
        assert_eq!(text, "on purpose");
        assert!(stopped.into_inner());
    });
}

#[test]
fn a_panic_is_not_hidden_by_an_error_before_it() {
    on_some_procs(|| {
        let text = panic_text(|| {
            let _ = context::scope(&background(), |s| {
                s.go(|_| Err("first".into()));
                s.go(|ctx| {
                    assert!(ctx.done().recv().is_err());
                    panic!("and then {}", ctx.cause().unwrap());
                });
                Ok(())
            });
        });
        assert_eq!(text, "and then first");
    });
}

#[test]
fn a_panic_of_the_body_waits_for_the_goroutines() {
    on_some_procs(|| {
        let stopped = AtomicBool::new(false);
        let text = panic_text(|| {
            let _ = context::scope(&background(), |s| {
                s.go(|ctx| {
                    assert!(ctx.done().recv().is_err());
                    stopped.store(true, Ordering::Relaxed);
                    Ok(())
                });
                if s.context().err().is_none() {
                    panic!("the body");
                }
                Ok(())
            });
        });
        assert_eq!((text.as_str(), stopped.into_inner()), ("the body", true));
    });
}

#[test]
fn a_goroutine_that_goexits_has_not_failed() {
    on_some_procs(|| {
        let outcome = context::scope(&background(), |s| {
            s.limit(1);
            for _ in 0..3 {
                s.go(|_| goexit());
            }
            s.go(|ctx| {
                assert!(ctx.err().is_none());
                Ok(())
            });
            Ok(())
        });
        outcome.unwrap();
    });
}

#[test]
fn a_body_that_goexits_waits_and_goes() {
    on_some_procs(|| {
        let handle = spawn(|| {
            let stopped = AtomicBool::new(false);
            struct Check<'a>(&'a AtomicBool);
            impl Drop for Check<'_> {
                fn drop(&mut self) {
                    assert!(self.0.load(Ordering::Relaxed), "the scope was left too early");
                }
            }
            let _check = Check(&stopped);
            let _: Result<(), _> = context::scope(&background(), |s| {
                s.go(|ctx| {
                    assert!(ctx.done().recv().is_err());
                    stopped.store(true, Ordering::Relaxed);
                    Ok(())
                });
                goexit()
            });
        });
        assert!(handle.join().unwrap_err().is::<goruntime::Goexit>());
    });
}

#[test]
fn no_more_than_the_limit_run_at_a_time() {
    on_some_procs(|| {
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        context::scope(&background(), |s| {
            s.limit(3);
            for _ in 0..40 {
                s.go(|_| {
                    let now = running.fetch_add(1, Ordering::Relaxed) + 1;
                    most.fetch_max(now, Ordering::Relaxed);
                    (0..3).for_each(|_| yield_now());
                    running.fetch_sub(1, Ordering::Relaxed);
                    Ok(())
                });
            }
            Ok(())
        })
        .unwrap();
        assert!(most.into_inner() <= 3);
    });
}

#[test]
fn try_go_gives_the_closure_back_where_go_would_wait() {
    on_some_procs(|| {
        let ran = AtomicUsize::new(0);
        let count = |_: &Context| {
            ran.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        context::scope(&background(), |s| {
            s.limit(2);
            let (release, released) = bounded::<()>(0);
            for _ in 0..2 {
                let released = released.clone();
                let wait = move |_: &Context| {
                    assert!(released.recv().is_err());
                    Ok(())
                };
                assert!(s.try_go(wait).is_ok());
            }
            let Err(again) = s.try_go(count) else { panic!("three run") };
            drop(release);
            s.go(again);
            s.go(count);
            Ok(())
        })
        .unwrap();
        assert_eq!(ran.into_inner(), 2);
    });
}

#[test]
fn a_limit_cannot_be_changed_while_goroutines_run_or_be_nothing() {
    with_procs(2, || {
        context::scope(&background(), |s| {
            s.limit(1);
            s.limit(4);
            let (release, released) = bounded::<()>(0);
            s.go(move |_| {
                assert!(released.recv().is_err());
                Ok(())
            });
            let text = panic_text(|| s.limit(2));
            assert_eq!(text, "errgroup: modify limit while 1 goroutines in the group are still active");
            assert_eq!(panic_text(|| s.limit(0)), "a limit of zero goroutines");
            drop(release);
            Ok(())
        })
        .unwrap();
    });
}

#[test]
fn scopes_nest_and_goroutines_start_others() {
    on_some_procs(|| {
        let ended = AtomicUsize::new(0);
        let outcome = context::scope(&background(), |outer| {
            outer.go(|ctx| {
                let inner = context::scope(ctx, |s| {
                    s.go(|ctx| {
                        let waited = sleep_ctx(HOUR, ctx);
                        ended.fetch_add(1, Ordering::Relaxed);
                        Ok(waited?)
                    });
                    s.go(|_| Err(Failed(1).into()));
                    Ok(())
                });
                assert_eq!(inner.unwrap_err().downcast_ref(), Some(&Failed(1)));
                assert!(ctx.err().is_none(), "an end does not go up");
                // A goroutine of the scope starts another one.
                outer.go(|_| {
                    ended.fetch_add(1, Ordering::Relaxed);
                    Err(Failed(2).into())
                });
                Ok(sleep_ctx(HOUR, ctx)?)
            });
            Ok(())
        });
        assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&Failed(2)));
        assert_eq!(ended.into_inner(), 2);
    });
}

#[test]
fn a_plain_thread_may_have_a_scope() {
    let mut value = 0;
    context::scope(&background(), |s| {
        s.go(|_| {
            value = 5;
            Ok(())
        });
        Ok(())
    })
    .unwrap();
    assert_eq!(value, 5);
}

/// An error whose destructor panics.
#[derive(Debug)]
struct Explosive;

impl fmt::Display for Explosive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("explosive")
    }
}

impl std::error::Error for Explosive {}

impl Drop for Explosive {
    fn drop(&mut self) {
        panic!("an error was dropped");
    }
}

/// The second error of a scope is dropped by the body, and its destructor panics: a goroutine that borrows must have ended when that leaves the scope.
#[test]
fn a_destructor_that_panics_does_not_leave_the_scope_before_the_goroutines() {
    on_some_procs(|| {
        let ended = AtomicBool::new(false);
        let (failed, wait) = bounded(1);
        let text = panic_text(|| {
            let _ = context::scope::<_, ()>(&background(), |s| {
                s.go(|ctx| {
                    assert!(ctx.done().recv().is_err());
                    failed.send(()).unwrap();
                    for _ in 0..100 {
                        yield_now();
                    }
                    ended.store(true, Ordering::Relaxed);
                    Ok(())
                });
                s.go(|_| Err("first".into()));
                wait.recv().unwrap();
                Err(Box::new(Explosive))
            });
        });
        assert_eq!(text, "an error was dropped");
        assert!(ended.load(Ordering::Relaxed));
    });
}

/// The same in a goroutine: it gives its place back, and the panic is the scope's.
#[test]
fn a_destructor_that_panics_gives_the_place_back() {
    on_some_procs(|| {
        let text = panic_text(|| {
            let _ = context::scope::<_, ()>(&background(), |s| {
                s.limit(1);
                s.go(|_| Err("first".into()));
                s.go(|_| Err(Box::new(Explosive)));
                s.go(|_| Ok(()));
                Ok(())
            });
        });
        assert_eq!(text, "an error was dropped");
    });
}
