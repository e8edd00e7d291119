//! Many sockets, and sockets beside goroutines that never stop.
//!
//! Why here: see `net.rs`. *Invariants*: N1. *Locks*: none. *Go:* `TestTCPStress`, `TestNetpollBreak`.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use goruntime::channel::bounded;
use goruntime::net::TcpStream;
use goruntime::runtime::{num_goroutine, yield_now};
use goruntime::{go, spawn};

use crate::procs::with_procs;
use crate::{connection, descriptors, listen};

/// Connections that are held at once.
const CONNECTIONS: usize = 2_000;

#[test]
fn thousands_of_connections_are_held_served_and_gone() {
    for procs in [2, 4] {
        with_procs(procs, || {
            // The poller's own descriptors, and those of threads, stay.
            drop(connection());
            // Those that earlier tests have left behind, which end by themselves, are among them.
            let goroutines = num_goroutine();
            let (listener, addr) = listen();
            let before = descriptors();
            let server = spawn(move || {
                for _ in 0..CONNECTIONS {
                    let (mut stream, _) = listener.accept().unwrap();
                    go(move || {
                        let mut buf = [0; 16];
                        while let Ok(count @ 1..) = stream.read(&mut buf) {
                            stream.write_all(&buf[..count]).unwrap();
                        }
                    });
                }
                listener
            });
            let clients: Vec<_> = (0..CONNECTIONS).map(|_| TcpStream::connect(addr).unwrap()).collect();
            let listener = server.join().unwrap();
            assert!(num_goroutine() > CONNECTIONS, "{} goroutines", num_goroutine());
            for round in 0..3u8 {
                for mut client in &clients {
                    client.write_all(&[round; 9]).unwrap();
                }
                for mut client in &clients {
                    let mut buf = [0; 9];
                    client.read_exact(&mut buf).unwrap();
                    assert_eq!(buf, [round; 9]);
                }
            }
            drop(clients);
            while num_goroutine() > goroutines {
                yield_now();
            }
            // A thread more or less has a descriptor more or less.
            assert!(descriptors() < before + 100, "{} descriptors, {before} before", descriptors());
            drop(listener);
        });
    }
}

/// A plain thread, which needs no processor, sends one byte; something else keeps all processors busy until it has been received.
#[track_caller]
fn served_beside(procs: usize, busy: fn(&AtomicBool)) {
    with_procs(procs, || {
        let done = Arc::new(AtomicBool::new(false));
        let busy: Vec<_> = (0..2 * procs)
            .map(|_| {
                let done = done.clone();
                spawn(move || busy(&done))
            })
            .collect();
        for _ in 0..20 {
            let (mut near, far) = connection();
            let far = std::net::TcpStream::from(far);
            let sender = thread::spawn(move || (&far).write_all(b"x").unwrap());
            near.read_exact(&mut [0]).unwrap();
            sender.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        busy.into_iter().for_each(|busy| busy.join().unwrap());
    });
}

#[test]
fn yields_do_not_starve_sockets() {
    for procs in [1, 2] {
        served_beside(procs, |done| {
            while !done.load(Ordering::Relaxed) {
                yield_now();
            }
        });
    }
}

#[test]
fn a_storm_of_messages_does_not_starve_sockets() {
    for procs in [1, 2] {
        served_beside(procs, |done| {
            let (to, from) = bounded(0);
            let partner = spawn(move || from.iter().count());
            while !done.load(Ordering::Relaxed) {
                to.send(()).unwrap();
            }
            drop(to);
            partner.join().unwrap();
        });
    }
}

#[test]
fn computing_does_not_starve_sockets() {
    for procs in [1, 2] {
        served_beside(procs, |done| {
            while !done.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
    }
}

/// A stream per goroutine, all of them talking: what is sent on one is not received on another.
#[test]
fn talks_do_not_mix() {
    for procs in [1, 2, 4, 16] {
        with_procs(procs, || {
            let (listener, addr) = listen();
            let server = spawn(move || {
                for _ in 0..50 {
                    let (mut stream, _) = listener.accept().unwrap();
                    go(move || {
                        let mut buf = [0; 8];
                        while stream.read_exact(&mut buf).is_ok() {
                            stream.write_all(&(u64::from_le_bytes(buf) + 1).to_le_bytes()).unwrap();
                        }
                    });
                }
            });
            let clients: Vec<_> = (0..50u64)
                .map(|client| {
                    spawn(move || {
                        let mut stream = TcpStream::connect(addr).unwrap();
                        for round in 0..40u64 {
                            let question = client << 32 | round << 8;
                            stream.write_all(&question.to_le_bytes()).unwrap();
                            let mut buf = [0; 8];
                            stream.read_exact(&mut buf).unwrap();
                            assert_eq!(u64::from_le_bytes(buf), question + 1);
                        }
                    })
                })
                .collect();
            clients.into_iter().for_each(|client| client.join().unwrap());
            server.join().unwrap();
        });
    }
}
