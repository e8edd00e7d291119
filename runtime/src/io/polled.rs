//! A pipe, or a file that behaves like one, in the runtime's hands.
//!
//! *Why here.* Floor 8: what the ends of pipes, the streams of child processes and some files share. It is a socket of `net::socket` whose errors speak
//! of files.
//!
//! *Invariants.* FD1 to FD4 of `net::fd`. PF1. While the runtime has it, what is open does not block, unless it was given to a child process, which
//! must find it blocking: then operations of handles that are left block their threads, and cost a thread each.
//!
//! *Locks.* None. *Go:* `os.File` of kind `kindPipe`, `poll.FD`.

use core::panic::Location;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use crate::io::error;
use crate::net::kind::StdSocket;
use crate::net::socket::Socket;
use crate::netpoll::polldesc::Side;
use crate::os;

/// The file; clones are handles of the same one.
#[derive(Clone)]
pub(crate) struct Polled(Arc<Socket<File>>);

impl StdSocket for File {
    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        os::set_nonblocking(self.as_fd(), nonblocking).map_err(io::Error::from_raw_os_error)
    }

    fn try_clone(&self) -> io::Result<File> {
        self.try_clone()
    }
}

impl Polled {
    /// Takes the file over.
    pub(crate) fn new(file: impl Into<OwnedFd>) -> Polled {
        Polled(Socket::new(File::from(file.into())))
    }

    /// The file, for what does not wait; also when it was closed.
    pub(crate) fn file(&self) -> &File {
        self.0.raw()
    }

    /// Gives the file back, blocking. If there are other handles it is duplicated.
    ///
    /// # Panics
    ///
    /// If there are other handles and no descriptor is to be had.
    pub(crate) fn into_file(self) -> File {
        self.0.into_std()
    }

    /// The same for a child process: what is open blocks from now on, also for handles that are left (PF1).
    pub(crate) fn into_blocking(self) -> OwnedFd {
        let file = self.into_file();
        // Of a file that is open this does not fail.
        _ = StdSocket::set_nonblocking(&file, false);
        file.into()
    }

    /// Closes the file for all handles; what waits for it returns with an error.
    pub(crate) fn close(&self) -> io::Result<()> {
        self.0.close().map_err(error::of_file)
    }

    /// Sets when operations of these sides fail, whenever they began. None is never.
    pub(crate) fn set_deadline(&self, sides: &[Side], when: Option<Instant>) -> io::Result<()> {
        self.0.set_deadline(sides, when).map_err(error::of_file)
    }

    #[inline]
    fn receive(&self, at: &'static Location<'static>, op: impl FnMut(&File) -> io::Result<usize>) -> io::Result<usize> {
        self.0.receive(at, op, |&count| count).map_err(error::of_file)
    }

    #[inline]
    fn send(&self, at: &'static Location<'static>, op: impl FnMut(&File) -> io::Result<usize>) -> io::Result<usize> {
        self.0.run(Side::Write, at, op).map_err(error::of_file)
    }
}

impl Read for &Polled {
    #[track_caller]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.receive(Location::caller(), |mut file| file.read(buf))
    }

    #[track_caller]
    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.receive(Location::caller(), |mut file| file.read_vectored(bufs))
    }
}

impl Write for &Polled {
    #[track_caller]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.send(Location::caller(), |mut file| file.write(buf))
    }

    #[track_caller]
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send(Location::caller(), |mut file| file.write_vectored(bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
