//! What do the workloads of all peers share? Sizes, the hog's loop, the ticker's count, the parked count.
//!
//! Go's peer repeats these in `peers/go`; a change here is a change there.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::outcome::{Outcome, as_millis, resident_kib};

/// Tasks spawned before each wait in `spawn_join` and `spawn_wg`.
pub const BATCH: u64 = 1000;
/// Tasks of `yield1000`.
pub const YIELDERS: u64 = 1000;
/// Stages of `ring_unbuf`.
pub const STAGES: u64 = 1000;
/// Capacity of the buffered channels.
pub const CAPACITY: usize = 128;
/// Producers and consumers of `chan_buf4x4`.
pub const SIDES: u64 = 4;
/// Tasks of `mutex` and `rwlock`.
pub const LOCKERS: u64 = 8;
/// Of so many locks of `rwlock` one is for writing.
pub const WRITE_EVERY: u64 = 100;
/// Sleeps of each task of `blocking` and `timers_1ms`.
pub const SLEEPS: u32 = 10;
/// One sleep of `blocking`.
pub const BLOCK: Duration = Duration::from_millis(10);
/// Period of the ticker of `hog`.
pub const PERIOD: Duration = Duration::from_millis(10);
/// What a connection of `tcp_echo` is read into.
pub const ECHO_BUFFER: usize = 512;
/// What `http_keepalive` is answered with, as `text/plain`.
pub const HTTP_BODY: &str = "Hello, World!";
/// Children of an inner node of `skynet`.
pub const FANOUT: u64 = 10;

/// How long task `id` of `timers_rand` sleeps: 1 to 1000 ms, the same in every peer and run.
pub fn random_millis(id: u64) -> Duration {
    let mixed = (id + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    Duration::from_millis(1 + (mixed >> 32) % 1000)
}

/// Largest power of ten that is not above `ops`: the leaves of `skynet`.
pub fn leaves(ops: u64) -> u64 {
    10_u64.pow(ops.max(10).ilog10())
}

/// Sum of `0..leaves`, which `skynet` has to find.
pub fn check_skynet(sum: u64, leaves: u64) {
    assert_eq!(sum, leaves * (leaves - 1) / 2, "skynet lost a leaf");
}

/// Computes without a call that could yield, park or block, until `end`.
pub fn hog(end: Instant) {
    let mut x = 1_u64;
    while Instant::now() < end {
        for _ in 0..1000 {
            x = black_box(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
    }
}

/// The ticker of `hog`: due every [`PERIOD`], and a tick that comes too late for the next one skips it.
#[derive(Debug)]
pub struct Ticker {
    start: Instant,
    end: Instant,
    last: Instant,
    longest_gap: Duration,
    count: u64,
}

impl Ticker {
    /// A ticker that runs for `millis` from now.
    pub fn new(millis: u64) -> Self {
        let start = Instant::now();
        let end = start + Duration::from_millis(millis);
        Self { start, end, last: start, longest_gap: Duration::ZERO, count: 0 }
    }

    /// When the ticker and the hogs stop.
    pub fn end(&self) -> Instant {
        self.end
    }

    /// How long to sleep until the next tick; nothing when no tick is left.
    pub fn until_next(&self) -> Option<Duration> {
        let now = Instant::now();
        let passed = now.duration_since(self.start).as_nanos() / PERIOD.as_nanos();
        let due = self.start + PERIOD * (passed as u32 + 1);
        (due < self.end).then(|| due - now)
    }

    /// Counts the tick that has just come.
    pub fn tick(&mut self) {
        let now = Instant::now();
        self.longest_gap = self.longest_gap.max(now - self.last);
        self.last = now;
        self.count += u64::from(now < self.end);
    }

    /// Ticks for every 200 that were due, and the longest gap between two, or to the end.
    pub fn outcome(self) -> Outcome {
        let due = (self.end - self.start).as_secs_f64() / PERIOD.as_secs_f64();
        let ticks = self.count as f64 * 200.0 / due;
        let to_the_end = self.end.saturating_duration_since(self.last);
        let longest_gap = self.longest_gap.max(to_the_end);
        Outcome::new(ticks.round()).with("gap_ms", as_millis(longest_gap))
    }
}

/// The measurement of `mem_parked`: resident memory and page tables before and after.
#[derive(Debug)]
pub struct Parked {
    before_kib: u64,
    start: Instant,
}

/// Tasks of `mem_parked` and `mem_queued` that have begun to run.
pub static ARRIVED: AtomicU64 = AtomicU64::new(0);

impl Parked {
    /// Takes the first reading.
    pub fn begin() -> Self {
        Self { before_kib: resident_kib(), start: Instant::now() }
    }

    /// Whether all `tasks` have arrived; the last thing each does before it parks is to count itself.
    pub fn all_arrived(tasks: u64) -> bool {
        ARRIVED.load(Relaxed) == tasks
    }

    /// Takes the second reading: bytes per task, and the time from the first one.
    pub fn end(self, tasks: u64) -> Outcome {
        let spawn_ms = as_millis(self.start.elapsed());
        let grown = resident_kib().saturating_sub(self.before_kib);
        let bytes = grown as f64 * 1024.0 / tasks as f64;
        Outcome::new(bytes).with("spawn_ms", spawn_ms).with("tasks", tasks as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_is_the_power_of_ten_below() {
        assert_eq!([leaves(1), leaves(99), leaves(100), leaves(1_000_000)], [10, 10, 100, 1_000_000]);
    }

    #[test]
    fn random_millis_covers_its_range() {
        let sleeps: Vec<_> = (0..100_000).map(|id| random_millis(id).as_millis()).collect();
        assert_eq!((sleeps.iter().min(), sleeps.iter().max()), (Some(&1), Some(&1000)));
    }
}
