//! The clients of the soak: each connects, waits until all are connected, and does its acts.
//!
//! *Why here.* See `soak`.
//!
//! *Invariants.* SK1. *Locks.* None. *Go:* none.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use goruntime::net::{Closed, Shutdown, TcpStream};
use goruntime::spawn;
use goruntime::sync::Barrier;
use goruntime::time::sleep;

use super::Plan;
use super::census::{Census, raise_limit, say};
use super::wire::{self, Ask};
use crate::check::{ensure, fail, punctual};
use crate::rand::Rand;

/// What all clients share.
struct Crowd {
    at: Vec<SocketAddr>,
    all_connected: Barrier,
    connected: AtomicU64,
    acts: AtomicU64,
    timeouts: AtomicU64,
    /// Acts of all clients together.
    planned: u64,
}

/// Whether the connection goes on after an act.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    Same,
    Gone,
}

#[goruntime::main]
pub(crate) fn main() -> ExitCode {
    let Ok(plan) = Plan::from_args() else { return ExitCode::from(2) };
    if let Err(text) = raise_limit(plan.connections) {
        fail(&text);
    }
    let at = plan.at.split(',').map(|at| at.parse().unwrap_or_else(|_| fail(&format!("`{at}` is no address"))));
    let crowd = Arc::new(Crowd {
        at: at.collect(),
        all_connected: Barrier::new(plan.connections + 1),
        connected: AtomicU64::new(0),
        acts: AtomicU64::new(0),
        timeouts: AtomicU64::new(0),
        planned: plan.acts * plan.connections as u64,
    });
    let census = Census::at_start();
    let mut rand = Rand::new(plan.seed);
    let clients: Vec<_> = (0..plan.connections as u64)
        .map(|number| {
            let (crowd, own) = (crowd.clone(), rand.fork());
            spawn(move || client(&crowd, number, plan.acts, own))
        })
        .collect();
    crowd.all_connected.wait();
    say(&format!("{} connections are held", plan.connections));
    clients.into_iter().for_each(|client| ensure!(client.join().is_ok(), "a client panicked"));
    let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
    say(&format!("{} connections, {} acts, {} timeouts", of(&crowd.connected), of(&crowd.acts), of(&crowd.timeouts)));
    must("quit", (&connect(&crowd, 0)).write_all(&wire::request(Ask::Quit, &[])));
    census.ensure_again();
    ExitCode::SUCCESS
}

fn must<T>(what: &str, result: io::Result<T>) -> T {
    result.unwrap_or_else(|error| fail(&format!("{what}: {error}")))
}

fn connect(crowd: &Crowd, number: u64) -> TcpStream {
    let stream = must("connect", TcpStream::connect(crowd.at[number as usize % crowd.at.len()]));
    crowd.connected.fetch_add(1, Ordering::Relaxed);
    must("nodelay", stream.set_nodelay(true));
    stream
}

fn client(crowd: &Crowd, number: u64, acts: u64, mut rand: Rand) {
    let mut stream = connect(crowd, number);
    must("the first exchange", wire::exchange(&stream, Ask::Echo, &wire::body(number, 9)));
    crowd.all_connected.wait();
    for round in 0..acts {
        let mark = number << 8 | round;
        if act(crowd, &stream, mark, &mut rand) == After::Gone {
            // Replaced before it is dropped: for a moment there are two.
            stream = connect(crowd, number);
        }
        let done = crowd.acts.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(crowd.planned.div_ceil(4)) {
            say(&format!("{done} of {} acts", crowd.planned));
        }
    }
    must("the last exchange", wire::exchange(&stream, Ask::Echo, &wire::body(!number, 9)));
    end(stream, &mut rand);
}

/// Ends a connection in one of the ways that need no partner.
fn end(stream: TcpStream, rand: &mut Rand) {
    match rand.range(0, 4) {
        0 => must("linger", stream.set_linger(Some(Duration::ZERO))),
        1 => {
            must("shutdown", stream.shutdown(Shutdown::Write));
            ensure!(must("read", (&stream).read(&mut [0])) == 0, "data after the end");
        }
        2 => must("close", stream.close()),
        _ => {}
    }
}

