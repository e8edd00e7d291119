//! Programs whose results are known, to be run while the system refuses what they ask for.
//!
//! Why here: a binary of its own, because goruntime has to be built with its feature `faults`; driven by `tests/faults.rs`.
//!
//! *Invariants*
//! - FP1. A program prints `ok`, and how many calls have failed, when all its results are right, and panics when one is not. An error of an operation that
//!   a refusal explains is no wrong result: the operation is tried again ([`again`]).
//!
//! *Locks*: none.
//!
//! *Go:* none.

mod children;
mod memory;
mod sockets;
mod threads;
mod timers;

use std::io;

use goruntime::runtime::{injected_faults, yield_now};

/// The programs by their names.
type Table = &'static [(&'static str, fn())];

const AREAS: [Table; 5] =
    [children::PROGRAMS, memory::PROGRAMS, sockets::PROGRAMS, threads::PROGRAMS, timers::PROGRAMS];

/// Programs that start the runtime by its first use.
const PLAIN: Table = threads::PLAIN;

/// So many times an operation is tried; far more than a shortage lasts unless everything is refused.
const TRIES: u32 = 5_000;
/// The exit status of a program that has given up.
const GAVE_UP: i32 = 3;

/// Does it until the system lets it (FP1).
fn again<T>(what: &str, mut operation: impl FnMut() -> io::Result<T>) -> T {
    let mut last = None;
    for _ in 0..TRIES {
        match operation() {
            Ok(value) => return value,
            Err(error) if is_refusal(&error) => last = Some(error),
            Err(error) => panic!("{what}: {error:?}"),
        }
        yield_now();
    }
    println!("gave up: {what}: {}", last.expect("it was tried"));
    goruntime::runtime::exit(GAVE_UP);
}

/// Whether it is an error of a system that lacks something.
fn is_refusal(error: &io::Error) -> bool {
    let refusals = [libc::EAGAIN, libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::ENOSPC];
    error.raw_os_error().is_some_and(|number| refusals.contains(&number))
}

/// The usual way in.
mod usual {
    #[goruntime::main]
    pub(crate) fn main() {
        if let Some((_, program)) = super::chosen(&super::AREAS.concat()) {
            program();
            super::say_ok();
        }
    }
}

fn say_ok() {
    println!("ok {}", injected_faults());
}

fn chosen(table: &[(&'static str, fn())]) -> Option<(&'static str, fn())> {
    let name = std::env::args().nth(1)?;
    table.iter().copied().find(|entry| entry.0 == name)
}

fn main() {
    if let Some((_, program)) = chosen(PLAIN) {
        program();
        return say_ok();
    }
    if chosen(&AREAS.concat()).is_none() {
        eprintln!("faultprog: no such program");
        std::process::exit(64);
    }
    usual::main();
}
