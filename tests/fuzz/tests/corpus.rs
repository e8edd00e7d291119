//! Every target over its seeds and over random bytes, without a fuzzer.
//!
//! Why here: what a change has to pass, on any machine. `FUZZ_INPUTS` is the number of random inputs, `FUZZ_SEED` the seed, which is printed.
//!
//! *Invariants*
//! - CO1. Input N of a seed is the same bytes everywhere, and its number is in the output of a failure.
//!
//! *Locks*: none.
//!
//! *Go:* what `go test` does with `FuzzXxx` functions: seeds and `testdata/fuzz`.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::str::FromStr;
use std::time::SystemTime;

use goruntime_fuzz::{attributes, programs, select_macro};

type Target = fn(&[u8]);

/// A stream of random bytes (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// Bytes that are choices and not a text.
    fn bytes(&mut self, most: u64) -> Vec<u8> {
        let length = self.next() % most;
        let mut bytes = vec![0xff];
        bytes.extend((0..length).map(|_| self.next() as u8));
        bytes
    }
}

fn setting<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

/// Every file of the corpus, in the order of their names.
fn over_corpus(name: &str, target: Target) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a directory can be read").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} has no seeds", directory.display());
    for file in files {
        let data = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        attempt(&file.display().to_string(), target, &data);
    }
}

/// `count` random inputs of up to `most` bytes, unless the environment wants another number.
fn over_random(target: Target, count: u64, most: u64) {
    let now = SystemTime::UNIX_EPOCH.elapsed().map_or(1, |now| now.as_nanos() as u64);
    let seed = setting("FUZZ_SEED").unwrap_or(now);
    let count = setting("FUZZ_INPUTS").unwrap_or(count);
    println!("FUZZ_SEED={seed} FUZZ_INPUTS={count}");
    let mut random = Random(seed);
    for number in 0..count {
        attempt(&format!("input {number} of FUZZ_SEED={seed}"), target, &random.bytes(most));
    }
}

/// Says what failed before the failure goes on.
fn attempt(what: &str, target: Target, data: &[u8]) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| target(data))) {
        eprintln!("{what} failed: {data:?}");
        resume_unwind(payload);
    }
}

#[test]
fn seeds_of_the_select_macro_pass() {
    over_corpus("select_macro", select_macro);
}

#[test]
fn random_selects_pass() {
    over_random(select_macro, 3_000, 400);
}

#[test]
fn seeds_of_the_attributes_pass() {
    over_corpus("attributes", attributes);
}

#[test]
fn random_attributes_pass() {
    over_random(attributes, 3_000, 400);
}

#[test]
fn seeds_of_programs_pass() {
    over_corpus("programs", programs);
}

#[test]
fn random_programs_pass() {
    over_random(programs, 150, 600);
}
