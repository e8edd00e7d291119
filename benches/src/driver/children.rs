//! What did one child answer? Starts it, bounds its time, reads its line.

use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::load;
use crate::outcome::Outcome;
use crate::workload::{HYPER, OWN};

/// A child that takes longer than this has hung.
const DEADLINE: Duration = Duration::from_secs(180);
/// How often the driver looks at a running child; rare enough to cost the child nothing.
const LOOK: Duration = Duration::from_millis(20);

/// What became of one run.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It was measured.
    Done(Outcome),
    /// The peer cannot do the workload, for this reason.
    Unsupported(String),
    /// It crashed, hung or printed something else.
    Failed(String),
}

/// The programs to start.
#[derive(Debug)]
pub struct Children {
    bins: PathBuf,
    go: Option<PathBuf>,
    stderr: PathBuf,
}

impl Children {
    /// Programs in `bins`, Go's in `go`; what a child writes to stderr goes to the file `stderr`.
    pub fn new(bins: PathBuf, go: Option<PathBuf>, stderr: PathBuf) -> Self {
        Self { bins, go, stderr }
    }

    /// Runs one child to its end.
    pub fn run(&self, peer: &str, workload: &str, workers: u32, ops: u64) -> Answer {
        let unsupported = |reason: &str| Answer::Unsupported(reason.to_owned());
        if peer == "go" && self.go.is_none() {
            return unsupported("no go was found");
        }
        if OWN.contains(&peer) && !cfg!(feature = "runtime") {
            return unsupported("built without the feature `runtime`");
        }
        let answer = if workload == "startup" {
            match self.startup_program(peer) {
                Some(program) => start_often(program, ops),
                None => return unsupported("is std's own main"),
            }
        } else {
            let mut command = self.command(peer, workload, workers, ops);
            if load::is_load(workload) {
                command = self.loaded(workload, workers, ops, &command);
            }
            self.ask(command)
        };
        answer.unwrap_or_else(Answer::Failed)
    }

    fn command(&self, peer: &str, workload: &str, workers: u32, ops: u64) -> Command {
        let mut command = match peer {
            "goruntime" | "hyper" => Command::new(self.bins.join("bench_goruntime")),
            "unguarded" => {
                let mut command = Command::new(self.bins.join("bench_goruntime"));
                command.env("GODEBUG", "tlsguard=0");
                command
            }
            "go" => Command::new(self.go_program("goruntime-bench")),
            _ => {
                let mut command = Command::new(self.bins.join("goruntime-bench"));
                command.args(["child", peer]);
                command
            }
        };
        let prefix = if peer == "hyper" { HYPER } else { "" };
        command.arg(format!("{prefix}{workload}")).arg(workers.to_string()).arg(ops.to_string());
        command.env("GOMAXPROCS", workers.to_string());
        command
    }

    /// The command that puts a load on the server that `server` starts.
    fn loaded(&self, workload: &str, workers: u32, ops: u64, server: &Command) -> Command {
        let mut command = Command::new(self.bins.join("goruntime-bench"));
        command.args(["load", workload, &ops.to_string()]).arg(server.get_program()).args(server.get_args());
        command.env("GOMAXPROCS", workers.to_string());
        command
    }

    fn go_program(&self, name: &str) -> PathBuf {
        self.go.as_ref().expect("asked only if Go was found").join(name)
    }

    fn startup_program(&self, peer: &str) -> Option<PathBuf> {
        match peer {
            "threads" => None,
            "go" => Some(self.go_program("startup")),
            peer => Some(self.bins.join(format!("start_{peer}"))),
        }
    }

    fn ask(&self, mut command: Command) -> Result<Answer, String> {
        let stderr = File::create(&self.stderr).map_err(|err| format!("no file for stderr: {err}"))?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().map_err(|err| format!("cannot start {command:?}: {err}"))?;
        let status = wait(&mut child)?;
        let mut line = String::new();
        let mut stdout = child.stdout.take().expect("stdout is piped");
        stdout.read_to_string(&mut line).map_err(|err| format!("cannot read its answer: {err}"))?;
        if !status.is_some_and(|status| status.success()) {
            let how = status.map_or(format!("hung for {DEADLINE:?}"), |status| status.to_string());
            return Err(format!("{how}: {}", self.first_words()));
        }
        match line.trim().strip_prefix("- ") {
            Some(reason) => Ok(Answer::Unsupported(reason.to_owned())),
            None => Outcome::parse(line.trim()).map(Answer::Done),
        }
    }

    /// The first lines that the last child wrote to stderr.
    fn first_words(&self) -> String {
        let text = fs::read(&self.stderr).unwrap_or_default();
        let text = String::from_utf8_lossy(&text[..text.len().min(600)]).into_owned();
        text.lines().take(4).collect::<Vec<_>>().join(" / ")
    }
}

/// Waits for the end of `child`; kills it at the deadline and answers nothing.
fn wait(child: &mut Child) -> Result<Option<ExitStatus>, String> {
    let start = Instant::now();
    let failed = |err| format!("cannot wait for a child: {err}");
    while start.elapsed() < DEADLINE {
        if let Some(status) = child.try_wait().map_err(failed)? {
            return Ok(Some(status));
        }
        thread::sleep(LOOK);
    }
    child.kill().map_err(failed)?;
    child.wait().map_err(failed)?;
    Ok(None)
}

/// The median of `times` runs of an empty program, from fork to the end of wait, in microseconds.
fn start_often(program: PathBuf, times: u64) -> Result<Answer, String> {
    let mut command = Command::new(&program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut micros = Vec::with_capacity(times as usize);
    for _ in 0..times {
        let start = Instant::now();
        let status = command.status().map_err(|err| format!("cannot start {program:?}: {err}"))?;
        micros.push(start.elapsed().as_secs_f64() * 1e6);
        if !status.success() {
            return Err(format!("{program:?}: {status}"));
        }
    }
    micros.sort_unstable_by(f64::total_cmp);
    Ok(Answer::Done(Outcome { value: micros[micros.len() / 2], peak_rss_kib: 0, extras: Vec::new() }))
}
