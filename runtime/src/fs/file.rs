//! An open file.
//!
//! *Why here.* Floor 8.
//!
//! *Invariants.* FI1. A file is watched by the poller only if the runtime has opened it: what others have opened may be shared with who does not expect
//! that it does not block. *Locks.* None. *Go:* `os.File`, `newFile`.

use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};
use std::io::{self, IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Instant, SystemTime};

use crate::fs::{FileTimes, Metadata, OpenOptions, Permissions};
use crate::io::no_deadline;
use crate::io::polled::Polled;
use crate::netpoll::polldesc::Side;
use crate::os;
use crate::proc::park::in_syscall;

/// An open file: `std::fs::File` for goroutines.
///
/// # Blocking
///
/// Operations block the thread; see [the module](crate::fs). Reads and writes of a pipe with a name or of a terminal, if it was opened through this type,
/// park the goroutine, unless it was opened with `O_NONBLOCK`.
///
/// # Examples
///
/// ```
/// use goruntime::fs::{self, File};
/// use goruntime::io::{Read, Seek, Write};
///
/// goruntime::run(|| {
///     let path = std::env::temp_dir().join(format!("goruntime-doc-file-{}", std::process::id()));
///     let mut file = File::options().read(true).write(true).create_new(true).open(&path)?;
///     file.write_all(b"some text")?;
///     file.rewind()?;
///     let mut text = String::new();
///     file.read_to_string(&mut text)?;
///     assert_eq!(text, "some text");
///     fs::remove_file(&path)
/// })
/// .unwrap();
/// ```
pub struct File(Kind);

enum Kind {
    /// Operations block the thread.
    Plain(std::fs::File),
    /// The poller says when it is ready (FI1).
    Polled(Polled),
}

impl File {
    /// A file that the runtime has just opened.
    pub(super) fn opened(file: std::fs::File) -> File {
        // Who has asked for `O_NONBLOCK` expects operations that fail where they would wait.
        if os::waits_for_others(file.as_fd()) && !os::is_nonblocking(file.as_fd()) {
            File(Kind::Polled(Polled::new(file)))
        } else {
            File(Kind::Plain(file))
        }
    }

    /// Std's file, for what does not wait for others.
    fn std(&self) -> &std::fs::File {
        match &self.0 {
            Kind::Plain(file) => file,
            Kind::Polled(file) => file.file(),
        }
    }

    fn with<T>(&self, op: impl FnOnce(&std::fs::File) -> T) -> T {
        in_syscall(|| op(self.std()))
    }

    /// Opens a file to read.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn open<P: AsRef<Path>>(path: P) -> io::Result<File> {
        OpenOptions::new().read(true).open(path)
    }

    /// Opens a file to write, and empties it; makes it if there is none.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn create<P: AsRef<Path>>(path: P) -> io::Result<File> {
        OpenOptions::new().write(true).create(true).truncate(true).open(path)
    }

    /// Makes a file, to read and write.
    ///
    /// # Errors
    ///
    /// As std; `AlreadyExists` if there is one.
    pub fn create_new<P: AsRef<Path>>(path: P) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).open(path)
    }

    /// Options to open a file with.
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Waits until everything is on the disk.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn sync_all(&self) -> io::Result<()> {
        self.with(std::fs::File::sync_all)
    }

    /// Waits until the contents are on the disk, and what is needed to find them.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn sync_data(&self) -> io::Result<()> {
        self.with(std::fs::File::sync_data)
    }

    /// Cuts the file off at a length, bytes, or fills it up with zeros.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn set_len(&self, size: u64) -> io::Result<()> {
        self.with(|file| file.set_len(size))
    }

    /// What the system knows of the file.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn metadata(&self) -> io::Result<Metadata> {
        self.with(std::fs::File::metadata)
    }

    /// Another handle of the same open file, with the same position.
    ///
    /// # Errors
    ///
    /// As std. No descriptor is made for a file that is watched by the poller.
    pub fn try_clone(&self) -> io::Result<File> {
        match &self.0 {
            Kind::Plain(file) => Ok(File(Kind::Plain(file.try_clone()?))),
            Kind::Polled(file) => Ok(File(Kind::Polled(file.clone()))),
        }
    }

    /// Changes the permissions.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn set_permissions(&self, permissions: Permissions) -> io::Result<()> {
        self.with(|file| file.set_permissions(permissions))
    }

    /// Changes the times.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn set_times(&self, times: FileTimes) -> io::Result<()> {
        self.with(|file| file.set_times(times))
    }

    /// Changes the time of the last change.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.set_times(FileTimes::new().set_modified(time))
    }

    /// Sets when reads and writes fail, as in Go: those that wait now, and all later ones, until the deadline is changed; None is never. The error's
    /// kind is `TimedOut`, its text `i/o timeout`.
    ///
    /// # Blocking
    ///
    /// Never waits.
    ///
    /// # Errors
    ///
    /// `file type does not support deadline` for everything that is not watched by the poller.
    #[doc(alias = "SetDeadline")]
    pub fn set_deadline(&self, deadline: Option<Instant>) -> io::Result<()> {
        match &self.0 {
            Kind::Plain(_) => Err(no_deadline()),
            Kind::Polled(file) => file.set_deadline(&[Side::Read, Side::Write], deadline),
        }
    }
}

