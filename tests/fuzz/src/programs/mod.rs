//! Programs of operations on channels, locks, counters, timers and contexts.
//!
//! Why here: a target. `sequential` are programs of one goroutine, of which a model tells every result; `concurrent` those of several, of which it
//! tells what they all have to agree with.
//!
//! *Invariants*
//! - PR1. Every program ends: what waits waits for something that will happen. One that does not end within [`LIMIT`] has lost a wake-up; its goroutines are
//!   printed, and the process ends.
//! - PR2. One program at a time: the number of processors and of goroutines belongs to the process.
//! - PR3. Between two programs nothing of the first is left: the only goroutine is the one that runs programs.
//!
//! *Locks*: `SERIAL` (PR2).
//!
//! *Go:* none.

mod acts;
mod concurrent;
mod journal;
mod objects;
mod sequential;
mod tree;
#[path = "../../../select/world.rs"]
mod world;

use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use arbitrary::Unstructured;
use goruntime::debug::write_goroutines;
use goruntime::runtime::{num_goroutine, set_gomaxprocs, yield_now};

/// After this long a program hangs; it takes milliseconds on a machine that does nothing else.
const LIMIT: Duration = Duration::from_secs(120);

static SERIAL: Mutex<()> = Mutex::new(());

/// Runs the program that the bytes choose.
///
/// # Panics
///
/// If an operation does something else than in the model. A program that hangs ends the process.
pub fn programs(data: &[u8]) {
    let _serial = SERIAL.lock().unwrap_or_else(PoisonError::into_inner);
    let (finished, watch) = channel::<()>();
    let shown = data.to_vec();
    let watchdog = thread::spawn(move || {
        if watch.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            hang(&shown);
        }
    });
    goruntime::run(|| run(data));
    drop(finished);
    watchdog.join().expect("the watchdog ends");
}

fn run(data: &[u8]) {
    let mut bytes = Unstructured::new(data.get(1..).unwrap_or_default());
    // No bytes are a program, too: choices beyond their end are the first ones.
    set_gomaxprocs(bytes.choose(&[2, 1, 4, 16]).copied().unwrap_or(1));
    if bytes.arbitrary().unwrap_or(false) {
        sequential::run(&mut bytes).unwrap_or_default();
    } else {
        concurrent::run(&mut bytes).unwrap_or_default();
    }
    while num_goroutine() > 1 {
        yield_now();
    }
}

/// Tells what it can, past the harness of tests, which would keep the words of a process that aborts to itself.
fn hang(data: &[u8]) -> ! {
    let mut report = format!("the program hangs: {data:?}\n\n").into_bytes();
    if let Err(error) = write_goroutines(&mut report) {
        report.extend(format!("no list of goroutines: {error}\n").bytes());
    }
    let _ = std::io::stderr().write_all(&report);
    std::process::abort()
}
