//! Runs a test on a number of processors, and not for ever.
//!
//! Why here: shared by the tests of what blocks goroutines.
//!
//! *Invariants*
//! - T1. One test at a time: the number of processors belongs to the process.
//! - T2. A test that hangs ends the process after [`DEADLINE`], by SIGQUIT, so that its goroutines are in the report.
//! - T3. Whoever looks at an order calls [`settle`] first, and has no time slices from then on: a busy machine must not change the order.
//!
//! *Locks*: `SERIAL` (T1).
//!
//! *Go:* none.
#![allow(dead_code, reason = "each test file uses a part")]

use std::io::{Write as _, stderr};
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::process::Command;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use goruntime::__private::{others_wait, set_time_slices};
use goruntime::runtime::{set_gomaxprocs, yield_now};

/// Whether a sanitizer slows everything down, by a factor of ten to a hundred.
pub(crate) const IS_SANITIZED: bool = cfg!(any(goruntime_asan, goruntime_tsan));
/// After this long a test hangs; the slowest takes seconds on a machine that does nothing else.
pub(crate) const DEADLINE: Duration = Duration::from_secs(if IS_SANITIZED { 1200 } else { 240 });

static SERIAL: Mutex<()> = Mutex::new(());

/// Runs `f` as a goroutine on `procs` processors (T1, T2).
#[track_caller]
pub(crate) fn with_procs<R: Send>(procs: usize, f: impl FnOnce() -> R + Send) -> R {
    let _serial = SERIAL.lock().unwrap_or_else(PoisonError::into_inner);
    let at = Location::caller();
    let (finished, watch) = channel::<()>();
    let watchdog = thread::spawn(move || {
        if watch.recv_timeout(DEADLINE) == Err(RecvTimeoutError::Timeout) {
            // Past the harness, which keeps what tests print and would take it along.
            _ = writeln!(stderr(), "the test at {at} hangs");
            let sent = Command::new("kill").arg("-QUIT").arg(std::process::id().to_string()).status();
            assert!(sent.is_ok_and(|status| status.success()), "a test hangs, and cannot be dumped");
        }
    });
    let result = catch_unwind(AssertUnwindSafe(|| {
        goruntime::run(|| {
            set_gomaxprocs(procs);
            set_time_slices(true);
            f()
        })
    }));
    drop(finished);
    watchdog.join().expect("the watchdog ends");
    result.unwrap_or_else(|payload| resume_unwind(payload))
}

/// Lets everybody else run until they wait; only on one processor, and where everybody does wait in the end. From here to the end of the
/// test there are no time slices (T3).
pub(crate) fn settle() {
    set_time_slices(false);
    // At least once: who was woken a moment ago is to run.
    yield_now();
    while !others_wait() {
        yield_now();
    }
}

/// What a panic of `f` says.
pub(crate) fn panic_text(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("it panics");
    match payload.downcast_ref::<&str>() {
        Some(text) => (*text).to_owned(),
        None => payload.downcast_ref::<String>().expect("a text").clone(),
    }
}
