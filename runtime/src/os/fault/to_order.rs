//! Failures to order, for unit tests.
//!
//! **What.** A test lets the next calls of a kind fail.
//!
//! **Why here.** Beside the question that it answers.
//!
//! **Invariants.** FA1 of `fault`.
//!
//! **Locks.** None.
//!
//! **Go:** none.

use core::sync::atomic::{AtomicU32, Ordering};
use std::process::Command;

use super::Fault;

/// Failures that are still to come, by kind.
static ORDERED: [AtomicU32; Fault::COUNT] = [const { AtomicU32::new(0) }; Fault::COUNT];

/// Whether it is to fail this time.
pub(super) fn attempt(fault: Fault) -> Result<(), i32> {
    let left = &ORDERED[fault as usize];
    match left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_sub(1)) {
        Ok(_) => Err(fault.errors()[0]),
        Err(_) => Ok(()),
    }
}

/// Lets the next `count` attempts fail (FA1).
pub(crate) fn let_fail(fault: Fault, count: u32) {
    ORDERED[fault as usize].store(count, Ordering::Relaxed);
}

/// Runs `body` in a process in which nothing else runs: the test of this name, in this program.
pub(crate) fn in_own_process(name: &str, body: fn()) {
    if std::env::var_os("OWN_PROCESS").is_some_and(|own| own == name) {
        return body();
    }
    let program = std::env::current_exe().expect("the path of the test binary");
    // A number of processors that was asked for spares sysmon its look at the machine every ten seconds, by which a hang would pass.
    let mut command = Command::new(program);
    command.args(["--exact", name]).env("OWN_PROCESS", name).env("GOMAXPROCS", "2");
    let output = command.output().expect("the test binary can be executed again");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{}\n{said}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}
