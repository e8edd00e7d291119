//! Programs for address sanitizer, chosen by name: some use memory that is not theirs, the others must not be suspected.
//!
//! Why here: a report ends the process, so its subject is one; driven by `tests/asan.rs`.
//!
//! *Invariants*
//! - AP1. The culprit of a program is a function of that name, which is not inlined, and what it does happens on a goroutine.
//!
//! *Locks*: none.
//!
//! *Go:* `cmd/cgo/internal/testsanitizers/testdata`, the programs `asan*`.

mod right;
mod wrong;

use std::hint::black_box;

fn main() {
    // Known only here, below the runtime, while the process ends on the stack of a goroutine, which may be this thread's.
    let held = black_box(Box::new(0u64));
    program::main();
    black_box(held);
}

mod program {
    #[goruntime::main]
    pub(super) fn main() {
        super::choose();
    }
}

fn choose() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let mut programs = wrong::PROGRAMS.iter().chain(right::PROGRAMS);
    match programs.find(|program| program.0 == name) {
        Some((_, body)) => body(),
        None if name == "list" => right::PROGRAMS.iter().for_each(|program| println!("{}", program.0)),
        None => {
            eprintln!("asanprog: no such program");
            std::process::exit(64);
        }
    }
}
