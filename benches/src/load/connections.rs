//! How many requests does a server manage? A closed loop: every connection sends a request, waits for its answer, and sends again.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use super::histogram::Histogram;

/// Events taken at a time.
const BATCH: usize = 512;
/// Bytes read at a time; the answers are shorter, so that a read takes all that has come.
const PIECE: usize = 4096;
/// A server that answers nothing for so long has hung, ms.
const PATIENCE: i32 = 60_000;

/// What goes to and fro over a connection; the value is what has come of an answer.
pub(super) trait Protocol: Default {
    /// The request.
    const REQUEST: &'static [u8];

    /// Takes the next piece of the answer; true when it is the last one, after which the next answer begins.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the answer.
    fn take(&mut self, piece: &[u8]) -> Result<bool, String>;
}

/// What a load has measured.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) requests_per_second: f64,
    pub(super) p50: Duration,
    pub(super) p99: Duration,
}

/// Open connections and the epoll that watches them.
pub(super) struct Load<P> {
    epoll: OwnedFd,
    connections: Vec<Connection<P>>,
}

struct Connection<P> {
    stream: TcpStream,
    sent: Instant,
    answer: P,
}

impl<P: Protocol> Load<P> {
    /// Opens the connections.
    pub(super) fn connect(port: u16, connections: usize) -> io::Result<Self> {
        // SAFETY: the call takes no pointers.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it was just made, and is nobody else's.
        let epoll = unsafe { OwnedFd::from_raw_fd(fd) };
        let mut load = Load { epoll, connections: Vec::with_capacity(connections) };
        for number in 0..connections {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            // Edges: what was taken with a read that did not fill the buffer is not looked at again by the next wait.
            let events = (libc::EPOLLIN | libc::EPOLLET) as u32;
            let mut event = libc::epoll_event { events, u64: number as u64 };
            let (epoll, fd) = (load.epoll.as_raw_fd(), stream.as_raw_fd());
            // SAFETY: both descriptors are open, and `event` is alive.
            if unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &raw mut event) } != 0 {
                return Err(io::Error::last_os_error());
            }
            load.connections.push(Connection { stream, sent: Instant::now(), answer: P::default() });
        }
        Ok(load)
    }

    /// Sends `ops` requests, at least one on each connection, and waits for all answers.
    pub(super) fn run(&mut self, ops: u64) -> io::Result<Measured> {
        let ops = ops.max(self.connections.len() as u64);
        let mut histogram = Histogram::new();
        let begun = Instant::now();
        let mut unsent = ops - self.connections.len() as u64;
        self.connections.iter_mut().try_for_each(Connection::send)?;
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; BATCH];
        let mut piece = [0; PIECE];
        while histogram.total() < ops {
            let count = self.wait(&mut events)?;
            for event in &events[..count] {
                let number = event.u64 as usize;
                let connection = &mut self.connections[number];
                if connection.receive(&mut piece)? {
                    histogram.add(connection.sent.elapsed());
                    if unsent > 0 {
                        unsent -= 1;
                        connection.send()?;
                    }
                }
            }
        }
        let requests_per_second = ops as f64 / begun.elapsed().as_secs_f64();
        Ok(Measured { requests_per_second, p50: histogram.quantile(0.5), p99: histogram.quantile(0.99) })
    }

    fn wait(&self, events: &mut [libc::epoll_event; BATCH]) -> io::Result<usize> {
        // SAFETY: `events` has room for as many as the call is told.
        let count =
            unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), events.as_mut_ptr(), BATCH as libc::c_int, PATIENCE) };
        match count {
            0 => Err(io::Error::new(ErrorKind::TimedOut, "the server answers nothing")),
            1.. => Ok(count as usize),
            // A debugger, or a stop signal and the signal that ends it, interrupt the call without anybody's handler.
            _ => match io::Error::last_os_error() {
                err if err.kind() == ErrorKind::Interrupted => Ok(0),
                err => Err(err),
            },
        }
    }
}

impl<P: Protocol> Connection<P> {
    fn send(&mut self) -> io::Result<()> {
        self.sent = Instant::now();
        // So little always fits: the buffer is empty.
        self.stream.write_all(P::REQUEST)
    }

    /// Takes what has come; true when that was the rest of an answer.
    fn receive(&mut self, buf: &mut [u8; PIECE]) -> io::Result<bool> {
        match self.stream.read(buf) {
            Ok(0) => Err(io::Error::new(ErrorKind::UnexpectedEof, "the server has closed a connection")),
            Ok(count) => self.answer.take(&buf[..count]).map_err(|wrong| io::Error::new(ErrorKind::InvalidData, wrong)),
            Err(err) if err.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(err) => Err(err),
        }
    }
}
