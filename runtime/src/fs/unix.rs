//! The functions of `os::unix::fs`.
//!
//! *Why here.* Floor 8. *Invariants.* None. *Locks.* None. *Go:* `os.Symlink`, `os.Chown`.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs as std_fs;
use std::path::Path;

use crate::proc::park::in_syscall;

/// Makes a symbolic link to `original`, which need not exist.
///
/// # Errors
///
/// As std.
pub fn symlink<P: AsRef<Path>, Q: AsRef<Path>>(original: P, link: Q) -> io::Result<()> {
    in_syscall(|| std_fs::symlink(original.as_ref(), link.as_ref()))
}

/// Changes owner and group of what a path leads to; None leaves one as it is.
///
/// # Errors
///
/// As std.
pub fn chown<P: AsRef<Path>>(path: P, user: Option<u32>, group: Option<u32>) -> io::Result<()> {
    in_syscall(|| std_fs::chown(path.as_ref(), user, group))
}

/// As [`chown`], of a link itself.
///
/// # Errors
///
/// As std.
pub fn lchown<P: AsRef<Path>>(path: P, user: Option<u32>, group: Option<u32>) -> io::Result<()> {
    in_syscall(|| std_fs::lchown(path.as_ref(), user, group))
}

/// As [`chown`], of an open file.
///
/// # Errors
///
/// As std.
pub fn fchown<F: AsFd>(file: F, user: Option<u32>, group: Option<u32>) -> io::Result<()> {
    in_syscall(|| std_fs::fchown(file.as_fd(), user, group))
}
