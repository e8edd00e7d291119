//! Interrupting the thread that sleeps in the poller.
//!
//! *Why here.* Floor 4: one word. What makes a thread return is in its note; the gate says only whether it needs a kick to look at it.
//!
//! The sleeper: announce itself, StoreLoad, look at its note, sleep. A waker: wake the note, StoreLoad, look for a sleeper, kick. One of the two
//! sees the other. A kick takes the announcement away, so that of many wakers one kicks.
//!
//! *Invariants.* GA1. One thread at a time is between `announce` and `leave`: the one that holds the poller. GA2. A kick that comes too late ends
//! the next sleep, whose thread looks around and sleeps again.
//!
//! *Locks.* None; `announce` and `leave` are under the poller's. *Go:* `netpollWakeSig`.

use crate::base::shim::{AtomicU32, Ordering, fence};

/// Whether a thread sleeps, or is about to.
#[derive(Debug)]
pub(crate) struct Gate(AtomicU32);

impl Gate {
    /// Nobody sleeps.
    pub(crate) const fn new() -> Gate {
        Gate(AtomicU32::new(0))
    }

    /// Before the last look at what would keep the thread awake.
    pub(crate) fn announce(&self) {
        self.0.store(1, Ordering::Relaxed);
        // SeqCst: the StoreLoad of the sleeper; pairs with the fence in `claim_kick`.
        fence(Ordering::SeqCst);
    }

    /// After the sleep.
    pub(crate) fn leave(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// After something that the sleeper has to see: true if the caller is the one that must kick it.
    #[must_use]
    pub(crate) fn claim_kick(&self) -> bool {
        // SeqCst: the StoreLoad of the waker; pairs with the fence in `announce`.
        fence(Ordering::SeqCst);
        self.0.load(Ordering::Relaxed) != 0 && self.0.swap(0, Ordering::Relaxed) != 0
    }
}
