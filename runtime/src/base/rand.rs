//! Random numbers for scheduling: fast, small, and not secret.
//!
//! **What.** `Rand`, a wyrand generator of one word, and the steal order: all Ps once, from a random start in a random
//! coprime stride.
//!
//! **Why here.** Floor 1: each M has a generator of its own.
//!
//! **Invariants.**
//! - RN1. A `RandomOrder` of n yields each of 0..n exactly once, because its stride shares no factor with n.
//!
//! **Locks.** None.
//!
//! **Go:** `rand.go` (`cheaprand`), `proc.go` (`randomOrder`).

/// A wyrand generator; every state is a good one, and the period is 2^64.
#[derive(Clone, Debug)]
pub(crate) struct Rand {
    state: u64,
}

impl Rand {
    /// Starts a generator.
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Returns the next 64 random bits.
    #[inline]
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0xa076_1d64_78bd_642f);
        let product = u128::from(self.state) * u128::from(self.state ^ 0xe703_7ed1_a0b4_28db);
        (product >> 64) as u64 ^ product as u64
    }

    /// Returns a number below `n`, or 0 for an `n` of 0; the bias is below n / 2^32.
    #[inline]
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        let high = self.next() >> 32;
        ((high * u64::from(n)) >> 32) as u32
    }
}

/// The strides that visit all of 0..n: the numbers of 1..=n that share no factor with n.
///
/// They are found when they are needed, by a few steps of Euclid's algorithm. A list, as Go keeps it, would have to
/// be allocated and changed with the number of Ps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Coprimes {
    count: u32,
}

impl Coprimes {
    /// Takes the number of places.
    pub(crate) const fn new(count: u32) -> Self {
        Self { count }
    }

    /// Returns an order that `random` picks: the start from its remainder, the stride from its quotient.
    pub(crate) const fn order(self, random: u32) -> RandomOrder {
        let count = self.count;
        if count == 0 {
            return RandomOrder { left: 0, count, position: 0, stride: 0 };
        }
        let mut stride = random / count % count + 1;
        // Ends at the latest at 1, which shares no factor with any count.
        while greatest_common_divisor(stride, count) != 1 {
            stride = stride % count + 1;
        }
        RandomOrder { left: count, count, position: random % count, stride }
    }
}

/// Visits 0..n once each (RN1).
#[derive(Clone, Debug)]
pub(crate) struct RandomOrder {
    left: u32,
    count: u32,
    position: u32,
    stride: u32,
}

impl Iterator for RandomOrder {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        self.left = self.left.checked_sub(1)?;
        let here = self.position;
        // Neither summand exceeds count, a number of Ps, so the sum does not wrap.
        self.position = (here + self.stride) % self.count;
        Some(here)
    }
}

/// Euclid's algorithm.
const fn greatest_common_divisor(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_order_visits_every_place_once() {
        let mut rand = Rand::new(1);
        for count in 0..100 {
            for random in (0..200).map(|_| rand.next() as u32).chain([0, u32::MAX]) {
                let mut seen: Vec<u32> = Coprimes::new(count).order(random).collect();
                seen.sort_unstable();
                assert!(seen.iter().copied().eq(0..count), "count={count} random={random}: {seen:?}");
            }
        }
    }

    #[test]
    fn orders_differ_in_start_and_stride() {
        let mut orders: Vec<Vec<u32>> = (0..64).map(|random| Coprimes::new(8).order(random).collect()).collect();
        orders.sort();
        orders.dedup();
        assert_eq!(orders.len(), 8 * 4);
    }

    #[test]
    fn below_stays_below_and_reaches_everything() {
        let mut rand = Rand::new(7);
        let mut hits = [0; 10];
        for _ in 0..10_000 {
            hits[rand.below(10) as usize] += 1;
        }
        assert!(hits.iter().all(|&hits| (800..1200).contains(&hits)), "{hits:?}");
        assert_eq!((rand.below(1), rand.below(0)), (0, 0));
    }

    #[test]
    fn seeds_give_different_sequences() {
        let first = |seed| Rand::new(seed).next();
        assert_ne!(first(0), first(1));
        let mut rand = Rand::new(0);
        assert_ne!(rand.next(), rand.next());
    }
}
