//! The server of the soak: listeners on several loopback addresses, a goroutine for each connection.
//!
//! *Why here.* See `soak`.
//!
//! *Invariants.* SK1. *Locks.* None. *Go:* none.

use std::io::{ErrorKind, Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use goruntime::channel::{Sender, bounded};
use goruntime::net::{Closed, Shutdown, TcpListener, TcpStream};
use goruntime::time::sleep;
use goruntime::{go, spawn};

use super::Plan;
use super::census::{Census, raise_limit, say};
use super::wire::{self, Ask};
use crate::check::{ensure, fail};

/// Connections for a listener: far fewer than may wait to be accepted, and than there are ports.
const PER_LISTENER: usize = 2_000;
/// A client that is silent for so long hangs.
const PATIENCE: Duration = Duration::from_secs(600);

/// What has happened.
#[derive(Default)]
struct Counts {
    accepted: AtomicU64,
    open: AtomicUsize,
    most: AtomicUsize,
    shortages: AtomicU64,
    resets: AtomicU64,
}

#[goruntime::main]
pub(crate) fn main() -> ExitCode {
    let Ok(plan) = Plan::from_args() else { return ExitCode::from(2) };
    if let Err(text) = raise_limit(plan.connections) {
        fail(&text);
    }
    let census = Census::at_start();
    serve(&plan);
    census.ensure_again();
    ExitCode::SUCCESS
}

fn serve(plan: &Plan) {
    let listeners: Vec<_> = (1..=plan.connections.div_ceil(PER_LISTENER))
        .map(|number| match TcpListener::bind((format!("127.0.0.{number}"), 0)) {
            Ok(listener) => listener,
            Err(error) => fail(&format!("cannot listen at 127.0.0.{number}: {error}")),
        })
        .collect();
    let addresses = listeners.iter().map(|listener| match listener.local_addr() {
        Ok(addr) => addr.to_string(),
        Err(error) => fail(&format!("a listener has no address: {error}")),
    });
    say(&addresses.collect::<Vec<_>>().join(","));
    let counts = Arc::new(Counts::default());
    let (quit, quitting) = bounded(1);
    let accepting: Vec<_> = listeners
        .iter()
        .map(|listener| {
            let listener = listener.try_clone().unwrap_or_else(|error| fail(&format!("clone: {error}")));
            let (counts, quit) = (counts.clone(), quit.clone());
            spawn(move || accept(&listener, &counts, &quit))
        })
        .collect();
    ensure!(quitting.recv().is_ok(), "nobody has said that all is over");
    for listener in listeners {
        ensure!(listener.close().is_ok(), "a listener was closed before");
    }
    accepting.into_iter().for_each(|handle| ensure!(handle.join().is_ok(), "a listener panicked"));
    let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
    say(&format!(
        "{} accepted, {} at once, {} resets, {} shortages",
        of(&counts.accepted),
        counts.most.load(Ordering::Relaxed),
        of(&counts.resets),
        of(&counts.shortages)
    ));
    ensure!(counts.most.load(Ordering::Relaxed) >= plan.connections, "fewer connections than were to be held");
}

fn accept(listener: &TcpListener, counts: &Arc<Counts>, quit: &Sender<()>) {
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                counts.accepted.fetch_add(1, Ordering::Relaxed);
                let open = counts.open.fetch_add(1, Ordering::Relaxed) + 1;
                counts.most.fetch_max(open, Ordering::Relaxed);
                let (counts, quit) = (counts.clone(), quit.clone());
                go(move || {
                    if handle(&stream, &quit) == Some(ErrorKind::ConnectionReset) {
                        counts.resets.fetch_add(1, Ordering::Relaxed);
                    }
                    counts.open.fetch_sub(1, Ordering::Relaxed);
                });
            }
            Err(error) if Closed::is_source_of(&error) => return,
            // It has paused for that.
            Err(_) => _ = counts.shortages.fetch_add(1, Ordering::Relaxed),
        }
    }
}

/// Serves a connection to its end; what ended it, if it was an error.
fn handle(mut stream: &TcpStream, quit: &Sender<()>) -> Option<ErrorKind> {
    loop {
        if let Err(error) = stream.set_read_deadline(Some(Instant::now() + PATIENCE)) {
            fail(&format!("deadline: {error}"));
        }
        let (ask, body) = match wire::receive(stream) {
            Ok(request) => request,
            Err(error) => {
                ensure!(error.kind() != ErrorKind::TimedOut, "a client has been silent for {PATIENCE:?}");
                return Some(error.kind());
            }
        };
        let answered = match ask {
            Ask::Echo => stream.write_all(&body),
            Ask::Late => {
                sleep(Duration::from_millis(u64::from(body[0])));
                stream.write_all(&body)
            }
            Ask::Reset => {
                let lingering = stream.set_linger(Some(Duration::ZERO));
                return lingering.err().map(|error| error.kind());
            }
            Ask::HalfClose => return half_close(stream, &body),
            Ask::Close => return be_closed(stream),
            Ask::Quit => {
                ensure!(quit.send(()).is_ok(), "the server has gone");
                return None;
            }
        };
        if let Err(error) = answered {
            return Some(error.kind());
        }
    }
}

fn half_close(mut stream: &TcpStream, body: &[u8]) -> Option<ErrorKind> {
    let ended = stream.write_all(body).and_then(|()| stream.shutdown(Shutdown::Write));
    ended.and_then(|()| stream.read_to_end(&mut Vec::new())).err().map(|error| error.kind())
}

/// Another goroutine closes while this one reads.
fn be_closed(mut stream: &TcpStream) -> Option<ErrorKind> {
    let other = stream.try_clone().unwrap_or_else(|error| fail(&format!("clone: {error}")));
    let closer = spawn(move || other.close());
    let read = stream.read(&mut [0]);
    ensure!(read.is_err_and(|error| Closed::is_source_of(&error)), "a read survived the close");
    ensure!(closer.join().is_ok_and(|closed| closed.is_ok()), "a closer was not the first");
    None
}
