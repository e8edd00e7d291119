//! Scopes: goroutines that borrow from the stack of the one that waits for them.
//!
//! *Why here.* Floor 8.
//!
//! *Invariants.* SC1. `scope` does not return, by whatever way, before every goroutine of the scope has ended: the wait cannot be
//! interrupted by goexit. SC2. The scope's data is not touched after the count has reached zero, except by the waiter.
//!
//! *Locks.* None.
//!
//! *Go:* none; mirrors `std::thread::scope`.

use core::any::type_name;
use core::fmt;
use core::marker::PhantomData;
use core::panic::Location;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::gmp::g::flag;
use crate::gmp::{GPtr, WaitReason};
use crate::proc::park::{is_goexit_unwinding, note_place};
use crate::proc::{boot, enter, gopark, goready};
use crate::task::spawn::start_joined;
use crate::task::{Builder, JoinHandle};
use crate::thread::Thread;

/// What the goroutines of a scope share with it.
struct Shared {
    /// Goroutines that run, plus one while the body runs.
    running: AtomicUsize,
    /// The waiter, or 0.
    waiter: AtomicUsize,
    /// A goroutine without a handle, or whose handle was dropped, panicked.
    panicked: AtomicBool,
}

/// A scope to start goroutines in; see [`scope`].
pub struct Scope<'scope, 'env: 'scope> {
    shared: Arc<Shared>,
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// The handle of a goroutine of a scope. It is also a future, whose output is what [`join`](ScopedJoinHandle::join) returns.
pub struct ScopedJoinHandle<'scope, T> {
    pub(super) handle: JoinHandle<()>,
    packet: Arc<Packet<T>>,
    scope: PhantomData<&'scope ()>,
}

/// Where a goroutine of a scope leaves its outcome. Whoever drops it last with a panic that was not joined tells the scope.
struct Packet<T> {
    outcome: Mutex<Option<thread::Result<T>>>,
    shared: Arc<Shared>,
}

impl<T> Packet<T> {
    fn take(&self) -> Option<thread::Result<T>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<T> Drop for Packet<T> {
    fn drop(&mut self) {
        if let Some(Err(_)) = self.take() {
            self.shared.panicked.store(true, Ordering::Relaxed);
        }
    }
}

/// Runs `f` with a scope whose goroutines may borrow from here, and waits for all of them.
///
/// # Blocking
///
/// Parks until every goroutine of the scope has ended, even if `f` panics; nothing interrupts the wait.
///
/// # Panics
///
/// With the payload of `f` if that panicked, or with `a scoped thread panicked` if a goroutine panicked whose handle was not joined.
///
/// # Examples
///
/// ```
/// let mut numbers = vec![1, 2, 3, 4];
/// goruntime::run(move || {
///     let (left, right) = numbers.split_at_mut(2);
///     goruntime::scope(|s| {
///         s.go(|| left[0] = 10);
///         let sum = s.spawn(|| right.iter().sum::<i32>());
///         assert_eq!(sum.join().unwrap(), 7);
///     });
///     assert_eq!(numbers[0], 10);
/// });
/// ```
///
/// What a goroutine borrows outlives the scope, so it cannot be a variable of the body:
///
/// ```compile_fail,E0373
/// goruntime::scope(|s| {
///     let number = 1;
///     s.go(|| println!("{number}"));
/// });
/// ```
#[track_caller]
pub fn scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let at = Location::caller();
    let scope = Scope::open();
    let result = catch_unwind(AssertUnwindSafe(|| f(&scope)));
    scope.wait_for_all(at);
    match result {
        Err(payload) => resume_unwind(payload),
        Ok(_) if scope.shared.panicked.load(Ordering::Relaxed) => panic!("a scoped thread panicked"),
        Ok(value) => value,
    }
}

impl Shared {
    /// Waits until the goroutines have ended (SC1).
    fn wait(&self, at: &'static Location<'static>) {
        fn commit(gp: GPtr, shared: *mut ()) -> bool {
            // SAFETY: the argument is the waiter's own `Shared`, kept alive by its frame and by every goroutine's `Arc`.
            let shared = unsafe { &*shared.cast::<Shared>() };
            shared.waiter.store(gp.as_ptr().expose_provenance(), Ordering::Relaxed);
            // AcqRel: Release shows the waiter to the goroutine that takes the count to zero in `finished`; Acquire shows what the
            // goroutines did, if all were faster. The last access: from here on the waiter may return and free `shared`.
            shared.running.fetch_sub(1, Ordering::AcqRel) != 1
        }
        // Acquire: pairs with the decrement in `finished`: what the goroutines did is visible. Only they can add others.
        if self.running.load(Ordering::Acquire) == 1 {
            return;
        }
        let inside = enter();
        let gp = inside.g();
        // A destructor that runs inside such a wait may open a scope.
        let was_uninterruptible = gp.has(flag::UNINTERRUPTIBLE);
        gp.set(flag::UNINTERRUPTIBLE);
        note_place(&inside, at);
        gopark(&inside, WaitReason::ScopeWait, commit, core::ptr::from_ref(self).cast_mut().cast());
        if !was_uninterruptible {
            gp.unset(flag::UNINTERRUPTIBLE);
        }
    }

