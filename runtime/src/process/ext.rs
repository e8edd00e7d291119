//! What a command can do on Unix.
//!
//! *Why here.* Floor 8; std's trait is sealed.
//!
//! *Invariants.* None. *Locks.* None. *Go:* `syscall.SysProcAttr`, `syscall.Exec`.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt as StdExt;

use crate::process::Command;

mod sealed {
    /// For [`Command`](super::Command) only.
    pub trait Sealed {}

    impl Sealed for super::Command {}
}

/// `std::os::unix::process::CommandExt` for [`Command`].
///
/// # Examples
///
/// ```
/// use goruntime::os::unix::process::CommandExt;
/// use goruntime::process::Command;
///
/// let output = goruntime::run(|| Command::new("sh").arg0("shell").args(["-c", "echo $0"]).output().unwrap());
/// assert_eq!(output.stdout, b"shell\n");
/// ```
pub trait CommandExt: sealed::Sealed {
    /// Sets the child's user.
    fn uid(&mut self, id: u32) -> &mut Command;

    /// Sets the child's group.
    fn gid(&mut self, id: u32) -> &mut Command;

    /// Runs a closure in the child, between `fork` and `exec`, in the order in which they are given.
    ///
    /// # Safety
    ///
    /// * As std: other threads do not exist in the child, so whatever they had locked stays locked, the allocator included. The closure may do only what is
    ///   allowed in a signal handler.
    /// * There are no goroutines either: an operation of the runtime that may park ends the child with `fatal error: runtime operation in a forked child`.
    unsafe fn pre_exec<F>(&mut self, f: F) -> &mut Command
    where
        F: FnMut() -> io::Result<()> + Send + Sync + 'static;

    /// Replaces this process by the program, goroutines, threads and all; returns only if that fails. No exit hooks run.
    fn exec(&mut self) -> io::Error;

    /// Sets what the program finds as its own name.
    fn arg0<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Command;

    /// Sets the child's process group; 0 makes a new one, whose number is the child's.
    fn process_group(&mut self, group: i32) -> &mut Command;
}

impl CommandExt for Command {
    fn uid(&mut self, id: u32) -> &mut Command {
        self.std.uid(id);
        self
    }

    fn gid(&mut self, id: u32) -> &mut Command {
        self.std.gid(id);
        self
    }

    unsafe fn pre_exec<F>(&mut self, f: F) -> &mut Command
    where
        F: FnMut() -> io::Result<()> + Send + Sync + 'static,
    {
        // SAFETY: the caller answers for what the closure does in the child; this only passes it on.
        unsafe { self.std.pre_exec(f) };
        self.has_hook = true;
        self
    }

    fn exec(&mut self) -> io::Error {
        self.std.exec()
    }

    fn arg0<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Command {
        self.std.arg0(arg);
        self
    }

    fn process_group(&mut self, group: i32) -> &mut Command {
        self.std.process_group(group);
        self
    }
}
