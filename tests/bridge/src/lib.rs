//! What the tests of this package share: waiting with an end.
//!
//! Why here: the crates that the tests need are not those of the main workspace, whose tests are to be built quickly.
//!
//! *Invariants*
//! - B1. No test waits for longer than [`LIMIT`].
//!
//! *Locks*: none.
//!
//! *Go:* none.

use std::time::Duration;

use goruntime::time::timeout;

/// After this long a test hangs.
pub const LIMIT: Duration = Duration::from_secs(120);

/// Runs a goroutine and waits for its value.
///
/// # Panics
///
/// If it hangs.
pub fn run<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    goruntime::run(|| timeout(LIMIT, |_| f()).expect("the test hangs"))
}
