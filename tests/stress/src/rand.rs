//! Random numbers from a seed: the load of a run can be had again.
//!
//! *Why here.* A generator of ten lines is less than a dependency.
//!
//! *Invariants.* None. *Locks.* None. *Go:* none.

use std::time::Duration;

/// A generator (splitmix64); cheap to fork, so that each goroutine has its own.
#[derive(Clone, Debug)]
pub(crate) struct Rand(u64);

impl Rand {
    /// Begins at `seed`.
    pub(crate) fn new(seed: u64) -> Rand {
        Rand(seed)
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A generator that is independent of this one from now on.
    pub(crate) fn fork(&mut self) -> Rand {
        Rand(self.next())
    }

    /// A number in `low..high`.
    pub(crate) fn range(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }

    /// A duration in `low..high` microseconds.
    pub(crate) fn micros(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_micros(self.range(low, high))
    }

    /// One of the items.
    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.range(0, items.len() as u64) as usize]
    }
}
