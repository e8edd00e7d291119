//! Closing while others wait, and numbers that are used again.
//!
//! Why here: see `net.rs`. *Invariants*: N1, N2. *Locks*: none. *Go:* fd_mutex_test.go, `TestCloseRead`, `TestListenerClose`.

use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::time::Instant;

use goruntime::net::{Closed, TcpListener, TcpStream, UdpSocket};
use goruntime::os::unix::net::UnixStream;
use goruntime::{go, spawn};

use crate::procs::{settle, with_procs};
use crate::{connection, listen};

#[track_caller]
fn assert_closed<T: Debug>(result: io::Result<T>) {
    let error = result.expect_err("the socket was closed");
    assert!(Closed::is_source_of(&error), "{error:?}");
    assert!(error.to_string().ends_with(": use of closed network connection"), "{error}");
}

#[test]
fn a_close_ends_reads_and_writes_that_wait() {
    for procs in [1, 2, 4] {
        with_procs(procs, || {
            let (near, _far) = connection();
            let [a, b] = [(); 2].map(|()| near.try_clone().unwrap());
            let reader = spawn(move || (&a).read(&mut [0; 4]).map(drop));
            let writer = spawn(move || {
                loop {
                    if let Err(error) = (&b).write(&[0; 100_000]) {
                        return io::Result::<()>::Err(error);
                    }
                }
            });
            settle();
            near.close().unwrap();
            assert_closed(reader.join().unwrap());
            assert_closed(writer.join().unwrap());
        });
    }
}

#[test]
fn a_close_ends_accepts_and_receives_that_wait() {
    with_procs(1, || {
        let (listener, _) = listen();
        let other = listener.try_clone().unwrap();
        let server = spawn(move || other.accept());
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let other = socket.try_clone().unwrap();
        let receiver = spawn(move || other.recv_from(&mut [0; 4]));
        settle();
        listener.close().unwrap();
        socket.close().unwrap();
        assert_closed(server.join().unwrap());
        assert_closed(receiver.join().unwrap());
    });
}

/// Only the first has a place in the descriptor; the others queue behind it.
#[test]
fn a_close_ends_the_waits_of_all() {
    with_procs(1, || {
        let (near, _far) = connection();
        let readers: Vec<_> = (0..5)
            .map(|_| {
                let other = near.try_clone().unwrap();
                spawn(move || (&other).read(&mut [0; 4]))
            })
            .collect();
        settle();
        near.close().unwrap();
        readers.into_iter().for_each(|reader| assert_closed(reader.join().unwrap()));
    });
}

#[test]
fn everything_fails_after_a_close() {
    with_procs(1, || {
        let (mut near, mut far) = connection();
        near.close().unwrap();
        assert_closed(near.close());
        assert_closed(near.read(&mut [0; 4]));
        assert_closed(near.write(b"x"));
        assert_closed(near.peek(&mut [0; 4]));
        assert_closed(near.local_addr());
        assert_closed(near.nodelay());
        assert_closed(near.take_error());
        assert_closed(near.set_deadline(None));
        assert_closed(near.set_read_timeout(None));
        near.try_clone().map(|other| assert_closed((&other).read(&mut [0; 4]))).unwrap();
        assert_eq!(far.read(&mut [0; 4]).unwrap(), 0);
    });
}

#[test]
fn a_closed_listener_frees_its_address_while_handles_of_it_live() {
    with_procs(1, || {
        let (listener, addr) = listen();
        listener.close().unwrap();
        let again = TcpListener::bind(addr).unwrap();
        let _client = TcpStream::connect(addr).unwrap();
        assert!(again.accept().is_ok());
        assert_closed(listener.accept());
    });
}

#[test]
fn a_number_is_not_used_again_while_a_handle_of_it_lives() {
    with_procs(1, || {
        let (near, _far) = connection();
        let number = near.as_raw_fd();
        near.close().unwrap();
        let others: Vec<_> = (0..50).map(|_| UnixStream::pair().unwrap()).collect();
        let numbers = others.iter().flat_map(|(a, b)| [a.as_raw_fd(), b.as_raw_fd()]);
        assert!(numbers.into_iter().all(|other| other != number));
        drop(near);
        let next = UnixStream::pair().unwrap();
        assert_eq!(next.0.as_raw_fd(), number, "the lowest free number");
    });
}

