//! Plain threads whose end a goroutine waits for.
//!
//! *Why here.* See `scenarios`. A `join` of std's blocks the thread of the goroutine. Where goroutines keep their threads (`migrate = false`), those that
//! the plain thread waits for may be tied to that one, and then nobody goes on: so the wait comes first, and parks.
//!
//! *Invariants.* PT1. When the wait is over, the thread has nothing left to do but to end.
//!
//! *Locks.* None. *Go:* none.

use std::thread;

use goruntime::channel::{Receiver, bounded};

/// A plain thread.
pub(super) struct PlainThread<T> {
    handle: thread::JoinHandle<T>,
    ended: Receiver<()>,
}

/// Starts a plain thread.
pub(super) fn start<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> PlainThread<T> {
    let (at_end, ended) = bounded(0);
    let handle = thread::spawn(move || {
        // Dropped in a panic, too.
        let _at_end = at_end;
        work()
    });
    PlainThread { handle, ended }
}

impl<T> PlainThread<T> {
    /// What the thread has returned.
    pub(super) fn join(self) -> thread::Result<T> {
        // Nobody sends: the channel ends.
        _ = self.ended.recv();
        self.handle.join()
    }
}
