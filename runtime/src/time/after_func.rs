//! `after_func`: a function that is called later, in a goroutine of its own.
//!
//! *Why here.* Floor 8: it starts goroutines.
//!
//! What waits is a goroutine that was prepared and not started: a G with the closure in its slot and its timer in a heap. It has no stack, is not counted,
//! and is in no dump. When the time comes the timer's callback queues it; a stop takes it back.
//!
//! *Invariants.* AF1. `prepared` is the latest goroutine, while it has not begun to call the function: waiting for its time, or queued. It clears
//! `prepared` before anything else, so until then its G is not recycled, and its timer may be cancelled. AF2. A goroutine whose timer
//! could be cancelled has not been queued and never will be.
//!
//! *Locks.* `lock`, rank 1, protects `prepared`; timers are armed and cancelled under it. `function` is held while the function runs.
//!
//! *Go:* `time.AfterFunc`, `goFunc`.

use core::any::type_name;
use core::cell::Cell;
use core::fmt;
use core::panic::Location;
use core::ptr::null_mut;

use crate::gmp::GPtr;
use crate::gmp::join_word::NO_HANDLE;
use crate::proc::newproc::{self, Spec};
use crate::proc::{Entered, boot, enter, timer};
use crate::sync::spin::SpinLock;
use crate::sync::{Arc, Mutex, PoisonError, sudog};
use crate::task::finish::entry_go;
use crate::task::slot;
use crate::time::Duration;

/// The handle of a function that is called later; see [`after_func`].
///
/// Dropping it changes nothing: the function is called when its time comes. What was stopped is freed with the handle.
pub struct AfterFunc {
    shared: Arc<Shared>,
}

struct Shared {
    lock: SpinLock,
    /// AF1.
    prepared: Cell<Option<GPtr>>,
    function: Mutex<Box<dyn FnMut() + Send>>,
    creator: fn() -> &'static str,
    created_at: &'static Location<'static>,
}

// SAFETY: what moves is the function, which is Send, and the handle of a goroutine.
unsafe impl Send for Shared {}
// SAFETY: the function is behind a mutex; `prepared` is touched under `lock`.
unsafe impl Sync for Shared {}

/// Calls `f` in `duration` from now, in a goroutine of its own.
///
/// [`AfterFunc::reset`] may have it called again. The calls of one `after_func` follow each other: one that is due while another still runs waits for
/// it. A panic of `f` ends the program, as with [`go`](crate::go()).
///
/// # Blocking
///
/// Never waits.
///
/// # Examples
///
/// ```
/// use goruntime::time::{Duration, after_func};
///
/// goruntime::run(|| {
///     let (tx, rx) = goruntime::channel::bounded(1);
///     after_func(Duration::from_millis(1), move || tx.send("later").unwrap());
///     assert_eq!(rx.recv(), Ok("later"));
///
///     let never = after_func(Duration::from_secs(3600), || unreachable!());
///     assert!(never.stop());
/// });
/// ```
#[doc(alias = "AfterFunc")]
#[track_caller]
pub fn after_func<F>(duration: Duration, f: F) -> AfterFunc
where
    F: FnMut() + Send + 'static,
{
    let shared = Arc::new(Shared {
        lock: SpinLock::new(),
        prepared: Cell::new(None),
        function: Mutex::new(Box::new(f)),
        creator: type_name::<F>,
        created_at: Location::caller(),
    });
    Shared::reset(&shared, duration);
    AfterFunc { shared }
}

impl AfterFunc {
    /// Keeps the function from being called. True if that was still possible; false if it was called (or stopped) before. Does not wait for a call
    /// that has begun.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::time::{Duration, after_func};
    ///
    /// let handle = after_func(Duration::from_secs(3600), || unreachable!());
    /// assert_eq!((handle.stop(), handle.stop()), (true, false));
    /// ```
    #[doc(alias = "Stop")]
    pub fn stop(&self) -> bool {
        self.shared.stop()
    }

