//! What does a server cost that is nothing but a loop around epoll? The bound that no runtime can be expected to beat.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::UNKNOWN;
use crate::load;
use crate::outcome::{Outcome, Unsupported};
use crate::shape::ECHO_BUFFER;

/// Events taken at a time.
const BATCH: usize = 512;
/// What the listener's events carry.
const LISTENER: u64 = u64::MAX;

/// Runs one workload; those of servers never end.
pub fn run(workload: &str, _workers: u32, _ops: u64) -> Result<Outcome, Unsupported> {
    if !workload.starts_with(load::ECHO) {
        return Err("is a server only");
    }
    match echo() {
        Ok(never) => match never {},
        Err(err) => {
            eprintln!("the loop failed: {err}");
            Err(UNKNOWN)
        }
    }
}

fn watch(epoll: &OwnedFd, fd: &impl AsRawFd, number: u64) -> io::Result<()> {
    let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: number };
    // SAFETY: both descriptors are open, and `event` is alive.
    match unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd.as_raw_fd(), &raw mut event) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn echo() -> io::Result<std::convert::Infallible> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    // SAFETY: the call takes no pointers.
    let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was just made, and is nobody else's.
    let epoll = unsafe { OwnedFd::from_raw_fd(fd) };
    watch(&epoll, &listener, LISTENER)?;
    load::announce(listener.local_addr()?);
    let mut streams: Vec<TcpStream> = Vec::new();
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; BATCH];
    loop {
        // SAFETY: `events` has room for as many as the call is told.
        let count = unsafe { libc::epoll_wait(epoll.as_raw_fd(), events.as_mut_ptr(), BATCH as libc::c_int, -1) };
        for event in &events[..count.max(0) as usize] {
            match event.u64 {
                LISTENER => accept(&epoll, &listener, &mut streams)?,
                number => answer(&streams[number as usize]),
            }
        }
    }
}

fn accept(epoll: &OwnedFd, listener: &TcpListener, streams: &mut Vec<TcpStream>) -> io::Result<()> {
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                watch(epoll, &stream, streams.len() as u64)?;
                streams.push(stream);
            }
            Err(err) if err.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(err) => return Err(err),
        }
    }
}

/// One read and one write; what ends a connection ends the whole process soon.
fn answer(mut stream: &TcpStream) {
    let mut buf = [0; ECHO_BUFFER];
    if let Ok(count @ 1..) = stream.read(&mut buf) {
        let _ = stream.write_all(&buf[..count]);
    }
}
