//! What every kind of socket has: the same conversions, and the same words for time and end.
//!
//! *Why here.* Floor 8: the public types differ in what they send, not in this.
//!
//! *Invariants.* FD1 of `net::fd`. *Locks.* None. *Go:* `net.Conn`'s deadlines and `Close`.

/// The conversions of a public socket type, and the methods that all of them have.
macro_rules! socket_handle {
    ($name:ident, $std:ty) => {
        impl $name {
            fn of(socket: std::sync::Arc<crate::net::socket::Socket<$std>>) -> $name {
                $name { socket }
            }

            /// Makes another handle of the same socket. Options, timeouts and deadlines are the socket's, not the handle's.
            ///
            /// # Errors
            ///
            /// Never; the signature is std's. No descriptor is made.
            pub fn try_clone(&self) -> std::io::Result<$name> {
                Ok($name::of(self.socket.clone()))
            }

            /// Closes the socket now, for all handles.
            ///
            /// Whatever waits for it, in any goroutine, returns with an error, as does every later operation: `read tcp A->B: use of
            /// closed network connection`; see [`Closed`](crate::net::Closed). Dropping the last handle closes, too; this is for those who share it. The number of
            /// the descriptor is free when the last handle is dropped, so that nobody finds another socket under it.
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
                self.socket.close()
            }

            /// Lets operations that would wait fail with `WouldBlock` instead.
            ///
            /// # Errors
            ///
            /// If the socket was closed.
            pub fn set_nonblocking(&self, nonblocking: bool) -> std::io::Result<()> {
                self.socket.set_nonblocking(nonblocking)
            }

            /// Takes the error that the system keeps for the socket.
            ///
            /// # Errors
            ///
            /// As std.
            pub fn take_error(&self) -> std::io::Result<Option<std::io::Error>> {
                self.socket.get()?.take_error()
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                self.socket.raw().fmt(f)
            }
        }

        // An operation that unwinds leaves the socket as it was.
        impl core::panic::UnwindSafe for $name {}
        impl core::panic::RefUnwindSafe for $name {}

        impl std::os::fd::AsFd for $name {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.socket.raw().as_fd()
            }
        }

        impl std::os::fd::AsRawFd for $name {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                self.socket.raw().as_raw_fd()
            }
        }

        impl From<$std> for $name {
            /// Takes the socket over, with its timeouts; its operations wait, whether or not they did before. Clones of it that are still std's, and what
            /// other processes have of it, do not wait any more: their operations fail with `WouldBlock`.
            fn from(socket: $std) -> $name {
                $name::of(crate::net::socket::Socket::adopt(socket))
            }
        }

        impl From<$name> for $std {
            /// Gives the socket back, in std's blocking mode and with its timeouts.
            ///
            /// If there are other handles, it is duplicated, and stays non-blocking: that belongs to the socket, not to a descriptor.
            ///
            /// # Panics
            ///
            /// If there are other handles and no descriptor is to be had.
            fn from(socket: $name) -> $std {
                socket.socket.into_std()
            }
        }

        impl From<std::os::fd::OwnedFd> for $name {
            fn from(fd: std::os::fd::OwnedFd) -> $name {
                <$std>::from(fd).into()
            }
        }

        impl From<$name> for std::os::fd::OwnedFd {
            fn from(socket: $name) -> std::os::fd::OwnedFd {
                <$std>::from(socket).into()
            }
        }

        impl std::os::fd::IntoRawFd for $name {
            fn into_raw_fd(self) -> std::os::fd::RawFd {
                <$std>::from(self).into_raw_fd()
            }
        }

        impl std::os::fd::FromRawFd for $name {
            unsafe fn from_raw_fd(fd: std::os::fd::RawFd) -> $name {
                // SAFETY: the caller owns the descriptor and gives it away, which is all that std asks for.
                unsafe { <$std>::from_raw_fd(fd) }.into()
            }
        }
    };
}

