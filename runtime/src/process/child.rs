//! A child process and its streams.
//!
//! *Why here.* Floor 8.
//!
//! *Invariants.* KI2. *Locks.* None. *Go:* `exec.Cmd` after `Start`.

use core::fmt;
use core::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::io;
use std::process::{ExitStatus, Output};
use std::sync::Arc;
use std::time::Duration;

use crate::context::{self, Context, StopFunc};
use crate::io::polled::Polled;
use crate::io::{pipe_end, reading_end, writing_end};
use crate::process::output;
use crate::process::reap::Process;
use crate::signal::Signal;

/// A child process: `std::process::Child` for goroutines.
///
/// As with std, dropping it neither kills the process nor waits for it.
///
/// # Examples
///
/// ```
/// use goruntime::process::Command;
/// use goruntime::time::Duration;
///
/// goruntime::run(|| {
///     let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
///     assert_eq!(child.wait_timeout(Duration::from_millis(1)).unwrap(), None);
///     child.kill().unwrap();
///     assert!(!child.wait().unwrap().success());
/// });
/// ```
pub struct Child {
    /// The end of the pipe that the child reads from, if its standard input is one.
    pub stdin: Option<ChildStdin>,
    /// The end of the pipe that the child writes to, if its standard output is one.
    pub stdout: Option<ChildStdout>,
    /// The same for standard error.
    pub stderr: Option<ChildStderr>,
    process: Arc<Process>,
    /// Ends the process when a context ends.
    watch: Option<StopFunc>,
    wait_delay: Option<Duration>,
}

/// What a child's standard input is written to.
///
/// # Blocking
///
/// Writes wait for room in the pipe; the goroutine is parked.
pub struct ChildStdin {
    pub(super) end: Polled,
}

/// What a child's standard output is read from.
///
/// # Blocking
///
/// Reads wait for data, or for the end of all who write; the goroutine is parked.
pub struct ChildStdout {
    pub(super) end: Polled,
}

/// What a child's standard error is read from.
///
/// # Blocking
///
/// As [`ChildStdout`].
pub struct ChildStderr {
    pub(super) end: Polled,
}

pipe_end!(ChildStdin, std::process::ChildStdin, Write);
writing_end!(ChildStdin);
pipe_end!(ChildStdout, std::process::ChildStdout, Read);
reading_end!(ChildStdout);
pipe_end!(ChildStderr, std::process::ChildStderr, Read);
reading_end!(ChildStderr);

impl Child {
    /// Takes a child over that was just made; it gets the signal when `ctx` ends.
    pub(super) fn new(
        mut child: std::process::Child,
        ctx: Option<&Context>,
        signal: Signal,
        wait_delay: Option<Duration>,
    ) -> Child {
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let process = Arc::new(Process::new(child));
        let watch = ctx.map(|ctx| {
            let process = Arc::clone(&process);
            context::after_func(ctx, move || process.end(signal, wait_delay))
        });
        Child {
            stdin: stdin.map(ChildStdin::of),
            stdout: stdout.map(ChildStdout::of),
            stderr: stderr.map(ChildStderr::of),
            process,
            watch,
            wait_delay,
        }
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.process.number()
    }

    /// Kills the process with SIGKILL; does nothing if it was waited for. The signal cannot reach another process that has the number by now.
    ///
    /// # Blocking
    ///
    /// Never waits.
    ///
    /// # Errors
    ///
    /// As std.
    #[doc(alias = "Kill")]
    pub fn kill(&mut self) -> io::Result<()> {
        self.process.kill()
    }

    /// Waits for the end of the process, after closing its standard input.
    ///
    /// # Blocking
    ///
    /// Parks the goroutine (or the plain thread), shown as `IO wait`. Where the system has no descriptors for processes, or none left, the thread waits;
    /// the processor goes to another one.
    ///
    /// # Errors
    ///
    /// As std.
    #[track_caller]
    #[doc(alias = "Wait")]
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.wait_at(Location::caller())
    }

    /// The same for a caller elsewhere.
    pub(super) fn wait_at(&mut self, at: &'static Location<'static>) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        let status = self.process.wait(at);
        self.stop_watch();
        status
    }

    /// The status, if the process has ended. Its standard input stays open.
    ///
    /// # Blocking
    ///
    /// Never waits.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = self.process.try_wait();
        if matches!(status, Ok(Some(_))) {
            self.stop_watch();
        }
        status
    }

    /// Waits for the end of the process, no longer than `timeout`; None if it has not ended then. Its standard input stays open.
    ///
    /// # Blocking
    ///
    /// As [`wait`](Child::wait), for at most that time. Without descriptors for processes it looks every few milliseconds.
    ///
    /// # Errors
    ///
    /// As std's `wait`.
    #[track_caller]
    pub fn wait_timeout(&mut self, timeout: Duration) -> io::Result<Option<ExitStatus>> {
        let status = self.process.wait_timeout(timeout, Location::caller());
        if matches!(status, Ok(Some(_))) {
            self.stop_watch();
        }
        status
    }

    /// Reads standard output and standard error to their ends, both at a time, and waits for the end of the process; its standard input is closed before.
    ///
    /// # Blocking
    ///
    /// Parks until the process has ended and nobody has its streams open any more, also none of its own children; the latter no longer than
    /// [`Command::wait_delay`](crate::process::Command::wait_delay).
    ///
    /// # Errors
    ///
    /// As std. [`WaitDelayExpired`](crate::process::WaitDelayExpired) if the process has ended well, but a stream was still open after the delay.
    #[track_caller]
    pub fn wait_with_output(self) -> io::Result<Output> {
        self.wait_with_output_at(Location::caller())
    }

    /// The same for a caller elsewhere.
    pub(super) fn wait_with_output_at(mut self, at: &'static Location<'static>) -> io::Result<Output> {
        drop(self.stdin.take());
        let streams = [self.stdout.take().map(|end| end.end), self.stderr.take().map(|end| end.end)];
        let output = output::collect(&self.process, streams, self.wait_delay, at);
        self.stop_watch();
        output
    }

    /// The process was waited for: the end of the context is of no interest any more.
    fn stop_watch(&mut self) {
        if let Some(watch) = self.watch.take() {
            watch.stop();
        }
    }
}

// An operation that unwinds leaves the child as it was.
impl UnwindSafe for Child {}
impl RefUnwindSafe for Child {}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("id", &self.id())
            .field("stdin", &self.stdin)
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .finish_non_exhaustive()
    }
}
