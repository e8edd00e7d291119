//! What waiting for child processes needs of a Unix system beyond std.
//!
//! **What.** Descriptors that stand for processes, where there are any, and a wait that leaves the child to be reaped.
//!
//! **Why here.** Floor 0, on every Unix.
//!
//! **Invariants.**
//! - PW1. A number of a process means the same process until it is reaped; a descriptor does for as long as it is open.
//!
//! **Locks.** None.
//!
//! **Go:** os/pidfd_linux.go, `blockUntilWaitable`.

use core::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

#[cfg(target_os = "linux")]
use std::os::fd::{AsRawFd, FromRawFd};

#[cfg(target_os = "linux")]
use crate::os::{Fault, attempt};

/// A descriptor for a child that was not reaped yet, readable when the child has ended; `None` if the system has none, or none left.
#[cfg(target_os = "linux")]
pub(crate) fn process_descriptor(process: u32) -> Option<OwnedFd> {
    attempt(Fault::Process).ok()?;
    // SAFETY: the call takes no pointers. The descriptor is closed on exec by itself.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, process, 0) };
    // SAFETY: a descriptor that is not negative was just made, and is nobody else's.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// The same elsewhere: there are none.
#[cfg(not(target_os = "linux"))]
pub(crate) fn process_descriptor(_: u32) -> Option<OwnedFd> {
    None
}

/// The error number of a call that has just failed.
fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::ESRCH)
}

/// Sends a signal to a child by its number, which is its own until it is reaped (PW1).
///
/// # Errors
///
/// The error number: `EINVAL` if there is no such signal.
pub(crate) fn signal_by_number(process: u32, signal: i32) -> Result<(), i32> {
    // SAFETY: the call takes no pointers.
    if unsafe { libc::kill(process.cast_signed(), signal) } == 0 { Ok(()) } else { Err(errno()) }
}

/// Sends a signal to the process behind a descriptor.
///
/// # Errors
///
/// The error number: `ESRCH` if somebody has reaped the process, `EINVAL` if there is no such signal.
#[cfg(target_os = "linux")]
pub(crate) fn signal_by_descriptor(process: BorrowedFd<'_>, signal: i32) -> Result<(), i32> {
    let no_info = core::ptr::null::<libc::siginfo_t>();
    // SAFETY: null asks for the information that `kill` would send.
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), signal, no_info, 0) };
    if sent == 0 { Ok(()) } else { Err(errno()) }
}

/// The same elsewhere, where nobody has such a descriptor.
#[cfg(not(target_os = "linux"))]
pub(crate) fn signal_by_descriptor(_: BorrowedFd<'_>, _: i32) -> Result<(), i32> {
    Err(libc::ENOSYS)
}

/// Blocks the thread until a child has ended, and leaves it to be reaped.
///
/// # Errors
///
/// The error number: `ECHILD` if it is no child, or was reaped.
pub(crate) fn wait_without_reaping(process: u32) -> Result<(), i32> {
    loop {
        let mut info = MaybeUninit::<libc::siginfo_t>::uninit();
        // SAFETY: `info` is writable.
        let failed = unsafe { libc::waitid(libc::P_PID, process, info.as_mut_ptr(), libc::WEXITED | libc::WNOWAIT) };
        if failed == 0 {
            return Ok(());
        }
        match errno() {
            libc::EINTR => {}
            error => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::os::is_readable;

    #[test]
    fn a_descriptor_tells_the_end_and_kills_and_the_wait_leaves_the_child() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("every system has cat");
        let descriptor = process_descriptor(child.id());
        if let Some(descriptor) = &descriptor {
            assert!(!is_readable(descriptor.as_fd()));
            assert_eq!(signal_by_descriptor(descriptor.as_fd(), 1_000), Err(libc::EINVAL));
            signal_by_descriptor(descriptor.as_fd(), libc::SIGKILL).expect("the child is ours");
        } else {
            signal_by_number(child.id(), libc::SIGKILL).expect("the child is ours");
        }
        wait_without_reaping(child.id()).expect("the child is ours");
        wait_without_reaping(child.id()).expect("it was not reaped");
        assert_eq!(child.wait().expect("it was not reaped").signal(), Some(libc::SIGKILL));
        assert_eq!(wait_without_reaping(child.id()), Err(libc::ECHILD));
        if let Some(descriptor) = descriptor {
            assert!(is_readable(descriptor.as_fd()));
            assert_eq!(signal_by_descriptor(descriptor.as_fd(), libc::SIGKILL), Err(libc::ESRCH));
        }
    }
}
