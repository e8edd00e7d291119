//! The network poller: from the readiness of sockets to the goroutines that wait for it.
//!
//! *Why here.* Floor 4: it returns lists of goroutines and never calls the scheduler; `proc::netwait` readies them.
//!
//! A backend exports the same names:
//!
//! * `is_open()`: whether there is a poller. It is made when the first socket has to wait, so that a program without sockets does not have one.
//! * `open()`: makes it; true if it was this call.
//! * `register(fd, desc)`, `deregister(fd)`: one registration a socket, for both sides, edge-triggered. What is ready already is an edge.
//! * `poll()`: takes the edges that have come, without waiting. None if another thread is at it, or sleeps in it.
//! * `sleep(until, stay)`: the same, but if there are none, sleeps until there are, until a time, or until `interrupt`; not at all if `stay` says
//!   no after the thread has announced itself. One thread at a time.
//! * `interrupt()`: ends the sleep of the thread in `sleep`, if one is there.
//! * `last_poll()`: when edges were last taken, ns; `i64::MAX` while a thread sleeps in it.
//!
//! *Invariants.* NP1. `WAITERS` counts the goroutines and plain threads that are parked for a socket, from before they can be found until after
//! they are queued: while it is not 0 somebody has to look (`findrunnable`), and there is no deadlock. NP2. An event whose tag is not its
//! descriptor's does nothing.
//!
//! *Locks.* The poller's own, held while a thread sleeps in it, and taken by `try_lock` otherwise; the descriptors'.
//!
//! *Go:* netpoll.go, netpoll_epoll.go.

pub(crate) mod edges;
pub(crate) mod gate;
pub(crate) mod polldesc;
pub(crate) mod table;
pub(crate) mod word;

#[cfg(unix)]
mod poller;
#[cfg(unix)]
pub(crate) use poller::*;

/// What a socket is watched for. Urgent data ends a read before the rest of what has come, so where short reads are taken for the last it is
/// to be known.
#[cfg(target_os = "linux")]
fn interests() -> mio::Interest {
    mio::Interest::READABLE | mio::Interest::WRITABLE | mio::Interest::PRIORITY
}
#[cfg(all(unix, not(target_os = "linux")))]
fn interests() -> mio::Interest {
    mio::Interest::READABLE | mio::Interest::WRITABLE
}

/// Whether a read from a TCP connection that fills less than the buffer has taken all there was, unless `PollDesc::is_irregular`, and whatever
/// comes then is an edge.
pub(crate) const SHORT_READS_TELL: bool = cfg!(target_os = "linux");

#[cfg(not(unix))]
mod none;
#[cfg(not(unix))]
pub(crate) use none::*;

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::gmp::GList;

/// Goroutines in the lower half, plain threads in the upper: one word, so that a look never sees a change half done.
static WAITERS: AtomicU64 = AtomicU64::new(0);
const THREAD: u64 = 1 << 32;

/// Whether this process is a forked child, whose poller is its parent's: registrations belong to open sockets, and ending one here would end
/// the parent's.
static FORKED: AtomicBool = AtomicBool::new(false);

/// This process is a forked child from now on.
pub(crate) fn mark_forked_child() {
    FORKED.store(true, Ordering::Relaxed);
}

/// Whether it is one. Its only thread is the one that has forked, and locks may be held by those that it does not have.
#[inline(always)]
pub(crate) fn is_forked_child() -> bool {
    FORKED.load(Ordering::Relaxed)
}

/// Whether anybody waits for a socket (NP1).
#[inline(always)]
pub(crate) fn has_waiters() -> bool {
    // Relaxed: whoever must not miss one looks with `has_waiters_before_sleep`.
    WAITERS.load(Ordering::Relaxed) != 0
}

/// The same for an M that has just given up its P and is about to sleep.
pub(crate) fn has_waiters_before_sleep() -> bool {
    // SeqCst: after the M's P was put on the idle list; pairs with the fence in `netwait::have_watched`: either this sees the plain thread that
    // waits, or that sees the idle P and wakes an M.
    WAITERS.load(Ordering::SeqCst) != 0
}

/// Whether any goroutine waits for a socket. Plain threads are known to deadlock detection as strangers.
pub(crate) fn has_waiting_goroutines() -> bool {
    WAITERS.load(Ordering::Relaxed) as u32 != 0
}

/// One more waits.
pub(crate) fn add_waiter(is_thread: bool) {
    WAITERS.fetch_add(if is_thread { THREAD } else { 1 }, Ordering::Relaxed);
}

/// So many goroutines and plain threads wait no longer.
pub(crate) fn remove_waiters(goroutines: usize, threads: usize) {
    WAITERS.fetch_sub(goroutines as u64 + threads as u64 * THREAD, Ordering::Relaxed);
}

/// Goroutines whose wait has ended, still counted among the waiters (NP1).
#[must_use]
#[derive(Debug, Default)]
pub(crate) struct Readied(pub(crate) GList);
