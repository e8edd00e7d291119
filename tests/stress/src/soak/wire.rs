//! What clients and server say to each other: a request is a head and a body, an answer the body alone.
//!
//! *Why here.* Both sides of the connection must agree on it.
//!
//! *Invariants.* WI1. The server answers only after it has the whole request. WI2. A body tells by its bytes whose it is.
//!
//! *Locks.* None. *Go:* none.

use std::io::{self, Read, Write};

use goruntime::net::TcpStream;

use crate::check::ensure;

/// What the server is to do with the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Send it back.
    Echo = 0,
    /// Send it back after as many milliseconds as the first byte says.
    Late = 1,
    /// Reset the connection.
    Reset = 2,
    /// Send it back, and nothing more.
    HalfClose = 3,
    /// Let one goroutine close the socket while another reads.
    Close = 4,
    /// Nothing with the body: all clients have ended.
    Quit = 5,
}

const ASKS: [Ask; 6] = [Ask::Echo, Ask::Late, Ask::Reset, Ask::HalfClose, Ask::Close, Ask::Quit];

/// A request on its way.
pub(crate) fn request(ask: Ask, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("bodies are short").to_le_bytes();
    [&[0x60, ask as u8, length[0], length[1]], body].concat()
}

/// Waits for a request.
pub(crate) fn receive(mut stream: &TcpStream) -> io::Result<(Ask, Vec<u8>)> {
    let mut head = [0; 4];
    stream.read_exact(&mut head)?;
    ensure!(head[0] == 0x60 && usize::from(head[1]) < ASKS.len(), "the head of a request is {head:x?}");
    let mut body = vec![0; usize::from(u16::from_le_bytes([head[2], head[3]]))];
    stream.read_exact(&mut body)?;
    Ok((ASKS[usize::from(head[1])], body))
}

/// A body of so many bytes (WI2).
pub(crate) fn body(mark: u64, length: u64) -> Vec<u8> {
    (0..length).map(|place| (mark.wrapping_mul(31).wrapping_add(place * 7)) as u8).collect()
}

/// Asks for an echo, and gets it.
pub(crate) fn exchange(mut stream: &TcpStream, ask: Ask, body: &[u8]) -> io::Result<()> {
    stream.write_all(&request(ask, body))?;
    expect(stream, body)
}

/// Gets what was sent.
pub(crate) fn expect(mut stream: &TcpStream, body: &[u8]) -> io::Result<()> {
    let mut back = vec![0; body.len()];
    stream.read_exact(&mut back)?;
    ensure!(back == body, "other bytes came back");
    Ok(())
}
