//! `std::fs` for goroutines: a program ports by changing its `use` lines.
//!
//! # Blocking
//!
//! Files cannot be waited for without a thread, so an operation blocks its thread, as in Go. It keeps its processor, because most are done within
//! microseconds: the announcement costs a nanosecond or two, and no other thread is woken. If the thread sleeps in the system for longer, the runtime
//! notices by itself, mostly after some ten microseconds and at the latest after a few looks of its caretaker thread, which are a millisecond apart,
//! or ten in a program whose processors were all busy with short work; then the processor goes to another thread. The goroutine waits for a processor
//! again when it is back. (Std's own functions are noticed in the same way. What these add is that a goroutine that does nothing but file operations is
//! counted, and lets others go first when its time is up.)
//!
//! Who waits for the lock of a file ([`File::lock`]) may do so for long, and gives the processor away before.
//!
//! A pipe with a name or a terminal that is opened as a [`File`] is watched by the poller instead: reads and writes park the goroutine,
//! unless `O_NONBLOCK` was among its [flags](std::os::unix::fs::OpenOptionsExt::custom_flags); then those that would wait fail with `WouldBlock`, as in std.
//!
//! # Examples
//!
//! ```
//! use goruntime::fs;
//!
//! goruntime::run(|| {
//!     let dir = std::env::temp_dir().join(format!("goruntime-doc-fs-{}", std::process::id()));
//!     fs::create_dir_all(&dir)?;
//!     fs::write(dir.join("greeting"), "hello")?;
//!     assert_eq!(fs::read_to_string(dir.join("greeting"))?, "hello");
//!     fs::remove_dir_all(&dir)
//! })
//! .unwrap();
//! ```

// *Why here.* Floor 8.
//
// Each operation runs in `proc::park::in_syscall`. Handing the P off at each call, as `runtime::blocking` does, was measured, too: beside runnable goroutines
// it costs the wake-up of a thread, which is many times what a read from the system's cache takes. Waiting for the lock of a file is the exception (FL1 of `fs::lock`).
//
// *Invariants.* None here. *Locks.* None. *Go:* package os.

mod dir;
mod file;
mod lock;
mod options;
pub(crate) mod unix;

use std::io;
use std::path::{Path, PathBuf};

use crate::proc::park::in_syscall;

pub use std::fs::{FileTimes, FileType, Metadata, Permissions};

pub use self::dir::{DirBuilder, DirEntry, ReadDir};
pub use self::file::File;
pub use self::lock::TryLockError;
pub use self::options::OpenOptions;

/// Defines functions that do what std's of the same name do.
macro_rules! as_std {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $kind:ident),*) -> $result:ty;)*) => {$(
        $(#[$doc])*
        ///
        /// # Blocking
        ///
        /// Blocks the thread; see [the module](self).
        ///
        /// # Errors
        ///
        /// As std.
        pub fn $name<$($kind: AsRef<Path>),*>($($arg: $kind),*) -> io::Result<$result> {
            in_syscall(|| std::fs::$name($($arg.as_ref()),*))
        }
    )*};
}

as_std! {
    /// The absolute path without symbolic links and dots; it has to exist.
    fn canonicalize(path: P) -> PathBuf;

    /// Copies the contents and the permissions of a file; returns the number of bytes.
    fn copy(from: P, to: Q) -> u64;

    /// Makes a directory.
    fn create_dir(path: P) -> ();

    /// Makes a directory and those above it that do not exist.
    fn create_dir_all(path: P) -> ();

    /// Whether there is something at a path; false also for a link to nothing.
    fn exists(path: P) -> bool;

    /// Makes another name for a file.
    fn hard_link(original: P, link: Q) -> ();

    /// What the system knows of what a path leads to.
    fn metadata(path: P) -> Metadata;

    /// Reads a whole file.
    fn read(path: P) -> Vec<u8>;

    /// Where a symbolic link leads to.
    fn read_link(path: P) -> PathBuf;

    /// Reads a whole file of text.
    fn read_to_string(path: P) -> String;

    /// Removes an empty directory.
    fn remove_dir(path: P) -> ();

    /// Removes a directory with all that is in it; links are removed, not followed.
    fn remove_dir_all(path: P) -> ();

    /// Removes a file.
    fn remove_file(path: P) -> ();

    /// Gives something another name, replacing what has that name.
    fn rename(from: P, to: Q) -> ();

    /// As [`metadata`], of a link itself.
    fn symlink_metadata(path: P) -> Metadata;
}

/// Writes a whole file, which replaces one that exists.
///
/// # Blocking
///
/// Blocks the thread; see [the module](self).
///
/// # Errors
///
/// As std.
pub fn write<P: AsRef<Path>, C: AsRef<[u8]>>(path: P, contents: C) -> io::Result<()> {
    in_syscall(|| std::fs::write(path.as_ref(), contents.as_ref()))
}

/// Changes the permissions of what a path leads to.
///
/// # Blocking
///
/// Blocks the thread; see [the module](self).
///
/// # Errors
///
/// As std.
pub fn set_permissions<P: AsRef<Path>>(path: P, permissions: Permissions) -> io::Result<()> {
    in_syscall(|| std::fs::set_permissions(path.as_ref(), permissions))
}

/// The entries of a directory, in no order.
///
/// # Blocking
///
/// Blocks the thread; see [the module](self).
///
/// # Errors
///
/// As std.
pub fn read_dir<P: AsRef<Path>>(path: P) -> io::Result<ReadDir> {
    in_syscall(|| std::fs::read_dir(path.as_ref())).map(ReadDir::of)
}
