//! The word on which one goroutine waits to be told to look again.
//!
//! *Why here.* Floor 3: one atomic word with total transitions. `thread::park` has one in every G (`proc::permit`), every wait for a future one
//! of its own (`proc::waker`).
//!
//! | word       | meaning                                  |
//! |------------|------------------------------------------|
//! | `EMPTY`    | no permit, nobody parked                 |
//! | `PARKED`   | the goroutine waits for a permit         |
//! | `NOTIFIED` | a permit is there                        |
//!
//! *Invariants.* PE1. Out of PARKED the word changes by one read-modify-write, whose maker readies the goroutine; nobody else does. PE2. Only the
//! goroutine changes EMPTY to PARKED, as the last step of its park, and takes permits.
//!
//! *Locks.* None. *Go:* no counterpart; `std::thread::park`'s protocol.

use crate::base::shim::{AtomicU32, Ordering};

const EMPTY: u32 = 0;
const PARKED: u32 = 1;
const NOTIFIED: u32 = 2;

/// The word. All-zero memory is an empty one.
#[derive(Debug)]
pub(crate) struct Permit(AtomicU32);

impl Permit {
    /// An empty one.
    #[allow(dead_code, reason = "in a G it is all-zero memory")]
    pub(crate) fn new() -> Permit {
        Permit(AtomicU32::new(EMPTY))
    }

    /// Takes the permit, if one is there. Nobody is parked.
    #[must_use]
    pub(crate) fn take(&self) -> bool {
        // Acquire: pairs with the Release in `give`.
        self.0.compare_exchange(NOTIFIED, EMPTY, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// The last step of the park. False: a permit has come, and the goroutine goes on.
    #[must_use]
    pub(crate) fn commit(&self) -> bool {
        // AcqRel: pairs with the swap in `give`: who changes PARKED sees all that was done before the park.
        self.0.compare_exchange(EMPTY, PARKED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// After the park, or after one that was not committed: the permit is taken.
    pub(crate) fn finish(&self) {
        // Acquire: as in `take`.
        self.0.swap(EMPTY, Ordering::Acquire);
    }

    /// Makes the permit available. True: the goroutine is parked, and the caller's to ready (PE1).
    #[must_use]
    pub(crate) fn give(&self) -> bool {
        // AcqRel: Release gives what happened before to the parked one; Acquire orders the ready after its park.
        self.0.swap(NOTIFIED, Ordering::AcqRel) == PARKED
    }

    /// Forgets a permit that was meant for an earlier life. Nobody waits.
    pub(crate) fn clear(&self) {
        if self.0.load(Ordering::Relaxed) != EMPTY {
            self.0.store(EMPTY, Ordering::Relaxed);
        }
    }
}
