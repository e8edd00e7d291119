//! Sockets: echoes of all sizes, with deadlines, closes, resets and reuse of descriptors in between.
//!
//! *Why here.* See `scenarios`.
//!
//! *Invariants.* SN1. *Locks.* None. *Go:* `TestTCPStress`, `TestUDPConcurrent` and the like of package net.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use goruntime::channel::bounded;
use goruntime::net::{Closed, Shutdown, TcpListener, TcpStream, UdpSocket};
use goruntime::os::unix::net::UnixStream;
use goruntime::{JoinHandle, spawn};

use super::{Context, SLOWER, pause};
use crate::check::{ensure, fail};
use crate::rand::Rand;

/// What a socket operation that must not fail has returned.
fn must<T>(what: &str, result: io::Result<T>) -> T {
    result.unwrap_or_else(|error| fail(&format!("{what}: {error}")))
}

fn join<T>(what: &str, handle: JoinHandle<T>) -> T {
    handle.join().unwrap_or_else(|_| fail(&format!("{what} panicked")))
}

/// Fails unless the error is one of time.
fn ensure_timeout<T>(what: &str, result: io::Result<T>, kind: ErrorKind) {
    match result {
        Err(error) => {
            ensure!(error.kind() == kind && error.to_string().ends_with(": i/o timeout"), "{what}: {error:?}");
        }
        Ok(_) => fail(&format!("{what}: no error")),
    }
}

/// Clients that talk to an echoing server and end in every way there is.
pub(crate) fn connections(_: &Context, mut rand: Rand) -> u64 {
    let (clients, rounds) = (rand.range(1, 240 / SLOWER), rand.range(1, 12));
    let listener = must("bind", TcpListener::bind("127.0.0.1:0"));
    let addr = must("address", listener.local_addr());
    let server = {
        let listener = must("clone", listener.try_clone());
        spawn(move || {
            let mut serving = Vec::new();
            loop {
                match listener.accept() {
                    Ok((stream, _)) => serving.push(spawn(move || echo(stream))),
                    Err(error) if Closed::is_source_of(&error) => break,
                    Err(error) => fail(&format!("accept: {error}")),
                }
            }
            serving.into_iter().for_each(|one| join("a server", one));
        })
    };
    let clients: Vec<_> = (0..clients)
        .map(|number| {
            let own = rand.fork();
            spawn(move || client(addr, number, rounds, own))
        })
        .collect();
    let done = clients.into_iter().map(|client| join("a client", client)).sum();
    must("close", listener.close());
    join("the listener", server);
    done
}

fn echo(mut stream: TcpStream) {
    let mut buf = [0; 700];
    while let Ok(count @ 1..) = stream.read(&mut buf) {
        if stream.write_all(&buf[..count]).is_err() {
            return;
        }
    }
}

fn client(addr: SocketAddr, number: u64, rounds: u64, mut rand: Rand) -> u64 {
    let stream = must("connect", TcpStream::connect(addr));
    must("nodelay", stream.set_nodelay(true));
    for round in 0..rounds {
        match rand.range(0, 10) {
            0..=4 => talk(&stream, number << 8 | round, rand.range(1, 3_000) as usize),
            5 => time_out(&stream, &mut rand),
            6 => be_interrupted(&stream, &mut rand),
            7 => {
                let (stream, length) = (must("clone", stream.try_clone()), rand.range(1, 500) as usize);
                let (ended, wait) = bounded(1);
                std::thread::spawn(move || {
                    talk(&stream, number, length);
                    ended.send(()).unwrap_or_else(|_| fail("nobody waits for a plain thread"));
                });
                // Not a join: where goroutines keep their threads, the server may have this one.
                ensure!(wait.recv().is_ok(), "a plain thread panicked");
            }
            _ => pause(&mut rand),
        }
    }
    end(stream, &mut rand);
    rounds
}

/// Sends bytes that tell who sent them, and gets them back.
fn talk(stream: &TcpStream, mark: u64, length: usize) {
    let sent: Vec<u8> = (0..length as u64).map(|place| (mark.wrapping_mul(31) + place * 7) as u8).collect();
    must("write", (&*stream).write_all(&sent));
    let mut back = vec![0; length];
    must("read", (&*stream).read_exact(&mut back));
    ensure!(back == sent, "{mark}: other bytes came back");
}

