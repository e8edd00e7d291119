//! Errors that are the runtime's own: a time that has passed, and a socket that was closed.
//!
//! *Why here.* Floor 8; all other errors are the system's, as std gives them.
//!
//! *Invariants.* None. *Locks.* None. *Go:* `poll.ErrDeadlineExceeded`, `net.ErrClosed`.

use core::fmt;
use std::io;

use crate::netpoll::polldesc::Ended;

/// The source of the error of an operation on a socket that was closed with `close`.
///
/// # Examples
///
/// ```
/// use goruntime::net::{Closed, UdpSocket};
///
/// let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
/// socket.close().unwrap();
/// let error = socket.recv(&mut [0; 8]).unwrap_err();
/// assert!(Closed::is_source_of(&error));
/// assert_eq!(error.to_string(), "use of closed network connection");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "ErrClosed")]
pub struct Closed;

impl Closed {
    /// Whether an operation failed because its socket had been closed, or was closed meanwhile.
    pub fn is_source_of(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|source| source.is::<Closed>())
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("use of closed network connection")
    }
}

impl std::error::Error for Closed {}

/// The source of the error of an operation that took too long.
#[derive(Clone, Copy, Debug)]
struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("i/o timeout")
    }
}

impl std::error::Error for TimedOut {}

/// The error of an operation that ended like this: a deadline gives `TimedOut`, a timeout of std's kind what std gives on Unix, `WouldBlock`.
#[cold]
pub(crate) fn of_end(ended: Ended) -> io::Error {
    match ended {
        Ended::Closed => closed(),
        Ended::Deadline => io::Error::new(io::ErrorKind::TimedOut, TimedOut),
        Ended::Limit => io::Error::new(io::ErrorKind::WouldBlock, TimedOut),
    }
}

/// The error of an operation on a closed socket.
#[cold]
pub(crate) fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, Closed)
}

/// The error of a connect that took longer than it may.
#[cold]
pub(crate) fn connect_timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, TimedOut)
}
