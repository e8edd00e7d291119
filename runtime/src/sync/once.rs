//! `Once`: runs something once, and has the others wait for it.
//!
//! *Why here.* Floor 7; `OnceLock` and `LazyLock` stand on it.
//!
//! | state        | meaning                                             | becomes                                           |
//! |--------------|-----------------------------------------------------|---------------------------------------------------|
//! | `INCOMPLETE` | nobody has begun, or who began left by goexit       | `RUNNING`                                         |
//! | `POISONED`   | who ran it has panicked                             | `RUNNING`, by those who do not mind               |
//! | `RUNNING`    | one goroutine runs it                               | `COMPLETE`; `POISONED` by a panic; as it was by a goexit |
//! | `COMPLETE`   | it has been done                                    | stays                                             |
//!
//! *Invariants.* ON1. Only the one who made it `RUNNING` changes the state from there, under the lock, and takes all waiters off the queue; waiters look at
//! the state under the lock before they queue. ON2. Who sees `COMPLETE` sees all that was done.
//!
//! *Locks.* The queue's, rank 1. None while the closure runs.
//!
//! *Go:* once.go. There a panic counts as done; here it poisons, as std's does.

use core::cell::Cell;
use core::fmt;
use core::panic::{Location, RefUnwindSafe, UnwindSafe};

use crate::base::shim::{AtomicU32, Ordering};
use crate::gmp::WaitReason;
use crate::proc::park::{check_goexit, is_goexit_unwinding};
use crate::proc::{enter, enter_preemptible};
use crate::sync::queue::{Queue, Wait, wake_all};

const INCOMPLETE: u32 = 0;
const POISONED: u32 = 1;
const RUNNING: u32 = 2;
const COMPLETE: u32 = 3;

/// Runs something once; see `std::sync::Once`, whose interface it has.
///
/// A closure that panics poisons it. One that ends by `goexit` leaves it as it was, and the next caller begins anew. A closure that calls the same `Once`
/// waits for itself, for good.
///
/// # Examples
///
/// ```
/// use goruntime::sync::Once;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// static START: Once = Once::new();
/// static TIMES: AtomicU32 = AtomicU32::new(0);
///
/// goruntime::scope(|s| {
///     for _ in 0..10 {
///         s.spawn(|| START.call_once(|| _ = TIMES.fetch_add(1, Ordering::Relaxed)));
///     }
/// });
/// assert!(START.is_completed());
/// assert_eq!(TIMES.load(Ordering::Relaxed), 1);
/// ```
pub struct Once {
    state: AtomicU32,
    queue: Queue<()>,
}

/// What `call_once_force` tells its closure.
pub struct OnceState {
    was_poisoned: bool,
    /// Not even a goexit makes it as it was.
    is_spent: Cell<bool>,
}

/// An initial value for statics, from before `Once::new` was `const`.
#[deprecated(note = "the `Once::new()` function is now preferred")]
#[expect(clippy::declare_interior_mutable_const, reason = "std has it so")]
pub const ONCE_INIT: Once = Once::new();

impl UnwindSafe for Once {}
impl RefUnwindSafe for Once {}

impl Once {
    /// Makes one that has not run.
    #[inline]
    pub const fn new() -> Once {
        Once { state: AtomicU32::new(INCOMPLETE), queue: Queue::new(()) }
    }

    /// Runs `f`, unless that or another closure has been run by this `Once`. When it returns, a closure has been run to its end, and what it did is seen.
    ///
    /// # Blocking
    ///
    /// Parks the goroutine (or the plain thread) while another one runs its closure.
    ///
    /// # Panics
    ///
    /// `Once instance has previously been poisoned` if a closure has panicked.
    #[doc(alias = "Do")]
    #[inline]
    #[track_caller]
    pub fn call_once<F: FnOnce()>(&self, f: F) {
        if !self.is_completed() {
            let mut f = Some(f);
            self.call(false, &mut |_| run_taken(&mut f, |f| f()));
        }
    }

    /// As [`Once::call_once`], but runs `f` although a closure has panicked before.
    ///
    /// # Blocking
    ///
    /// As [`Once::call_once`].
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::sync::Once;
    ///
    /// let once = Once::new();
    /// let panics = || once.call_once(|| std::panic::resume_unwind(Box::new("no")));
    /// assert!(std::panic::catch_unwind(panics).is_err());
    /// once.call_once_force(|state| assert!(state.is_poisoned()));
    /// assert!(once.is_completed());
    /// ```
    #[inline]
    #[track_caller]
    pub fn call_once_force<F: FnOnce(&OnceState)>(&self, f: F) {
        if !self.is_completed() {
            let mut f = Some(f);
            self.call(true, &mut |state| run_taken(&mut f, |f| f(state)));
        }
    }

