//! Linux: a timer that an epoll can wait for, to the nanosecond.
//!
//! **What.** A timerfd on the clock of `nanotime`.
//!
//! **Why here.** Floor 0.
//!
//! **Invariants.**
//! - TD1. The descriptor is never read: each expiry is an edge of its own, whatever the count in it.
//!
//! **Locks.** None.
//!
//! **Go:** none; Go's poller rounds to milliseconds.

use core::ptr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::timespec;
use crate::os::{Fault, attempt};

/// Makes a timer that is readable after its time has come; `None` if the system refuses.
pub(crate) fn timer_descriptor() -> Option<OwnedFd> {
    attempt(Fault::Timer).ok()?;
    // SAFETY: the call takes no pointers.
    let fd = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK | libc::TFD_CLOEXEC) };
    // SAFETY: a descriptor that is not negative was just made, and is nobody else's.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sets it to a time on the clock of `nanotime`, instead of the one before; `false` if that fails.
pub(crate) fn set_timer_descriptor(timer: &OwnedFd, when: i64) -> bool {
    if attempt(Fault::Timer).is_err() {
        return false;
    }
    let setting = libc::itimerspec { it_interval: timespec(0), it_value: timespec(when.max(1)) };
    // SAFETY: `setting` is a live itimerspec, and null asks for no old value.
    unsafe {
        libc::timerfd_settime(timer.as_raw_fd(), libc::TFD_TIMER_ABSTIME, &raw const setting, ptr::null_mut()) == 0
    }
}
