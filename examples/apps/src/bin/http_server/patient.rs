//! A stream whose writes fail if the client does not take anything for some time, which hyper has no word for.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use goruntime::net::TcpStream;
use goruntime::time::{Duration, Instant};
use hyper::rt::{Read, ReadBufCursor, Write};

/// A stream for hyper, with a deadline for each write.
#[derive(Debug)]
pub(crate) struct Patient {
    stream: TcpStream,
    patience: Duration,
    /// A write waits, so its deadline is set.
    writing: bool,
}

impl Patient {
    pub(crate) fn new(stream: TcpStream, patience: Duration) -> Patient {
        Patient { stream, patience, writing: false }
    }
}

impl Read for Patient {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl Write for Patient {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.writing {
            this.stream.set_write_deadline(Some(Instant::now() + this.patience))?;
        }
        this.writing = true;
        let written = ready!(Pin::new(&mut this.stream).poll_write(cx, buf));
        this.writing = false;
        Poll::Ready(written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
