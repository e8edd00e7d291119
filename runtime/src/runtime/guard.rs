//! What the affinity guard has seen and done, in numbers.
//!
//! *Why here.* Floor 8: the public face of `proc::keep`.
//!
//! *Invariants.* None. *Locks.* None.
//!
//! *Go:* none.

use crate::gmp::affinity::Why;
use crate::proc::{enter, keep};

/// Goroutines by what they were seen to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GuardReasons {
    /// A reference into the thread-local storage of their thread.
    pub references: u64,
    /// A handle that the thread-local storage of their thread has as well, as a random number generator is.
    pub handles: u64,
    /// The lock of standard output or standard error.
    pub std_locks: u64,
}

impl GuardReasons {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.references + self.handles + self.std_locks
    }

    fn from_table(counts: [u64; Why::COUNT]) -> GuardReasons {
        GuardReasons {
            references: counts[Why::Reference.index()],
            handles: counts[Why::Handle.index()],
            std_locks: counts[Why::StdLock.index()],
        }
    }
}

/// What the affinity guard has seen and done since the start: see [`guard_stats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GuardStats {
    /// How often a goroutine went on on another thread than before without being pinned, locked or kept.
    pub migrations: u64,
    /// Stacks that were looked at.
    pub scans: u64,
    /// Words of them.
    pub words: u64,
    /// How often a goroutine was sent back to its thread.
    pub kept: GuardReasons,
    /// How often one of those went on elsewhere all the same, because its thread had not taken it within 10 to 20 ms.
    pub moved_anyway: GuardReasons,
}

/// Reads the counters of the affinity guard, which looks for thread-local state on the stack of a goroutine that is about to change threads.
///
/// The threads count without waiting for each other, so that the numbers are of slightly different moments.
///
/// # Examples
///
/// ```
/// let before = goruntime::runtime::guard_stats();
/// goruntime::run(goruntime::runtime::yield_now);
/// assert!(goruntime::runtime::guard_stats().migrations >= before.migrations);
/// ```
pub fn guard_stats() -> GuardStats {
    drop(enter());
    let totals = keep::totals();
    GuardStats {
        migrations: totals.migrations,
        scans: totals.scans,
        words: totals.words,
        kept: GuardReasons::from_table(totals.kept),
        moved_anyway: GuardReasons::from_table(totals.moved),
    }
}