    /// Has the function called in `duration` from now. True if that replaces a call that was still to come; false if it is one more.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::time::{Duration, after_func};
    ///
    /// goruntime::run(|| {
    ///     let (tx, rx) = goruntime::channel::bounded(1);
    ///     let handle = after_func(Duration::from_secs(3600), move || tx.send(()).unwrap());
    ///     assert!(handle.reset(Duration::ZERO));
    ///     assert_eq!(rx.recv(), Ok(()));
    ///     assert!(!handle.reset(Duration::ZERO));
    ///     assert_eq!(rx.recv(), Ok(()));
    /// });
    /// ```
    #[doc(alias = "Reset")]
    pub fn reset(&self, duration: Duration) -> bool {
        Shared::reset(&self.shared, duration)
    }
}

/// The closure of a prepared goroutine.
fn call(shared: Arc<Shared>) -> impl FnOnce() + Send {
    move || shared.call()
}

/// The entry of a goroutine with such a closure.
fn entry_of<F: FnOnce()>(_: fn(Arc<Shared>) -> F) -> unsafe fn(GPtr) {
    entry_go::<F>
}

/// What takes such a closure out of its words.
fn taker_of<F>(_: fn(Arc<Shared>) -> F) -> unsafe fn(*mut slot::Slot) -> F {
    slot::take::<F>
}

impl Shared {
    /// In the goroutine.
    fn call(&self) {
        let inside = enter();
        let me = inside.g();
        self.lock.lock();
        if self.prepared.get() == Some(me) {
            self.prepared.set(None);
        }
        // SAFETY: locked above.
        unsafe { SpinLock::unlock(&raw const self.lock) };
        drop(inside);
        let mut function = self.function.lock().unwrap_or_else(PoisonError::into_inner);
        (*function)();
    }

    fn stop(&self) -> bool {
        let inside = enter();
        self.lock.lock();
        let gp = self.take_back();
        // SAFETY: locked above.
        unsafe { SpinLock::unlock(&raw const self.lock) };
        discard(inside, gp)
    }

    fn reset(this: &Arc<Shared>, duration: Duration) -> bool {
        let when = sudog::deadline(duration).unwrap_or(i64::MAX);
        let words = slot::pack(call(Arc::clone(this)));
        let spec = Spec {
            entry: entry_of(call),
            flags: 0,
            join: NO_HANDLE,
            stack_class: boot::default_stack_class(),
            extra: null_mut(),
            creator: this.creator,
            created_at: this.created_at,
        };
        let inside = enter();
        // SAFETY: the words are what the entry takes.
        let next = unsafe { newproc::prepare(&inside, &spec, &words) };
        this.lock.lock();
        let gp = this.take_back();
        this.prepared.set(Some(next));
        timer::arm(&inside, &next.timer, when, timer::launch_prepared);
        // SAFETY: locked above.
        unsafe { SpinLock::unlock(&raw const this.lock) };
        discard(inside, gp)
    }

    /// Under the lock: the goroutine that will not start any more, if that was still possible (AF2).
    fn take_back(&self) -> Option<GPtr> {
        let gp = self.prepared.get().filter(|gp| gp.timer.cancel())?;
        self.prepared.set(None);
        Some(gp)
    }
}

/// Frees what was taken back; whether there was anything.
fn discard(inside: Entered, gp: Option<GPtr>) -> bool {
    let words = gp.map(|gp| newproc::discard(&inside, gp));
    drop(inside);
    let was_waiting = words.is_some();
    if let Some(mut words) = words {
        // SAFETY: the words are those of `reset`, and their goroutine never ran (AF2). Dropped outside of the runtime.
        drop(unsafe { taker_of(call)(&raw mut words) });
    }
    was_waiting
}

impl fmt::Debug for AfterFunc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AfterFunc").finish_non_exhaustive()
    }
}
