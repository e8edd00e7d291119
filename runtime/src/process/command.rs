//! Starting child processes.
//!
//! *Why here.* Floor 8.
//!
//! Std makes the child: by `posix_spawn`, or by `fork` if something has to be done in the child that this cannot. Either way the child starts with no
//! signal blocked, with the signals that the process ignores ignored and all others as usual, and with SIGPIPE as usual. The parent's thread sleeps until
//! the program was loaded. So that a burst does not become a thread each, no more children are made at a time than there are CPUs.
//!
//! *Invariants.* CM1. `chosen` tells the streams that the user has chosen; those that `output` chooses for one child are undone after it.
//!
//! *Locks.* The permits, held while a child is made. *Go:* `exec.Cmd`, `syscall.ForkLock`.

use core::fmt;
use core::panic::Location;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{CommandArgs, CommandEnvs, ExitStatus, Output, Stdio};
use std::time::Duration;

use crate::context::{Context, ContextError};
use crate::os;
use crate::proc::park;
use crate::process::Child;
use crate::runtime::num_cpu;
use crate::signal::Signal;
use crate::sync::{LazyLock, Semaphore};

/// To make a child.
static PERMITS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(num_cpu().max(2)));

/// Makes child processes: `std::process::Command` for goroutines.
///
/// # Examples
///
/// ```
/// use goruntime::process::Command;
///
/// let output = goruntime::run(|| Command::new("echo").arg("hello").output().unwrap());
/// assert!(output.status.success());
/// assert_eq!(output.stdout, b"hello\n");
/// ```
pub struct Command {
    pub(super) std: std::process::Command,
    /// Whether standard input, output and error were chosen (CM1).
    chosen: [bool; 3],
    ctx: Option<Context>,
    /// What children get when the context ends.
    cancel_signal: Signal,
    wait_delay: Option<Duration>,
    /// Code of the user's runs in the child: how long making one takes is for that to say.
    pub(super) has_hook: bool,
}

impl Command {
    /// A command that runs a program, which is looked for as in std.
    pub fn new<S: AsRef<OsStr>>(program: S) -> Command {
        Command {
            std: std::process::Command::new(program),
            chosen: [false; 3],
            ctx: None,
            cancel_signal: Signal::KILL,
            wait_delay: None,
            has_hook: false,
        }
    }

    /// Adds an argument.
    pub fn arg<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Command {
        self.std.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args<I, S>(&mut self, args: I) -> &mut Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.std.args(args);
        self
    }

