//! `std::process` for goroutines: a program ports by changing its `use` lines.
//!
//! The streams of a child are pipes that park the goroutine. So does waiting for its end, where the system has descriptors for processes (Linux); where
//! they are missing, or all descriptors are in use, it takes a thread. Beyond std there are, as in Go, children that are killed when a context ends, and a
//! limit on the time that whoever has inherited a stream may keep it open.
//!
//! # Examples
//!
//! ```
//! use goruntime::process::{Command, Stdio};
//! use goruntime::io::Write;
//!
//! goruntime::run(|| {
//!     let mut sort = Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
//!     let mut words = sort.stdin.take().unwrap();
//!     goruntime::go(move || words.write_all(b"pear\napple\n").unwrap());
//!     assert_eq!(sort.wait_with_output().unwrap().stdout, b"apple\npear\n");
//! });
//! ```

// *Why here.* Floor 8.
//
// *Invariants.* KI1, KI2 of `process::reap`. *Locks.* See there. *Go:* packages os/exec and os.

mod child;
mod command;
mod ext;
mod output;
mod reap;

pub use std::process::{CommandArgs, CommandEnvs, ExitCode, ExitStatus, Output, Stdio, Termination, abort, id};

pub use self::child::{Child, ChildStderr, ChildStdin, ChildStdout};
pub use self::command::Command;
pub use self::ext::CommandExt;
pub use self::output::WaitDelayExpired;

/// Ends the process with a status, after the [exit hooks](crate::runtime::at_exit). Other goroutines are not waited for, and no destructors run.
pub fn exit(code: i32) -> ! {
    crate::runtime::exit(code)
}
