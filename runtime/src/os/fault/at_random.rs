//! Failures at random, for programs that are built with the feature `faults`.
//!
//! **What.** `GODEBUG=faults=SEED:ONE_IN_N:KINDS` lets one of so many calls of these kinds fail. Most failures are of one call; some begin a
//! shortage, in which the calls that follow fail, too: more of them than anybody tries again.
//!
//! **Why here.** Beside the question that it answers.
//!
//! **Invariants.**
//! - FY1. The fate of a call follows from the seed, from what is asked for and from how many times that was asked for before: the n-th thread of a
//!   program is made or not, whoever asks for it. Which goroutine meets that depends on the schedule.
//!
//! **Locks.** None.
//!
//! **Go:** none.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::Fault;

/// How many calls a failure is good for, if it is not one of the longest shortages: half of the failures are single ones.
const LENGTHS: [u64; 3] = [1, 1, 4];

static SEED: AtomicU64 = AtomicU64::new(0);
/// One of so many calls begins a failure; 0 for none.
static ONE_IN: AtomicU64 = AtomicU64::new(0);
static KINDS: AtomicU32 = AtomicU32::new(0);
/// Questions so far.
static CALLS: [AtomicU64; Fault::COUNT] = [const { AtomicU64::new(0) }; Fault::COUNT];
static INJECTED: AtomicU64 = AtomicU64::new(0);

/// Takes the order, before the first question; `kinds` has a bit for each of `FAULT_KINDS`.
pub(crate) fn order_at_random(seed: u64, one_in: u64, kinds: u32) -> bool {
    SEED.store(seed, Ordering::Relaxed);
    KINDS.store(kinds, Ordering::Relaxed);
    ONE_IN.store(one_in, Ordering::Relaxed);
    true
}

/// How many calls have failed so far.
pub(crate) fn injected() -> u64 {
    INJECTED.load(Ordering::Relaxed)
}

/// Whether it is to fail this time.
pub(super) fn attempt(fault: Fault) -> Result<(), i32> {
    let one_in = ONE_IN.load(Ordering::Relaxed);
    if one_in == 0 || KINDS.load(Ordering::Relaxed) & 1 << fault.kind() == 0 {
        return Ok(());
    }
    let call = CALLS[fault as usize].fetch_add(1, Ordering::Relaxed);
    let seed = SEED.load(Ordering::Relaxed) ^ (fault as u64) << 56;
    match fate(seed, one_in, fault.longest(), call) {
        None => Ok(()),
        Some(bits) => {
            INJECTED.fetch_add(1, Ordering::Relaxed);
            let errors = fault.errors();
            Err(errors[bits as usize % errors.len()])
        }
    }
}

/// Some random bits if this call fails, the same for all calls of a shortage (FY1).
fn fate(seed: u64, one_in: u64, longest: u64, call: u64) -> Option<u64> {
    let stream = mix(seed);
    (0..longest.min(call + 1)).find_map(|age| {
        let bits = mix(stream ^ (call - age));
        let length = LENGTHS.get((bits >> 62) as usize).copied().unwrap_or(longest);
        ((bits % (1 << 32)).is_multiple_of(one_in) && age < length).then_some(bits >> 32)
    })
}

/// A step of splitmix64.
fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the first calls fail.
    fn fates(seed: u64, one_in: u64) -> Vec<bool> {
        (0..10_000).map(|call| fate(seed, one_in, 64, call).is_some()).collect()
    }

    #[test]
    fn the_same_calls_fail_under_the_same_seed_and_others_under_another() {
        assert_eq!(fates(7, 100), fates(7, 100));
        assert_ne!(fates(7, 100), fates(8, 100));
    }

    #[test]
    fn of_a_rate_of_one_everything_fails_and_of_others_a_part() {
        assert!(fates(7, 1).iter().all(|&fails| fails));
        let failures = fates(7, 1_000).iter().filter(|&&fails| fails).count();
        // A failure is good for 17.5 calls on average.
        assert!((50..1_000).contains(&failures), "{failures}");
    }

    #[test]
    fn some_failures_are_single_ones_and_some_outlast_every_try_again() {
        let fates = fates(7, 1_000);
        let runs: Vec<usize> = fates.split(|&fails| !fails).map(<[bool]>::len).filter(|&length| length > 0).collect();
        assert!(runs.contains(&1) && runs.iter().any(|&length| length >= 64), "{runs:?}");
    }
}
