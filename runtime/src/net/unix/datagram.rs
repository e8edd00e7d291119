//! Datagrams between the processes of one machine.
//!
//! *Why here.* Floor 8.
//!
//! *Invariants.* FD1 to FD4 of `net::fd`. *Locks.* None. *Go:* `net.UnixConn` of `unixgram`.

use core::panic::Location;
use std::io;
use std::net::Shutdown;
use std::os::unix::net as std_net;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::net::handle::{socket_handle, socket_times};
use crate::net::socket::Socket;
use crate::netpoll::polldesc::Side;

/// The first interval at which a full receiver is looked at again, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// A Unix datagram socket: `std::os::unix::net::UnixDatagram` for goroutines.
///
/// # Blocking
///
/// Receiving parks until there is a datagram, sending until there is room for one.
///
/// # Examples
///
/// ```
/// use goruntime::os::unix::net::UnixDatagram;
///
/// goruntime::run(|| {
///     let (a, b) = UnixDatagram::pair().unwrap();
///     goruntime::go(move || assert_eq!(a.send(b"hello").unwrap(), 5));
///     let mut buf = [0; 8];
///     let count = b.recv(&mut buf).unwrap();
///     assert_eq!(&buf[..count], b"hello");
/// });
/// ```
pub struct UnixDatagram {
    socket: Arc<Socket<std_net::UnixDatagram>>,
}

socket_handle!(UnixDatagram, std_net::UnixDatagram);
socket_times!(UnixDatagram);

impl UnixDatagram {
    fn new(socket: std_net::UnixDatagram) -> UnixDatagram {
        UnixDatagram::of(Socket::new(socket))
    }

    /// Makes a socket with a path, which must not exist yet and is not removed at the end.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixDatagram> {
        std_net::UnixDatagram::bind(path).map(UnixDatagram::new)
    }

    /// Makes a socket with an address.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn bind_addr(addr: &std_net::SocketAddr) -> io::Result<UnixDatagram> {
        std_net::UnixDatagram::bind_addr(addr).map(UnixDatagram::new)
    }

    /// Makes a socket without an address.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn unbound() -> io::Result<UnixDatagram> {
        std_net::UnixDatagram::unbound().map(UnixDatagram::new)
    }

    /// Makes two sockets that are connected to each other.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (a, b) = std_net::UnixDatagram::pair()?;
        Ok((UnixDatagram::new(a), UnixDatagram::new(b)))
    }

    /// Sets where [`send`](UnixDatagram::send) sends to.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.socket.get()?.connect(path)
    }

    /// Sets where [`send`](UnixDatagram::send) sends to.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn connect_addr(&self, addr: &std_net::SocketAddr) -> io::Result<()> {
        self.socket.get()?.connect_addr(addr)
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn local_addr(&self) -> io::Result<std_net::SocketAddr> {
        self.socket.get()?.local_addr()
    }

    /// The address that the socket was connected to.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn peer_addr(&self) -> io::Result<std_net::SocketAddr> {
        self.socket.get()?.peer_addr()
    }

    /// Ends one direction or both.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.get()?.shutdown(how)
    }

    /// Receives a datagram: its length, and who sent it. What does not fit is lost.
    ///
    /// # Blocking
    ///
    /// Parks until there is one.
    ///
    /// # Errors
    ///
    /// As std, or if the time is up or the socket was closed.
    #[track_caller]
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, std_net::SocketAddr)> {
        self.socket.receive(Location::caller(), |socket| socket.recv_from(buf), |done| done.0)
    }

    /// Receives a datagram.
    ///
    /// # Blocking
    ///
    /// Parks until there is one.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](UnixDatagram::recv_from).
    #[track_caller]
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.socket.receive(Location::caller(), |socket| socket.recv(buf), |&count| count)
    }

    /// Sends a datagram to the socket at a path.
    ///
    /// # Blocking
    ///
    /// Parks until there is room for it. Room at a receiver that the socket is not connected to is announced by no system: it is looked for again
    /// and again, at growing intervals.
    ///
    /// # Errors
    ///
    /// As std, or if the time is up or the socket was closed.
    #[track_caller]
    pub fn send_to<P: AsRef<Path>>(&self, buf: &[u8], path: P) -> io::Result<usize> {
        let (at, path) = (Location::caller(), path.as_ref());
        self.send_to_any(at, |socket| socket.send_to(buf, path))
    }

    /// Sends a datagram to the socket at an address.
    ///
    /// # Blocking
    ///
    /// As [`send_to`](UnixDatagram::send_to).
    ///
    /// # Errors
    ///
    /// As [`send_to`](UnixDatagram::send_to).
    #[track_caller]
    pub fn send_to_addr(&self, buf: &[u8], addr: &std_net::SocketAddr) -> io::Result<usize> {
        self.send_to_any(Location::caller(), |socket| socket.send_to_addr(buf, addr))
    }

    /// Sends to a receiver that this socket is not connected to: the system calls the socket writable although the receiver has no room.
    fn send_to_any(
        &self,
        at: &'static Location<'static>,
        mut send: impl FnMut(&std_net::UnixDatagram) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let last = self.write_timeout()?.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut pause = FIRST_PAUSE;
        loop {
            let left = last.map_or(pause, |last| last.saturating_duration_since(Instant::now()).min(pause));
            match self.socket.run_within(Side::Write, Some(left), at, &mut send) {
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock && left == pause && !self.socket.is_nonblocking() =>
                {
                    pause = (2 * pause).min(LONGEST_PAUSE);
                }
                other => return other,
            }
        }
    }

    /// Sends a datagram to the socket that this one was connected to.
    ///
    /// # Blocking
    ///
    /// Parks until there is room for it.
    ///
    /// # Errors
    ///
    /// As [`send_to`](UnixDatagram::send_to).
    #[track_caller]
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.socket.run(Side::Write, Location::caller(), |socket| socket.send(buf))
    }
}
