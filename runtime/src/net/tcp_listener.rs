//! A TCP server's socket.
//!
//! *Why here.* Floor 8.
//!
//! *Invariants.* FD1 to FD4 of `net::fd`. *Locks.* None. *Go:* `net.TCPListener`.

use core::panic::Location;
use std::io;
use std::iter::FusedIterator;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Instant;

use socket2::{Domain, Protocol, Type};

use crate::net::handle::socket_handle;
use crate::net::socket::Socket;
use crate::net::{TcpStream, accept, resolve};
use crate::netpoll::polldesc::Side;

/// Connections that may wait to be accepted; the system lowers it to its own limit.
const BACKLOG: i32 = 4096;

/// A TCP server's socket: `std::net::TcpListener` for goroutines.
///
/// # Examples
///
/// ```
/// use goruntime::net::{Closed, TcpListener};
///
/// goruntime::run(|| {
///     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
///     let other = listener.try_clone().unwrap();
///     let server = goruntime::spawn(move || other.accept().map(drop));
///     listener.close().unwrap();
///     assert!(Closed::is_source_of(&server.join().unwrap().unwrap_err()));
/// });
/// ```
pub struct TcpListener {
    socket: Arc<Socket<std::net::TcpListener>>,
}

socket_handle!(TcpListener, std::net::TcpListener);

impl TcpListener {
    /// Listens at the first of the addresses that can be had. The address may be one that was in use a moment ago (`SO_REUSEADDR`, as std).
    ///
    /// # Blocking
    ///
    /// A name is looked up on the thread, without a processor.
    ///
    /// # Errors
    ///
    /// The last address's; `InvalidInput` if there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// let listener = goruntime::net::TcpListener::bind("127.0.0.1:0").unwrap();
    /// assert_ne!(listener.local_addr().unwrap().port(), 0);
    /// ```
    #[doc(alias = "Listen")]
    pub fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<TcpListener> {
        resolve::first_of(&addr, |addr| {
            let socket = socket2::Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
            socket.set_nonblocking(true)?;
            socket.set_reuse_address(true)?;
            socket.bind(&addr.into())?;
            socket.listen(BACKLOG)?;
            Ok(TcpListener::of(Socket::assume_nonblocking(socket.into())))
        })
    }

    /// The address that it listens at.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
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
    /// As std. When the process or the system is out of descriptors the error comes after a pause of 5 ms, which doubles with each such error up
    /// to a second, so that a loop that goes on accepting neither spins nor ends: the next connection is served once there is a descriptor for it.
    #[track_caller]
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, addr) = accept::accept(&self.socket, Location::caller(), std::net::TcpListener::accept)?;
        Ok((TcpStream::new(stream), addr))
    }

    /// As [`accept`](TcpListener::accept), for async code.
    ///
    /// The future may be dropped: a connection that was not accepted is there for the next one. Several tasks may wait, in no order.
    ///
    /// # Errors
    ///
    /// As [`accept`](TcpListener::accept).
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::future::block_on;
    /// use goruntime::net::{TcpListener, TcpStream};
    ///
    /// goruntime::run(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ///     let addr = listener.local_addr().unwrap();
    ///     let client = goruntime::spawn(move || TcpStream::connect(addr).unwrap());
    ///     let (stream, _) = block_on(listener.accept_async()).unwrap();
    ///     assert_eq!(stream.peer_addr().unwrap(), client.join().unwrap().local_addr().unwrap());
    /// });
    /// ```
    pub async fn accept_async(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, addr) = accept::accept_async(&self.socket, std::net::TcpListener::accept).await?;
        Ok((TcpStream::new(stream), addr))
    }

    /// The connections as they come, for ever; errors are among the items.
    ///
    /// # Blocking
    ///
    /// Each item is an [`accept`](TcpListener::accept).
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// Sets when accepting fails, now and later, until it is changed; None is never. See [`TcpStream::set_deadline`].
    ///
    /// # Errors
    ///
    /// If the listener was closed.
    #[doc(alias = "SetDeadline")]
    pub fn set_deadline(&self, deadline: Option<Instant>) -> io::Result<()> {
        self.socket.set_deadline(&[Side::Read], deadline)
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

/// The connections of a [`TcpListener`].
#[derive(Debug)]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    #[track_caller]
    fn next(&mut self) -> Option<io::Result<TcpStream>> {
        Some(self.listener.accept().map(|accepted| accepted.0))
    }
}

impl FusedIterator for Incoming<'_> {}
