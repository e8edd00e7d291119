//! Collecting what a child process writes.
//!
//! *Why here.* Floor 8.
//!
//! A goroutine reads each stream, so that a child that fills one pipe while nobody reads from it is no deadlock. They end with the streams, or when the delay
//! is over, which is a deadline of the streams.
//!
//! *Invariants.* None. *Locks.* None. *Go:* `Cmd.Output`, `Cmd.awaitGoroutines`, `ErrWaitDelay`.

use core::fmt;
use core::panic::Location;
use std::io::{self, Read};
use std::process::Output;
use std::time::{Duration, Instant};

use crate::io::polled::Polled;
use crate::netpoll::polldesc::Side;
use crate::process::reap::Process;
use crate::task::{JoinHandle, spawn};

/// The source of the error when a process has ended well, but others kept its streams open for longer than
/// [`Command::wait_delay`](crate::process::Command::wait_delay).
///
/// # Examples
///
/// ```
/// use goruntime::process::{Command, WaitDelayExpired};
/// use goruntime::time::Duration;
///
/// goruntime::run(|| {
///     let mut shell = Command::new("sh");
///     shell.args(["-c", "sleep 1000 & echo $!"]).wait_delay(Duration::from_millis(10));
///     let error = shell.output().unwrap_err();
///     assert_eq!(error.to_string(), "exec: WaitDelay expired before I/O complete");
///     let expired = error.get_ref().unwrap().downcast_ref::<WaitDelayExpired>().unwrap();
///     let sleeper = String::from_utf8_lossy(&expired.output().stdout).trim().to_owned();
///     assert!(Command::new("kill").arg(sleeper).status().unwrap().success());
/// });
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "ErrWaitDelay")]
pub struct WaitDelayExpired {
    output: Output,
}

impl WaitDelayExpired {
    /// The status, and what was read before the delay was over.
    pub fn output(&self) -> &Output {
        &self.output
    }
}

impl fmt::Display for WaitDelayExpired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("exec: WaitDelay expired before I/O complete")
    }
}

impl std::error::Error for WaitDelayExpired {}

/// A stream as far as it was read, and why no further.
type Collected = (Vec<u8>, io::Result<()>);

/// Reads the streams and waits for the process; afterwards no longer than `delay` for the streams.
pub(super) fn collect(
    process: &Process,
    streams: [Option<Polled>; 2],
    delay: Option<Duration>,
    at: &'static Location<'static>,
) -> io::Result<Output> {
    let readers = streams.clone().map(|stream| stream.map(|stream| spawn(move || read_all(&stream))));
    let status = process.wait(at);
    if let Some(until) = delay.and_then(|delay| Instant::now().checked_add(delay)) {
        for stream in streams.iter().flatten() {
            // Nobody closes a stream that is ours alone.
            _ = stream.set_deadline(&[Side::Read], Some(until));
        }
    }
    let [(stdout, out_end), (stderr, err_end)] = readers.map(joined);
    let output = Output { status: status?, stdout, stderr };
    for end in [out_end, err_end] {
        match end {
            Err(error) if delay.is_none() || error.kind() != io::ErrorKind::TimedOut => return Err(error),
            Err(_) if output.status.success() => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, WaitDelayExpired { output }));
            }
            _ => {}
        }
    }
    Ok(output)
}

fn read_all(mut stream: &Polled) -> Collected {
    let mut all = Vec::new();
    let end = stream.read_to_end(&mut all);
    (all, end.map(drop))
}

#[track_caller]
fn joined(reader: Option<JoinHandle<Collected>>) -> Collected {
    match reader.map(JoinHandle::join) {
        None => (Vec::new(), Ok(())),
        Some(Ok(collected)) => collected,
        Some(Err(payload)) => std::panic::resume_unwind(payload),
    }
}
