//! Errors that are the runtime's own: a time that has passed, and a socket that was closed.
//!
//! *Why here.* Floor 8; all other errors are the system's, as std gives them, because code looks at their numbers.
//!
//! *Invariants.* None. *Locks.* None. *Go:* `poll.ErrDeadlineExceeded`, `net.ErrClosed`, `net.OpError`.

use core::{error, fmt};
use std::io;
use std::net::SocketAddr;
use std::os::unix::net as unix;

use crate::netpoll::polldesc::Ended;

/// Why an operation on a socket that was closed with `close` has failed.
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
/// assert!(error.to_string().starts_with("read udp 127.0.0.1:"));
/// assert!(error.to_string().ends_with(": use of closed network connection"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "ErrClosed")]
pub struct Closed;

impl Closed {
    /// Whether an operation failed because its socket had been closed, or was closed meanwhile.
    pub fn is_source_of(error: &io::Error) -> bool {
        cause_of(error) == Some(Cause::Closed)
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("use of closed network connection")
    }
}

impl std::error::Error for Closed {}

/// Why an operation that took too long has failed.
#[derive(Clone, Copy, Debug)]
struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("i/o timeout")
    }
}

impl std::error::Error for TimedOut {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Closed,
    TimedOut,
}

impl Cause {
    fn source(self) -> &'static (dyn error::Error + 'static) {
        match self {
            Cause::Closed => &Closed,
            Cause::TimedOut => &TimedOut,
        }
    }
}

/// Why an operation failed, if it is one of ours.
fn cause_of(error: &io::Error) -> Option<Cause> {
    let source = error.get_ref()?;
    if let Some(failed) = source.downcast_ref::<FailedOp>() {
        return Some(failed.cause);
    }
    if source.is::<Closed>() {
        return Some(Cause::Closed);
    }
    source.is::<TimedOut>().then_some(Cause::TimedOut)
}

/// The address of one end of a socket.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// There is none, or the system does not tell.
    Unknown,
    /// Of the internet.
    Ip(SocketAddr),
    /// Of the file system, or none.
    Unix(unix::SocketAddr),
}

impl From<SocketAddr> for End {
    fn from(addr: SocketAddr) -> End {
        End::Ip(addr)
    }
}

impl From<unix::SocketAddr> for End {
    fn from(addr: unix::SocketAddr) -> End {
        End::Unix(addr)
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Unknown => Ok(()),
            End::Ip(addr) => addr.fmt(f),
            // Go's sign for what has no path.
            End::Unix(addr) => match addr.as_pathname() {
                Some(path) => path.display().fmt(f),
                None => f.write_str("@"),
            },
        }
    }
}

/// What was tried, on which socket, and why it failed: `read tcp 127.0.0.1:1->127.0.0.1:2: i/o timeout`.
#[derive(Debug)]
struct FailedOp {
    op: &'static str,
    network: &'static str,
    ends: [End; 2],
    cause: Cause,
}

impl fmt::Display for FailedOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.op, self.network)?;
        match &self.ends {
            [End::Unknown, End::Unknown] => {}
            [End::Unknown, one] | [one, End::Unknown] => write!(f, " {one}")?,
            [local, peer] => write!(f, " {local}->{peer}")?,
        }
        write!(f, ": {}", self.cause.source())
    }
}

impl error::Error for FailedOp {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(self.cause.source())
    }
}

/// The same error with what was tried, if it is one of ours; the system's stay as they are.
#[cold]
pub(crate) fn in_words(
    error: io::Error,
    op: &'static str,
    network: &'static str,
    ends: impl FnOnce() -> [End; 2],
) -> io::Error {
    match cause_of(&error) {
        Some(cause) => io::Error::new(error.kind(), FailedOp { op, network, ends: ends(), cause }),
        None => error,
    }
}

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
pub(crate) fn connect_timed_out(addr: SocketAddr) -> io::Error {
    let timed_out = io::Error::new(io::ErrorKind::TimedOut, TimedOut);
    in_words(timed_out, "dial", "tcp", || [End::Unknown, End::Ip(addr)])
}
