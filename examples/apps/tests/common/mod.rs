//! Runs the programs and the tools that drive them, and looks at what they leave behind.
//!
//! Why here: shared by the tests, each of which uses a part. The tests themselves know nothing of goruntime: plain threads and sockets.
//!
//! *Invariants*
//! - C1. Whoever waits does so for at most [`DEADLINE`]; then the program gets SIGQUIT, so that its goroutines are in the report, and the test fails.
//! - C2. No process that a test has started outlives it, however the test ends.
//!
//! *Locks*: none.
//!
//! *Go:* `os/exec` tests, in spirit.
#![allow(dead_code, unused_imports, reason = "each test uses a part")]

mod files;
mod server;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use files::{Certificate, Directory, client};
pub(crate) use server::Postgres;

/// After this long something hangs; nothing here takes more than some seconds on a machine that does nothing else.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);
/// How long a program that hangs may take to print its goroutines.
const LAST_WORDS: Duration = Duration::from_secs(20);

/// What a process left behind.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) status: ExitStatus,
}

/// A process that runs.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    /// Lines on standard output as they come.
    lines: Receiver<String>,
    /// All that was printed, when the process has closed its end.
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

/// The command for one of the programs.
pub(crate) fn program(path: &str) -> Command {
    let mut command = Command::new(path);
    for setting in ["GODEBUG", "GOTRACEBACK", "RUST_BACKTRACE"] {
        command.env_remove(setting);
    }
    command
}

/// Starts a server on a free port of the loopback interface, and returns it with its address.
pub(crate) fn server(path: &str, args: &[&str]) -> (Running, SocketAddr) {
    let mut server = Running::start(program(path).arg("127.0.0.1:0").args(args));
    let line = server.next_line();
    let addr = line.strip_prefix("listening on ").and_then(|addr| addr.parse().ok());
    (server, addr.unwrap_or_else(|| panic!("no address in {line:?}")))
}

/// Runs a command to its end with this on its standard input.
pub(crate) fn run(command: &mut Command, input: &[u8]) -> Output {
    let mut running = Running::start(command);
    running.write(input);
    running.wait()
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Running {
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let (each, lines) = channel();
        // Nobody may be interested in lines.
        let stdout = read_all(child.stdout.take(), move |line| _ = each.send(line.to_owned()));
        let stderr = read_all(child.stderr.take(), |_| {});
        Running { child, lines, stdout, stderr }
    }

    /// Writes to standard input.
    pub(crate) fn write(&mut self, input: &[u8]) {
        let stdin = self.child.stdin.as_mut().expect("standard input is open");
        // A process that has ended says so by its status.
        _ = stdin.write_all(input).and_then(|()| stdin.flush());
    }

    /// Ends standard input.
    pub(crate) fn close_stdin(&mut self) {
        self.child.stdin = None;
    }

    /// The next line on standard output.
    pub(crate) fn next_line(&mut self) -> String {
        match self.lines.recv_timeout(DEADLINE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => self.hangs(),
            Err(RecvTimeoutError::Disconnected) => {
                let words = self.stderr.recv_timeout(LAST_WORDS);
                panic!("the process ended without printing a line; stderr:\n{}", words.unwrap_or_default())
            }
        }
    }

    /// Waits for a line on standard output that contains `text`, and returns it.
    pub(crate) fn line_with(&mut self, text: &str) -> String {
        loop {
            let line = self.next_line();
            if line.contains(text) {
                return line;
            }
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.expect("kill exists").success(), "the process has ended before the signal");
    }

    /// How many sockets the process has.
    pub(crate) fn sockets(&self) -> usize {
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", self.id())).expect("the process runs");
        let target = |entry: std::io::Result<std::fs::DirEntry>| std::fs::read_link(entry.ok()?.path()).ok();
        descriptors.filter_map(target).filter(|target| target.to_string_lossy().starts_with("socket:")).count()
    }

    /// Waits until the process has so many sockets.
    pub(crate) fn wait_for_sockets(&mut self, count: usize) {
        let begun = Instant::now();
        while self.sockets() != count {
            if begun.elapsed() > DEADLINE {
                eprintln!("{} sockets, {count} expected", self.sockets());
                self.hangs();
            }
            // Nothing in the system tells when another process closes a socket.
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits for the end (C1). Standard input ends at once.
    pub(crate) fn wait(mut self) -> Output {
        self.close_stdin();
        let Ok(stdout) = self.stdout.recv_timeout(DEADLINE) else { self.hangs() };
        let Ok(stderr) = self.stderr.recv_timeout(DEADLINE) else { self.hangs() };
        let status = self.child.wait().expect("the process is our child");
        Output { stdout, stderr, status }
    }

    /// Waits for the end of a program that was told to stop, and that leaves nothing behind.
    #[track_caller]
    pub(crate) fn ends_well(self) -> Output {
        let out = self.wait();
        assert_eq!(out.status.code(), Some(0), "{out:#?}");
        assert_eq!(out.stdout.lines().last(), Some("1 goroutine left"), "{out:#?}");
        out
    }

    /// Fails with all that can be learned of a process that does not end.
    fn hangs(&mut self) -> ! {
        self.signal("QUIT");
        let mut words = self.stderr.recv_timeout(LAST_WORDS).ok();
        _ = self.child.kill();
        words = words.or_else(|| self.stderr.recv_timeout(LAST_WORDS).ok());
        let said = self.stdout.recv_timeout(LAST_WORDS).unwrap_or_default();
        panic!("the process hangs\nstdout:\n{said}\nstderr:\n{}", words.unwrap_or_default());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended; then there is nobody to kill (C2).
        _ = self.child.kill();
        _ = self.child.wait();
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

/// Connects with a plain socket, whose reads and writes fail after [`DEADLINE`].
pub(crate) fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap_or_else(|error| panic!("{addr}: {error}"));
    stream.set_read_timeout(Some(DEADLINE)).expect("the time is not zero");
    stream.set_write_timeout(Some(DEADLINE)).expect("the time is not zero");
    stream
}

/// Waits for something in another process that nothing in the system tells of.
pub(crate) fn until(what: &str, happened: impl Fn() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(begun.elapsed() < DEADLINE, "it has not happened that {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until nobody listens at an address any more.
pub(crate) fn wait_until_refused(addr: SocketAddr) {
    until("nobody listens", || TcpStream::connect(addr).is_err());
}

/// Closes a connection so that the other end sees `connection reset`.
pub(crate) fn reset(stream: TcpStream) {
    let socket = socket2::Socket::from(stream);
    socket.set_linger(Some(Duration::ZERO)).expect("the option exists");
}

/// The Python interpreter that has a module: the system's, for which packages can be installed, or the first on the path.
pub(crate) fn python(module: &str) -> &'static str {
    let has = |python: &&str| {
        let output = Command::new(python).args(["-c", &format!("import {module}")]).output();
        output.is_ok_and(|output| output.status.success())
    };
    let found = ["/usr/bin/python3", "python3"].into_iter().find(has);
    found.unwrap_or_else(|| panic!("no Python here has the module `{module}`; the package is python3-{module}"))
}
