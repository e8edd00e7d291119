//! TCP as std has it.
//!
//! Why here: see `net.rs`. *Invariants*: N1, N2. *Locks*: none. *Go:* net_test.go, tcpsock_test.go.

use std::io::{BufRead, BufReader, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::time::Duration;

use goruntime::channel::bounded;
use goruntime::net::{Shutdown, TcpListener, TcpStream};
use goruntime::runtime::yield_now;
use goruntime::{go, spawn};

use crate::procs::{settle, with_procs};
use crate::{connection, listen};

/// Bytes in which every position is recognised.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|place| (place * 7 + place / 251) as u8).collect()
}

#[test]
fn more_than_the_buffers_hold_arrives_in_order() {
    for procs in [1, 2, 4] {
        with_procs(procs, || {
            let (near, far) = connection();
            let echo = spawn(move || {
                let mut buf = [0; 3_000];
                loop {
                    match (&far).read(&mut buf).unwrap() {
                        0 => return far.shutdown(Shutdown::Write).unwrap(),
                        count => (&far).write_all(&buf[..count]).unwrap(),
                    }
                }
            });
            let sent = pattern(6 << 20);
            let expected = sent.clone();
            let near = std::sync::Arc::new(near);
            let writer = {
                let near = near.clone();
                spawn(move || {
                    (&*near).write_all(&sent).unwrap();
                    near.shutdown(Shutdown::Write).unwrap();
                })
            };
            let mut received = Vec::new();
            (&*near).read_to_end(&mut received).unwrap();
            assert!(received == expected, "{} bytes came back", received.len());
            writer.join().unwrap();
            echo.join().unwrap();
        });
    }
}

#[test]
fn one_byte_at_a_time_loses_no_edge() {
    with_procs(2, || {
        let (mut near, mut far) = connection();
        near.set_nodelay(true).unwrap();
        let sent = pattern(3_000);
        let expected = sent.clone();
        go(move || {
            for byte in sent {
                near.write_all(&[byte]).unwrap();
            }
        });
        let mut received = Vec::new();
        let mut byte = [0];
        while far.read(&mut byte).unwrap() == 1 {
            received.push(byte[0]);
        }
        assert_eq!(received, expected);
    });
}

#[test]
fn lines_go_back_and_forth() {
    for procs in [1, 4] {
        with_procs(procs, || {
            let (near, far) = connection();
            // A line is written in pieces, which would wait for acknowledgements.
            near.set_nodelay(true).unwrap();
            far.set_nodelay(true).unwrap();
            go(move || {
                let mut lines = BufReader::new(far.try_clone().unwrap()).lines();
                while let Some(Ok(line)) = lines.next() {
                    writeln!(&far, "{line}!").unwrap();
                }
            });
            let mut answers = BufReader::new(&near).lines();
            for number in 0..300 {
                writeln!(&near, "{number}").unwrap();
                assert_eq!(answers.next().unwrap().unwrap(), format!("{number}!"));
            }
        });
    }
}

#[test]
fn vectors_are_filled_and_sent_as_one() {
    with_procs(1, || {
        let (mut near, mut far) = connection();
        let sent = near.write_vectored(&[IoSlice::new(b"ab"), IoSlice::new(b"cde")]).unwrap();
        assert_eq!(sent, 5);
        let (mut first, mut second) = ([0; 3], [0; 8]);
        let count = far.read_vectored(&mut [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)]).unwrap();
        assert_eq!((count, &first, &second[..2]), (5, b"abc", &b"de"[..]));
    });
}

#[test]
fn peek_leaves_what_it_shows() {
    with_procs(1, || {
        let (mut near, mut far) = connection();
        let waiting = spawn(move || {
            let (mut seen, mut read) = ([0; 2], [0; 8]);
            assert_eq!(far.peek(&mut seen).unwrap(), 2);
            let count = far.read(&mut read).unwrap();
            (seen, read[..count].to_vec())
        });
        crate::procs::settle();
        near.write_all(b"hello").unwrap();
        let (seen, read) = waiting.join().unwrap();
        assert_eq!(&seen, b"he");
        assert!(read.starts_with(b"he"));
    });
}

