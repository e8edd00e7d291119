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
//! # A server that stops when it is told to
//!
//! What waits for a socket does not look at a [`Context`](crate::context::Context). A function that is called when the context ends closes the socket, or
//! gives it a deadline that has passed; then the wait is over. With a listener it reads:
//!
//! ```
//! use std::io::{self, Read, Write};
//! use goruntime::context::{self, Context};
//! use goruntime::net::{Closed, TcpListener, TcpStream};
//! use goruntime::{scope, spawn};
//!
//! /// Serves until the context ends, and returns when everybody has been served who was accepted.
//! fn serve(listener: &TcpListener, ctx: &Context) -> io::Result<()> {
//!     let handle = listener.try_clone()?;
//!     let _close = context::after_func(ctx, move || _ = handle.close()).guard();
//!     scope(|s| loop {
//!         match listener.accept() {
//!             Ok((mut stream, _)) => s.go(move || _ = stream.write_all(b"hello")),
//!             Err(error) if Closed::is_source_of(&error) => return Ok(()),
//!             // Too few descriptors, for instance; `accept` has waited a little.
//!             Err(error) => eprintln!("accept: {error}"),
//!         }
//!     })
//! }
//!
//! goruntime::run(|| {
//!     let (ctx, cancel) = context::with_cancel(&context::background());
//!     let listener = TcpListener::bind("127.0.0.1:0")?;
//!     let addr = listener.local_addr()?;
//!     let server = spawn(move || serve(&listener, &ctx));
//!     let mut answer = String::new();
//!     TcpStream::connect(addr)?.read_to_string(&mut answer)?;
//!     assert_eq!(answer, "hello");
//!     cancel.cancel();
//!     server.join().unwrap()
//! }).unwrap();
//! ```
//!
//! With [`signal::notify_context`](crate::signal::notify_context) it is Ctrl-C that ends the context.
//!
//! # Names
//!
//! `bind`, `connect` and `send_to` take names as in std, and [`lookup_host`] looks one up. It is the C library that does so, on the thread; the processor goes on with
//! other goroutines meanwhile.

// *Why here.* Floor 8: parks through `proc::netwait`.
//
// *Invariants.* FD1 to FD4 of `net::fd`. *Locks.* None here. *Go:* package net.

mod accept;
mod error;
mod fd;
mod handle;
pub(crate) mod kind;
#[cfg(feature = "futures-io")]
mod poll_futures;
#[cfg(feature = "hyper")]
mod poll_hyper;
#[cfg(feature = "tokio")]
mod poll_tokio;
mod resolve;
pub(crate) mod socket;
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
pub use self::resolve::lookup_host;
pub use self::tcp_listener::{Incoming, TcpListener};
pub use self::tcp_stream::TcpStream;
pub use self::udp::UdpSocket;
