//! The parent's side: starts a child, listens to it, and finds out what is the matter when it falls silent.
//!
//! *Why here.* Outside of the runtime that is watched, in another process, so that no thread of the watcher keeps the runtime from
//! reporting a deadlock.
//!
//! *Invariants.* WA1. Every child is waited for.
//!
//! *Locks.* None. *Go:* `go tool dist test`'s timeout.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use crate::options::{Mode, Options};

/// How a child ended, or what it said last.
struct Story {
    counts: BTreeMap<String, (u64, u64)>,
    batches: u64,
    last: String,
    hung: bool,
}

/// Runs one child; true if all was well.
pub(crate) fn run(options: &Options, procs: usize, mode: Mode) -> bool {
    let me = std::env::current_exe().expect("the path of this program is known");
    let spawned = Command::new(me)
        .args(options.to_args(mode))
        .env("GOMAXPROCS", procs.to_string())
        .env("GOTRACEBACK", "system")
        .stdout(Stdio::piped())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            eprintln!("cannot start a child: {error}");
            return false;
        }
    };
    let story = listen(&lines_of(&mut child), child.id(), options.silence);
    if story.hung {
        // A child that cannot even be dumped is killed; that it has gone by itself meanwhile is no error.
        let _ = child.kill();
    }
    let status = child.wait().expect("the child can be waited for");
    let ok = status.success() && !story.hung;
    let verdict =
        if ok { "ok".to_owned() } else { format!("FAILED ({status}{})", if story.hung { ", hung" } else { "" }) };
    println!("procs {procs:2} {:7}: {verdict}, {} batches", mode.name(), story.batches);
    for (name, (runs, ops)) in &story.counts {
        println!("    {name:<16} {runs:>6} runs {ops:>10} operations");
    }
    if !ok {
        println!("    in {}", story.last);
        println!(
            "    again: {}--seed {} --seconds {} --procs {procs} --mode {}",
            std::env::var("GODEBUG").map(|value| format!("GODEBUG={value} ")).unwrap_or_default(),
            options.seed,
            options.seconds,
            mode.name()
        );
    }
    ok
}

/// Reads the child's output on a thread of its own.
pub(crate) fn lines_of(child: &mut Child) -> Receiver<String> {
    let (tell, told) = channel();
    let output = child.stdout.take().expect("the child's output is a pipe");
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                return;
            }
        }
    });
    told
}

/// Counts what the child reports until it ends or hangs.
fn listen(lines: &Receiver<String>, pid: u32, silence: Duration) -> Story {
    let mut story = Story { counts: BTreeMap::new(), batches: 0, last: "the start".to_owned(), hung: false };
    loop {
        match lines.recv_timeout(silence) {
            Ok(line) => story.note(line),
            Err(RecvTimeoutError::Disconnected) => return story,
            Err(RecvTimeoutError::Timeout) => {
                story.hung = true;
                eprintln!("stress: process {pid} has been silent for {silence:?}");
                examine(pid);
                return story;
            }
        }
    }
}

impl Story {
    /// `batch TEXT` begins one, `done NAME OPERATIONS` ends a scenario of it.
    fn note(&mut self, line: String) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["done", name, ops] => {
                let entry = self.counts.entry(name.to_owned()).or_default();
                entry.0 += 1;
                entry.1 += ops.parse::<u64>().unwrap_or(0);
            }
            ["batch", ..] => {
                self.batches += 1;
                self.last = line;
            }
            _ => println!("{line}"),
        }
    }
}

/// Says all there is to know about a process that hangs: the stacks of its threads, if there is a gdb, and of its goroutines.
pub(crate) fn examine(pid: u32) {
    let pid = pid.to_string();
    let gdb = Command::new("gdb")
        .args(["-p", &pid, "-batch", "-ex", "set pagination off", "-ex", "thread apply all bt 24"])
        .output();
    match gdb {
        Ok(output) => eprintln!("{}", String::from_utf8_lossy(&output.stdout)),
        Err(error) => eprintln!("stress: no gdb: {error}"),
    }
    if let Err(error) = Command::new("kill").args(["-QUIT", &pid]).status() {
        eprintln!("stress: no kill: {error}");
    }
    std::thread::sleep(Duration::from_secs(5));
}
