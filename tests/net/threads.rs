//! Sockets on plain threads, alone and beside goroutines.
//!
//! Why here: see `net.rs`. *Invariants*: N1. *Locks*: none. *Go:* none.

use std::io::{ErrorKind, Read, Write};
use std::thread;
use std::time::Instant;

use goruntime::channel::bounded;
use goruntime::net::{Closed, TcpStream, UdpSocket};
use goruntime::spawn;

use crate::procs::with_procs;
use crate::{assert_timeout, connection, listen};

/// Counts the bytes of a stream to its end.
fn drain(stream: &TcpStream) -> usize {
    let (mut sum, mut buf) = (0, [0; 1_000]);
    loop {
        match (&mut &*stream).read(&mut buf).unwrap() {
            0 => return sum,
            count => sum += count,
        }
    }
}

#[test]
fn threads_and_goroutines_talk() {
    for procs in [1, 2, 4] {
        with_procs(procs, || {
            let (listener, addr) = listen();
            let server = spawn(move || {
                let ends: Vec<_> = (0..6)
                    .map(|number| {
                        let (stream, _) = listener.accept().unwrap();
                        let serve = move || {
                            let mut buf = [0; 64];
                            while let Ok(count @ 1..) = (&stream).read(&mut buf) {
                                (&stream).write_all(&buf[..count]).unwrap();
                            }
                        };
                        if number % 2 == 0 {
                            let thread = thread::spawn(serve);
                            spawn(move || thread.join().unwrap())
                        } else {
                            spawn(serve)
                        }
                    })
                    .collect();
                ends.into_iter().for_each(|end| end.join().unwrap());
            });
            let client = move || {
                let mut stream = TcpStream::connect(addr).unwrap();
                for round in 0..100u8 {
                    stream.write_all(&[round; 40]).unwrap();
                    let mut buf = [0; 40];
                    stream.read_exact(&mut buf).unwrap();
                    assert_eq!(buf, [round; 40]);
                }
            };
            let threads: Vec<_> = (0..3).map(|_| thread::spawn(client)).collect();
            let goroutines: Vec<_> = (0..3).map(|_| spawn(client)).collect();
            goroutines.into_iter().for_each(|client| client.join().unwrap());
            threads.into_iter().for_each(|client| client.join().unwrap());
            server.join().unwrap();
        });
    }
}

/// Every processor is idle: only the poller can wake the thread.
#[test]
fn a_thread_that_waits_alone_is_woken() {
    for procs in [1, 4] {
        with_procs(procs, || {
            let (near, far) = connection();
            let outsider = thread::spawn(move || {
                let far = std::net::TcpStream::from(far);
                for _ in 0..50 {
                    thread::yield_now();
                    (&far).write_all(b"x").unwrap();
                }
            });
            let reader = thread::spawn(move || drain(&near));
            goruntime::runtime::blocking(|| {
                outsider.join().unwrap();
                assert_eq!(reader.join().unwrap(), 50);
            });
        });
    }
}

#[test]
fn the_wait_of_a_thread_ends_by_close_and_by_deadline() {
    with_procs(2, || {
        let (near, _far) = connection();
        let other = near.try_clone().unwrap();
        let (lifted, wait) = bounded(1);
        let reader = thread::spawn(move || {
            assert_timeout((&other).read(&mut [0]), ErrorKind::TimedOut);
            other.set_deadline(None).unwrap();
            lifted.send(()).unwrap();
            (&other).read(&mut [0])
        });
        near.set_deadline(Some(Instant::now())).unwrap();
        wait.recv().unwrap();
        near.close().unwrap();
        assert!(Closed::is_source_of(&reader.join().unwrap().unwrap_err()));
    });
}

#[test]
fn a_socket_moves_between_thread_and_goroutine() {
    with_procs(2, || {
        let a = UdpSocket::bind("127.0.0.1:0").unwrap();
        let b = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = b.local_addr().unwrap();
        let mut b = b;
        for round in 0..10u8 {
            let receive = move || {
                let mut buf = [0];
                b.recv(&mut buf).unwrap();
                assert_eq!(buf, [round]);
                b
            };
            if round % 2 == 0 {
                let thread = thread::spawn(receive);
                a.send_to(&[round], to).unwrap();
                b = thread.join().unwrap();
            } else {
                let goroutine = spawn(receive);
                a.send_to(&[round], to).unwrap();
                b = goroutine.join().unwrap();
            }
        }
    });
}
