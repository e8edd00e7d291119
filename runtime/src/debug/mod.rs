//! Looking inside: a list of the goroutines, counted allocations.
//!
//! [`write_goroutines`] lists the goroutines of a program that goes on. `SIGQUIT`, a deadlock and the end by a panic print them with their stacks; the variables of
//! the environment `GOTRACEBACK` and `GODEBUG` say what is printed there. How many there are and what memory they use is told by
//! [`runtime::num_goroutine`](crate::runtime::num_goroutine) and [`runtime::mem_stats`](crate::runtime::mem_stats).

// *Why here.* Floor 8.
//
// *Invariants.* LV1 of `live`, DU1 of `dump`. *Locks.* None.
//
// *Go:* traceback.go, `schedtrace`.

mod alloc;
pub(crate) mod block;
pub(crate) mod dump;
pub(crate) mod frames;
pub(crate) mod handlers;
pub(crate) mod held;
mod live;
pub(crate) mod schedtrace;

pub use self::alloc::CountingAllocator;
pub(crate) use self::alloc::{start_counting, stop_counting};
pub use self::live::write_goroutines;
