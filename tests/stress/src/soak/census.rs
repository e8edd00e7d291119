//! Counting goroutines and descriptors, and having enough of the latter.
//!
//! *Why here.* Both processes of the soak do it.
//!
//! *Invariants.* CE1. The threads of the runtime have a descriptor each, up to a limit, which come with the threads: they do not count.
//!
//! *Locks.* None. *Go:* none.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use goruntime::net::UdpSocket;
use goruntime::runtime::num_goroutine;

use crate::check::{ensure, eventually};

/// Descriptors that a process has besides its connections: standard streams, listeners, the poller's, those of threads.
const BESIDES: usize = 300;

/// Raises the limit to what so many connections need, or says why it cannot.
pub(crate) fn raise_limit(connections: usize) -> Result<(), String> {
    // A server may learn of the end of a connection after the next one has come.
    let needed = (connections + connections / 4 + BESIDES) as u64;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a live rlimit.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err("the limit of descriptors cannot be asked for".to_owned());
    }
    if limit.rlim_cur >= needed {
        return Ok(());
    }
    let hard = limit.rlim_max;
    limit.rlim_cur = needed;
    limit.rlim_max = hard.max(needed);
    // SAFETY: `limit` is a live rlimit.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } == 0 {
        return Ok(());
    }
    let most = (hard.saturating_sub(BESIDES as u64)) * 4 / 5;
    Err(format!(
        "{connections} connections need {needed} descriptors in each of two processes, and the hard limit is {hard}, which this process may not \
         raise: raise it (`ulimit -Hn {needed}`), or ask for at most --connections {most}"
    ))
}

/// After so long it is worth saying what is left.
const LONG: Duration = Duration::from_secs(20);

/// What there is at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Census {
    goroutines: usize,
    descriptors: usize,
}

impl Census {
    /// Counts, when the poller has been made for a wait in vain and has its descriptors.
    pub(crate) fn at_start() -> Census {
        let waited = UdpSocket::bind("127.0.0.1:0").and_then(|socket| {
            socket.set_read_timeout(Some(Duration::from_millis(1)))?;
            socket.recv(&mut [0])
        });
        ensure!(waited.is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "somebody has sent something");
        eventually("the driver is alone at the start", || num_goroutine() == 1);
        Census::now()
    }

    fn now() -> Census {
        Census { goroutines: num_goroutine(), descriptors: descriptors().count() }
    }

    /// Waits until there is no more than at the start, and says so.
    pub(crate) fn ensure_again(self) {
        let begun = Instant::now();
        let mut told = false;
        eventually("all goroutines and descriptors are gone", || {
            let now = Census::now();
            if !told && begun.elapsed() > LONG {
                told = true;
                eprintln!("soak: {self:?} at the start, {now:?} now: {:?}", descriptors().collect::<Vec<_>>());
            }
            now.goroutines <= self.goroutines && now.descriptors <= self.descriptors
        });
        say(&format!("{} goroutine and {} descriptors, as at the start", self.goroutines, self.descriptors));
    }
}

/// Open descriptors that count (CE1).
fn descriptors() -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir("/proc/self/fd").into_iter().flatten();
    let targets = entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    targets.filter(|target| !target.starts_with("/proc"))
}

/// A line for the parent.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    ensure!(writeln!(out, "{line}").and_then(|()| out.flush()).is_ok(), "the parent does not listen");
}
