//! Looking inside: goroutine blocks, crash dumps, scheduler traces, counted allocations.
//!
//! *Why here.* Floor 8.
//!
//! *Invariants.* None. *Locks.* None.
//!
//! *Go:* traceback.go, `schedtrace`.

mod alloc;
pub(crate) mod block;
pub(crate) mod dump;
pub(crate) mod frames;
pub(crate) mod handlers;
pub(crate) mod held;
pub(crate) mod schedtrace;

pub use self::alloc::CountingAllocator;
pub(crate) use self::alloc::{start_counting, stop_counting};