    /// A goroutine has ended.
    fn finished(&self) {
        // AcqRel: pairs with itself and with the same in `wait`: whoever takes the count to zero has seen all, and the waiter.
        if self.running.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        let waiter = self.waiter.load(Ordering::Relaxed);
        if let Some(gp) = GPtr::from_raw(core::ptr::with_exposed_provenance_mut(waiter)) {
            let inside = enter();
            goready(gp);
            drop(inside);
        }
    }
}

/// Counts the goroutine out when it ends in any way.
struct Member(Arc<Shared>);

impl Drop for Member {
    fn drop(&mut self) {
        // Only by the destructor of an outcome that nobody took: a panic of the goroutine itself has become its outcome.
        if thread::panicking() && !is_goexit_unwinding() {
            self.0.panicked.store(true, Ordering::Relaxed);
        }
        self.0.finished();
    }
}

impl<'scope, 'env> Scope<'scope, 'env> {
    /// A scope without goroutines. Whoever opens it calls `wait_for_all` before it ends (SC1).
    pub(crate) fn open() -> Scope<'scope, 'env> {
        let (running, waiter) = (AtomicUsize::new(1), AtomicUsize::new(0));
        let shared = Arc::new(Shared { running, waiter, panicked: AtomicBool::new(false) });
        Scope { shared, scope: PhantomData, env: PhantomData }
    }

    /// Waits until every goroutine of the scope has ended.
    pub(crate) fn wait_for_all(&self, at: &'static Location<'static>) {
        self.shared.wait(at);
    }

    /// As `go`, for a closure that another module made of the user's at `at`.
    pub(crate) fn start_detached<F>(&'scope self, f: F, creator: fn() -> &'static str, at: &'static Location<'static>)
    where
        F: FnOnce() + Send + 'scope,
    {
        drop(self.start(f, boot::default_stack_class(), core::ptr::null_mut(), None, creator, at));
    }

    /// Starts a goroutine without a handle. Its panic becomes the scope's.
    #[track_caller]
    pub fn go<F>(&'scope self, f: F)
    where
        F: FnOnce() + Send + 'scope,
    {
        self.start_detached(f, type_name::<F>, Location::caller());
    }

    /// Starts a goroutine and returns its handle.
    #[track_caller]
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        self.start(f, boot::default_stack_class(), core::ptr::null_mut(), None, type_name::<F>, Location::caller())
    }

    fn start<F, T>(
        &'scope self,
        f: F,
        class: u8,
        extra: *mut (),
        name: Option<Arc<str>>,
        creator: fn() -> &'static str,
        at: &'static Location<'static>,
    ) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let packet = Arc::new(Packet { outcome: Mutex::new(None), shared: Arc::clone(&self.shared) });
        let theirs = Arc::clone(&packet);
        self.shared.running.fetch_add(1, Ordering::Relaxed);
        let member = Member(Arc::clone(&self.shared));
        let body = move || {
            let outcome = catch_unwind(AssertUnwindSafe(f));
            *theirs.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
            // Whatever borrows from the scope is dropped before the member counts this goroutine out.
            drop(theirs);
            drop(member);
        };
        // SAFETY: the scope does not end before the goroutine has dropped all that it borrows (SC1); the handle cannot outlive 'scope.
        let gp = unsafe { start_joined::<_, ()>(body, class, extra, flag::BORROWS, creator, at) };
        ScopedJoinHandle { handle: JoinHandle::named(gp, name), packet, scope: PhantomData }
    }
}

impl<T> ScopedJoinHandle<'_, T> {
    /// Waits for the goroutine to end and returns its result; see [`JoinHandle::join`].
    ///
    /// # Errors
    ///
    /// As [`JoinHandle::join`].
    #[track_caller]
    pub fn join(mut self) -> thread::Result<T> {
        self.handle.wait(Location::caller());
        self.outcome()
    }

    /// What the goroutine, which has ended, has left.
    #[track_caller]
    pub(super) fn outcome(&mut self) -> thread::Result<T> {
        self.packet.take().expect("the result of the goroutine was taken before")
    }

    /// Whether the goroutine has ended.
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// The goroutine as a thread.
    pub fn thread(&self) -> &Thread {
        self.handle.thread()
    }
}

impl Builder {
    /// Starts a goroutine in a scope; see [`Scope::spawn`].
    ///
    /// # Errors
    ///
    /// As for [`Builder::spawn`].
    #[track_caller]
    pub fn spawn_scoped<'scope, 'env, F, T>(
        self,
        scope: &'scope Scope<'scope, 'env>,
        f: F,
    ) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let name = self.name.clone();
        let (class, extra) = self.prepare()?;
        Ok(scope.start(f, class, extra, name, type_name::<F>, Location::caller()))
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("running", &self.shared.running.load(Ordering::Relaxed)).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedJoinHandle").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}