/// Waits for nothing, in vain: by a timeout or a deadline of its own.
fn time_out(stream: &TcpStream, rand: &mut Rand) {
    let (begun, length) = (Instant::now(), rand.micros(1, 3_000));
    if rand.one_in(2) {
        must("timeout", stream.set_read_timeout(Some(length)));
        ensure_timeout("a read", (&*stream).read(&mut [0]), ErrorKind::WouldBlock);
        must("timeout", stream.set_read_timeout(rand.one_in(2).then_some(Duration::from_secs(100))));
    } else {
        must("deadline", stream.set_read_deadline(Some(begun + length)));
        ensure_timeout("a read", (&*stream).read(&mut [0]), ErrorKind::TimedOut);
        must("deadline", stream.set_deadline(rand.one_in(2).then(|| begun + Duration::from_secs(100))));
    }
    crate::check::punctual("a read in vain", begun, length);
}

/// Waits for nothing until somebody else sets a deadline that has passed, perhaps after some that have not.
fn be_interrupted(stream: &TcpStream, rand: &mut Rand) {
    let (other, mut own) = (must("clone", stream.try_clone()), rand.fork());
    let setter = spawn(move || {
        for _ in 0..own.range(0, 3) {
            let later = Instant::now() + Duration::from_secs(own.range(50, 90));
            must("deadline", other.set_deadline(own.one_in(2).then_some(later)));
            pause(&mut own);
        }
        must("deadline", other.set_read_deadline(Some(Instant::now())));
    });
    ensure_timeout("a read that is interrupted", (&*stream).read(&mut [0]), ErrorKind::TimedOut);
    join("a setter", setter);
    must("deadline", stream.set_deadline(None));
}

/// Ends a connection in one of the ways.
fn end(stream: TcpStream, rand: &mut Rand) {
    match rand.range(0, 4) {
        0 => {
            must("shutdown", stream.shutdown(Shutdown::Write));
            ensure!(must("read", (&stream).read(&mut [0])) == 0, "data after the end");
        }
        1 => must("linger", stream.set_linger(Some(Duration::ZERO))),
        2 => {
            let (other, mut own) = (must("clone", stream.try_clone()), rand.fork());
            let closer = spawn(move || {
                pause(&mut own);
                must("close", other.close());
            });
            let closed = (&stream).read(&mut [0]).is_err_and(|error| Closed::is_source_of(&error));
            ensure!(closed, "a read survived the close");
            join("a closer", closer);
        }
        _ => {}
    }
}

/// Pairs that live for one message or less, so that numbers are used again while edges are on their way.
pub(crate) fn reuse(_: &Context, mut rand: Rand) -> u64 {
    let (chains, rounds) = (rand.range(1, 20), rand.range(1, 200 / SLOWER));
    let handles: Vec<_> = (0..chains)
        .map(|chain| {
            let mut own = rand.fork();
            spawn(move || {
                for round in 0..rounds {
                    let mark = chain << 32 | round;
                    if own.one_in(4) { crowded_life(mark, &mut own) } else { one_life(mark, &mut own) }
                }
            })
        })
        .collect();
    handles.into_iter().for_each(|handle| join("a chain", handle));
    chains * rounds
}

fn one_life(mark: u64, rand: &mut Rand) {
    let (near, far) = must("pair", UnixStream::pair());
    let other = must("clone", near.try_clone());
    let reader = spawn(move || {
        let mut buf = [0; 8];
        (&other).read_exact(&mut buf).map(|()| u64::from_le_bytes(buf))
    });
    if rand.one_in(3) {
        pause(rand);
    }
    let sent = rand.one_in(2) && (&far).write_all(&mark.to_le_bytes()).is_ok();
    match rand.range(0, 3) {
        0 => must("close", near.close()),
        1 => drop(far),
        _ if sent => {}
        _ => must("shutdown", near.shutdown(Shutdown::Both)),
    }
    match join("a reader", reader) {
        Ok(got) => ensure!(sent && got == mark, "{mark:x}: {got:x} was received"),
        Err(error) => {
            let expected = Closed::is_source_of(&error) || error.kind() == ErrorKind::UnexpectedEof;
            ensure!(expected, "{mark:x}: {error:?}");
        }
    }
}

/// Two ends of a connection over TCP or a Unix socket, as readers and writers.
type Ends = (Arc<dyn Shared>, Arc<dyn Shared>);

