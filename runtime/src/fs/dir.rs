//! Directories: making and listing them.
//!
//! *Why here.* Floor 8. *Invariants.* None. *Locks.* None. *Go:* `os.ReadDir`, `os.DirEntry`.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::{DirBuilderExt, DirEntryExt};
use std::path::{Path, PathBuf};

use crate::fs::{FileType, Metadata};
use crate::proc::park::in_syscall;

/// The entries of a directory; made by [`read_dir`](crate::fs::read_dir).
///
/// # Blocking
///
/// The next entry blocks the thread now and then; see [the module](crate::fs).
#[derive(Debug)]
pub struct ReadDir(std::fs::ReadDir);

/// An entry of a directory.
#[derive(Debug)]
pub struct DirEntry(std::fs::DirEntry);

/// Makes directories: `std::fs::DirBuilder`.
///
/// # Examples
///
/// ```
/// use goruntime::fs::DirBuilder;
/// use goruntime::os::unix::fs::DirBuilderExt;
///
/// let dir = std::env::temp_dir().join(format!("goruntime-doc-dir-{}", std::process::id()));
/// DirBuilder::new().mode(0o700).recursive(true).create(&dir).unwrap();
/// assert!(dir.is_dir());
/// goruntime::fs::remove_dir(&dir).unwrap();
/// ```
#[derive(Debug)]
pub struct DirBuilder(std::fs::DirBuilder);

impl ReadDir {
    pub(super) fn of(entries: std::fs::ReadDir) -> ReadDir {
        ReadDir(entries)
    }
}

impl Iterator for ReadDir {
    type Item = io::Result<DirEntry>;

    fn next(&mut self) -> Option<io::Result<DirEntry>> {
        in_syscall(|| self.0.next()).map(|entry| entry.map(DirEntry))
    }
}

impl DirEntry {
    /// The path: the directory's as it was given, and the name.
    pub fn path(&self) -> PathBuf {
        self.0.path()
    }

    /// What the system knows of it; links are not followed.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn metadata(&self) -> io::Result<Metadata> {
        in_syscall(|| self.0.metadata())
    }

    /// What it is; links are not followed.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn file_type(&self) -> io::Result<FileType> {
        in_syscall(|| self.0.file_type())
    }

    /// The name alone.
    pub fn file_name(&self) -> OsString {
        self.0.file_name()
    }
}

impl DirEntryExt for DirEntry {
    fn ino(&self) -> u64 {
        self.0.ino()
    }
}

impl DirBuilder {
    /// Makes one directory, whose parent has to exist, unless told otherwise.
    #[expect(clippy::new_without_default, reason = "std's has none either")]
    pub fn new() -> DirBuilder {
        DirBuilder(std::fs::DirBuilder::new())
    }

    /// Whether to make the directories above as well; then it is no error if there is one already.
    pub fn recursive(&mut self, recursive: bool) -> &mut DirBuilder {
        self.0.recursive(recursive);
        self
    }

    /// Makes the directory.
    ///
    /// # Blocking
    ///
    /// Blocks the thread; see [the module](crate::fs).
    ///
    /// # Errors
    ///
    /// As std.
    pub fn create<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        in_syscall(|| self.0.create(path.as_ref()))
    }
}

impl DirBuilderExt for DirBuilder {
    fn mode(&mut self, mode: u32) -> &mut DirBuilder {
        self.0.mode(mode);
        self
    }
}
