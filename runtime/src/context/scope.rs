//! `scope`: goroutines under one context, which ends with the first of them that fails.
//!
//! *Why here.* Floor 8: on `task::scope`, which keeps what the goroutines borrow alive.
//!
//! *Invariants.* SC1 of `task::scope`. CS1. The first failure is recorded before the context ends, and the first panic besides; nothing replaces them. CS2. A
//! goroutine that has a slot gives it back when it has ended in whatever way, before the scope is told.
//!
//! *Locks.* `failures` is std's: nothing is done under it but moving values.
//!
//! *Go:* golang.org/x/sync/errgroup.

use core::any::{Any, type_name};
use core::fmt;
use core::mem;
use core::panic::Location;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::channel::{Receiver, Sender, bounded};
use crate::context::{CancelCauseFunc, Cause, Context, with_cancel_cause};
use crate::task;
use crate::task::goexit::is_goexit;
use crate::task::panics::payload_text;

/// What goroutines and the body of a scope fail with: `?` makes it of any error, `into()` of a text.
type BoxedError = Box<dyn Error + Send + Sync>;

/// A scope of goroutines that fail together; see [`scope`].
pub struct Scope<'scope, 'env: 'scope> {
    base: task::Scope<'scope, 'env>,
    ctx: Context,
    cancel: CancelCauseFunc,
    failures: Mutex<Failures>,
    slots: Mutex<Option<Slots>>,
    active: AtomicUsize,
}

#[derive(Default)]
struct Failures {
    first: Option<Cause>,
    panic: Option<Box<dyn Any + Send>>,
}

/// How a part of a scope has ended.
enum Ended<T> {
    Well(T),
    /// With an error or a panic, which is recorded.
    Badly,
    /// With this payload, to be raised again where the goroutine is not to go on.
    Goexit(Box<dyn Any + Send>),
}

/// A token for each goroutine that runs, in a channel with as much room as may run.
#[derive(Clone)]
struct Slots {
    taken: Sender<()>,
    given_back: Receiver<()>,
}

/// Runs `f` with a scope whose goroutines work under one context, and waits for all of them.
///
/// The goroutines may borrow from here, as with [`goruntime::scope`](crate::scope). Their context, a child of `ctx`, ends when the first of them (or `f`)
/// returns an error or panics, with that as the cause; the others see it and stop by themselves. It also ends when the scope does.
///
/// A goroutine that ends by `goexit` has not failed.
///
/// # Blocking
///
/// Parks until every goroutine of the scope has ended, even if `f` panics; nothing interrupts the wait.
///
/// # Errors
///
/// The first error that a goroutine or `f` returned; [`Cause::downcast_ref`] finds its type again.
///
/// # Panics
///
/// With the payload of the first panic of a goroutine or of `f`, whether there was an error or not.
///
/// # Examples
///
/// ```
/// use goruntime::context;
/// use goruntime::time::{Duration, sleep_ctx};
///
/// goruntime::run(|| {
///     let numbers = vec![1, 2, 3];
///     let outcome = context::scope(&context::background(), |s| {
///         s.go(|ctx| Ok(sleep_ctx(Duration::from_secs(3600), ctx)?));
///         s.go(|_| if numbers.len() < 4 { Err("not enough numbers".into()) } else { Ok(()) });
///         Ok(())
///     });
///     assert_eq!(outcome.unwrap_err().to_string(), "not enough numbers");
/// });
/// ```
#[doc(alias = "errgroup")]
#[track_caller]
pub fn scope<'env, F, T>(ctx: &Context, f: F) -> Result<T, Cause>
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> Result<T, BoxedError>,
{
    let at = Location::caller();
    let (ctx, cancel) = with_cancel_cause(ctx);
    let scope = Scope {
        base: task::Scope::open(),
        ctx,
        cancel,
        failures: Mutex::default(),
        slots: Mutex::default(),
        active: AtomicUsize::new(0),
    };
    let waits = Waits { base: &scope.base, at };
    let body = scope.watch(|| f(&scope));
    if matches!(body, Ended::Goexit(_)) {
        // Nobody is interested any more in what the goroutines do.
        scope.cancel.0.cancel();
    }
    drop(waits);
    let Failures { first, panic } = mem::take(&mut *scope.failures());
    match (panic, body, first) {
        (Some(payload), ..) | (None, Ended::Goexit(payload), _) => resume_unwind(payload),
        (None, Ended::Well(value), None) => Ok(value),
        (None, _, Some(first)) => Err(first),
        (None, Ended::Badly, None) => unreachable!("a failure is recorded"),
    }
}

/// Waits for the goroutines of a scope, however it is left: errors and values of contexts are dropped on the way, and their destructors may panic.
struct Waits<'a, 'scope, 'env> {
    base: &'a task::Scope<'scope, 'env>,
    at: &'static Location<'static>,
}

impl Drop for Waits<'_, '_, '_> {
    fn drop(&mut self) {
        self.base.wait_for_all(self.at);
    }
}

/// The place of a goroutine among those that may run, given back however it ends (CS2).
struct Place<'a> {
    active: &'a AtomicUsize,
    slots: Option<Slots>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.active.fetch_sub(1, Ordering::Relaxed);
        if let Some(slots) = &self.slots {
            // One of the tokens is this goroutine's. Without waiting, so that nothing is raised here.
            let _ = slots.given_back.try_recv();
        }
    }
}