/// What a life does with a socket of either kind.
trait Shared: Send + Sync {
    fn receive(&self, buf: &mut [u8]) -> io::Result<usize>;
    fn send(&self, buf: &[u8]) -> io::Result<usize>;
    fn end(&self) -> io::Result<()>;
}

macro_rules! shared {
    ($($stream:ty),*) => {$(
        impl Shared for $stream {
            fn receive(&self, buf: &mut [u8]) -> io::Result<usize> {
                (&mut &*self).read(buf)
            }

            fn send(&self, buf: &[u8]) -> io::Result<usize> {
                (&mut &*self).write(buf)
            }

            fn end(&self) -> io::Result<()> {
                self.close()
            }
        }
    )*};
}

shared!(TcpStream, UnixStream);

fn ends(rand: &mut Rand) -> Ends {
    if rand.one_in(2) {
        let (near, far) = must("pair", UnixStream::pair());
        return (Arc::new(near), Arc::new(far));
    }
    let listener = must("bind", TcpListener::bind("127.0.0.1:0"));
    let near = must("connect", TcpStream::connect(must("address", listener.local_addr())));
    let (far, _) = must("accept", listener.accept());
    if rand.one_in(3) {
        must("linger", far.set_linger(Some(Duration::ZERO)));
    }
    (Arc::new(near), Arc::new(far))
}

/// Several wait for each side of a socket that another goroutine closes, while this one makes sockets that may get its number.
fn crowded_life(mark: u64, rand: &mut Rand) {
    let (near, far) = ends(rand);
    let sent = mark.to_le_bytes();
    let readers: Vec<_> = (0..rand.range(1, 4))
        .map(|_| {
            let near = near.clone();
            spawn(move || {
                let mut buf = [0; 3];
                near.receive(&mut buf).map(|count| buf[..count].to_vec())
            })
        })
        .collect();
    let writers: Vec<_> = (0..rand.range(0, 3))
        .map(|_| {
            let near = near.clone();
            spawn(move || while near.send(&[0; 70_000]).is_ok() {})
        })
        .collect();
    let data = rand.one_in(2);
    if data {
        must("write", far.send(&sent));
    }
    let mut own = rand.fork();
    let closer = spawn(move || {
        pause(&mut own);
        if own.one_in(3) {
            // The end comes from the other side first.
            drop(far);
            pause(&mut own);
        }
        must("close", near.end());
    });
    for round in 0..rand.range(1, 6) {
        one_life(mark ^ round << 48, rand);
    }
    join("a closer", closer);
    for reader in readers {
        // In whatever order they had their turns, each has a part of what was sent.
        if let Ok(got) = join("a reader", reader) {
            let is_part = got.is_empty() || data && sent.windows(got.len()).any(|part| part == got);
            ensure!(is_part, "{mark:x}: {got:x?} was received");
        }
    }
    writers.into_iter().for_each(|writer| join("a writer", writer));
}

/// Several goroutines on each of two datagram sockets: what is answered was asked.
pub(crate) fn datagrams(_: &Context, mut rand: Rand) -> u64 {
    let (askers, rounds) = (rand.range(1, 10), rand.range(1, 40));
    let server = must("bind", UdpSocket::bind("127.0.0.1:0"));
    let addr = must("address", server.local_addr());
    let servers: Vec<_> = (0..rand.range(1, 4))
        .map(|_| {
            let server = must("clone", server.try_clone());
            spawn(move || {
                let mut buf = [0; 16];
                while let Ok((count, from)) = server.recv_from(&mut buf) {
                    must("answer", server.send_to(&buf[..count], from));
                }
            })
        })
        .collect();
    let handles: Vec<_> = (0..askers)
        .map(|asker| {
            let mut own = rand.fork();
            spawn(move || {
                let socket = must("bind", UdpSocket::bind("127.0.0.1:0"));
                for round in 0..rounds {
                    let question = (asker << 32 | round).to_le_bytes();
                    must("ask", socket.send_to(&question, addr));
                    if own.one_in(4) {
                        pause(&mut own);
                    }
                    let mut answer = [0; 16];
                    let (count, from) = must("receive", socket.recv_from(&mut answer));
                    ensure!(from == addr && answer[..count] == question, "the answer to another question");
                }
            })
        })
        .collect();
    handles.into_iter().for_each(|handle| join("an asker", handle));
    must("close", server.close());
    servers.into_iter().for_each(|server| join("a server", server));
    askers * rounds
}
