//! What did one run cost? The line a child prints, and the memory readings that go into it.

use std::fmt;
use std::fs;
use std::process;
use std::time::{Duration, Instant};

/// The answer of one child process, printed as one line: `VALUE PEAK_RSS_KIB [KEY=VALUE ..]`.
///
/// A peer that cannot do the workload prints `- REASON` in place of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The figure asked for, in the unit of the workload.
    pub value: f64,
    /// High-water mark of the resident set, in KiB; 0 where the system does not tell.
    pub peak_rss_kib: u64,
    /// Further figures of some workloads, by name.
    pub extras: Vec<(String, f64)>,
}

impl Outcome {
    /// An outcome of `value` with the memory of the calling process as it is now.
    pub fn new(value: f64) -> Self {
        Self { value, peak_rss_kib: status_kib("VmHWM:"), extras: Vec::new() }
    }

    /// Nanoseconds per operation of `ops` operations since `start`.
    pub fn per_op(start: Instant, ops: u64) -> Self {
        Self::new(start.elapsed().as_nanos() as f64 / ops as f64)
    }

    /// Milliseconds since `start`.
    pub fn millis(start: Instant) -> Self {
        Self::new(as_millis(start.elapsed()))
    }

    /// The same outcome with one more named figure.
    pub fn with(mut self, name: &str, value: f64) -> Self {
        self.extras.push((name.to_owned(), value));
        self
    }

    /// The named further figure.
    pub fn extra(&self, name: &str) -> Option<f64> {
        self.extras.iter().find(|(key, _)| key == name).map(|&(_, value)| value)
    }

    /// Reads back the line of a child; the error says what was wrong with it.
    pub fn parse(line: &str) -> Result<Self, String> {
        let mut words = line.split_whitespace();
        let mut next = |what: &str| words.next().ok_or(format!("no {what} in `{line}`"));
        let value = number(next("value")?)?;
        let peak_rss_kib = number(next("peak RSS")?)? as u64;
        let mut extras = Vec::new();
        for word in words {
            let (key, value) = word.split_once('=').ok_or(format!("`{word}` is not KEY=VALUE"))?;
            extras.push((key.to_owned(), number(value)?));
        }
        Ok(Self { value, peak_rss_kib, extras })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} {}", self.value, self.peak_rss_kib)?;
        self.extras.iter().try_for_each(|(key, value)| write!(f, " {key}={value:.3}"))
    }
}

/// Why a peer has no figure for a workload, in a few words.
pub type Unsupported = &'static str;

/// Prints the answer of a child in the form that [`Outcome::parse`] and the driver read.
pub fn print(answer: &Result<Outcome, Unsupported>) {
    match answer {
        Ok(outcome) => println!("{outcome}"),
        Err(reason) => println!("- {reason}"),
    }
}

/// Resident memory and page tables of this process, in KiB.
pub fn resident_kib() -> u64 {
    status_kib("VmRSS:") + status_kib("VmPTE:")
}

/// A duration in milliseconds.
pub fn as_millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn number(word: &str) -> Result<f64, String> {
    word.parse().map_err(|_| format!("`{word}` is not a number"))
}

fn status_kib(key: &str) -> u64 {
    status_kib_of(process::id(), key)
}

/// A line of a process' status in KiB; 0 where the system does not tell.
pub fn status_kib_of(pid: u32, key: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("0");
    line.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_reads_what_display_writes() {
        let outcome = Outcome { value: 12.5, peak_rss_kib: 7, extras: Vec::new() }.with("gap_ms", 3.0);
        assert_eq!(Outcome::parse(&outcome.to_string()), Ok(outcome));
    }

    #[test]
    fn parse_names_the_word_it_cannot_read() {
        assert_eq!(Outcome::parse("12 x"), Err("`x` is not a number".to_owned()));
    }
}
