//! A TCP connection.
//!
//! *Why here.* Floor 8.
//!
//! *Invariants.* FD1 to FD4 of `net::fd`. *Locks.* None. *Go:* `net.TCPConn`, `net.Dialer`.

use core::panic::Location;
use core::time::Duration;
use std::io;
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use socket2::{Domain, Protocol, SockRef, Type};

use crate::net::handle::{socket_handle, socket_times, stream_io};
use crate::net::socket::Socket;
use crate::net::{error, resolve};
use crate::netpoll::polldesc::Side;
use crate::os;

/// A TCP connection: `std::net::TcpStream` for goroutines.
///
/// It is closed when the last handle is dropped. Reading and writing work through shared references, too, so that one goroutine can read while
/// another writes.
///
/// # Blocking
///
/// Reads wait for data, writes for room in the system's buffer; the goroutine is parked.
///
/// # Examples
///
/// ```
/// use std::io::{ErrorKind, Read};
/// use std::time::Instant;
/// use goruntime::net::{TcpListener, TcpStream};
///
/// goruntime::run(|| {
///     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
///     let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
///     let other = stream.try_clone().unwrap();
///     let reader = goruntime::spawn(move || (&other).read(&mut [0; 8]));
///     stream.set_read_deadline(Some(Instant::now())).unwrap();
///     let error = reader.join().unwrap().unwrap_err();
///     assert_eq!(error.kind(), ErrorKind::TimedOut);
///     let (local, peer) = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
///     assert_eq!(error.to_string(), format!("read tcp {local}->{peer}: i/o timeout"));
/// });
/// ```
pub struct TcpStream {
    pub(super) socket: Arc<Socket<std::net::TcpStream>>,
}

socket_handle!(TcpStream, std::net::TcpStream);
socket_times!(TcpStream);
stream_io!(TcpStream);

impl TcpStream {
    /// Takes over a socket that the runtime has made or accepted.
    pub(super) fn new(socket: std::net::TcpStream) -> TcpStream {
        TcpStream::of(Socket::new(socket))
    }

    /// Connects to the first of the addresses that answers.
    ///
    /// # Blocking
    ///
    /// Parks until the connection is there or has failed. A name is looked up on the thread, without a processor.
    ///
    /// # Errors
    ///
    /// The last address's; `InvalidInput` if there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::net::{TcpListener, TcpStream};
    ///
    /// goruntime::run(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ///     let addr = listener.local_addr().unwrap();
    ///     assert_eq!(TcpStream::connect(addr).unwrap().peer_addr().unwrap(), addr);
    /// });
    /// ```
    #[track_caller]
    #[doc(alias = "Dial")]
    pub fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<TcpStream> {
        let at = Location::caller();
        resolve::first_of(&addr, |addr| connect_to(addr, None, at))
    }

    /// Connects to an address, waiting no longer than `timeout`.
    ///
    /// # Blocking
    ///
    /// Parks until the connection is there or has failed, or the time is up.
    ///
    /// # Errors
    ///
    /// `TimedOut` when the time is up; `InvalidInput` if it is zero.
    #[track_caller]
    #[doc(alias = "DialTimeout")]
    pub fn connect_timeout(addr: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        if timeout.is_zero() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a timeout of zero leaves no time to connect"));
        }
        connect_to(*addr, Some(timeout), Location::caller())
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get()?.peer_addr()
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get()?.local_addr()
    }

    /// Ends one direction or both. A goroutine that reads from a side that is shut down gets 0, one that writes an error.
    ///
    /// # Errors
    ///
    /// As std.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::Read;
    /// use goruntime::net::{Shutdown, TcpListener, TcpStream};
    ///
    /// goruntime::run(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ///     let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    ///     let other = stream.try_clone().unwrap();
    ///     let reader = goruntime::spawn(move || (&other).read(&mut [0; 8]).unwrap());
    ///     stream.shutdown(Shutdown::Read).unwrap();
    ///     assert_eq!(reader.join().unwrap(), 0);
    /// });
    /// ```
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.get()?.shutdown(how)
    }

    /// Reads without taking what was read away.
    ///
    /// # Blocking
    ///
    /// As a read.
    ///
    /// # Errors
    ///
    /// As a read.
    #[track_caller]
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.socket.receive(Location::caller(), |socket| socket.peek(buf), |&count| count)
    }

    /// Sends small packets at once instead of collecting them.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.get()?.set_nodelay(nodelay)
    }

    /// Whether small packets are sent at once.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.socket.get()?.nodelay()
    }

    /// Sets what becomes of unsent data when the socket is closed: it is sent for so long; with zero the connection is reset. None is the system's way.
    ///
    /// A close that lingers blocks the thread for as long.
    ///
    /// # Errors
    ///
    /// As `socket2`.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        SockRef::from(self.socket.get()?).set_linger(linger)
    }

    /// What becomes of unsent data when the socket is closed.
    ///
    /// # Errors
    ///
    /// As `socket2`.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        SockRef::from(self.socket.get()?).linger()
    }

    /// Sets the time to live of outgoing packets.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.get()?.set_ttl(ttl)
    }

    /// The time to live of outgoing packets.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket.get()?.ttl()
    }
}

fn connect_to(addr: SocketAddr, limit: Option<Duration>, at: &'static Location<'static>) -> io::Result<TcpStream> {
    let socket = socket2::Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    let begun = socket.connect(&addr.into());
    let stream = TcpStream::of(Socket::assume_nonblocking(socket.into()));
    match begun {
        Ok(()) => return Ok(stream),
        Err(error) if error.raw_os_error().is_some_and(os::is_connecting) => {}
        Err(error) => return Err(error),
    }
    stream.socket.run_within(Side::Write, limit, at, is_connected).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => error::connect_timed_out(addr),
        _ => error,
    })?;
    Ok(stream)
}

/// Whether a connect that goes on by itself has ended; `WouldBlock` if not.
fn is_connected(socket: &std::net::TcpStream) -> io::Result<()> {
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    match socket.peer_addr() {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Err(io::ErrorKind::WouldBlock.into()),
        other => other.map(drop),
    }
}
