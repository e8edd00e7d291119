//! What every end of a pipe has: the same conversions, closing and deadlines, and reading or writing.
//!
//! *Why here.* Floor 8: the public types differ in their names and directions, not in this.
//!
//! *Invariants.* PF1 of `io::polled`. *Locks.* None. *Go:* `os.File`.

/// The conversions of a public type over a `Polled`, and the methods that all of them have.
macro_rules! pipe_end {
    ($name:ident, $std:ty, $side:ident) => {
        impl $name {
            /// Takes std's end over.
            pub(crate) fn of(end: $std) -> $name {
                $name { end: crate::io::polled::Polled::new(end) }
            }

            /// Closes the pipe's end now, for all handles.
            ///
            /// Whatever waits for it, in any goroutine, returns with an error, as does every later operation: `use of closed file`, whose source is
            /// [`Closed`](crate::io::Closed). Dropping the last handle closes, too; this is for those who share it. The number of the descriptor is free
            /// when the last handle is dropped; if all descriptors of the process are in use, the other end, too, learns of the close only then.
            ///
            /// # Blocking
            ///
            /// Never waits.
            ///
            /// # Errors
            ///
            /// If it was closed already.
            #[doc(alias = "Close")]
            pub fn close(&self) -> std::io::Result<()> {
                self.end.close()
            }

            /// Sets when operations fail, as in Go: those that wait now, and all later ones, until the deadline is changed; None is never.
            ///
            /// The error's kind is `TimedOut`, its text `i/o timeout`.
            ///
            /// # Blocking
            ///
            /// Never waits.
            ///
            /// # Errors
            ///
            /// If the end was closed.
            #[doc(alias = "SetDeadline")]
            pub fn set_deadline(&self, deadline: Option<std::time::Instant>) -> std::io::Result<()> {
                self.end.set_deadline(&[crate::netpoll::polldesc::Side::$side], deadline)
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let fd = std::os::fd::AsRawFd::as_raw_fd(self);
                f.debug_struct(stringify!($name)).field("fd", &fd).finish_non_exhaustive()
            }
        }

        // An operation that unwinds leaves the pipe as it was.
        impl core::panic::UnwindSafe for $name {}
        impl core::panic::RefUnwindSafe for $name {}

        impl std::os::fd::AsFd for $name {
            /// The descriptor, which does not block: operations on it that would wait fail.
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.end.file().as_fd()
            }
        }

        impl std::os::fd::AsRawFd for $name {
            /// The descriptor, which does not block: operations on it that would wait fail.
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                self.end.file().as_raw_fd()
            }
        }

        impl From<std::os::fd::OwnedFd> for $name {
            /// Takes the descriptor over. What is open there does not block any more, which whoever else has it open finds as well, other processes
            /// included: no way to treat the standard streams, or what a parent has handed down. It is made blocking again when it is given back.
            fn from(fd: std::os::fd::OwnedFd) -> $name {
                $name::of(fd.into())
            }
        }

        impl From<$name> for std::os::fd::OwnedFd {
            /// Gives the end back, blocking. If there are other handles, it is duplicated, and does not block.
            ///
            /// # Panics
            ///
            /// If there are other handles and no descriptor is to be had.
            fn from(end: $name) -> std::os::fd::OwnedFd {
                end.end.into_file().into()
            }
        }

        impl std::os::fd::IntoRawFd for $name {
            fn into_raw_fd(self) -> std::os::fd::RawFd {
                std::os::fd::OwnedFd::from(self).into_raw_fd()
            }
        }

        impl From<$std> for $name {
            fn from(end: $std) -> $name {
                $name::of(end)
            }
        }

        impl From<$name> for $std {
            /// Gives the end back to std. If there are other handles, it is duplicated, and does not block.
            ///
            /// # Panics
            ///
            /// If there are other handles and no descriptor is to be had.
            fn from(end: $name) -> $std {
                std::os::fd::OwnedFd::from(end).into()
            }
        }

        impl From<$name> for std::process::Stdio {
            /// For a child process, which finds it blocking. Operations of other handles block their threads from then on, and know no
            /// deadlines.
            ///
            /// # Panics
            ///
            /// If there are other handles and no descriptor is to be had.
            fn from(end: $name) -> std::process::Stdio {
                end.end.into_blocking().into()
            }
        }
    };
}

/// `Read`, by value and by shared reference.
macro_rules! reading_end {
    ($name:ident) => {
        impl std::io::Read for &$name {
            #[track_caller]
            fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
                (&self.end).read(buf)
            }

            #[track_caller]
            fn read_vectored(&mut self, bufs: &mut [std::io::IoSliceMut<'_>]) -> std::io::Result<usize> {
                (&self.end).read_vectored(bufs)
            }
        }

        impl std::io::Read for $name {
            #[track_caller]
            fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
                (&self.end).read(buf)
            }

            #[track_caller]
            fn read_vectored(&mut self, bufs: &mut [std::io::IoSliceMut<'_>]) -> std::io::Result<usize> {
                (&self.end).read_vectored(bufs)
            }
        }
    };
}

/// `Write`, by value and by shared reference.
macro_rules! writing_end {
    ($name:ident) => {
        impl std::io::Write for &$name {
            #[track_caller]
            fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
                (&self.end).write(buf)
            }

            #[track_caller]
            fn write_vectored(&mut self, bufs: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
                (&self.end).write_vectored(bufs)
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }

        impl std::io::Write for $name {
            #[track_caller]
            fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
                (&self.end).write(buf)
            }

            #[track_caller]
            fn write_vectored(&mut self, bufs: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
                (&self.end).write_vectored(bufs)
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
    };
}

pub(crate) use {pipe_end, reading_end, writing_end};