    /// Sets a variable of the child's environment.
    pub fn env<K, V>(&mut self, key: K, value: V) -> &mut Command
    where
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.std.env(key, value);
        self
    }

    /// Sets variables of the child's environment.
    pub fn envs<I, K, V>(&mut self, vars: I) -> &mut Command
    where
        I: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.std.envs(vars);
        self
    }

    /// Takes a variable out of the child's environment.
    pub fn env_remove<K: AsRef<OsStr>>(&mut self, key: K) -> &mut Command {
        self.std.env_remove(key);
        self
    }

    /// Empties the child's environment.
    pub fn env_clear(&mut self) -> &mut Command {
        self.std.env_clear();
        self
    }

    /// Sets the child's working directory.
    pub fn current_dir<P: AsRef<Path>>(&mut self, dir: P) -> &mut Command {
        self.std.current_dir(dir);
        self
    }

    /// Sets the child's standard input: inherited by [`spawn`](Command::spawn) and [`status`](Command::status) otherwise, empty for
    /// [`output`](Command::output).
    pub fn stdin<T: Into<Stdio>>(&mut self, stream: T) -> &mut Command {
        self.std.stdin(stream);
        self.chosen[0] = true;
        self
    }

    /// Sets the child's standard output: inherited by [`spawn`](Command::spawn) and [`status`](Command::status) otherwise, collected by
    /// [`output`](Command::output).
    pub fn stdout<T: Into<Stdio>>(&mut self, stream: T) -> &mut Command {
        self.std.stdout(stream);
        self.chosen[1] = true;
        self
    }

    /// The same for standard error.
    pub fn stderr<T: Into<Stdio>>(&mut self, stream: T) -> &mut Command {
        self.std.stderr(stream);
        self.chosen[2] = true;
        self
    }

    /// Kills the children that are made from now on when a context ends, whether or not somebody waits for them.
    ///
    /// The status says whether it was so: it has the signal 9. A child that was waited for before is not touched. Children may get another signal first:
    /// see [`cancel_signal`](Command::cancel_signal).
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::context;
    /// use goruntime::os::unix::process::ExitStatusExt;
    /// use goruntime::process::Command;
    /// use goruntime::time::Duration;
    ///
    /// goruntime::run(|| {
    ///     let (ctx, _cancel) = context::with_timeout(&context::background(), Duration::from_millis(10));
    ///     let status = Command::new("sleep").arg("1000").context(&ctx).status().unwrap();
    ///     assert_eq!(status.signal(), Some(9));
    /// });
    /// ```
    #[doc(alias = "CommandContext")]
    pub fn context(&mut self, ctx: &Context) -> &mut Command {
        self.ctx = Some(ctx.clone());
        self
    }

    /// Sets the signal that children get when the [context](Command::context) ends: `Signal::TERM`, say, so that they can clean up. Without it that is
    /// `Signal::KILL`.
    ///
    /// A child that was not waited for within the [`wait_delay`](Command::wait_delay) after that is killed; without such a delay it may take its time. It is
    /// killed at once if the system does not let it have the signal.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::context;
    /// use goruntime::io::Read;
    /// use goruntime::process::{Command, Stdio};
    /// use goruntime::signal::Signal;
    /// use goruntime::time::Duration;
    ///
    /// goruntime::run(|| {
    ///     let (ctx, cancel) = context::with_cancel(&context::background());
    ///     let mut shell = Command::new("sh");
    ///     shell.args(["-c", "trap 'exit 7' TERM; echo; while :; do sleep 0.01; done"]).stdout(Stdio::piped());
    ///     let mut child = shell.context(&ctx).cancel_signal(Signal::TERM).wait_delay(Duration::from_secs(60)).spawn().unwrap();
    ///     // It is there, and prepared.
    ///     child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    ///     cancel.cancel();
    ///     assert_eq!(child.wait().unwrap().code(), Some(7));
    /// });
    /// ```
    #[doc(alias = "Cancel")]
    pub fn cancel_signal(&mut self, signal: Signal) -> &mut Command {
        self.cancel_signal = signal;
        self
    }

    /// Sets how long [`output`](Command::output) and [`Child::wait_with_output`] go on reading after the end of the process, because others may have
    /// inherited its streams; for ever without it. Also how long a child that got a [`cancel_signal`](Command::cancel_signal) has until it is killed.
    #[doc(alias = "WaitDelay")]
    pub fn wait_delay(&mut self, delay: Duration) -> &mut Command {
        self.wait_delay = Some(delay);
        self
    }

    /// Starts a child.
    ///
    /// # Blocking
    ///
    /// Blocks the thread until the child runs the program, mostly for less than a millisecond; parks while as many children are being started as there
    /// are CPUs.
    ///
    /// # Errors
    ///
    /// As std, `NotFound` if there is no such program, for example. If the [context](Command::context) has ended, its cause, of the kind `TimedOut` if
    /// its deadline has passed.
    #[track_caller]
    #[doc(alias = "Start")]
    pub fn spawn(&mut self) -> io::Result<Child> {
        if let Some((ctx, cause)) = self.ctx.as_ref().and_then(|ctx| Some((ctx, ctx.cause()?))) {
            let is_late = ctx.err().is_some_and(ContextError::is_timeout);
            let kind = if is_late { io::ErrorKind::TimedOut } else { io::ErrorKind::Other };
            return Err(io::Error::new(kind, cause));
        }
        let permit = (!self.has_hook).then(|| PERMITS.acquire());
        let child = park::in_syscall(|| {
            os::attempt(os::Fault::Child).map_err(io::Error::from_raw_os_error)?;
            self.std.spawn()
        })?;
        drop(permit);
        Ok(Child::new(child, self.ctx.as_ref(), self.cancel_signal, self.wait_delay))
    }

    /// Runs a child to its end.
    ///
    /// # Blocking
    ///
    /// As [`spawn`](Command::spawn) and [`Child::wait`].
    ///
    /// # Errors
    ///
    /// As theirs.
    #[track_caller]
    #[doc(alias = "Run")]
    pub fn status(&mut self) -> io::Result<ExitStatus> {
        let mut child = self.spawn()?;
        child.wait_at(Location::caller())
    }

    /// Runs a child to its end, and collects what it writes to standard output and standard error.
    ///
    /// # Blocking
    ///
    /// As [`spawn`](Command::spawn) and [`Child::wait_with_output`].
    ///
    /// # Errors
    ///
    /// As theirs.
    #[track_caller]
    #[doc(alias = "Output")]
    pub fn output(&mut self) -> io::Result<Output> {
        let at = Location::caller();
        self.choose(Stdio::null, Stdio::piped);
        let child = self.spawn();
        self.choose(Stdio::inherit, Stdio::inherit);
        child?.wait_with_output_at(at)
    }

    /// Sets the streams that the user has not chosen (CM1).
    fn choose(&mut self, input: fn() -> Stdio, output: fn() -> Stdio) {
        let [has_input, has_output, has_error] = self.chosen;
        if !has_input {
            self.std.stdin(input());
        }
        if !has_output {
            self.std.stdout(output());
        }
        if !has_error {
            self.std.stderr(output());
        }
    }

    /// The program.
    pub fn get_program(&self) -> &OsStr {
        self.std.get_program()
    }

    /// The arguments.
    pub fn get_args(&self) -> CommandArgs<'_> {
        self.std.get_args()
    }

    /// The variables of the environment that are set, or taken out.
    pub fn get_envs(&self) -> CommandEnvs<'_> {
        self.std.get_envs()
    }

    /// The working directory, if it was set.
    pub fn get_current_dir(&self) -> Option<&Path> {
        self.std.get_current_dir()
    }
}

impl fmt::Debug for Command {
    /// As a shell would have it, as std.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.std.fmt(f)
    }
}
