//! Sockets that have paths instead of addresses: what `os::unix::net` shows.
//!
//! *Why here.* Floor 8.
//!
//! *Invariants.* FD1 to FD4 of `net::fd`. *Locks.* None. *Go:* `net.UnixConn`, `net.UnixListener`.

mod datagram;
mod listener;
mod stream;

pub use std::os::unix::net::SocketAddr;

pub use self::datagram::UnixDatagram;
pub use self::listener::{Incoming, UnixListener};
pub use self::stream::UnixStream;
