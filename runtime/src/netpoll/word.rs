//! Where the one goroutine that waits for a side of a socket meets the edges that the poller sees.
//!
//! *Why here.* Floor 4: one atomic word with total transitions. What is waited for, and for how long, is `netpoll::polldesc`.
//!
//! | word    | meaning                                                     | who may change it                            |
//! |---------|-------------------------------------------------------------|----------------------------------------------|
//! | `NIL`   | nobody waits, no edge since the last reset                   | an edge: READY; the waiter: WAIT             |
//! | `READY` | an edge has come                                            | the waiter: NIL                              |
//! | `WAIT`  | the waiter is about to park                                  | an edge: READY; an end: NIL; the park: the G  |
//! | a G     | it is parked                                                | an edge: READY; an end: NIL; who does readies |
//!
//! *Invariants.* WD1. One goroutine at a time resets, prepares, commits and finishes: the one that has the turn of this side. WD2. Every edge
//! is a read-modify-write, also one that finds READY: so the goroutine that takes READY away sees what every merged edge announced. WD3. Out of
//! a G the word changes by one compare-exchange, whose maker readies it.
//!
//! *Locks.* None. *Go:* `rg`, `wg` of `pollDesc`; `netpollblock`, `netpollunblock`.

use core::ptr::{NonNull, null_mut, without_provenance_mut};

use crate::base::shim::{AtomicPtr, Ordering};

const NIL: *mut () = null_mut();
const READY: *mut () = without_provenance_mut(1);
const WAIT: *mut () = without_provenance_mut(2);

/// The word of one side.
#[derive(Debug)]
pub(crate) struct Word(AtomicPtr<()>);

/// What the waiter found when it announced itself.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prepared {
    /// An edge has come; it is taken. Try again.
    Ready,
    /// Announced: park.
    Wait,
    /// Another goroutine waits: WD1 is broken.
    Busy,
}

impl Word {
    /// A word of which nobody knows; the same as all-zero memory.
    #[allow(dead_code, reason = "the models make one; in a descriptor it is all-zero memory")]
    pub(crate) fn new() -> Word {
        Word(AtomicPtr::new(NIL))
    }

    /// Before an operation is tried: forgets an edge that came before it, which the operation will see for itself.
    #[inline(always)]
    pub(crate) fn reset(&self) {
        // Relaxed: an edge that is overlooked here costs one more try.
        if self.0.load(Ordering::Relaxed) == READY {
            // Acquire: pairs with the Release in `unblock` (WD2).
            self.0.swap(NIL, Ordering::Acquire);
        }
    }

    /// Announces that the caller is about to park.
    pub(crate) fn prepare(&self) -> Prepared {
        loop {
            match self.0.compare_exchange(NIL, WAIT, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Prepared::Wait,
                Err(READY) => {
                    // Acquire: as in `reset`.
                    if self.0.compare_exchange(READY, NIL, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                        return Prepared::Ready;
                    }
                }
                Err(_) => return Prepared::Busy,
            }
        }
    }

    /// The last step of the park. False: something has come since `prepare`, and the caller goes on.
    #[must_use]
    pub(crate) fn commit(&self, gp: NonNull<()>) -> bool {
        // Release: pairs with the Acquire in `unblock`: who finds the goroutine finds it parked.
        self.0.compare_exchange(WAIT, gp.as_ptr(), Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// After the park, or after one that was not committed: true if it ended with an edge.
    pub(crate) fn finish(&self) -> bool {
        // Acquire: as in `reset`.
        self.0.swap(NIL, Ordering::Acquire) == READY
    }

    /// Ends the wait: with an edge, or, if not `ready`, because of a close or a deadline. The goroutine that is returned is the caller's to ready.
    pub(crate) fn unblock(&self, ready: bool) -> Option<NonNull<()>> {
        loop {
            let seen = self.0.load(Ordering::Relaxed);
            let after = match seen {
                NIL | READY if !ready => return None,
                _ if ready => READY,
                _ => NIL,
            };
            // AcqRel: Release gives the edge to the Acquires of the waiter, Acquire pairs with the Release in `commit`.
            if self.0.compare_exchange(seen, after, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return NonNull::new(seen).filter(|_| seen != READY && seen != WAIT);
            }
        }
    }

    /// Makes the word that of a new descriptor. Nobody waits.
    pub(crate) fn clear(&self) {
        self.0.store(NIL, Ordering::Relaxed);
    }
}
