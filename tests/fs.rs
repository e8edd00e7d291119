//! What files promise: std's behaviour, and that nobody starves beside them.
//!
//! Why here: from outside, on a temporary directory.
//!
//! *Invariants*
//! - F1. T1 and T2 of `common/procs`: one test at a time, so that descriptors and goroutines can be counted.
//!
//! *Locks*: none.
//!
//! *Go:* os_test.go, fifo_test.go, timeout_test.go.

#[path = "fs/blocking.rs"]
mod blocking;
#[path = "fs/files.rs"]
mod files;
#[path = "fs/locks.rs"]
mod locks;
#[path = "common/open.rs"]
mod open;
#[path = "common/procs.rs"]
mod procs;
#[path = "fs/same.rs"]
mod same;
