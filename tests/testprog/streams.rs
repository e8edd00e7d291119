//! Programs with standard streams, pipes and children.
//!
//! Why here: driven by `tests/stream_programs.rs`.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `TestHelperProcess` of exec_test.go.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use goruntime::channel::bounded;
use goruntime::fs::File;
use goruntime::io::{self, BufRead, Read, Write, pipe, stderr, stdin, stdout};
use goruntime::os::unix::process::{CommandExt, ExitStatusExt};
use goruntime::process::{self, Command, Stdio};
use goruntime::runtime::{at_exit, yield_now};
use goruntime::sync::WaitGroup;
use goruntime::time::Duration;
use goruntime::{go, spawn, thread};

use crate::Program::{Body, Plain};
use crate::Table;

pub(crate) const PROGRAMS: Table = &[
    ("streams_stdin", Body(streams_stdin)),
    ("streams_stdin_alone", Body(streams_stdin_alone)),
    ("streams_stdin_ways", Body(streams_stdin_ways)),
    ("streams_lock", Body(streams_lock)),
    ("streams_mixed", Body(streams_mixed)),
    ("streams_flush", Body(streams_flush)),
    ("streams_exit", Body(streams_exit)),
    ("streams_exec", Body(streams_exec)),
    ("streams_dead_afterwards", Body(streams_dead_afterwards)),
    ("streams_waits", Body(streams_waits)),
    ("streams_interrupted", Body(streams_interrupted)),
    ("streams_shortage", Body(streams_shortage)),
    ("streams_plain", Plain(streams_plain)),
    ("streams_unread", Body(streams_unread)),
];

fn forever() {
    loop {
        thread::park();
    }
}

/// One goroutine reads, the other ticks; the answer to a line waits for a tick.
fn streams_stdin() {
    let ticks = Arc::new(AtomicU64::new(0));
    let ours = ticks.clone();
    let reading = spawn(move || {
        for line in stdin().lines() {
            let before = ours.load(Ordering::Relaxed);
            while ours.load(Ordering::Relaxed) == before {
                yield_now();
            }
            println!("{} and a tick", line.unwrap());
        }
        println!("end");
    });
    let mut said = false;
    while !reading.is_finished() {
        let count = ticks.fetch_add(1, Ordering::Relaxed);
        if count >= 1_000 && !said {
            println!("ticked 1000");
            said = true;
        }
        yield_now();
    }
}

fn streams_stdin_alone() {
    println!("waiting");
    let (tx, rx) = bounded(0);
    // One reads, and one waits for the one who reads.
    for _ in 0..2 {
        let tx = tx.clone();
        go(move || {
            let mut line = String::new();
            stdin().read_line(&mut line).unwrap();
            tx.send(line).unwrap();
        });
    }
    print!("{}", rx.recv().unwrap());
    assert_eq!(rx.recv().unwrap(), "");
}

fn streams_stdin_ways() {
    let mut line = String::new();
    stdin().read_line(&mut line).unwrap();
    print!("{line}");
    let mut lock = stdin().lock();
    println!("{}", lock.by_ref().lines().next().unwrap().unwrap());
    drop(lock);
    let mut word = [0; 4];
    stdin().read_exact(&mut word).unwrap();
    println!("{}", String::from_utf8_lossy(&word));
    assert_eq!(stdin().read(&mut word[..1]).unwrap(), 1);
    let mut lines = stdin().lines();
    println!("{}\n{}", lines.next().unwrap().unwrap(), lines.next().unwrap().unwrap());
    println!("{}", lines.next().unwrap().unwrap().len());
    drop(lines);
    println!("{}", io::read_to_string(stdin()).unwrap().replace('\n', "|"));
}

/// Parks while it is shown.
struct Parks(usize);

impl fmt::Display for Parks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        goruntime::time::sleep(Duration::from_micros(50));
        self.0.fmt(f)
    }
}

fn streams_lock() {
    let group = WaitGroup::new();
    for writer in 0..20 {
        let group = group.clone();
        group.add(1);
        go(move || {
            let mut out = stdout().lock();
            for part in 0..5 {
                writeln!(out, "{writer} part {}", Parks(part)).unwrap();
                yield_now();
            }
            drop(out);
            let mut err = stderr().lock();
            for part in 0..5 {
                // The lock is the goroutine's: it may take it again.
                writeln!(stderr(), "{writer} part {}", Parks(part)).unwrap();
                goruntime::time::sleep(Duration::from_micros(50));
                err.flush().unwrap();
            }
            group.done();
        });
    }
    group.wait();
}

