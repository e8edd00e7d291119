//! What sockets need of a Unix system beyond std, mio and socket2.
//!
//! **What.** Taking a socket out of its descriptor, and the names of some error numbers.
//!
//! **Why here.** Floor 0, on every Unix.
//!
//! **Invariants.** None.
//!
//! **Locks.** None.
//!
//! **Go:** none.

use std::fs::OpenOptions;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use crate::os::{Fault, attempt};

/// Of a placeholder: where the system has it, reading and writing fail. Else a read that races with the close may see an end of the stream, which is
/// the close's as well (FD7 of `net::fd`).
#[cfg(target_os = "linux")]
const NO_ACCESS: i32 = libc::O_PATH;
#[cfg(not(target_os = "linux"))]
const NO_ACCESS: i32 = 0;

/// Puts `/dev/null` in the place of what a descriptor stands for, which is closed with that; the number stays taken. `false` if that fails.
pub(crate) fn replace_with_null(fd: BorrowedFd<'_>) -> bool {
    if attempt(Fault::Open).is_err() {
        return false;
    }
    let Ok(null) = OpenOptions::new().read(true).custom_flags(NO_ACCESS).open("/dev/null") else { return false };
    loop {
        // SAFETY: both descriptors are open for the time of the call.
        let placed = unsafe { libc::dup2(null.as_raw_fd(), fd.as_raw_fd()) };
        if placed >= 0 {
            set_close_on_exec(fd);
            return true;
        }
        if std::io::Error::last_os_error().kind() != std::io::ErrorKind::Interrupted {
            return false;
        }
    }
}

/// The copy that `dup2` makes lacks the flag; it is of `/dev/null`, so that a fork in between loses nothing.
fn set_close_on_exec(fd: BorrowedFd<'_>) {
    // SAFETY: the command takes no pointers.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
}

/// Whether the error says that the process or the system has no room for one more descriptor, which passes.
pub(crate) fn is_shortage(errno: i32) -> bool {
    matches!(errno, libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
}

/// Whether the error says that a connect goes on by itself.
pub(crate) fn is_connecting(errno: i32) -> bool {
    matches!(errno, libc::EINPROGRESS | libc::EALREADY | libc::EINTR)
}