/// The timeouts and deadlines of a socket that sends and receives.
macro_rules! socket_times {
    ($name:ident) => {
        impl $name {
            /// Sets the longest wait of one receiving operation; None is for ever.
            ///
            /// An operation that waits longer fails with std's kind of error on Unix, `WouldBlock`; its text is `read tcp A->B: i/o timeout`.
            ///
            /// It is for operations that block. What async code polls (the traits of `futures_io`, tokio and hyper) has no timeout, and fails at
            /// the [deadline](Self::set_deadline) only; or put it into a [`future::timeout`](crate::future::timeout).
            ///
            /// # Errors
            ///
            /// If the timeout is zero, or the socket was closed.
            pub fn set_read_timeout(&self, timeout: Option<core::time::Duration>) -> std::io::Result<()> {
                self.socket.set_timeout(crate::netpoll::polldesc::Side::Read, timeout)
            }

            /// Sets the longest wait of one sending operation; None is for ever. As [`set_read_timeout`](Self::set_read_timeout) otherwise.
            ///
            /// # Errors
            ///
            /// If the timeout is zero, or the socket was closed.
            pub fn set_write_timeout(&self, timeout: Option<core::time::Duration>) -> std::io::Result<()> {
                self.socket.set_timeout(crate::netpoll::polldesc::Side::Write, timeout)
            }

            /// The longest wait of one receiving operation.
            ///
            /// # Errors
            ///
            /// If the socket was closed.
            pub fn read_timeout(&self) -> std::io::Result<Option<core::time::Duration>> {
                self.socket.timeout(crate::netpoll::polldesc::Side::Read)
            }

            /// The longest wait of one sending operation.
            ///
            /// # Errors
            ///
            /// If the socket was closed.
            pub fn write_timeout(&self) -> std::io::Result<Option<core::time::Duration>> {
                self.socket.timeout(crate::netpoll::polldesc::Side::Write)
            }

            /// Sets when operations fail, as in Go: those that wait now, and all later ones, until the deadline is changed; None is never.
            ///
            /// The error's kind is `TimedOut`, its text `read tcp A->B: i/o timeout`. A deadline in the past ends every wait at once, and operations fail even if they
            /// would not have to wait.
            ///
            /// # Blocking
            ///
            /// Never waits.
            ///
            /// # Errors
            ///
            /// If the socket was closed.
            #[doc(alias = "SetDeadline")]
            pub fn set_deadline(&self, deadline: Option<std::time::Instant>) -> std::io::Result<()> {
                use crate::netpoll::polldesc::Side;
                self.socket.set_deadline(&[Side::Read, Side::Write], deadline)
            }

            /// The same for receiving operations only.
            ///
            /// # Errors
            ///
            /// If the socket was closed.
            #[doc(alias = "SetReadDeadline")]
            pub fn set_read_deadline(&self, deadline: Option<std::time::Instant>) -> std::io::Result<()> {
                self.socket.set_deadline(&[crate::netpoll::polldesc::Side::Read], deadline)
            }

            /// The same for sending operations only.
            ///
            /// # Errors
            ///
            /// If the socket was closed.
            #[doc(alias = "SetWriteDeadline")]
            pub fn set_write_deadline(&self, deadline: Option<std::time::Instant>) -> std::io::Result<()> {
                self.socket.set_deadline(&[crate::netpoll::polldesc::Side::Write], deadline)
            }
        }
    };
}

/// `Read` and `Write` of a stream, by value and by shared reference.
macro_rules! stream_io {
    ($name:ident) => {
        impl std::io::Read for &$name {
            #[track_caller]
            fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
                let at = core::panic::Location::caller();
                self.socket.read(buf.len(), at, |mut socket| socket.read(buf))
            }

            #[track_caller]
            fn read_vectored(&mut self, bufs: &mut [std::io::IoSliceMut<'_>]) -> std::io::Result<usize> {
                let at = core::panic::Location::caller();
                let room = bufs.iter().map(|buf| buf.len()).sum();
                self.socket.read(room, at, |mut socket| socket.read_vectored(bufs))
            }
        }

        impl std::io::Write for &$name {
            #[track_caller]
            fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
                let at = core::panic::Location::caller();
                self.socket.run(crate::netpoll::polldesc::Side::Write, at, |mut socket| socket.write(buf))
            }

            #[track_caller]
            fn write_vectored(&mut self, bufs: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
                let at = core::panic::Location::caller();
                self.socket.run(crate::netpoll::polldesc::Side::Write, at, |mut socket| socket.write_vectored(bufs))
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }

        impl std::io::Read for $name {
            #[track_caller]
            fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
                (&*self).read(buf)
            }

            #[track_caller]
            fn read_vectored(&mut self, bufs: &mut [std::io::IoSliceMut<'_>]) -> std::io::Result<usize> {
                (&*self).read_vectored(bufs)
            }
        }

        impl std::io::Write for $name {
            #[track_caller]
            fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
                (&*self).write(buf)
            }

            #[track_caller]
            fn write_vectored(&mut self, bufs: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
                (&*self).write_vectored(bufs)
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
    };
}

pub(crate) use {socket_handle, socket_times, stream_io};