fn streams_mixed() {
    // Formatted in pieces.
    let names = ["std", "ours"];
    let group = WaitGroup::new();
    for writer in 0..8 {
        let group = group.clone();
        group.add(1);
        go(move || {
            for _ in 0..50 {
                if writer % 2 == 0 {
                    println!("{} says something", names[0]);
                } else {
                    writeln!(stdout(), "{} says something", names[1]).unwrap();
                }
                yield_now();
            }
            group.done();
        });
    }
    group.wait();
}

fn streams_flush() {
    at_exit(|| write!(stdout(), "hook").unwrap());
    write!(stdout(), "a line\nand ").unwrap();
}

fn streams_exit() {
    at_exit(|| println!("hook"));
    go(|| process::exit(7));
    forever();
}

fn streams_exec() {
    panic!("{}", Command::new("echo").arg("another program").exec());
}

fn streams_dead_afterwards() {
    let (mut reader, writer) = pipe().unwrap();
    let reading = spawn(move || reader.read(&mut [0; 4]).unwrap());
    yield_now();
    drop(writer);
    assert_eq!(reading.join().unwrap(), 0);
    assert!(Command::new("true").output().unwrap().status.success());
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    assert_eq!(child.wait_timeout(Duration::from_millis(1)).unwrap(), None);
    assert!(child.wait().unwrap().success());
    let _idle = pipe().unwrap();
    forever();
}

fn streams_waits() {
    let (mut reader, _writer) = pipe().unwrap();
    let mut children = [(); 2].map(|()| Command::new("cat").stdin(Stdio::piped()).spawn().unwrap());
    let _inputs = children.each_mut().map(|child| child.stdin.take());
    let [mut first, second] = children;
    go(move || drop(reader.read(&mut [0; 8])));
    go(move || drop(first.wait()));
    go(move || drop(second.wait_with_output()));
    // There is one processor: the three run until they park.
    (0..100).for_each(|_| yield_now());
    println!("waiting");
    forever();
}

fn streams_interrupted() {
    // Ends when it gets the signal.
    let parent = std::process::id();
    let text = format!("trap 'exit 0' USR1; echo ready; while kill -0 {parent}; do sleep 0.01; done");
    let mut shell = Command::new("sh").args(["-c", &text]).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = shell.stdout.take().unwrap();
    let mut ready = [0; 6];
    output.read_exact(&mut ready).unwrap();
    println!("{}", shell.id());
    let waiting = spawn(move || shell.wait().unwrap());
    let reading = spawn(move || output.read(&mut [0; 8]).unwrap());
    let (mut reader, writer) = pipe().unwrap();
    let ending = spawn(move || reader.read(&mut [0; 8]).unwrap());
    assert!(waiting.join().unwrap().success());
    assert_eq!(reading.join().unwrap(), 0);
    drop(writer);
    assert_eq!(ending.join().unwrap(), 0);
    println!("all have ended");
}

fn streams_shortage() {
    let mut hoard: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    let mut quick = Command::new("sh");
    quick.args(["-c", "exit 3"]);
    let ticks = Arc::new(AtomicU64::new(0));
    let ours = ticks.clone();
    go(move || {
        loop {
            ours.fetch_add(1, Ordering::Relaxed);
            yield_now();
        }
    });
    println!("{:?}", quick.status().unwrap().code());
    let mut cat = loop {
        // One for the pipe to the child, two while it is made. A thread of the runtime that starts meanwhile may have taken one.
        hoard.truncate(hoard.len() - 2);
        if let Ok(cat) = Command::new("cat").stdin(Stdio::piped()).spawn() {
            break cat;
        }
    };
    hoard.extend(std::iter::from_fn(|| File::open("/dev/null").ok()));
    let _input = cat.stdin.take();
    println!("{:?}", cat.wait_timeout(Duration::from_millis(5)).unwrap());
    let before = ticks.load(Ordering::Relaxed);
    cat.kill().unwrap();
    println!("{:?}", cat.wait_timeout(Duration::from_secs(1_000)).unwrap().unwrap().signal());
    println!("{:?}", cat.wait().unwrap().signal());
    while ticks.load(Ordering::Relaxed) == before {
        yield_now();
    }
}

fn streams_plain() {
    let output = Command::new("echo").arg("child").output().unwrap();
    stdout().write_all(&output.stdout).unwrap();
    let (mut reader, mut writer) = pipe().unwrap();
    let writing = std::thread::spawn(move || writer.write_all(b"plain").unwrap());
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    writing.join().unwrap();
    writeln!(stdout(), "{text}").unwrap();
}

fn streams_unread() {
    // Else the first write would end the program, as in Go.
    goruntime::signal::ignore(&[goruntime::signal::Signal::PIPE]).unwrap();
    let error = loop {
        if let Err(error) = stdout().write_all(b"a line\n") {
            break error;
        }
        yield_now();
    };
    writeln!(stderr(), "{:?}", error.kind()).unwrap();
}
