//! TCP and UDP with the API of `std::net`: plain blocking code that parks goroutines instead of threads.
//!
//! A program ports by changing its `use` lines. The types work the same on goroutines and on plain threads, and may be used on both at a time:
//! whoever waits is parked and woken by the runtime's poller. Unix sockets are in [`os::unix::net`](crate::os::unix::net).
//!
//! Beyond std, as in Go: deadlines that hold for all operations until they are changed, and `close`, which ends the waits of other goroutines.
//!
//! # Examples
//!
//! ```
//! use std::io::{Read, Write};
//! use goruntime::net::{TcpListener, TcpStream};
//!
//! let answer = goruntime::run(|| {
//!     let listener = TcpListener::bind("127.0.0.1:0")?;
//!     let addr = listener.local_addr()?;
//!     goruntime::go(move || {
//!         let (mut stream, _) = listener.accept().unwrap();
//!         stream.write_all(b"hello").unwrap();
//!     });
//!     let mut answer = String::new();
//!     TcpStream::connect(addr)?.read_to_string(&mut answer)?;
//!     std::io::Result::Ok(answer)
//! });
//! assert_eq!(answer.unwrap(), "hello");
//! ```
//!
//! *Why here.* Floor 8: parks through `proc::netwait`.
//!
//! *Invariants.* FD1 to FD4 of `net::fd`. *Locks.* None here. *Go:* package net.

mod accept;
mod error;
pub(crate) mod fd;
mod handle;
#[cfg(feature = "futures-io")]
mod poll_futures;
#[cfg(feature = "hyper")]
mod poll_hyper;
#[cfg(feature = "tokio")]
mod poll_tokio;
mod resolve;
mod task;
mod tcp_listener;
mod tcp_stream;
mod turn;
mod udp;
pub(crate) mod unix;

pub use std::net::{
    AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, SocketAddrV4, SocketAddrV6, ToSocketAddrs,
};

pub use self::error::Closed;
pub use self::tcp_listener::{Incoming, TcpListener};
pub use self::tcp_stream::TcpStream;
pub use self::udp::UdpSocket;