impl<'scope, 'env> Scope<'scope, 'env> {
    /// Starts a goroutine that gets the scope's context. An error that it returns, or a panic, ends that context.
    ///
    /// # Blocking
    ///
    /// Parks while as many goroutines run as [`limit`](Scope::limit) allows. Else as [`go`](crate::go()).
    #[track_caller]
    pub fn go<F>(&'scope self, f: F)
    where
        F: FnOnce(&Context) -> Result<(), BoxedError> + Send + 'scope,
    {
        let slots = self.slots();
        if let Some(slots) = &slots {
            // Its receiver is beside it, so it is not disconnected.
            let _ = slots.taken.send(());
        }
        self.start(slots, f, Location::caller());
    }

    /// As [`Scope::go`], if that is possible at once.
    ///
    /// # Errors
    ///
    /// The closure, if as many goroutines run as [`limit`](Scope::limit) allows.
    #[track_caller]
    pub fn try_go<F>(&'scope self, f: F) -> Result<(), F>
    where
        F: FnOnce(&Context) -> Result<(), BoxedError> + Send + 'scope,
    {
        let slots = self.slots();
        if slots.as_ref().is_some_and(|slots| slots.taken.try_send(()).is_err()) {
            return Err(f);
        }
        self.start(slots, f, Location::caller());
        Ok(())
    }

    /// Lets at most `most` goroutines of the scope run at a time; further ones wait in [`go`](Scope::go) for one to end.
    ///
    /// # Panics
    ///
    /// `errgroup: modify limit while N goroutines in the group are still active`; and if `most` is zero, with which none could ever start.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::context;
    ///
    /// goruntime::run(|| {
    ///     let outcome = context::scope(&context::background(), |s| {
    ///         s.limit(1);
    ///         s.go(|ctx| {
    ///             assert!(ctx.done().recv().is_err());
    ///             Ok(())
    ///         });
    ///         assert!(s.try_go(|_| Ok(())).is_err());
    ///         Err::<(), _>("enough".into())
    ///     });
    ///     assert_eq!(outcome.unwrap_err().to_string(), "enough");
    /// });
    /// ```
    #[doc(alias = "SetLimit")]
    #[track_caller]
    pub fn limit(&self, most: usize) {
        assert!(most > 0, "a limit of zero goroutines");
        let active = self.active.load(Ordering::Relaxed);
        assert!(active == 0, "errgroup: modify limit while {active} goroutines in the group are still active");
        let (taken, given_back) = bounded(most);
        *self.slots.lock().unwrap_or_else(PoisonError::into_inner) = Some(Slots { taken, given_back });
    }

    /// The context that the goroutines get.
    pub fn context(&self) -> &Context {
        &self.ctx
    }

    fn start<F>(&'scope self, slots: Option<Slots>, f: F, at: &'static Location<'static>)
    where
        F: FnOnce(&Context) -> Result<(), BoxedError> + Send + 'scope,
    {
        self.active.fetch_add(1, Ordering::Relaxed);
        let place = Place { active: &self.active, slots };
        let body = move || {
            let _place = place;
            // A goexit has no other way to go than to the end.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(self.watch(|| f(&self.ctx))))) {
                self.keep(payload);
            }
        };
        self.base.start_detached(body, type_name::<F>, at);
    }

    /// Runs a part of the scope.
    fn watch<T>(&self, f: impl FnOnce() -> Result<T, BoxedError>) -> Ended<T> {
        match catch_unwind(AssertUnwindSafe(f)) {
            Ok(Ok(value)) => return Ended::Well(value),
            Ok(Err(error)) => self.fail(Cause::new(error), None),
            Err(payload) if is_goexit(&*payload) => return Ended::Goexit(payload),
            Err(payload) => self.fail(Cause::new(format!("panic: {}", payload_text(&*payload))), Some(payload)),
        }
        Ended::Badly
    }

    /// Records a failure and ends the context (CS1).
    fn fail(&self, cause: Cause, payload: Option<Box<dyn Any + Send>>) {
        let mut failures = self.failures();
        let first = failures.first.get_or_insert_with(|| cause.clone()).clone();
        let mut unused = None;
        match payload {
            Some(payload) if failures.panic.is_none() => failures.panic = Some(payload),
            later => unused = later,
        }
        drop(failures);
        self.cancel.cancel(first);
        // The destructor of a later panic's payload may do anything, so it runs last.
        drop(unused);
    }

    /// A destructor has panicked while a failure was recorded: that is the panic of the scope, if it has none yet.
    fn keep(&self, payload: Box<dyn Any + Send>) {
        if is_goexit(&*payload) {
            return;
        }
        let mut failures = self.failures();
        if failures.panic.is_none() {
            failures.panic = Some(payload);
        } else {
            // Its destructor may panic in turn.
            mem::forget(payload);
        }
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slots(&self) -> Option<Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let active = self.active.load(Ordering::Relaxed);
        f.debug_struct("Scope").field("ctx", &self.ctx).field("active", &active).finish_non_exhaustive()
    }
}
