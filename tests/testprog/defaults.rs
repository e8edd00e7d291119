//! Programs that nobody tells what to do with signals, what their children get, and what happens to writes that nobody reads.
//!
//! Why here: driven by `tests/signals.rs`, which sends the signals and closes the streams.
//!
//! *Invariants*: SG1 of `signals`. *Locks*: none.
//!
//! *Go:* os/signal/signal_test.go, `TestStdPipe` of package os.

use std::io::{self, ErrorKind, Read, Write};
use std::process::{Command, exit};
use std::time::Duration;

use goruntime::os::unix::net::UnixStream;
use goruntime::runtime::yield_now;
use goruntime::signal::{self, Signal, raise};
use goruntime::{go, run, spawn};

use crate::Program::{Body, Plain};
use crate::Table;
use crate::signals::{forever, listen};

pub(crate) const PROGRAMS: Table = &[
    ("sig_wait", Body(wait)),
    ("sig_wait_library", Plain(wait_library)),
    ("sig_children", Body(children)),
    ("sig_masks", Body(masks)),
    ("sig_pipe_print", Body(pipe_print)),
    ("sig_pipe_print_error", Body(pipe_print_error)),
    ("sig_pipe_write", Body(pipe_write)),
    ("sig_pipe_others", Body(pipe_others)),
    ("sig_pipe_wanted", Body(pipe_wanted)),
    ("sig_pipe_write_io", Body(pipe_write_io)),
    ("sig_pipe_endless", Body(pipe_endless)),
    ("sig_pipe_print_library", Plain(pipe_print)),
    ("sig_fault_ill", Body(illegal)),
    ("sig_abort", Body(|| std::process::abort())),
];

fn wait() {
    println!("ready");
    forever();
}

fn wait_library() {
    run(|| ());
    println!("ready");
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// What a child inherits, with everything caught here and two ignored.
fn children() {
    let (_tx, _rx) = listen(1, &[]);
    signal::ignore(&[Signal::HUP, Signal::USR1]).unwrap();
    let status = Command::new("cat").arg("/proc/self/status").output().unwrap();
    assert!(status.status.success());
    for line in String::from_utf8(status.stdout).unwrap().lines().filter(|line| line.starts_with("Sig")) {
        println!("{line}");
    }
}

/// The signals that the threads of this program block.
fn masks() {
    let (_tx, _rx) = listen(1, &[]);
    std::thread::spawn(|| spawn(|| ()).join().unwrap()).join().unwrap();
    let (near, _far) = UnixStream::pair().unwrap();
    go(move || _ = (&near).read(&mut [0]));
    yield_now();
    // A thread that is just being made, or ends, blocks all of them for moments.
    while blocked_by_threads().iter().any(|&mask| mask != 0) {
        yield_now();
    }
    println!("{}", blocked_by_threads().len() >= 2);
}

/// What each thread of this process blocks.
fn blocked_by_threads() -> Vec<u64> {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    // A thread may end meanwhile.
    let statuses = threads.filter_map(|entry| std::fs::read_to_string(entry.unwrap().path().join("status")).ok());
    statuses
        .filter_map(|status| {
            let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:\t"))?;
            Some(u64::from_str_radix(mask, 16).unwrap())
        })
        .collect()
}

/// Waits until the test has closed the other end of the standard streams.
fn until_broken() {
    assert_eq!(io::stdin().read(&mut [0]).unwrap(), 0);
}

fn pipe_print() {
    until_broken();
    println!("nobody reads this");
    exit(9);
}

/// Prints until it cannot.
fn pipe_endless() {
    for number in 0.. {
        println!("line {number}");
    }
}

fn pipe_print_error() {
    until_broken();
    eprintln!("nobody reads this");
    exit(9);
}

/// Not through a macro of std: whoever writes to descriptor 1.
fn pipe_write() {
    until_broken();
    let mut out = io::stdout();
    let kind = out.write_all(b"nobody reads this\n").and_then(|()| out.flush()).unwrap_err().kind();
    exit(if kind == ErrorKind::BrokenPipe { 8 } else { 9 });
}

/// The same through `goruntime::io`.
fn pipe_write_io() {
    until_broken();
    let mut out = goruntime::io::stdout();
    let kind = out.write_all(b"nobody reads this\n").and_then(|()| out.flush()).unwrap_err().kind();
    exit(if kind == ErrorKind::BrokenPipe { 8 } else { 9 });
}

/// Other descriptors, and a signal that another process sends.
fn pipe_others() {
    let (reader, mut writer) = io::pipe().unwrap();
    drop(reader);
    println!("{:?}", writer.write_all(b"x").unwrap_err().kind());
    let (mut near, far) = UnixStream::pair().unwrap();
    drop(far);
    println!("{:?}", near.write_all(b"x").unwrap_err().kind());
    raise(Signal::PIPE).unwrap();
    println!("ready");
    forever();
}

/// Somebody listens for it: the write fails, and the signal is delivered.
fn pipe_wanted() {
    let (tx, rx) = listen(1, &[Signal::PIPE]);
    until_broken();
    let mut out = io::stdout();
    let kind = out.write_all(b"nobody reads this\n").and_then(|()| out.flush()).unwrap_err().kind();
    let signal = rx.recv().unwrap();
    signal::stop(&tx);
    eprintln!("{kind:?} {signal:?}");
    let again = out.write_all(b"nobody reads this\n").and_then(|()| out.flush());
    exit(if again.is_err() { 8 } else { 9 });
}

/// An instruction that does not exist, on a goroutine.
fn illegal() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instruction ends the process.
    unsafe {
        std::arch::asm!("ud2");
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!("udf #0");
    }
}
