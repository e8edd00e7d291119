//! A reactor of tokio's, for crates that insist on one.
//!
//! *Why here.* Floor 8: a thread of tokio's, started when it is first asked for.
//!
//! tokio finds its runtime through a thread-local variable, which a guard sets and resets. A goroutine may change its thread wherever it may park, so the
//! guard lives for one poll, and the goroutine has the thread for itself as long: guards of two goroutines never overlap on a thread.
//!
//! *Invariants.* TO1. Between the making and the drop of a guard the goroutine is wired to its thread, and nobody else runs there.
//!
//! *Locks.* None. *Go:* none.

use core::fmt;
use core::future::{pending, poll_fn};
use core::pin::{Pin, pin};
use core::task::Poll;
use std::sync::OnceLock;
use std::thread;

use ::tokio::runtime::{Builder, EnterGuard, Handle};

use crate::runtime::{lock_os_thread, unlock_os_thread};

/// A handle on a tokio runtime of one thread, which is started with the first call and stays.
///
/// It drives what needs a reactor of tokio's: its sockets, its timers, tasks that are spawned on it. Futures that use those run on goroutines in
/// [`with_tokio`], or on the handle itself by `handle.spawn(..)`. While the thread exists no deadlock is reported, since it might wake somebody.
///
/// # Panics
///
/// If the system has no thread or descriptor for it.
///
/// # Examples
///
/// ```
/// use goruntime::future::{block_on, tokio_handle};
///
/// let task = tokio_handle().spawn(async { 6 * 7 });
/// assert_eq!(goruntime::run(|| block_on(task).unwrap()), 42);
/// ```
pub fn tokio_handle() -> &'static Handle {
    static HANDLE: OnceLock<Handle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build().expect("no descriptors for tokio's reactor");
        let handle = runtime.handle().clone();
        thread::Builder::new()
            .name("tokio".to_owned())
            .spawn(move || runtime.block_on(pending::<()>()))
            .expect("no thread for tokio's reactor");
        handle
    })
}

/// Runs a future that expects to be inside of tokio: its polls, and its end, happen in the context of [`tokio_handle`]'s runtime.
///
/// The future still runs on the goroutine that polls this one; tokio's thread only wakes it. `tokio::spawn` in it starts a task on that thread.
///
/// # Blocking
///
/// A poll has its thread for itself. If it parks in one of this runtime's operations, the thread waits with it.
///
/// # Examples
///
/// ```
/// use goruntime::future::{block_on, with_tokio};
/// use std::time::{Duration, Instant};
///
/// let begin = Instant::now();
/// goruntime::run(|| block_on(with_tokio(async { tokio::time::sleep(Duration::from_millis(2)).await })));
/// assert!(begin.elapsed() >= Duration::from_millis(2));
/// ```
pub async fn with_tokio<F: IntoFuture>(future: F) -> F::Output {
    let future = {
        let _inside = Inside::new();
        future.into_future()
    };
    let slot = pin!(Some(future));
    let mut task = Task(slot);
    poll_fn(|cx| {
        let _inside = Inside::new();
        let polled = task.0.as_mut().as_pin_mut().map_or(Poll::Pending, |future| future.poll(cx));
        if polled.is_ready() {
            task.0.set(None);
        }
        polled
    })
    .await
}

/// The future, which ends in tokio's context, too: some destructors spawn.
struct Task<'a, F>(Pin<&'a mut Option<F>>);

impl<F> Drop for Task<'_, F> {
    fn drop(&mut self) {
        if self.0.is_some() {
            let _inside = Inside::new();
            self.0.set(None);
        }
    }
}

/// Tokio's context (TO1). The guard is dropped first.
struct Inside {
    _guard: EnterGuard<'static>,
    _thread: OwnThread,
}

struct OwnThread;

impl Inside {
    fn new() -> Inside {
        let handle = tokio_handle();
        lock_os_thread();
        let thread = OwnThread;
        Inside { _guard: handle.enter(), _thread: thread }
    }
}

impl Drop for OwnThread {
    fn drop(&mut self) {
        unlock_os_thread();
    }
}

impl fmt::Debug for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Inside { .. }")
    }
}
