//! A child process: waiting for its end, and killing it, by several goroutines.
//!
//! *Why here.* Floor 8: what `Child` shares with the function that kills the child when a context ends.
//!
//! *Invariants.* KI1. A child is reaped under `state`, and whoever sends it a signal holds that and has seen that it was not reaped: so a number that has
//! become another process's is never signalled. Where there is a descriptor the signal goes through that. KI2. One goroutine at a time waits: the one that
//! has `Child` for itself.
//!
//! *Locks.* `state`, a leaf: it covers system calls that do not wait, and no operation of the runtime.
//!
//! *Go:* `os.Process`, exec_unix.go, pidfd_linux.go.

use core::panic::Location;
use std::io;
use std::os::fd::AsFd;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::net::socket::Socket;
use crate::netpoll::polldesc::Side;
use crate::os;
use crate::proc::park;
use crate::signal::Signal;
use crate::time::{self, AfterFunc};

/// The first and the longest pause between two looks at a child that is waited for without a descriptor, for some time.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// A child process.
pub(super) struct Process {
    number: u32,
    /// Readable when the process has ended.
    descriptor: Option<Arc<Socket<std::fs::File>>>,
    state: Mutex<State>,
}

struct State {
    child: std::process::Child,
    /// Since it was reaped.
    status: Option<ExitStatus>,
    /// Kills it when it has been asked to end and takes too long; none since it was reaped.
    grace: Option<AfterFunc>,
}

impl Process {
    /// Takes a child over that was just made.
    pub(super) fn new(child: std::process::Child) -> Process {
        let number = child.id();
        let descriptor = os::process_descriptor(number).map(|fd| Socket::assume_nonblocking(fd.into()));
        Process { number, descriptor, state: Mutex::new(State { child, status: None, grace: None }) }
    }

    /// Its number.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The status, if it has ended.
    pub(super) fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        let mut state = self.state();
        if state.status.is_none() {
            state.status = state.child.try_wait()?;
        }
        let status = state.status;
        let grace = if status.is_some() { state.grace.take() } else { None };
        drop(state);
        if let Some(grace) = grace {
            grace.stop();
        }
        Ok(status)
    }

    /// Kills it, unless it was reaped.
    pub(super) fn kill(&self) -> io::Result<()> {
        self.send(Signal::KILL)
    }

    /// Sends it a signal, unless it was reaped (KI1).
    fn send(&self, signal: Signal) -> io::Result<()> {
        let state = self.state();
        if state.status.is_some() {
            return Ok(());
        }
        let sent = match &self.descriptor {
            // By no means by its number if it fails: the process is gone, so that is another one's.
            Some(socket) => os::signal_by_descriptor(socket.raw().as_fd(), signal.as_raw()),
            None => os::signal_by_number(self.number, signal.as_raw()),
        };
        sent.map_err(io::Error::from_raw_os_error)
    }

    /// Asks it to end by a signal; kills it if it was not reaped after `delay`, or if it cannot be asked.
    pub(super) fn end(self: Arc<Process>, signal: Signal, delay: Option<Duration>) {
        if self.send(signal).is_err() {
            // That fails, too, if somebody else has reaped the process: then there is nothing to kill.
            _ = self.kill();
            return;
        }
        let Some(delay) = delay.filter(|_| signal != Signal::KILL) else { return };
        // Called once. After that nothing keeps the process from being forgotten: until then it keeps itself.
        let mut process = Some(Arc::clone(&self));
        let grace = time::after_func(delay, move || process.take().into_iter().for_each(|process| _ = process.kill()));
        let mut state = self.state();
        if state.status.is_none() {
            state.grace = Some(grace);
            return;
        }
        drop(state);
        grace.stop();
    }

    /// Waits for the end.
    pub(super) fn wait(&self, at: &'static Location<'static>) -> io::Result<ExitStatus> {
        if let Some(Ok(status)) = self.park(None, at) {
            return Ok(status);
        }
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            park::without_p(|| os::wait_without_reaping(self.number)).map_err(io::Error::from_raw_os_error)?;
        }
    }

    /// Waits for the end, no longer than `limit`.
    pub(super) fn wait_timeout(
        &self,
        limit: Duration,
        at: &'static Location<'static>,
    ) -> io::Result<Option<ExitStatus>> {
        let until = Instant::now().checked_add(limit);
        match self.park(Some(limit), at) {
            Some(Ok(status)) => return Ok(Some(status)),
            Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            _ => {}
        }
        let mut pause = FIRST_PAUSE;
        loop {
            let left = until.map_or(LONGEST_PAUSE, |until| until.saturating_duration_since(Instant::now()));
            match self.try_wait()? {
                None if !left.is_zero() => time::sleep_from(pause.min(left), at),
                ended => return Ok(ended),
            }
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// Parks until the process has ended, where the poller can tell. An error may be the poller's.
    fn park(&self, limit: Option<Duration>, at: &'static Location<'static>) -> Option<io::Result<ExitStatus>> {
        let look = || self.try_wait()?.ok_or_else(|| io::ErrorKind::WouldBlock.into());
        Some(self.descriptor.as_ref()?.run_within(Side::Read, limit, at, |_| look()))
    }
}
