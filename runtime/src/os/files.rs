//! What files and pipes need of a Unix system beyond std.
//!
//! **What.** The blocking mode of a descriptor, and two questions about descriptors.
//!
//! **Why here.** Floor 0, on every Unix.
//!
//! **Invariants.** None.
//!
//! **Locks.** None.
//!
//! **Go:** `syscall.SetNonblock`, `unix.IsNonblock`.

use core::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The last error number of this thread.
fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

/// Changes whether operations that would wait fail instead. It belongs to what is open, with all its descriptors, not to this one.
///
/// # Errors
///
/// The error number.
pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>, nonblocking: bool) -> Result<(), i32> {
    // SAFETY: the command takes no pointers.
    let before = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    if before < 0 {
        return Err(errno());
    }
    let after = if nonblocking { before | libc::O_NONBLOCK } else { before & !libc::O_NONBLOCK };
    // SAFETY: as above.
    if after != before && unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, after) } < 0 {
        return Err(errno());
    }
    Ok(())
}

/// Whether reads of what is open wait for somebody else, and not for a device: a pipe, a socket or a terminal.
pub(crate) fn waits_for_others(fd: BorrowedFd<'_>) -> bool {
    // What has a position is a file, a directory or a device: one cheap call tells most of what is ever opened.
    // SAFETY: the call takes no pointers.
    if unsafe { libc::lseek(fd.as_raw_fd(), 0, libc::SEEK_CUR) } >= 0 || errno() != libc::ESPIPE {
        return false;
    }
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `stat` is writable.
    if unsafe { libc::fstat(fd.as_raw_fd(), stat.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: the call succeeded, so it has filled the structure.
    match unsafe { stat.assume_init() }.st_mode & libc::S_IFMT {
        libc::S_IFIFO | libc::S_IFSOCK => true,
        // SAFETY: the call takes no pointers.
        libc::S_IFCHR => unsafe { libc::isatty(fd.as_raw_fd()) == 1 },
        _ => false,
    }
}

/// Whether a read would return at once, if only with an error or an end.
pub(crate) fn is_readable(fd: BorrowedFd<'_>) -> bool {
    let mut ask = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: the array has one element. A time of zero does not wait.
    unsafe { libc::poll(&raw mut ask, 1, 0) != 0 }
}
