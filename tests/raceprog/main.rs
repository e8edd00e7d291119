//! Programs for thread sanitizer, chosen by name: some race, the others must not be suspected.
//!
//! Why here: a sanitizer reports at the end of a process, so its subject is one; driven by `tests/race.rs`.
//!
//! *Invariants*
//! - RP1. Every access to a [`Plain`] is the program's own, plain one: what orders two of them is only what the program shows.
//! - RP2. Nothing else is shared, and nothing is printed from a goroutine: standard output has a lock, which would order them.
//!
//! *Locks*: none.
//!
//! *Go:* `runtime/race/testdata`.

mod racy;
mod silent;

use std::cell::UnsafeCell;

/// A number without any protection.
#[derive(Debug, Default)]
struct Plain(UnsafeCell<u64>);

// SAFETY: none is needed for the programs of `silent`, which order their accesses. Those of `racy` race on a number on purpose, which tears
// nothing: their subject is that somebody notices.
unsafe impl Sync for Plain {}

impl Plain {
    const fn new() -> Plain {
        Plain(UnsafeCell::new(0))
    }

    /// Adds one, by a read and a write.
    #[inline(never)]
    fn bump(&self) {
        // SAFETY: see the type.
        unsafe { *self.0.get() += 1 };
    }

    #[inline(never)]
    fn get(&self) -> u64 {
        // SAFETY: see the type.
        unsafe { *self.0.get() }
    }
}

#[goruntime::main]
fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let mut programs = racy::PROGRAMS.iter().chain(silent::PROGRAMS);
    match programs.find(|program| program.0 == name) {
        Some((_, body)) => body(),
        None if name == "list" => silent::PROGRAMS.iter().for_each(|program| println!("{}", program.0)),
        None => {
            eprintln!("raceprog: no such program");
            std::process::exit(64);
        }
    }
}
