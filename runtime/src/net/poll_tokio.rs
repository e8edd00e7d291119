//! `tokio::io::{AsyncRead, AsyncWrite}` for streams.
//!
//! *Why here.* Floor 8: thin, over `Socket::poll`. With the cargo feature `tokio`. They need no reactor of tokio's.
//!
//! *Invariants.* None of its own. *Locks.* None. *Go:* none.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io::{self, IoSlice, Write};
use std::net::Shutdown;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::kind::StdSocket;
use crate::net::socket::Socket;
use crate::net::unix::UnixStream;
use crate::net::{TcpStream, task};
use crate::netpoll::polldesc::Side;

fn poll_read<S: StdSocket>(socket: &Socket<S>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
    // SAFETY: only initialised bytes are written there, by the system.
    let unfilled = unsafe { buf.unfilled_mut() };
    let count = ready!(socket.poll_read(unfilled.len(), cx, |socket| SockRef::from(socket).recv(unfilled)))?;
    // SAFETY: the system has filled so many bytes from the beginning of the unfilled part on.
    unsafe { buf.assume_init(count) };
    buf.advance(count);
    Poll::Ready(Ok(()))
}

macro_rules! streams {
    ($($name:ty),*) => {$(
        impl AsyncRead for $name {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                poll_read(&self.socket, cx, buf)
            }
        }

        impl AsyncWrite for $name {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                self.socket.poll(Side::Write, cx, |mut socket| socket.write(buf))
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.socket.poll(Side::Write, cx, |mut socket| socket.write_vectored(bufs))
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                task::shut_down(self.shutdown(Shutdown::Write))
            }
        }
    )*};
}

streams!(TcpStream, &TcpStream, UnixStream, &UnixStream);
