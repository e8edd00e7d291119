//! How many echoes does a server manage? A closed loop: every connection sends 64 bytes, waits for them, and sends again.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Instant;

use super::Measured;
use super::histogram::Histogram;

/// Length of a message.
const MESSAGE: usize = 64;
/// Events taken at a time.
const BATCH: usize = 512;
/// A server that answers nothing for so long has hung, ms.
const PATIENCE: i32 = 60_000;

/// Open connections and the epoll that watches them.
pub(super) struct Load {
    epoll: OwnedFd,
    connections: Vec<Connection>,
}

struct Connection {
    stream: TcpStream,
    sent: Instant,
    /// Bytes of the answer that have come; all of them when nothing is on its way.
    received: usize,
}

impl Load {
    /// Opens the connections.
    pub(super) fn connect(port: u16, connections: usize) -> io::Result<Load> {
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
            let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: number as u64 };
            let (epoll, fd) = (load.epoll.as_raw_fd(), stream.as_raw_fd());
            // SAFETY: both descriptors are open, and `event` is alive.
            if unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &raw mut event) } != 0 {
                return Err(io::Error::last_os_error());
            }
            load.connections.push(Connection { stream, sent: Instant::now(), received: MESSAGE });
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
        while histogram.total() < ops {
            let count = self.wait(&mut events)?;
            for event in &events[..count] {
                let number = event.u64 as usize;
                let connection = &mut self.connections[number];
                if connection.receive()? {
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
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Connection {
    fn send(&mut self) -> io::Result<()> {
        self.sent = Instant::now();
        self.received = 0;
        // So little always fits: the buffer is empty.
        self.stream.write_all(&[7; MESSAGE])
    }

    /// Takes what has come; true when that was the rest of an answer.
    fn receive(&mut self) -> io::Result<bool> {
        let mut buf = [0; MESSAGE];
        match self.stream.read(&mut buf[self.received..]) {
            Ok(0) => Err(io::Error::new(ErrorKind::UnexpectedEof, "the server has closed a connection")),
            Ok(count) => {
                self.received += count;
                Ok(self.received == MESSAGE)
            }
            Err(err) if err.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(err) => Err(err),
        }
    }
}
