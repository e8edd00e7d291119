//! The kinds of sockets: what the types of std have in common, and what errors call them.
//!
//! *Why here.* Floor 8: what `fd` has to know of the type that it holds.
//!
//! *Invariants.* None.
//!
//! *Locks.* None. *Go:* the network names of `OpError`.

use std::io;
use std::os::fd::AsFd;

use crate::net::error::End;
use crate::netpoll;

/// What std's sockets have in common.
pub(crate) trait StdSocket: AsFd {
    /// Go's word for the kind of socket; empty for what is none, whose errors do not tell what was tried.
    const NETWORK: &'static str = "";
    /// Go's word for an operation of the reading side.
    const READ: &'static str = "read";
    /// Whether a read that fills a part of the buffer has taken all there was. Not so for Unix sockets, whose reads end with every message that
    /// has descriptors.
    const SHORT_READS_TELL: bool = false;

    /// The address of this end and of the other one.
    fn ends(&self) -> [End; 2] {
        [End::Unknown, End::Unknown]
    }

    /// Std's method of the name.
    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()>;

    /// Std's method of the name.
    fn try_clone(&self) -> io::Result<Self>
    where
        Self: Sized;
}

const fn is_tcp_stream(network: &str, read: &str) -> bool {
    matches!((network.as_bytes(), read.as_bytes()), (b"tcp", b"read"))
}

macro_rules! std_sockets {
    ($($socket:ty: $network:literal, $read:literal $(, $peer_addr:ident)?;)*) => {$(
        impl StdSocket for $socket {
            const NETWORK: &'static str = $network;
            const READ: &'static str = $read;
            const SHORT_READS_TELL: bool = netpoll::SHORT_READS_TELL && is_tcp_stream($network, $read);

            fn ends(&self) -> [End; 2] {
                let local = self.local_addr().map_or(End::Unknown, End::from);
                #[allow(unused_mut, unused_assignments, reason = "listeners have no peer")]
                let mut peer = End::Unknown;
                $(peer = self.$peer_addr().map_or(End::Unknown, End::from);)?
                [local, peer]
            }

            fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
                self.set_nonblocking(nonblocking)
            }

            fn try_clone(&self) -> io::Result<$socket> {
                self.try_clone()
            }
        }
    )*};
}

std_sockets! {
    std::net::TcpStream: "tcp", "read", peer_addr;
    std::net::TcpListener: "tcp", "accept";
    std::net::UdpSocket: "udp", "read", peer_addr;
    std::os::unix::net::UnixStream: "unix", "read", peer_addr;
    std::os::unix::net::UnixListener: "unix", "accept";
    std::os::unix::net::UnixDatagram: "unixgram", "read", peer_addr;
}
