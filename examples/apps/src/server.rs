//! The loop of a server.

use std::io;

use goruntime::context::Context;
use goruntime::net::{Closed, SocketAddr, TcpListener, TcpStream};
use goruntime::scope;

use crate::when_ended;

/// Listens at an address and says so in a line, `listening on 127.0.0.1:8080`, for whoever has asked for any free port.
///
/// # Errors
///
/// As [`TcpListener::bind`], with the address in the text.
pub fn listen(addr: &str) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(addr).map_err(|error| io::Error::new(error.kind(), format!("{addr}: {error}")))?;
    println!("listening on {}", listener.local_addr()?);
    Ok(listener)
}

/// Accepts connections until `ctx` ends, each in a goroutine of its own, and returns when all of those have ended.
///
/// The listener is closed first, so that nobody connects to a server that is about to go.
///
/// # Blocking
///
/// Parks until then.
pub fn serve(listener: TcpListener, ctx: &Context, handle: impl Fn(TcpStream, SocketAddr) + Sync) {
    let handle = &handle;
    scope(|s| {
        let closing = listener.try_clone().expect("a handle needs no descriptor");
        let _close = when_ended(ctx, move || _ = closing.close());
        loop {
            match listener.accept() {
                Ok((stream, peer)) => s.go(move || handle(stream, peer)),
                Err(error) if Closed::is_source_of(&error) => break,
                // Somebody who went before the turn came, or too few descriptors: then `accept` has waited a little.
                Err(error) => eprintln!("accept: {error}"),
            }
        }
        drop(listener);
    });
}
