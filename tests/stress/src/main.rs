//! `goruntime-stress`: random mixes of everything that the scheduler does, until the time is over or something breaks.
//!
//! ```text
//! cargo run --release -p goruntime-stress -- [--seed N] [--seconds N] [--procs 1,2,4,16] [--scenario name,..] [--mode program,sticky,library] [--silence N]
//! ```
//!
//! For each GOMAXPROCS and mode the command runs itself as a child process for `--seconds`. The child runs batches: a few scenarios at once,
//! drawn from the seed, each of which checks itself. The parent, which uses no runtime, counts what the child reports, and takes a
//! silence of `--silence` seconds (240) for a hang: a batch takes well under a second, on a busy machine in a debug build some seconds. The exit status is 1 if any child failed.
//!
//! `cargo run --release -p goruntime-stress -- soak` is another load, with its own arguments: see `soak`.
//!
//! *Why here.* A tool beside the tests: what it finds depends on luck and time, so it is no part of `cargo test`.
//!
//! *Invariants.* ST1. The parent never enters the runtime. ST2. What a seed determines is the load, not the interleaving.
//!
//! *Locks.* None. *Go:* runtime's own stress tests, `stress` of golang.org/x/tools.

mod check;
mod child;
mod options;
mod rand;
mod scenarios;
mod soak;
mod watch;

use std::process::ExitCode;

use options::{Mode, Options};

fn main() -> ExitCode {
    if let Some(status) = soak::run() {
        return status;
    }
    let options = match Options::from_args() {
        Ok(options) => options,
        Err(text) => {
            eprintln!("goruntime-stress: {text}");
            return ExitCode::from(2);
        }
    };
    match options.child {
        Some(Mode::Program) => child::program::main(),
        Some(Mode::Sticky) => child::sticky::main(),
        Some(Mode::Library) => child::library(),
        None => parent(&options),
    }
}

fn parent(options: &Options) -> ExitCode {
    println!("seed {}", options.seed);
    let mut failed = 0;
    for &procs in &options.procs {
        for &mode in &options.modes {
            if !watch::run(options, procs, mode) {
                failed += 1;
            }
        }
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