#[test]
fn dropping_the_last_handle_is_seen_by_the_peer() {
    with_procs(1, || {
        let (near, mut far) = connection();
        let reader = spawn(move || far.read(&mut [0; 4]).unwrap());
        settle();
        drop(near);
        assert_eq!(reader.join().unwrap(), 0);
    });
}

#[track_caller]
fn assert_text<T: Debug>(result: io::Result<T>, text: &str) {
    assert_eq!(result.expect_err("it fails").to_string(), text);
}

/// Go's words: what was tried, on what kind of socket, between which addresses.
#[test]
fn errors_tell_what_was_tried_and_where() {
    with_procs(1, || {
        let (mut near, _far) = connection();
        let (local, peer) = (near.local_addr().unwrap(), near.peer_addr().unwrap());
        near.set_deadline(Some(Instant::now())).unwrap();
        assert_text(near.read(&mut [0]), &format!("read tcp {local}->{peer}: i/o timeout"));
        assert_text(near.write(b"x"), &format!("write tcp {local}->{peer}: i/o timeout"));
        near.close().unwrap();
        assert_text(near.read(&mut [0]), &format!("read tcp {local}->{peer}: use of closed network connection"));
        assert_text(near.set_deadline(None), &format!("set tcp {local}->{peer}: use of closed network connection"));
        assert_text(near.close(), &format!("close tcp {local}->{peer}: use of closed network connection"));

        let (listener, addr) = listen();
        listener.set_deadline(Some(Instant::now())).unwrap();
        assert_text(listener.accept(), &format!("accept tcp {addr}: i/o timeout"));
        listener.close().unwrap();
        assert_text(listener.accept(), &format!("accept tcp {addr}: use of closed network connection"));

        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let addr = socket.local_addr().unwrap();
        socket.close().unwrap();
        assert_text(socket.recv(&mut [0]), &format!("read udp {addr}: use of closed network connection"));

        let (pair, _other) = UnixStream::pair().unwrap();
        pair.set_deadline(Some(Instant::now())).unwrap();
        assert_text((&pair).read(&mut [0]), "read unix @->@: i/o timeout");
        pair.close().unwrap();
        assert_text((&pair).read(&mut [0]), "read unix @->@: use of closed network connection");
    });
}

/// What the system says stays as std has it: with its number.
#[test]
fn errors_of_the_system_keep_their_number() {
    with_procs(1, || {
        let addr = listen().1;
        let error = TcpStream::connect(addr).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(error.raw_os_error().is_some());
    });
}

/// Sockets come and go under the same numbers while edges for the earlier owners are on their way; each gets its own data, and all of it.
#[test]
fn edges_reach_the_owner_of_the_number() {
    for procs in [1, 2, 4, 16] {
        with_procs(procs, || {
            let chains: Vec<_> = (0..8u64)
                .map(|chain| {
                    spawn(move || {
                        for round in 0..120u64 {
                            reuse(chain << 32 | round);
                        }
                    })
                })
                .collect();
            chains.into_iter().for_each(|chain| chain.join().unwrap());
        });
    }
}

/// One life of some numbers: data crosses in both directions, and the end comes by a close, a drop, or with data on its way.
fn reuse(mark: u64) {
    let (near, far) = UnixStream::pair().unwrap();
    let other = near.try_clone().unwrap();
    let reader = spawn(move || {
        let mut buf = [0; 8];
        (&other).read_exact(&mut buf).map(|()| u64::from_le_bytes(buf))
    });
    match mark % 4 {
        0 => {
            near.close().unwrap();
            // Its edge is for nobody.
            _ = (&far).write(&mark.to_le_bytes());
            assert_closed(reader.join().unwrap());
        }
        1 => {
            go(move || (&far).write_all(&mark.to_le_bytes()).unwrap());
            assert_eq!(reader.join().unwrap().unwrap(), mark);
        }
        2 => {
            (&far).write_all(&mark.to_le_bytes()[..4]).unwrap();
            drop(far);
            assert_eq!(reader.join().unwrap().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
        _ => {
            (&far).write_all(&mark.to_le_bytes()).unwrap();
            assert_eq!(reader.join().unwrap().unwrap(), mark);
            go(move || drop(near));
        }
    }
}
