//! Locks and counters that park the goroutine, not the thread: the interface of `std::sync`, and Go's `WaitGroup` and `Pool`.
//!
//! A program that was written for `std::sync` needs another `use` line: names, signatures, error types, poisoning and auto traits are std's. What never
//! waits is std's own: `Arc`, `atomic`.
//!
//! Everything works on goroutines and on plain threads alike, and on both at once. A goroutine may be moved to another thread while it holds a guard, which
//! is all the same to the locks; guards are not `Send` nonetheless, as in std, so that a lock is given back by who has taken it.
//!
//! A goroutine that ends by `goexit` while it holds a lock unlocks it without poisoning: nothing has failed.
//!
//! # Examples
//!
//! ```
//! use goruntime::sync::{Arc, Mutex, WaitGroup};
//!
//! goruntime::run(|| {
//!     let (sum, group) = (Arc::new(Mutex::new(0)), WaitGroup::new());
//!     for number in 1..=10 {
//!         let sum = Arc::clone(&sum);
//!         group.go(move || *sum.lock().unwrap() += number);
//!     }
//!     group.wait();
//!     assert_eq!(*sum.lock().unwrap(), 55);
//! });
//! ```

// *Why here.* Floor 7: what blocks a goroutine. `sudog` and `spin` are shared with the channels; `queue` is `spin` and `sudog` behind an interface
// without unsafe code, in which all primitives wait but the channels.
//
// *Invariants.* SP1-SP3, SU1-SU5, CA1-CA4, QU1-QU4, SA1, WG1-WG3, MU1-MU5, RW1-RW3, RX1, RX2, RE1, RE2, RC1, RC2, RL1, RL2, CV1-CV3, BA1, ON1, ON2, OL1, LL1, LL2, PM1, PM2,
// SM1, PL1, PL2, PS1-PS3 in those files. *Locks.* See each file. *Go:* package sync.

mod barrier;
mod condvar;
mod lazy_lock;
mod mutex;
mod once;
mod once_lock;
mod permits;
mod poison;
mod pool;
mod raw_mutex;
mod raw_rwlock;
mod readers;
mod rw_word;
mod rwlock;
mod sema;
mod semaphore;
mod wait_group;

pub(crate) mod cancel;
pub(crate) mod pool_sweep;
pub(crate) mod queue;
#[allow(dead_code, reason = "the handles of standard output, which are under such locks, are for Unix only")]
pub(crate) mod reentrant;
pub(crate) mod spin;
pub(crate) mod sudog;

pub use std::sync::{Arc, LockResult, PoisonError, TryLockError, TryLockResult, Weak, atomic};

pub mod mpsc;

pub use self::barrier::{Barrier, BarrierWaitResult};
pub use self::condvar::{Condvar, WaitTimeoutResult};
pub use self::lazy_lock::LazyLock;
pub use self::mutex::{Mutex, MutexGuard};
#[allow(deprecated, reason = "a re-export, as std has it")]
pub use self::once::ONCE_INIT;
pub use self::once::{Once, OnceState};
pub use self::once_lock::OnceLock;
pub use self::pool::Pool;
pub use self::rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use self::semaphore::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
pub use self::wait_group::WaitGroup;
