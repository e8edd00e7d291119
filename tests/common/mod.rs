//! Runs programs that end in ways a test cannot survive, and reads what they leave behind.
//!
//! Why here: shared by the process-shaped tests; each of them uses a part of it.
//!
//! *Invariants*
//! - C1. No program runs for longer than [`DEADLINE`]: then it gets SIGQUIT, so that its goroutines are in the report, and the test fails.
//! - C2. A program sees none of the settings that the test itself was started with, except for the seed in [`CHAOS`].
//!
//! *Locks*: none.
//!
//! *Go:* `runtime/crash_test.go` (`runTestProg`, `runBuiltTestProg`).
#![allow(dead_code, reason = "each test file uses a part")]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// The binary that was built with the tests; nothing in a package that has none.
const TESTPROG: &str = match option_env!("CARGO_BIN_EXE_testprog") {
    Some(path) => path,
    None => "",
};
/// After this long a program hangs; the slowest one takes some seconds on a machine that does nothing else.
const DEADLINE: Duration = Duration::from_secs(240);
/// How long a program that hangs may take to print its goroutines.
const LAST_WORDS: Duration = Duration::from_secs(20);
/// Settings that a program gets from its test alone (C2).
const SETTINGS: [&str; 5] = ["GOMAXPROCS", "GODEBUG", "GOTRACEBACK", "RUST_BACKTRACE", "RUST_LIB_BACKTRACE"];
/// A number in this variable is the seed of chaos in every program, beside the settings that its test gives it (`scripts/chaos.sh`).
const CHAOS: &str = "GORUNTIME_TEST_CHAOS";

/// What a program left behind.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) status: ExitStatus,
}

/// A goroutine in a report.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) id: u64,
    /// What stands in brackets.
    pub(crate) status: String,
    /// The lines below.
    pub(crate) text: String,
}

/// Runs the program `name` of `testprog`.
pub(crate) fn run_program(name: &str, env: &[(&str, &str)]) -> Output {
    run(program(name).envs(env.iter().copied()))
}

/// The command that runs the program `name` of `testprog`. `TESTPROG` names another command than the binary that was built with
/// the tests: an emulator and a `testprog` for another machine, say.
pub(crate) fn program(name: &str) -> Command {
    let words = std::env::var("TESTPROG").unwrap_or_else(|_| TESTPROG.to_owned());
    let mut words = words.split(' ');
    let mut command = Command::new(words.next().expect("a split text has a first part"));
    command.args(words).arg(name);
    command
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Output {
    Running::start(command).wait()
}

/// Lets the command start as from an interactive shell: `nohup`, and shells for what they start in the background, ignore some signals.
#[cfg(unix)]
fn with_default_signals(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    let reset = || {
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT] {
            // SAFETY: takes a signal and no handler.
            if unsafe { libc::signal(signal, libc::SIG_DFL) } == libc::SIG_ERR {
                return Err(std::io::Error::last_os_error());
            }
        }
        Ok(())
    };
    // SAFETY: `signal` is async-signal-safe, and an error allocates nothing.
    unsafe { command.pre_exec(reset) };
}

/// Adds chaos to the settings that a command was given, unless they have a seed of their own.
fn add_chaos(command: &mut Command, seed: &str) {
    let given = command.get_envs().find(|(name, _)| *name == "GODEBUG").and_then(|(_, value)| value?.to_str());
    let all = match given {
        Some(given) if given.contains("chaos=") => return,
        Some(given) => format!("{given},chaos={seed}"),
        None => format!("chaos={seed}"),
    };
    command.env("GODEBUG", all);
}

/// A program that runs.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    /// Lines on standard output as they come.
    lines: Receiver<String>,
    /// Lines on standard error as they come.
    error_lines: Receiver<String>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Running {
    /// Starts a command without the settings of this process, except for those that it was given explicitly.
    pub(crate) fn start(command: &mut Command) -> Running {
        let given: Vec<_> = command.get_envs().map(|(name, _)| name.to_owned()).collect();
        for name in SETTINGS.iter().filter(|&&name| !given.iter().any(|given| given == name)) {
            command.env_remove(name);
        }
        if let Ok(seed) = std::env::var(CHAOS) {
            add_chaos(command, &seed);
        }
        #[cfg(unix)]
        with_default_signals(command);
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let (each, lines) = channel();
        let (each_error, error_lines) = channel();
        // Nobody may be interested in lines.
        let stdout = read_all(child.stdout.take(), move |line| _ = each.send(line.to_owned()));
        let stderr = read_all(child.stderr.take(), move |line| _ = each_error.send(line.to_owned()));
        Running { child, lines, error_lines, stdout, stderr }
    }

    /// Waits until the program has printed a line.
    pub(crate) fn wait_for_line(&mut self, line: &str) {
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(printed) if printed == line => return,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => self.hangs(),
                Err(RecvTimeoutError::Disconnected) => panic!("the program ended without printing {line:?}"),
            }
        }
    }

    /// Waits for the next lines on standard error, for as many as are asked for.
    pub(crate) fn wait_for_error_lines(&mut self, count: usize) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.len() < count {
            match self.error_lines.recv_timeout(DEADLINE) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Timeout) => self.hangs(),
                Err(RecvTimeoutError::Disconnected) => panic!("the program ended after {lines:#?}"),
            }
        }
        lines
    }

    /// Ends the program, which would go on for ever.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("the program is our child");
        self.child.wait().expect("the program is our child");
    }

    /// The next line that the program prints.
    pub(crate) fn next_line(&mut self) -> String {
        match self.lines.recv_timeout(DEADLINE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => self.hangs(),
            Err(RecvTimeoutError::Disconnected) => panic!("the program ended without printing a line"),
        }
    }

    /// Whether the program goes on for `time` without printing anything.
    pub(crate) fn is_silent_for(&self, time: Duration) -> bool {
        self.lines.recv_timeout(time) == Err(RecvTimeoutError::Timeout)
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name, or its number.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.expect("kill exists").success(), "the program has ended before the signal");
    }

    /// Waits for the end (C1).
    pub(crate) fn wait(mut self) -> Output {
        let Ok(stdout) = self.stdout.recv_timeout(DEADLINE) else { self.hangs() };
        let Ok(stderr) = self.stderr.recv_timeout(DEADLINE) else { self.hangs() };
        let status = self.child.wait().expect("the program is our child");
        Output { stdout, stderr, status }
    }

    /// Fails with all that can be learned of a program that does not end.
    fn hangs(&mut self) -> ! {
        self.signal("QUIT");
        let mut words = self.stderr.recv_timeout(LAST_WORDS).ok();
        self.child.kill().expect("the program is our child");
        self.child.wait().expect("the program is our child");
        words = words.or_else(|| self.stderr.recv_timeout(LAST_WORDS).ok());
        let said = self.stdout.recv_timeout(LAST_WORDS).unwrap_or_default();
        panic!("the program hangs\nstdout:\n{said}\nstderr:\n{}", words.unwrap_or_default());
    }
}

