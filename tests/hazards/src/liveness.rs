//! Goroutines that are kept on a thread which does not come for them.
//!
//! Why here: keeping is advice, and must not stop anybody.
//!
//! *Invariants*
//! - L1. A program here ends; that is what it shows.
//!
//! *Locks*: a mutex of the standard library, held over a wait.
//!
//! *Go:* none.

pub(crate) fn mutex() -> u64 {
    0
}
pub(crate) fn stale() -> u64 {
    0
}
pub(crate) fn computing() -> u64 {
    0
}