#[test]
fn a_side_that_is_shut_down_ends_while_the_other_goes_on() {
    with_procs(1, || {
        let (mut near, mut far) = connection();
        let reader = spawn(move || {
            let mut all = Vec::new();
            far.read_to_end(&mut all).unwrap();
            far.write_all(b"after the end").unwrap();
            all
        });
        near.write_all(b"all").unwrap();
        near.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        near.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "after the end");
        assert_eq!(reader.join().unwrap(), b"all");
        assert_eq!(near.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn shutting_down_reading_ends_a_read_that_waits() {
    with_procs(1, || {
        let (near, _far) = connection();
        let other = near.try_clone().unwrap();
        let reader = spawn(move || (&other).read(&mut [0; 8]).unwrap());
        crate::procs::settle();
        near.shutdown(Shutdown::Read).unwrap();
        assert_eq!(reader.join().unwrap(), 0);
    });
}

#[test]
fn a_reset_is_an_error_of_that_kind() {
    with_procs(1, || {
        let (near, far) = connection();
        let reader = spawn(move || (&near).read(&mut [0; 8]).unwrap_err().kind());
        crate::procs::settle();
        far.set_linger(Some(Duration::ZERO)).unwrap();
        drop(far);
        assert_eq!(reader.join().unwrap(), ErrorKind::ConnectionReset);
    });
}

/// Data and end, one edge for both: a read that takes the data and has room left is followed by one that sees the end.
#[test]
fn the_end_is_seen_behind_the_last_data() {
    for procs in [1, 2, 4] {
        with_procs(procs, || {
            for round in 0..200 {
                let (mut near, mut far) = connection();
                let reader = spawn(move || {
                    let mut buf = [0; 16];
                    let mut sum = 0;
                    loop {
                        match near.read(&mut buf).unwrap() {
                            0 => return sum,
                            count => sum += count,
                        }
                    }
                });
                if round % 2 == 0 {
                    yield_now();
                }
                far.write_all(b"one").unwrap();
                if round % 3 == 0 {
                    yield_now();
                }
                far.write_all(b"two").unwrap();
                drop(far);
                assert_eq!(reader.join().unwrap(), 6);
            }
        });
    }
}

/// Urgent data ends a read before the data that is behind it, which no edge announces any more.
#[test]
#[cfg(target_os = "linux")]
fn data_behind_urgent_data_is_read() {
    with_procs(1, || {
        for early in [false, true] {
            let (near, far) = connection();
            let send = |byte: &[u8], flags: i32| {
                // SAFETY: the descriptor is open, and the pointer and the length are those of a living slice.
                let sent = unsafe { libc::send(far.as_raw_fd(), byte.as_ptr().cast(), byte.len(), flags) };
                assert_eq!(sent, 1);
            };
            let (tell, told) = bounded(3);
            let reader = spawn(move || {
                let mut got = Vec::new();
                while got.len() < 3 {
                    let mut buf = [0; 16];
                    let count = (&near).read(&mut buf).unwrap();
                    got.extend_from_slice(&buf[..count]);
                    tell.send(()).unwrap();
                }
                got
            });
            send(b"a", 0);
            if early {
                // The first is read alone, and the others come when the reader waits for them, with one edge.
                told.recv().unwrap();
                settle();
            }
            send(b"b", 0);
            send(b"!", libc::MSG_OOB);
            send(b"c", 0);
            assert_eq!(reader.join().unwrap(), b"abc");
        }
    });
}

#[test]
fn writing_to_one_who_is_gone_fails() {
    with_procs(1, || {
        let (mut near, far) = connection();
        drop(far);
        let error = loop {
            if let Err(error) = near.write(&[0; 10_000]) {
                break error;
            }
        };
        assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{error}");
    });
}

/// An address at which nobody listens.
fn nobody() -> SocketAddr {
    listen().1
}

#[test]
fn a_refused_connection_says_so() {
    with_procs(1, || {
        assert_eq!(TcpStream::connect(nobody()).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn every_address_is_tried() {
    with_procs(1, || {
        let (listener, addr) = listen();
        let stream = TcpStream::connect(&[nobody(), addr][..]).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), addr);
        drop(listener);
        let nowhere: &[SocketAddr] = &[];
        assert_eq!(TcpStream::connect(nowhere).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(TcpListener::bind(nowhere).unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn names_are_looked_up() {
    with_procs(1, || {
        let listener = TcpListener::bind("localhost:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let stream = TcpStream::connect(("localhost", port)).unwrap();
        assert_eq!(stream.peer_addr().unwrap().port(), port);
        let stream = TcpStream::connect(format!("localhost:{port}")).unwrap();
        assert_eq!(stream.peer_addr().unwrap().port(), port);
    });
}

#[test]
fn ipv6_works_where_there_is_any() {
    with_procs(2, || {
        let Ok(listener) = TcpListener::bind("[::1]:0") else { return };
        let addr = listener.local_addr().unwrap();
        go(move || listener.accept().unwrap().0.write_all(b"six").unwrap());
        let mut text = String::new();
        TcpStream::connect(addr).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "six");
    });
}

#[test]
fn an_address_in_use_cannot_be_had_twice() {
    with_procs(1, || {
        let (_listener, addr) = listen();
        assert_eq!(TcpListener::bind(addr).unwrap_err().kind(), ErrorKind::AddrInUse);
    });
}

#[test]
fn incoming_goes_on() {
    with_procs(2, || {
        let (listener, addr) = listen();
        let server = spawn(move || {
            listener.incoming().take(3).map(|stream| stream.unwrap().peer_addr().unwrap()).collect::<Vec<_>>()
        });
        let clients: Vec<_> = (0..3).map(|_| TcpStream::connect(addr).unwrap()).collect();
        let addrs: Vec<_> = clients.iter().map(|client| client.local_addr().unwrap()).collect();
        assert_eq!(server.join().unwrap(), addrs);
    });
}

#[test]
fn several_goroutines_accept_in_turn() {
    with_procs(4, || {
        let (listener, addr) = listen();
        let servers: Vec<_> = (0..8)
            .map(|_| {
                let listener = listener.try_clone().unwrap();
                spawn(move || listener.accept().unwrap().0.write_all(b"x").unwrap())
            })
            .collect();
        for _ in 0..8 {
            let mut all = Vec::new();
            TcpStream::connect(addr).unwrap().read_to_end(&mut all).unwrap();
            assert_eq!(all, b"x");
        }
        servers.into_iter().for_each(|server| server.join().unwrap());
    });
}

#[test]
fn several_goroutines_read_one_stream_without_losing_a_byte() {
    with_procs(4, || {
        let (mut near, far) = connection();
        let readers: Vec<_> = (0..6)
            .map(|_| {
                let far = far.try_clone().unwrap();
                spawn(move || {
                    let (mut sum, mut buf) = (0, [0; 7]);
                    loop {
                        match (&far).read(&mut buf).unwrap() {
                            0 => return sum,
                            count => sum += count,
                        }
                    }
                })
            })
            .collect();
        for _ in 0..500 {
            near.write_all(&[1; 11]).unwrap();
        }
        near.shutdown(Shutdown::Write).unwrap();
        let sums: Vec<_> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
        assert_eq!(sums.iter().sum::<usize>(), 5_500, "{sums:?}");
    });
}

#[test]
fn options_are_the_systems() {
    with_procs(1, || {
        let (near, _far) = connection();
        near.set_nodelay(true).unwrap();
        near.set_ttl(17).unwrap();
        near.set_linger(Some(Duration::from_secs(3))).unwrap();
        assert_eq!((near.nodelay().unwrap(), near.ttl().unwrap()), (true, 17));
        assert_eq!(near.linger().unwrap(), Some(Duration::from_secs(3)));
        near.set_linger(None).unwrap();
        assert!(near.take_error().unwrap().is_none());
        let std = std::net::TcpStream::from(near);
        assert_eq!((std.nodelay().unwrap(), std.ttl().unwrap()), (true, 17));
    });
}

#[test]
fn handles_share_the_socket_and_the_last_closes_it() {
    with_procs(1, || {
        let (near, mut far) = connection();
        let other = near.try_clone().unwrap();
        other.set_read_timeout(Some(Duration::from_secs(9))).unwrap();
        assert_eq!(near.read_timeout().unwrap(), Some(Duration::from_secs(9)));
        drop(near);
        (&other).write_all(b"still").unwrap();
        drop(other);
        let mut text = String::new();
        far.read_to_string(&mut text).unwrap();
        assert_eq!(text, "still");
    });
}

#[test]
fn std_sockets_become_ours_and_back() {
    with_procs(2, || {
        let listener: TcpListener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().into();
        let addr = listener.local_addr().unwrap();
        let std = std::net::TcpStream::connect(addr).unwrap();
        std.set_read_timeout(Some(Duration::from_millis(1_500))).unwrap();
        let near = TcpStream::from(std);
        assert_eq!(near.read_timeout().unwrap(), Some(Duration::from_millis(1_500)));
        let (far, _) = listener.accept().unwrap();
        let reader = spawn(move || {
            let mut buf = [0; 5];
            (&near).read_exact(&mut buf).unwrap();
            near
        });
        let mut far = std::net::TcpStream::from(far);
        far.write_all(b"hello").unwrap();
        let near = reader.join().unwrap();
        let (fd, shared) = (near.as_raw_fd(), near.try_clone().unwrap());
        let duplicate = std::net::TcpStream::from(shared);
        assert_ne!(duplicate.as_raw_fd(), fd);
        let mut near = std::net::TcpStream::from(near);
        assert_eq!((near.as_raw_fd(), near.read_timeout().unwrap()), (fd, Some(Duration::from_millis(1_500))));
        // Blocking again: a read of std's that has to wait is no error.
        let writer = std::thread::spawn(move || far.write_all(b"x").unwrap());
        assert_eq!(near.read(&mut [0; 4]).unwrap(), 1);
        (&duplicate).write_all(b"y").unwrap();
        writer.join().unwrap();
    });
}

#[test]
fn descriptors_become_sockets_and_back() {
    with_procs(1, || {
        let (near, mut far) = connection();
        let fd = near.into_raw_fd();
        // SAFETY: the number has just been given away by its only owner.
        let near = unsafe { TcpStream::from_raw_fd(fd) };
        let near = TcpStream::from(OwnedFd::from(near));
        (&near).write_all(b"through").unwrap();
        drop(near);
        let mut text = String::new();
        far.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
    });
}

#[test]
fn nonblocking_sockets_do_not_wait() {
    with_procs(1, || {
        let (listener, _) = listen();
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        let (mut near, mut far) = connection();
        near.set_nonblocking(true).unwrap();
        assert_eq!(near.read(&mut [0; 4]).unwrap_err().kind(), ErrorKind::WouldBlock);
        far.write_all(b"x").unwrap();
        near.set_nonblocking(false).unwrap();
        assert_eq!(near.read(&mut [0; 4]).unwrap(), 1);
    });
}

#[test]
fn sockets_go_where_stds_go() {
    fn goes<T: Send + Sync + Unpin + std::panic::UnwindSafe + std::panic::RefUnwindSafe + 'static>() {}
    goes::<TcpStream>();
    goes::<TcpListener>();
    goes::<goruntime::net::UdpSocket>();
    goes::<goruntime::os::unix::net::UnixStream>();
}

#[test]
fn a_duplicate_leaves_the_other_handles_as_they_are() {
    with_procs(1, || {
        let (near, mut far) = connection();
        let duplicate = std::net::TcpStream::from(near.try_clone().unwrap());
        // It would block the only processor's thread, and no deadline would end it.
        near.set_read_deadline(Some(std::time::Instant::now() + Duration::from_millis(5))).unwrap();
        assert_eq!((&near).read(&mut [0]).unwrap_err().kind(), ErrorKind::TimedOut);
        (&duplicate).write_all(b"x").unwrap();
        assert_eq!(far.read(&mut [0; 4]).unwrap(), 1);
    });
}

#[test]
fn the_debug_text_is_stds() {
    with_procs(1, || {
        let (near, _far) = connection();
        let text = format!("{near:?}");
        assert!(text.starts_with("TcpStream { addr: 127.0.0.1:"), "{text}");
    });
}
