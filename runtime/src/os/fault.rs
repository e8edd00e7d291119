//! Failures of the system, to order: what happens rarely is to be tested, too.
//!
//! **What.** A place that asks the kernel for something asks here first whether that is to fail. Only unit tests can order a failure; in every
//! other build the answer is a constant, and the question costs nothing.
//!
//! **Why here.** Floor 0: beside the calls that it makes fail.
//!
//! **Invariants.** FA1. Orders belong to the process: a test that gives one runs in a process of its own (`in_own_process`).
//!
//! **Locks.** None.
//!
//! **Go:** none.

/// What can be made to fail.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Telling the poller of a socket.
    Register,
    /// Accepting a connection, for want of a descriptor in the whole system.
    Accept,
}

/// Whether it is to fail this time.
#[cfg(not(test))]
#[inline(always)]
pub(crate) fn is_to_fail(_: Fault) -> bool {
    false
}

#[cfg(test)]
pub(crate) use to_order::{in_own_process, is_to_fail, let_fail};

#[cfg(test)]
mod to_order {
    use core::sync::atomic::{AtomicU32, Ordering};
    use std::process::Command;

    use super::Fault;

    /// Failures that are still to come, by kind.
    static ORDERED: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

    /// Whether it is to fail this time.
    pub(crate) fn is_to_fail(fault: Fault) -> bool {
        let left = &ORDERED[fault as usize];
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| count.checked_sub(1)).is_ok()
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
}