fn act(crowd: &Crowd, mut stream: &TcpStream, mark: u64, rand: &mut Rand) -> After {
    let length = if rand.one_in(20) { 60_000 } else { rand.range(1, 900) };
    let body = wire::body(mark, length);
    match rand.range(0, 14) {
        0..=2 => must("an exchange", wire::exchange(stream, Ask::Echo, &body)),
        3 => sleep(rand.micros(0, 20_000)),
        4 => time_out(crowd, stream, rand),
        5 => be_interrupted(crowd, stream, rand),
        6 => be_answered_late(crowd, stream, mark, rand),
        7 => {
            // It is gone with a part of a request, or with an answer on its way.
            let request = wire::request(Ask::Echo, &body);
            must("a part", stream.write_all(&request[..rand.range(0, request.len() as u64 + 1) as usize]));
            if rand.one_in(2) {
                must("linger", stream.set_linger(Some(Duration::ZERO)));
            }
            return After::Gone;
        }
        8 => {
            must("a request", stream.write_all(&wire::request(Ask::Echo, &body)));
            must("shutdown", stream.shutdown(Shutdown::Write));
            must("the answer", wire::expect(stream, &body));
            ensure!(must("the end", stream.read(&mut [0])) == 0, "data after the end");
            return After::Gone;
        }
        9 => {
            be_closed(stream, rand);
            return After::Gone;
        }
        10 => {
            must("a request", stream.write_all(&wire::request(Ask::Reset, &body)));
            let ended = stream.read(&mut [0]);
            ensure!(ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset), "no reset came");
            return After::Gone;
        }
        11 => {
            must("an exchange", wire::exchange(stream, Ask::HalfClose, &body));
            ensure!(must("the end", stream.read(&mut [0])) == 0, "data after the end");
            return After::Gone;
        }
        12 => {
            must("a request", stream.write_all(&wire::request(Ask::Close, &body)));
            ensure!(must("the end", stream.read(&mut [0])) == 0, "data after the end");
            return After::Gone;
        }
        _ => {
            let other = must("clone", stream.try_clone());
            let request = wire::request(Ask::Echo, &body);
            let writer = spawn(move || (&other).write_all(&request));
            must("the answer", wire::expect(stream, &body));
            ensure!(writer.join().is_ok_and(|written| written.is_ok()), "a writer failed");
        }
    }
    After::Same
}

fn ensure_timeout<T>(crowd: &Crowd, result: io::Result<T>, kind: ErrorKind) {
    crowd.timeouts.fetch_add(1, Ordering::Relaxed);
    let is_right = result.is_err_and(|error| error.kind() == kind && error.to_string().ends_with(": i/o timeout"));
    ensure!(is_right, "a read in vain did not time out");
}

/// Waits for nothing, by a timeout or by a deadline.
fn time_out(crowd: &Crowd, mut stream: &TcpStream, rand: &mut Rand) {
    let (begun, length) = (Instant::now(), rand.micros(1, 20_000));
    if rand.one_in(2) {
        must("timeout", stream.set_read_timeout(Some(length)));
        ensure_timeout(crowd, stream.read(&mut [0]), ErrorKind::WouldBlock);
        must("timeout", stream.set_read_timeout(None));
    } else {
        must("deadline", stream.set_read_deadline(Some(begun + length)));
        ensure_timeout(crowd, stream.read(&mut [0]), ErrorKind::TimedOut);
        must("deadline", stream.set_read_deadline(None));
    }
    punctual("a read in vain", begun, length);
}

/// Waits for nothing, until another goroutine sets a deadline that has passed.
fn be_interrupted(crowd: &Crowd, mut stream: &TcpStream, rand: &mut Rand) {
    let (other, pause) = (must("clone", stream.try_clone()), rand.micros(0, 3_000));
    let setter = spawn(move || {
        sleep(pause);
        other.set_read_deadline(Some(Instant::now()))
    });
    ensure_timeout(crowd, stream.read(&mut [0]), ErrorKind::TimedOut);
    ensure!(setter.join().is_ok_and(|set| set.is_ok()), "a deadline could not be set");
    must("deadline", stream.set_deadline(None));
}

/// The answer comes before the deadline or after it; in the second case it is waited for without.
fn be_answered_late(crowd: &Crowd, mut stream: &TcpStream, mark: u64, rand: &mut Rand) {
    let mut body = wire::body(mark, 5);
    body[0] = rand.range(0, 12) as u8;
    must("a request", stream.write_all(&wire::request(Ask::Late, &body)));
    must("deadline", stream.set_read_deadline(Some(Instant::now() + rand.micros(0, 12_000))));
    let mut first = [0];
    let early = stream.read(&mut first);
    must("deadline", stream.set_read_deadline(None));
    match early {
        Ok(count) => ensure!(count == 1 && first[0] == body[0], "another answer"),
        Err(error) => {
            ensure_timeout::<()>(crowd, Err(error), ErrorKind::TimedOut);
            must("the late answer", wire::expect(stream, &body[..1]));
        }
    }
    must("the rest", wire::expect(stream, &body[1..]));
}

/// Another goroutine closes the socket while this one reads.
fn be_closed(mut stream: &TcpStream, rand: &mut Rand) {
    let (other, pause) = (must("clone", stream.try_clone()), rand.micros(0, 2_000));
    let closer = spawn(move || {
        sleep(pause);
        other.close()
    });
    let read = stream.read(&mut [0]);
    ensure!(read.is_err_and(|error| Closed::is_source_of(&error)), "a read survived the close");
    ensure!(closer.join().is_ok_and(|closed| closed.is_ok()), "a closer was not the first");
}
