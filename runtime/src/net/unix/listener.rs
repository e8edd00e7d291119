//! A server's socket with a path.
//!
//! *Why here.* Floor 8.
//!
//! *Invariants.* FD1 to FD4 of `net::fd`. *Locks.* None. *Go:* `net.UnixListener`, which removes the path when it is closed; std does not.

use core::panic::Location;
use std::io;
use std::iter::FusedIterator;
use std::os::unix::net as std_net;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crate::net::accept;
use crate::net::handle::socket_handle;
use crate::net::socket::Socket;
use crate::net::unix::UnixStream;
use crate::netpoll::polldesc::Side;

/// A Unix server's socket: `std::os::unix::net::UnixListener` for goroutines.
pub struct UnixListener {
    socket: Arc<Socket<std_net::UnixListener>>,
}

socket_handle!(UnixListener, std_net::UnixListener);

impl UnixListener {
    /// Listens at a path, which must not exist yet and is not removed at the end.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixListener> {
        std_net::UnixListener::bind(path).map(|socket| UnixListener::of(Socket::new(socket)))
    }

    /// Listens at an address.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn bind_addr(addr: &std_net::SocketAddr) -> io::Result<UnixListener> {
        std_net::UnixListener::bind_addr(addr).map(|socket| UnixListener::of(Socket::new(socket)))
    }

    /// The address that it listens at.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn local_addr(&self) -> io::Result<std_net::SocketAddr> {
        self.socket.get()?.local_addr()
    }

    /// Waits for a connection. Several goroutines may wait; they are served in turn.
    ///
    /// # Blocking
    ///
    /// Parks until there is a connection, the listener is closed, or its deadline has passed.
    ///
    /// # Errors
    ///
    /// As [`TcpListener::accept`](crate::net::TcpListener::accept).
    #[track_caller]
    pub fn accept(&self) -> io::Result<(UnixStream, std_net::SocketAddr)> {
        let (stream, addr) = accept::accept(&self.socket, Location::caller(), std_net::UnixListener::accept)?;
        Ok((UnixStream::new(stream), addr))
    }

    /// As [`accept`](UnixListener::accept), for async code; see [`TcpListener::accept_async`](crate::net::TcpListener::accept_async).
    ///
    /// # Errors
    ///
    /// As [`accept`](UnixListener::accept).
    pub async fn accept_async(&self) -> io::Result<(UnixStream, std_net::SocketAddr)> {
        let (stream, addr) = accept::accept_async(&self.socket, std_net::UnixListener::accept).await?;
        Ok((UnixStream::new(stream), addr))
    }

    /// The connections as they come, for ever; errors are among the items.
    ///
    /// # Blocking
    ///
    /// Each item is an [`accept`](UnixListener::accept).
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// Sets when accepting fails, now and later, until it is changed; None is never.
    ///
    /// # Errors
    ///
    /// If the listener was closed.
    #[doc(alias = "SetDeadline")]
    pub fn set_deadline(&self, deadline: Option<Instant>) -> io::Result<()> {
        self.socket.set_deadline(&[Side::Read], deadline)
    }
}

/// The connections of a [`UnixListener`].
#[derive(Debug)]
pub struct Incoming<'a> {
    listener: &'a UnixListener,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<UnixStream>;

    #[track_caller]
    fn next(&mut self) -> Option<io::Result<UnixStream>> {
        Some(self.listener.accept().map(|accepted| accepted.0))
    }
}

impl FusedIterator for Incoming<'_> {}

impl<'a> IntoIterator for &'a UnixListener {
    type Item = io::Result<UnixStream>;
    type IntoIter = Incoming<'a>;

    fn into_iter(self) -> Incoming<'a> {
        self.incoming()
    }
}