impl Read for &File {
    #[track_caller]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Kind::Plain(file) => in_syscall(|| (&*file).read(buf)),
            Kind::Polled(file) => (&*file).read(buf),
        }
    }

    #[track_caller]
    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        match &self.0 {
            Kind::Plain(file) => in_syscall(|| (&*file).read_vectored(bufs)),
            Kind::Polled(file) => (&*file).read_vectored(bufs),
        }
    }

    #[track_caller]
    fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
        match &self.0 {
            Kind::Plain(file) => in_syscall(|| (&*file).read_to_end(buf)),
            Kind::Polled(file) => (&*file).read_to_end(buf),
        }
    }

    #[track_caller]
    fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
        match &self.0 {
            Kind::Plain(file) => in_syscall(|| (&*file).read_to_string(buf)),
            Kind::Polled(file) => (&*file).read_to_string(buf),
        }
    }
}

impl Write for &File {
    #[track_caller]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Kind::Plain(file) => in_syscall(|| (&*file).write(buf)),
            Kind::Polled(file) => (&*file).write(buf),
        }
    }

    #[track_caller]
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        match &self.0 {
            Kind::Plain(file) => in_syscall(|| (&*file).write_vectored(bufs)),
            Kind::Polled(file) => (&*file).write_vectored(bufs),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for &File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.with(|mut file| file.seek(to))
    }

    fn stream_position(&mut self) -> io::Result<u64> {
        self.with(|mut file| file.stream_position())
    }
}

impl Read for File {
    #[track_caller]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }

    #[track_caller]
    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(bufs)
    }

    #[track_caller]
    fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
        (&*self).read_to_end(buf)
    }

    #[track_caller]
    fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
        (&*self).read_to_string(buf)
    }
}

impl Write for File {
    #[track_caller]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self).write(buf)
    }

    #[track_caller]
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        (&*self).seek(to)
    }

    fn stream_position(&mut self) -> io::Result<u64> {
        (&*self).stream_position()
    }
}

impl FileExt for File {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.with(|file| file.read_at(buf, offset))
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.with(|file| file.write_at(buf, offset))
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.std().fmt(f)
    }
}

// An operation that unwinds leaves the file as it was.
impl UnwindSafe for File {}
impl RefUnwindSafe for File {}

impl From<std::fs::File> for File {
    /// Takes the file over as it is: it blocks or does not, and the poller does not watch it (FI1).
    fn from(file: std::fs::File) -> File {
        File(Kind::Plain(file))
    }
}

impl From<File> for std::fs::File {
    /// Gives the file back.
    ///
    /// # Panics
    ///
    /// If it was watched by the poller, has other handles, and no descriptor is to be had for a duplicate.
    fn from(file: File) -> std::fs::File {
        match file.0 {
            Kind::Plain(file) => file,
            Kind::Polled(file) => file.into_file(),
        }
    }
}

impl From<File> for Stdio {
    /// For a child process, which finds the file blocking, unless it was opened with `O_NONBLOCK`. Operations of other handles block their threads from
    /// then on, and know no deadlines.
    ///
    /// # Panics
    ///
    /// If it was watched by the poller, has other handles, and no descriptor is to be had for a duplicate.
    fn from(file: File) -> Stdio {
        match file.0 {
            Kind::Plain(file) => file.into(),
            Kind::Polled(file) => file.into_blocking().into(),
        }
    }
}

impl From<OwnedFd> for File {
    fn from(fd: OwnedFd) -> File {
        std::fs::File::from(fd).into()
    }
}

impl From<File> for OwnedFd {
    fn from(file: File) -> OwnedFd {
        std::fs::File::from(file).into()
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.std().as_fd()
    }
}

impl AsRawFd for File {
    fn as_raw_fd(&self) -> RawFd {
        self.std().as_raw_fd()
    }
}

impl IntoRawFd for File {
    fn into_raw_fd(self) -> RawFd {
        std::fs::File::from(self).into_raw_fd()
    }
}

impl FromRawFd for File {
    unsafe fn from_raw_fd(fd: RawFd) -> File {
        // SAFETY: the caller owns the descriptor and gives it away, which is all that std asks for.
        unsafe { std::fs::File::from_raw_fd(fd) }.into()
    }
}
