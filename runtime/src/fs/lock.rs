//! Locks of whole files, between programs and between handles.
//!
//! *Why here.* Floor 8: beside `fs::file`, whose methods these are. Std has them, and the type of their error, since a later release than the oldest that
//! this crate compiles with; on a Unix system each is one system call.
//!
//! *Invariants.* FL1. Who would wait asks without waiting first: a lock that is free costs no wake-up of a thread, and only who is about to block gives its
//! processor away. A change from one kind of lock to the other loses nothing by it: the system gives the old lock up first in any case.
//!
//! *Locks.* None. *Go:* `cmd/go/internal/lockedfile/internal/filelock`.

use core::fmt;
use std::error::Error;
use std::io;
use std::os::fd::AsFd;

use crate::fs::File;
use crate::os::{self, FileLock};
use crate::proc::park::{in_syscall, without_p};

/// Why [`File::try_lock`] or [`File::try_lock_shared`] has no lock.
pub enum TryLockError {
    /// The system has failed, with an error of another kind than `WouldBlock`.
    Error(io::Error),
    /// Another handle has a lock that excludes this one.
    WouldBlock,
}

impl fmt::Debug for TryLockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryLockError::Error(error) => error.fmt(f),
            TryLockError::WouldBlock => "WouldBlock".fmt(f),
        }
    }
}

impl fmt::Display for TryLockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TryLockError::Error(_) => "lock acquisition failed due to I/O error",
            TryLockError::WouldBlock => "lock acquisition failed because the operation would block",
        })
    }
}

impl Error for TryLockError {
    /// The system's error, which the text does not have. (Std's type has no source.)
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            TryLockError::Error(error) => Some(error),
            TryLockError::WouldBlock => None,
        }
    }
}

impl From<TryLockError> for io::Error {
    fn from(error: TryLockError) -> io::Error {
        match error {
            TryLockError::Error(error) => error,
            TryLockError::WouldBlock => io::ErrorKind::WouldBlock.into(),
        }
    }
}

impl File {
    /// Locks the file, so that no other handle can lock it.
    ///
    /// The lock belongs to what was opened, with all its clones and with the children that have inherited it: they have it together, whatever goroutines they
    /// are used by. It excludes those who have opened the file once more, in this program and in others, and only from locks; who does not ask for one
    /// reads and writes as ever. It ends with [`unlock`](File::unlock), or when the last of its handles is closed. A shared lock that this handle has becomes
    /// an exclusive one; others may have had the file in between.
    ///
    /// # Blocking
    ///
    /// Blocks the thread while another handle has a lock, for hours if need be. The processor is given to another thread at once, so that other goroutines
    /// go on; a thread is taken by each goroutine that waits. Who waits for a lock that its own program never gives back is not reported as deadlocked.
    ///
    /// # Errors
    ///
    /// As std; a signal does not end the wait.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::fs::{self, File, TryLockError};
    ///
    /// goruntime::run(|| {
    ///     let path = std::env::temp_dir().join(format!("goruntime-doc-lock-{}", std::process::id()));
    ///     let file = File::create(&path)?;
    ///     file.lock()?;
    ///     let other = File::open(&path)?;
    ///     assert!(matches!(other.try_lock_shared(), Err(TryLockError::WouldBlock)));
    ///     let waiting = goruntime::spawn(move || other.lock());
    ///     file.unlock()?;
    ///     assert!(waiting.join().unwrap().is_ok());
    ///     fs::remove_file(&path)
    /// })
    /// .unwrap();
    /// ```
    pub fn lock(&self) -> io::Result<()> {
        self.lock_as(FileLock::Exclusive)
    }

