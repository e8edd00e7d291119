//! The errors of files that are the runtime's own.
//!
//! *Why here.* Floor 8; all other errors are the system's, as std gives them, and those of deadlines are `net`'s.
//!
//! *Invariants.* None. *Locks.* None. *Go:* `poll.ErrFileClosing`, `poll.ErrNoDeadline`.

use core::fmt;
use std::io;

use crate::net;

/// The source of the error of an operation on a pipe that was closed with `close`.
///
/// # Examples
///
/// ```
/// use goruntime::io::{Closed, Read, pipe};
///
/// let (mut reader, _writer) = pipe().unwrap();
/// reader.close().unwrap();
/// let error = reader.read(&mut [0; 8]).unwrap_err();
/// assert!(Closed::is_source_of(&error));
/// assert_eq!(error.to_string(), "use of closed file");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "ErrClosed")]
pub struct Closed;

impl Closed {
    /// Whether an operation failed because its pipe had been closed, or was closed meanwhile.
    pub fn is_source_of(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|source| source.is::<Closed>())
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("use of closed file")
    }
}

impl std::error::Error for Closed {}

/// What an error of a socket is called for a file.
#[cold]
pub(crate) fn of_file(error: io::Error) -> io::Error {
    if net::Closed::is_source_of(&error) { io::Error::other(Closed) } else { error }
}

/// The error of a deadline for what is not watched by the poller.
#[cold]
pub(crate) fn no_deadline() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "file type does not support deadline")
}
