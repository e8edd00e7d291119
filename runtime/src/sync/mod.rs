//! Locks and counters that park the goroutine, not the thread: the interface of `std::sync`, and Go's `WaitGroup`.
//!
//! Everything here works on goroutines and on plain threads alike. What never waits is std's own: `Arc`, `atomic`.

// *Why here.* Floor 7: what blocks a goroutine. `sudog` and `spin` are shared with the channels.
//
// *Invariants.* SP1-SP3, SU1-SU4, WG1, WG2, MU1-MU4 in those files. *Locks.* See each file. *Go:* package sync.

mod mutex;
mod wait_group;

pub(crate) mod spin;
pub(crate) mod sudog;

pub use std::sync::{Arc, LockResult, PoisonError, TryLockError, TryLockResult, Weak, atomic};

pub use self::mutex::{Mutex, MutexGuard};
pub use self::wait_group::WaitGroup;