    /// Whether a closure has been run to its end.
    #[inline]
    pub fn is_completed(&self) -> bool {
        // Acquire: pairs with the Release in `finish` (ON2).
        self.state.load(Ordering::Acquire) == COMPLETE
    }

    /// Waits until a closure has been run to its end, by whomever.
    ///
    /// # Blocking
    ///
    /// Parks the goroutine (or the plain thread) until then.
    ///
    /// # Panics
    ///
    /// `Once instance has previously been poisoned` if a closure has panicked or does so meanwhile.
    #[track_caller]
    pub fn wait(&self) {
        if !self.is_completed() {
            self.wait_slow(false);
        }
    }

    /// As [`Once::wait`], but goes on waiting when a closure panics.
    ///
    /// # Blocking
    ///
    /// As [`Once::wait`].
    #[track_caller]
    pub fn wait_force(&self) {
        if !self.is_completed() {
            self.wait_slow(true);
        }
    }

    #[cold]
    #[track_caller]
    fn call(&self, even_poisoned: bool, run: &mut dyn FnMut(&OnceState)) {
        check_goexit();
        loop {
            // Acquire: as in `is_completed`.
            match self.state.load(Ordering::Acquire) {
                COMPLETE => return,
                POISONED if !even_poisoned => poisoned(),
                RUNNING => self.sleep_while(|state| state == RUNNING),
                before => {
                    // Acquire: what a closure did that panicked is seen by the next one.
                    if self.state.compare_exchange(before, RUNNING, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                        let state = OnceState { was_poisoned: before == POISONED, is_spent: Cell::new(false) };
                        let mut ending = Ending { once: self, before, state: &state, is_complete: false };
                        run(&state);
                        ending.is_complete = true;
                        return;
                    }
                }
            }
        }
    }

    #[cold]
    #[track_caller]
    fn wait_slow(&self, even_poisoned: bool) {
        check_goexit();
        loop {
            // Acquire: as in `is_completed`.
            match self.state.load(Ordering::Acquire) {
                COMPLETE => return,
                POISONED if !even_poisoned => poisoned(),
                _ => self.sleep_while(|state| state != COMPLETE && (even_poisoned || state != POISONED)),
            }
        }
    }

    /// Waits for the end of a closure, if the state is one in which the caller `sleeps`.
    #[track_caller]
    fn sleep_while(&self, sleeps: impl Fn(u32) -> bool) {
        let inside = enter_preemptible();
        let locked = self.queue.lock(&inside);
        if sleeps(self.state.load(Ordering::Relaxed)) {
            // It ends with a closure only.
            let _ = locked.wait(&inside, &Wait::new(WaitReason::OnceWait, Location::caller()));
        }
    }

    fn finish(&self, state: u32) {
        let inside = enter();
        let locked = self.queue.lock(&inside);
        // Release: pairs with the Acquire of whoever looks at the state.
        self.state.store(state, Ordering::Release);
        let waiters = locked.dequeue_all();
        drop(locked);
        wake_all(waiters);
    }

    /// Whether it is complete, for the owner.
    pub(super) fn is_completed_mut(&mut self) -> bool {
        *self.state.get_mut() == COMPLETE
    }

    /// Whether a closure has panicked, for the owner.
    pub(super) fn is_poisoned_mut(&mut self) -> bool {
        *self.state.get_mut() == POISONED
    }
}

/// Runs the closure in `slot`, which is called once.
fn run_taken<F>(slot: &mut Option<F>, run: impl FnOnce(F)) {
    if let Some(f) = slot.take() {
        run(f);
    }
}

#[cold]
#[track_caller]
fn poisoned() -> ! {
    panic!("Once instance has previously been poisoned")
}

/// Ends a run, however that happens.
struct Ending<'a> {
    once: &'a Once,
    before: u32,
    state: &'a OnceState,
    is_complete: bool,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let after = if self.is_complete {
            COMPLETE
        } else if !self.state.is_spent.get() && is_goexit_unwinding() {
            self.before
        } else {
            POISONED
        };
        self.once.finish(after);
    }
}

impl OnceState {
    /// Whether a closure has panicked before this one.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.was_poisoned
    }

    /// If the closure does not come to its end, it is poisoned however it leaves.
    pub(super) fn spend(&self) {
        self.is_spent.set(true);
    }
}

impl Default for Once {
    fn default() -> Once {
        Once::new()
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").finish_non_exhaustive()
    }
}

impl fmt::Debug for OnceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceState").field("poisoned", &self.is_poisoned()).finish()
    }
}
