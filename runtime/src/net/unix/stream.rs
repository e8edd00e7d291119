//! A connection between two processes of one machine.
//!
//! *Why here.* Floor 8.
//!
//! *Invariants.* FD1 to FD4 of `net::fd`. *Locks.* None. *Go:* `net.UnixConn`.

use std::io;
use std::net::Shutdown;
use std::os::unix::net as std_net;
use std::path::Path;
use std::sync::Arc;

use socket2::{Domain, SockAddr, Type};

use crate::net::handle::{socket_handle, socket_times, stream_io};
use crate::net::socket::Socket;
use crate::proc::park;

/// A Unix stream socket: `std::os::unix::net::UnixStream` for goroutines.
///
/// # Blocking
///
/// Reads wait for data, writes for room in the system's buffer; the goroutine is parked.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use goruntime::os::unix::net::UnixStream;
///
/// goruntime::run(|| {
///     let (mut a, mut b) = UnixStream::pair().unwrap();
///     goruntime::go(move || a.write_all(b"hello").unwrap());
///     let mut text = String::new();
///     b.read_to_string(&mut text).unwrap();
///     assert_eq!(text, "hello");
/// });
/// ```
pub struct UnixStream {
    pub(in crate::net) socket: Arc<Socket<std_net::UnixStream>>,
}

socket_handle!(UnixStream, std_net::UnixStream);
socket_times!(UnixStream);
stream_io!(UnixStream);

impl UnixStream {
    /// Takes over a socket that the runtime has made or accepted.
    pub(super) fn new(socket: std_net::UnixStream) -> UnixStream {
        UnixStream::of(Socket::new(socket))
    }

    /// Connects to the listener at a path.
    ///
    /// # Blocking
    ///
    /// If too many wait to be accepted, blocks its thread, without a processor, until there is room: no system tells when.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn connect<P: AsRef<Path>>(path: P) -> io::Result<UnixStream> {
        let path = path.as_ref();
        // Refuses what std refuses: `SockAddr` takes a NUL for the sign of an abstract name, or for the end.
        std_net::SocketAddr::from_pathname(path)?;
        let address = SockAddr::unix(path)?;
        UnixStream::connect_with(&address, || std_net::UnixStream::connect(path))
    }

    /// Connects to the listener at an address.
    ///
    /// # Blocking
    ///
    /// As [`connect`](UnixStream::connect).
    ///
    /// # Errors
    ///
    /// As std.
    pub fn connect_addr(addr: &std_net::SocketAddr) -> io::Result<UnixStream> {
        match addr.as_pathname() {
            Some(path) => UnixStream::connect(path),
            None => park::without_p(|| std_net::UnixStream::connect_addr(addr)).map(UnixStream::new),
        }
    }

    fn connect_with(
        address: &SockAddr,
        wait: impl FnOnce() -> io::Result<std_net::UnixStream>,
    ) -> io::Result<UnixStream> {
        let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        match socket.connect(address) {
            Ok(()) => Ok(UnixStream::of(Socket::assume_nonblocking(socket.into()))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => park::without_p(wait).map(UnixStream::new),
            Err(error) => Err(error),
        }
    }

    /// Makes two sockets that are connected to each other.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (a, b) = std_net::UnixStream::pair()?;
        Ok((UnixStream::new(a), UnixStream::new(b)))
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn local_addr(&self) -> io::Result<std_net::SocketAddr> {
        self.socket.get()?.local_addr()
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn peer_addr(&self) -> io::Result<std_net::SocketAddr> {
        self.socket.get()?.peer_addr()
    }

    /// Ends one direction or both. A goroutine that reads from a side that is shut down gets 0, one that writes an error.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.get()?.shutdown(how)
    }
}
