//! How long did a request take, of a million? Counts by size, to within 2 %.

use std::time::Duration;

/// Slots for each power of two.
const STEPS: u32 = 64;

/// Durations by size.
#[derive(Debug)]
pub(super) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    /// Nothing counted.
    pub(super) fn new() -> Histogram {
        Histogram { counts: vec![0; (STEPS * 60) as usize], total: 0 }
    }

    /// Counts one.
    pub(super) fn add(&mut self, time: Duration) {
        self.counts[slot(time.as_nanos() as u64)] += 1;
        self.total += 1;
    }

    /// How many were counted.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// What a part of them did not exceed.
    pub(super) fn quantile(&self, part: f64) -> Duration {
        let wanted = (self.total as f64 * part).ceil() as u64;
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        Duration::from_nanos(lower_bound(found.unwrap_or(0)))
    }
}

fn slot(nanos: u64) -> usize {
    if nanos < u64::from(STEPS) {
        return nanos as usize;
    }
    let power = nanos.ilog2() - STEPS.ilog2();
    ((power + 1) * STEPS) as usize + (nanos >> power) as usize - STEPS as usize
}

/// The least time of a slot.
fn lower_bound(slot: usize) -> u64 {
    let (power, step) = (slot as u32 / STEPS, slot as u64 % u64::from(STEPS));
    if power == 0 { step } else { (u64::from(STEPS) + step) << (power - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_in_order_and_narrow() {
        for nanos in [0, 1, 63, 64, 65, 127, 128, 1_000, 123_456, 999_999_999, u64::MAX >> 8] {
            let low = lower_bound(slot(nanos));
            assert!(low <= nanos && nanos - low <= nanos / 64, "{nanos}: {low}");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_list() {
        let mut histogram = Histogram::new();
        (1..=1_000).for_each(|micros| histogram.add(Duration::from_micros(micros)));
        let near = |part: f64, micros: f64| {
            let found = histogram.quantile(part).as_secs_f64() * 1e6;
            assert!((found - micros).abs() <= micros / 50.0, "{part}: {found}");
        };
        near(0.5, 500.0);
        near(0.99, 990.0);
    }
}
