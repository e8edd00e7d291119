//! A mirror of `std::thread` for goroutines: a program ports by changing its `use` lines.
//!
//! # Examples
//!
//! ```
//! use goruntime::thread;
//!
//! goruntime::run(|| {
//!     let waiting = thread::Builder::new().name("waiting".to_owned()).spawn(|| {
//!         thread::park();
//!         thread::current().name().map(str::to_owned)
//!     }).unwrap();
//!     waiting.thread().unpark();
//!     assert_eq!(waiting.join().unwrap().as_deref(), Some("waiting"));
//! });
//! ```

// *Why here.* Floor 8.
//
// *Invariants.* PE1 of `gmp::permit`.
//
// *Locks.* None.
//
// *Go:* none.

use core::fmt;
use core::num::NonZeroU64;
use std::io;
use std::num::NonZero;
use std::sync::Arc;

use crate::gmp::GPtr;
use crate::proc::park::{check_goexit, note_place};
use crate::proc::{enter, enter_preemptible, goid, permit};
use crate::task::extra;
use crate::time;

pub use crate::runtime::yield_now;
pub use crate::task::{Builder, JoinHandle, LocalKey, Scope, ScopedJoinHandle, scope, spawn};
pub use crate::time::{sleep, sleep_until};
pub use std::thread::{AccessError, Result, panicking};

/// Identifies a goroutine, or a plain thread that uses the runtime, for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ThreadId(NonZeroU64);

/// A handle on a goroutine (or on a plain thread that asked for its own), to unpark or name it.
#[derive(Clone)]
pub struct Thread {
    inner: Arc<Inner>,
}

struct Inner {
    gp: GPtr,
    id: ThreadId,
    name: Option<Arc<str>>,
}

impl Thread {
    /// Makes the handle of another goroutine.
    pub(crate) fn of_goroutine(gp: GPtr, name: Option<Arc<str>>) -> Thread {
        let id = NonZeroU64::new(gp.goid()).unwrap_or(NonZeroU64::MAX);
        Thread { inner: Arc::new(Inner { gp, id: ThreadId(id), name }) }
    }

    /// Gives the goroutine a permit: its current or next [`park`] returns.
    ///
    /// # Blocking
    ///
    /// Never waits.
    pub fn unpark(&self) {
        let inside = enter();
        if self.inner.gp.goid() == self.inner.id.0.get() {
            permit::unpark(self.inner.gp);
        }
        drop(inside);
    }

    /// The unique id.
    pub fn id(&self) -> ThreadId {
        self.inner.id
    }

    /// The name, if one was given.
    pub fn name(&self) -> Option<&str> {
        self.inner.name.as_deref()
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread").field("id", &self.id()).field("name", &self.name()).finish_non_exhaustive()
    }
}

/// The handle of the calling goroutine.
///
/// # Examples
///
/// ```
/// let (a, b) = goruntime::run(|| {
///     let me = goruntime::thread::current().id();
///     (me, goruntime::spawn(|| goruntime::thread::current().id()).join().unwrap())
/// });
/// assert_ne!(a, b);
/// ```
pub fn current() -> Thread {
    extra::with(|extra| {
        let mut slot = extra.thread.borrow_mut();
        if let Some(thread) = slot.as_ref().and_then(|any| any.downcast_ref::<Thread>()) {
            return thread.clone();
        }
        let thread = make_current(extra.name.clone());
        *slot = Some(Box::new(thread.clone()));
        thread
    })
}

fn make_current(name: Option<Arc<str>>) -> Thread {
    let gp = extra::current_g();
    let id = NonZeroU64::new(goid::of_caller(gp)).expect("ids begin at 1");
    let name = name.or_else(|| match gp.goid() {
        1 => Some(Arc::from("main")),
        _ if gp.has(crate::gmp::g::flag::THREAD) => std::thread::current().name().map(Arc::from),
        _ => None,
    });
    Thread { inner: Arc::new(Inner { gp, id: ThreadId(id), name }) }
}

/// Waits until the goroutine has a permit, and takes it; may return without one.
///
/// # Blocking
///
/// Parks until [`Thread::unpark`] is called on this goroutine's handle.
///
/// # Examples
///
/// ```
/// goruntime::run(|| {
///     let sleeper = goruntime::spawn(|| goruntime::thread::park());
///     sleeper.thread().unpark();
///     sleeper.join().unwrap();
/// });
/// ```
#[track_caller]
pub fn park() {
    check_goexit();
    let inside = enter_preemptible();
    note_place(&inside, core::panic::Location::caller());
    permit::park(&inside, None);
}

/// As [`park`], but returns after `duration` at the latest.
#[track_caller]
pub fn park_timeout(duration: time::Duration) {
    check_goexit();
    let until = time::deadline_after(duration);
    let inside = enter_preemptible();
    note_place(&inside, core::panic::Location::caller());
    permit::park(&inside, Some(until));
}

/// How many goroutines can run at once: GOMAXPROCS.
///
/// # Errors
///
/// Never; the signature is std's.
pub fn available_parallelism() -> io::Result<NonZero<usize>> {
    let procs = crate::runtime::gomaxprocs();
    Ok(NonZero::new(procs).unwrap_or(NonZero::<usize>::MIN))
}
