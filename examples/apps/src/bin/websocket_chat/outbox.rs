//! The way to a client: a channel of bytes, and the goroutine that writes them.
//!
//! Everything goes this way, also what the protocol library answers by itself, so that nothing is written into the middle of something else.

use std::io::{self, Read, Write};

use goruntime::channel::{Receiver, Sender};
use goruntime::net::{Shutdown, TcpStream};
use goruntime::select;
use goruntime::time::{Duration, Instant, Ticker};
use tungstenite::Bytes;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};

/// What goes to a client.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// Bytes on the wire.
    Bytes(Bytes),
    /// The same, after which there are none.
    Last(Bytes),
}

/// A text as a frame; encoded once for all who get it.
pub(crate) fn text(text: String) -> Item {
    Item::Bytes(encode(Frame::message(text, OpCode::Data(Data::Text), true)))
}

/// The goodbye.
pub(crate) fn close(code: CloseCode, reason: &'static str) -> Item {
    Item::Last(encode(Frame::close(Some(CloseFrame { code, reason: reason.into() }))))
}

fn encode(frame: Frame) -> Bytes {
    let mut bytes = Vec::with_capacity(frame.len());
    frame.format(&mut bytes).expect("a vector takes everything");
    bytes.into()
}

/// Writes what comes, and a ping every `patience`, until the channel is disconnected or the last item is written.
///
/// # Errors
///
/// If the client does not take something within `patience`.
pub(crate) fn write_all(mut stream: &TcpStream, items: Receiver<Item>, patience: Duration) -> io::Result<()> {
    let ping = encode(Frame::ping(Bytes::new()));
    let pings = Ticker::new(patience);
    loop {
        let item = select! {
            recv(items) -> item => item.ok(),
            recv(pings.receiver()) -> _ => Some(Item::Bytes(ping.clone())),
        };
        stream.set_write_deadline(Some(Instant::now() + patience))?;
        match item {
            Some(Item::Bytes(bytes)) => stream.write_all(&bytes)?,
            Some(Item::Last(bytes)) => {
                stream.write_all(&bytes)?;
                return stream.shutdown(Shutdown::Write);
            }
            None => return stream.shutdown(Shutdown::Write),
        }
    }
}

/// What the protocol library has for a stream: it reads from the client, and writes to the channel.
#[derive(Debug)]
pub(crate) struct Half {
    stream: TcpStream,
    outbox: Sender<Item>,
}

impl Half {
    pub(crate) fn new(stream: TcpStream, outbox: Sender<Item>) -> Half {
        Half { stream, outbox }
    }
}

impl Read for Half {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buf)
    }
}

impl Write for Half {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        // Waits if the channel is full: who asks for more than it takes waits for itself alone.
        let item = Item::Bytes(Bytes::copy_from_slice(buf));
        self.outbox.send(item).map(|()| buf.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
