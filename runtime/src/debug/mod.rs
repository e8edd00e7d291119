//! Looking inside: goroutine blocks, crash dumps, scheduler traces.
//!
//! *Why here.* Floor 8.
//!
//! *Invariants.* None. *Locks.* None.
//!
//! *Go:* traceback.go, `schedtrace`.

pub(crate) mod block;
pub(crate) mod dump;
pub(crate) mod frames;
pub(crate) mod quit;
pub(crate) mod schedtrace;
