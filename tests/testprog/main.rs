//! One binary with many small programs, chosen by name: what a test runs when the process is the subject.
//!
//! Why here: a process ends once, starts once, and has one environment; its tests drive it from outside.
//!
//! *Invariants*
//! - P1. A name is registered once, in the table of one area.
//! - P2. `main` itself knows nothing of goruntime, so that programs without the attribute are possible.
//!
//! *Locks*: none.
//!
//! *Go:* `runtime/testdata/testprog`.

mod channels;
mod deadlocks;
mod defaults;
mod ends;
mod inits;
mod library;
mod locks;
mod net;
mod net_faults;
mod order;
mod overflow;
mod panics;
mod progress;
mod signals;
mod streams;
mod threads;
mod timers;
mod traces;

/// A registered program.
#[derive(Clone, Copy)]
enum Program {
    /// Is the body of a `#[goruntime::main]`.
    Body(fn()),
    /// Is called on the plain main thread.
    Plain(fn()),
}

/// The programs of one area.
type Table = &'static [(&'static str, Program)];

const AREAS: [Table; 18] = [
    channels::PROGRAMS,
    deadlocks::PROGRAMS,
    defaults::PROGRAMS,
    ends::PROGRAMS,
    inits::PROGRAMS,
    library::PROGRAMS,
    locks::PROGRAMS,
    net::PROGRAMS,
    net_faults::PROGRAMS,
    order::PROGRAMS,
    overflow::PROGRAMS,
    panics::PROGRAMS,
    progress::PROGRAMS,
    signals::PROGRAMS,
    streams::PROGRAMS,
    threads::PROGRAMS,
    timers::PROGRAMS,
    traces::PROGRAMS,
];

/// The program that was asked for; init functions look at it, too.
fn chosen() -> Option<(&'static str, Program)> {
    let name = std::env::args().nth(1)?;
    let mut found = AREAS.iter().copied().flatten().filter(|entry| entry.0 == name);
    let entry = *found.next()?;
    assert!(found.next().is_none(), "the program {name} is registered twice");
    Some(entry)
}

/// The usual way in.
mod usual {
    #[goruntime::main]
    pub(crate) fn main() {
        if let Some((_, super::Program::Body(body))) = super::chosen() {
            body();
        }
    }
}

fn main() {
    match chosen() {
        Some((_, Program::Body(_))) => usual::main(),
        Some((_, Program::Plain(program))) => program(),
        None => {
            eprintln!("testprog: no such program");
            std::process::exit(64);
        }
    }
}
