//! `futures_io::{AsyncRead, AsyncWrite}` for streams.
//!
//! *Why here.* Floor 8: thin, over `Socket::poll`. With the cargo feature `futures-io`.
//!
//! *Invariants.* None of its own. *Locks.* None. *Go:* none.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;

use futures_io::{AsyncRead, AsyncWrite};

use crate::net::unix::UnixStream;
use crate::net::{TcpStream, task};
use crate::netpoll::polldesc::Side;

macro_rules! streams {
    ($($name:ty),*) => {$(
        impl AsyncRead for $name {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
                self.socket.poll_read(buf.len(), cx, |mut socket| socket.read(buf))
            }

            fn poll_read_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                let room = bufs.iter().map(|buf| buf.len()).sum();
                self.socket.poll_read(room, cx, |mut socket| socket.read_vectored(bufs))
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

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                task::shut_down(self.shutdown(Shutdown::Write))
            }
        }
    )*};
}

streams!(TcpStream, &TcpStream, UnixStream, &UnixStream);
