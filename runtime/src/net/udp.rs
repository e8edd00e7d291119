//! UDP.
//!
//! *Why here.* Floor 8.
//!
//! *Invariants.* FD1 to FD4 of `net::fd`. *Locks.* None. *Go:* `net.UDPConn`.

use core::panic::Location;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use crate::net::handle::{socket_handle, socket_times};
use crate::net::resolve;
use crate::net::socket::Socket;
use crate::netpoll::polldesc::Side;

/// A UDP socket: `std::net::UdpSocket` for goroutines.
///
/// # Blocking
///
/// Receiving parks until there is a datagram, sending until there is room for one.
///
/// # Examples
///
/// ```
/// use goruntime::net::UdpSocket;
///
/// goruntime::run(|| {
///     let (a, b) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
///     let (to, from) = (b.local_addr().unwrap(), a.local_addr().unwrap());
///     let receiver = goruntime::spawn(move || {
///         let mut buf = [0; 8];
///         let (count, from) = b.recv_from(&mut buf).unwrap();
///         (buf[..count].to_vec(), from)
///     });
///     a.send_to(b"hello", to).unwrap();
///     assert_eq!(receiver.join().unwrap(), (b"hello".to_vec(), from));
/// });
/// ```
pub struct UdpSocket {
    socket: Arc<Socket<std::net::UdpSocket>>,
}

socket_handle!(UdpSocket, std::net::UdpSocket);
socket_times!(UdpSocket);

/// Methods that hand their arguments to std's.
macro_rules! forward {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty;)*) => {
        impl UdpSocket {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                ///
                /// As std.
                pub fn $name(&self $(, $arg: $ty)*) -> io::Result<$ret> {
                    self.socket.get()?.$name($($arg),*)
                }
            )*
        }
    };
}

forward! {
    /// The address of this end.
    local_addr() -> SocketAddr;
    /// The address that the socket was connected to.
    peer_addr() -> SocketAddr;
    /// Whether datagrams may go to broadcast addresses.
    set_broadcast(broadcast: bool) -> ();
    /// Whether datagrams may go to broadcast addresses.
    broadcast() -> bool;
    /// Whether own multicasts come back, over IPv4.
    set_multicast_loop_v4(on: bool) -> ();
    /// Whether own multicasts come back, over IPv4.
    multicast_loop_v4() -> bool;
    /// Sets the time to live of multicasts over IPv4.
    set_multicast_ttl_v4(ttl: u32) -> ();
    /// The time to live of multicasts over IPv4.
    multicast_ttl_v4() -> u32;
    /// Whether own multicasts come back, over IPv6.
    set_multicast_loop_v6(on: bool) -> ();
    /// Whether own multicasts come back, over IPv6.
    multicast_loop_v6() -> bool;
    /// Sets the time to live of datagrams.
    set_ttl(ttl: u32) -> ();
    /// The time to live of datagrams.
    ttl() -> u32;
    /// Joins a multicast group on the interface with an address.
    join_multicast_v4(group: &Ipv4Addr, interface: &Ipv4Addr) -> ();
    /// Joins a multicast group on an interface.
    join_multicast_v6(group: &Ipv6Addr, interface: u32) -> ();
    /// Leaves a multicast group.
    leave_multicast_v4(group: &Ipv4Addr, interface: &Ipv4Addr) -> ();
    /// Leaves a multicast group.
    leave_multicast_v6(group: &Ipv6Addr, interface: u32) -> ();
}

impl UdpSocket {
    /// Makes a socket with the first of the addresses that can be had.
    ///
    /// # Blocking
    ///
    /// A name is looked up on the thread, without a processor.
    ///
    /// # Errors
    ///
    /// The last address's; `InvalidInput` if there is none.
    #[doc(alias = "ListenPacket")]
    pub fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<UdpSocket> {
        resolve::first_of(&addr, |addr| Ok(UdpSocket::of(Socket::new(std::net::UdpSocket::bind(addr)?))))
    }

    /// Sets where [`send`](UdpSocket::send) sends to, and the only address that datagrams are received from.
    ///
    /// # Blocking
    ///
    /// A name is looked up on the thread, without a processor.
    ///
    /// # Errors
    ///
    /// The last address's; `InvalidInput` if there is none.
    pub fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<()> {
        resolve::first_of(&addr, |addr| self.socket.get()?.connect(addr))
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
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.receive(Location::caller(), |socket| socket.recv_from(buf), |done| done.0)
    }

    /// The same, without taking the datagram away.
    ///
    /// # Blocking
    ///
    /// Parks until there is one.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](UdpSocket::recv_from).
    #[track_caller]
    pub fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.receive(Location::caller(), |socket| socket.peek_from(buf), |done| done.0)
    }

    /// Receives a datagram from the address that the socket was connected to.
    ///
    /// # Blocking
    ///
    /// Parks until there is one.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](UdpSocket::recv_from).
    #[track_caller]
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.socket.receive(Location::caller(), |socket| socket.recv(buf), |&count| count)
    }

    /// The same, without taking the datagram away.
    ///
    /// # Blocking
    ///
    /// Parks until there is one.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](UdpSocket::recv_from).
    #[track_caller]
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.socket.receive(Location::caller(), |socket| socket.peek(buf), |&count| count)
    }

    /// Sends a datagram to the first of the addresses.
    ///
    /// # Blocking
    ///
    /// Parks until there is room for it; a name is looked up on the thread, without a processor.
    ///
    /// # Errors
    ///
    /// As std, or if the time is up or the socket was closed.
    #[track_caller]
    pub fn send_to<A: ToSocketAddrs>(&self, buf: &[u8], addr: A) -> io::Result<usize> {
        let (at, addr) = (Location::caller(), resolve::only(&addr)?);
        self.socket.run(Side::Write, at, |socket| socket.send_to(buf, addr))
    }

    /// Sends a datagram to the address that the socket was connected to.
    ///
    /// # Blocking
    ///
    /// Parks until there is room for it.
    ///
    /// # Errors
    ///
    /// As [`send_to`](UdpSocket::send_to).
    #[track_caller]
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.socket.run(Side::Write, Location::caller(), |socket| socket.send(buf))
    }
}
