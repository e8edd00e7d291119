//! What child processes promise: std's behaviour, waits without threads, ends by contexts, nothing left behind.
//!
//! Why here: from outside, with the programs that every Unix system has.
//!
//! *Invariants*
//! - P1. T1 and T2 of `common/procs`: one test at a time, so that descriptors and goroutines can be counted.
//!
//! *Locks*: none.
//!
//! *Go:* exec_test.go.

#[path = "process/commands.rs"]
mod commands;
#[path = "process/contexts.rs"]
mod contexts;
#[path = "common/open.rs"]
mod open;
#[path = "common/procs.rs"]
mod procs;
#[path = "process/waiting.rs"]
mod waiting;

use goruntime::process::Command;

/// A command of the shell.
fn shell(text: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", text]);
    command
}