/// Reads a stream to its end on a thread of its own; the lines are shown to `see` as they come.
fn read_all(stream: Option<impl Read + Send + 'static>, see: impl Fn(&str) + Send + 'static) -> Receiver<String> {
    let (tx, rx) = channel();
    let mut stream = BufReader::new(stream.expect("the stream is a pipe"));
    thread::spawn(move || {
        let mut text = String::new();
        let mut line = Vec::new();
        while stream.read_until(b'\n', &mut line).expect("a pipe can be read") > 0 {
            let decoded = String::from_utf8_lossy(&line);
            see(decoded.trim_end_matches('\n'));
            text.push_str(&decoded);
            line.clear();
        }
        // Nobody listens any more if the test has failed meanwhile.
        _ = tx.send(text);
    });
    rx
}

impl Output {
    /// The lines on standard output.
    pub(crate) fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }

    /// The goroutines that the report on standard error lists, in its order.
    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut in_block = false;
        for line in self.stderr.lines() {
            if let Some((id, status)) = header(line) {
                blocks.push(Block { id, status, text: String::new() });
                in_block = true;
            } else if line.is_empty() {
                in_block = false;
            } else if let Some(block) = blocks.last_mut().filter(|_| in_block) {
                block.text.push_str(line);
                block.text.push('\n');
            }
        }
        blocks
    }
}

/// Number and status of a line `goroutine N [STATUS]:`, with or without the addresses of level 2 in between.
fn header(line: &str) -> Option<(u64, String)> {
    let (id, rest) = line.strip_prefix("goroutine ")?.split_once(' ')?;
    let (_, status) = rest.strip_suffix("]:")?.split_once('[')?;
    Some((id.parse().ok()?, status.to_owned()))
}

/// Has cargo build more with the profile and for the target of the tests, and returns the directory that programs are built into.
pub(crate) fn build(arguments: &[&str]) -> PathBuf {
    let profile = Path::new(TESTPROG).parent().expect("a program is in a directory");
    let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--quiet"]).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    if name(profile).is_some_and(|name| name == "release") {
        command.arg("--release");
    }
    // With `--target` there is one more directory in between, named after it.
    let target =
        profile.parent().and_then(name).filter(|name| name.starts_with(&format!("{}-", std::env::consts::ARCH)));
    if let Some(target) = target {
        command.args(["--target", &target]);
    }
    let built = command.output().expect("cargo runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    profile.to_owned()
}

/// The program ended well, and printed exactly this.
#[track_caller]
pub(crate) fn assert_prints(out: &Output, stdout: &str) {
    let status = out.status;
    assert_eq!((out.stdout.as_str(), status.code()), (stdout, Some(0)), "{status}, stderr:\n{}", out.stderr);
}

/// The program ended with status 2, and the first line on standard error is `line`.
#[track_caller]
pub(crate) fn assert_crash(out: &Output, line: &str) {
    assert_eq!(out.stderr.lines().next(), Some(line), "{out:#?}");
    assert_eq!(out.status.code(), Some(2), "{out:#?}");
}

/// The program ended by a fatal error.
#[track_caller]
pub(crate) fn assert_fatal(out: &Output, text: &str) {
    assert_crash(out, &format!("fatal error: {text}"));
}

/// The report lists exactly goroutines of these statuses, in any order.
#[track_caller]
pub(crate) fn assert_listed(out: &Output, statuses: &[&str]) {
    let blocks = out.blocks();
    let mut listed: Vec<&str> = blocks.iter().map(|block| block.status.as_str()).collect();
    let mut expected = statuses.to_vec();
    listed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(listed, expected, "{}", out.stderr);
}

/// Runs a test body; if it takes too long, the process gets SIGQUIT, which prints every goroutine and fails all tests of the binary.
pub(crate) fn within<T>(body: impl FnOnce() -> T) -> T {
    let (done, ended) = channel::<()>();
    let watch = thread::spawn(move || {
        if ended.recv_timeout(DEADLINE) == Err(RecvTimeoutError::Timeout) {
            let sent = Command::new("kill").arg("-QUIT").arg(std::process::id().to_string()).status();
            assert!(sent.is_ok_and(|status| status.success()), "a test hangs, and cannot be dumped");
        }
    });
    let value = body();
    drop(done);
    watch.join().expect("the watch does not panic");
    value
}

/// Yields until something has happened. Only inside of [`within`].
pub(crate) fn until(mut happened: impl FnMut() -> bool) {
    while !happened() {
        goruntime::runtime::yield_now();
    }
}