    /// Locks the file together with others who do so, but with nobody who [locks](File::lock) it alone.
    ///
    /// An exclusive lock that this handle has becomes a shared one; others may have had the file in between.
    ///
    /// # Blocking
    ///
    /// As [`lock`](File::lock), while another handle has an exclusive lock.
    ///
    /// # Errors
    ///
    /// As std; a signal does not end the wait.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::fs::{self, File, TryLockError};
    ///
    /// goruntime::run(|| {
    ///     let path = std::env::temp_dir().join(format!("goruntime-doc-lock-shared-{}", std::process::id()));
    ///     let (one, two) = (File::create(&path)?, File::open(&path)?);
    ///     one.lock_shared()?;
    ///     two.lock_shared()?;
    ///     assert!(matches!(two.try_lock(), Err(TryLockError::WouldBlock)));
    ///     fs::remove_file(&path)
    /// })
    /// .unwrap();
    /// ```
    pub fn lock_shared(&self) -> io::Result<()> {
        self.lock_as(FileLock::Shared)
    }

    /// As [`lock`](File::lock), but does not wait.
    ///
    /// # Blocking
    ///
    /// As other operations; see [the module](crate::fs).
    ///
    /// # Errors
    ///
    /// `WouldBlock` if another handle has a lock; a shared lock that this handle had may be lost then. Else as std.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::fs::{self, File, TryLockError};
    ///
    /// goruntime::run(|| {
    ///     let path = std::env::temp_dir().join(format!("goruntime-doc-try-lock-{}", std::process::id()));
    ///     let (one, two) = (File::create(&path)?, File::open(&path)?);
    ///     one.try_lock()?;
    ///     assert!(matches!(two.try_lock(), Err(TryLockError::WouldBlock)));
    ///     drop(one);
    ///     two.try_lock()?;
    ///     fs::remove_file(&path)
    /// })
    /// .unwrap();
    /// ```
    pub fn try_lock(&self) -> Result<(), TryLockError> {
        self.try_lock_as(FileLock::Exclusive)
    }

    /// As [`lock_shared`](File::lock_shared), but does not wait.
    ///
    /// # Blocking
    ///
    /// As other operations; see [the module](crate::fs).
    ///
    /// # Errors
    ///
    /// `WouldBlock` if another handle has an exclusive lock. Else as std.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::fs::{self, File};
    ///
    /// goruntime::run(|| {
    ///     let path = std::env::temp_dir().join(format!("goruntime-doc-try-lock-shared-{}", std::process::id()));
    ///     let (one, two) = (File::create(&path)?, File::open(&path)?);
    ///     one.try_lock_shared()?;
    ///     assert!(two.try_lock_shared().is_ok());
    ///     fs::remove_file(&path)
    /// })
    /// .unwrap();
    /// ```
    pub fn try_lock_shared(&self) -> Result<(), TryLockError> {
        self.try_lock_as(FileLock::Shared)
    }

    /// Gives the lock back, of all clones as well; nothing happens if there is none.
    ///
    /// # Blocking
    ///
    /// As other operations; see [the module](crate::fs). Wakes those who wait in [`lock`](File::lock) and [`lock_shared`](File::lock_shared).
    ///
    /// # Errors
    ///
    /// As std.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::fs::{self, File};
    ///
    /// goruntime::run(|| {
    ///     let path = std::env::temp_dir().join(format!("goruntime-doc-unlock-{}", std::process::id()));
    ///     let (one, two) = (File::create(&path)?, File::open(&path)?);
    ///     one.lock()?;
    ///     one.unlock()?;
    ///     assert!(two.try_lock().is_ok());
    ///     fs::remove_file(&path)
    /// })
    /// .unwrap();
    /// ```
    pub fn unlock(&self) -> io::Result<()> {
        in_syscall(|| os::unlock_file(self.as_fd())).map_err(io::Error::from_raw_os_error)
    }

    /// FL1.
    fn lock_as(&self, kind: FileLock) -> io::Result<()> {
        match self.try_lock_as(kind) {
            Err(TryLockError::WouldBlock) => {
                without_p(|| os::lock_file(self.as_fd(), kind)).map_err(io::Error::from_raw_os_error)
            }
            tried => Ok(tried?),
        }
    }

    fn try_lock_as(&self, kind: FileLock) -> Result<(), TryLockError> {
        in_syscall(|| os::try_lock_file(self.as_fd(), kind)).map_err(|errno| {
            let error = io::Error::from_raw_os_error(errno);
            if error.kind() == io::ErrorKind::WouldBlock {
                TryLockError::WouldBlock
            } else {
                TryLockError::Error(error)
            }
        })
    }
}
