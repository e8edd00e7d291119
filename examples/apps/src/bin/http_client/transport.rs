//! What ureq needs to run on our sockets: connections, their timeouts as deadlines, and the lookup of names.

use std::io::{self, Read, Write};
use std::sync::{Arc, Weak};

use goruntime::net::{Shutdown, TcpStream, ToSocketAddrs};
use goruntime::runtime::blocking;
use goruntime::time::{self, Instant};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, ShutdownHandle, Transport,
};
use ureq::{Error, Timeout};

/// Looks names up while others run.
#[derive(Debug)]
pub(crate) struct Lookup;

impl Resolver for Lookup {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().ok_or_else(|| Error::BadUri(format!("there is no host in `{uri}`")))?;
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        // Brackets are around an IPv6 address in a URL only.
        let place = (host.trim_matches(['[', ']']).to_owned(), port);
        // A lookup cannot be given up, but waiting for it can.
        let found = time::timeout(*timeout.after, move |_| blocking(|| place.to_socket_addrs()))
            .map_err(|_| Error::Timeout(timeout.reason))??;
        let mut addrs = self.empty();
        // As many as there is room for.
        found.take(16).for_each(|addr| addrs.push(addr));
        if addrs.is_empty() { Err(Error::HostNotFound) } else { Ok(addrs) }
    }
}

/// Makes connections.
#[derive(Debug)]
pub(crate) struct Sockets;

impl<In: Transport> Connector<In> for Sockets {
    type Out = Either<In, Socket>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        if let Some(made) = chained {
            return Ok(Some(Either::A(made)));
        }
        let stream = Arc::new(Shared(connect(details)?));
        let handle: Weak<dyn ShutdownHandle> = Arc::<Shared>::downgrade(&stream);
        (details.register_shutdown)(handle)?;
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Some(Either::B(Socket { stream, buffers })))
    }
}

/// Tries the addresses one after the other until the time is up.
fn connect(details: &ConnectionDetails<'_>) -> Result<TcpStream, Error> {
    let deadline = deadline(details.timeout);
    let mut last = Error::HostNotFound;
    for addr in &details.addrs {
        let connected = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
            Some(left) if left.is_zero() => return Err(Error::Timeout(details.timeout.reason)),
            Some(left) => TcpStream::connect_timeout(addr, left),
            None => TcpStream::connect(addr),
        };
        match connected {
            Ok(stream) => return Ok(stream),
            Err(error) => last = ureq_error(error, details.timeout.reason),
        }
    }
    Err(last)
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: Arc<Shared>,
    buffers: LazyBuffers,
}

/// What the agent may shut down while somebody waits for it.
#[derive(Debug)]
struct Shared(TcpStream);

impl ShutdownHandle for Shared {
    fn shutdown(&self) {
        // It may have ended by itself.
        _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Transport for Socket {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let timeout = timeout.for_write();
        let mut stream = &self.stream.0;
        stream.set_write_deadline(deadline(timeout))?;
        let sent = stream.write_all(&self.buffers.output()[..amount]);
        sent.map_err(|error| ureq_error(error, timeout.reason))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let timeout = timeout.for_read();
        let mut stream = &self.stream.0;
        stream.set_read_deadline(deadline(timeout))?;
        let read = stream.read(self.buffers.input_append_buf());
        let count = read.map_err(|error| ureq_error(error, timeout.reason))?;
        self.buffers.input_appended(count);
        Ok(count > 0)
    }

    /// Whether a connection that was idle can be used again: it has not ended, and nothing came that nobody has asked for.
    fn is_open(&mut self) -> bool {
        let stream = &self.stream.0;
        let peeked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
        stream.set_nonblocking(false).is_ok() && peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// When something has to be done; None is never.
fn deadline(timeout: NextTimeout) -> Option<Instant> {
    if timeout.after.is_not_happening() { None } else { Instant::now().checked_add(*timeout.after) }
}

fn ureq_error(error: io::Error, reason: Timeout) -> Error {
    if error.kind() == io::ErrorKind::TimedOut { Error::Timeout(reason) } else { error.into() }
}
