//! What peers do to servers: they reset, vanish, read slowly, write slowly, stay silent. Nothing hangs, and nothing is left behind.
//!
//! Why here: see `net.rs`. Shortages of descriptors and storms of signals have programs of their own (`testprog/net_faults.rs`).
//! *Invariants*: N1, N2. N3. Each test ends with as many goroutines and sockets as it began with. *Locks*: none.
//! *Go:* `TestConnClose`, `TestTCPReadWriteAllocs`' cousins in net/error_test.go, net/timeout_test.go.

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use goruntime::net::{Shutdown, TcpStream};
use goruntime::runtime::{num_goroutine, yield_now};
use goruntime::time::sleep;
use goruntime::{JoinHandle, spawn};

use crate::procs::{settle, with_procs};
use crate::{assert_timeout, connection, listen};

/// Open sockets of the process, and what stands in the place of closed ones; 0 where that cannot be seen.
fn sockets() -> usize {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return 0 };
    let targets = entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let is_ours = |target: &str| target.starts_with("socket:") || target == "/dev/null";
    targets.filter(|target| is_ours(&target.to_string_lossy())).count()
}

/// Runs `f` on so many processors, and waits until what it has started is gone (N3).
#[track_caller]
fn leaving_nothing(procs: &[usize], f: fn()) {
    for &procs in procs {
        with_procs(procs, || {
            let before = (num_goroutine(), sockets());
            f();
            // A test that waits here for ever is ended by its watchdog.
            while num_goroutine() > before.0 || sockets() > before.1 {
                yield_now();
            }
        });
    }
}

/// Resets the connection instead of ending it.
fn reset(stream: TcpStream) {
    stream.set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

#[track_caller]
fn assert_gone<T: std::fmt::Debug>(result: io::Result<T>) {
    let kind = result.expect_err("the peer has reset the connection").kind();
    assert!([ErrorKind::ConnectionReset, ErrorKind::BrokenPipe].contains(&kind), "{kind:?}");
}

/// A reader and a writer that wait, each in a goroutine of its own.
fn both_sides(stream: &TcpStream) -> [JoinHandle<io::Result<usize>>; 2] {
    let [a, b] = [(); 2].map(|()| stream.try_clone().unwrap());
    let reader = spawn(move || (&a).read(&mut [0; 4]));
    let writer = spawn(move || {
        loop {
            _ = (&b).write(&[0; 100_000])?;
        }
    });
    [reader, writer]
}

#[test]
fn a_reset_ends_reads_and_writes_that_wait() {
    leaving_nothing(&[1, 4], || {
        let (near, far) = connection();
        let waiting = both_sides(&near);
        // Until the writer has filled the buffers, on whatever number of processors.
        (&far).read_exact(&mut [0; 10_000]).unwrap();
        reset(far);
        for handle in waiting {
            let result = handle.join().unwrap();
            // The error is reported to one of the two; the other one sees that the connection is at its end.
            assert!(
                matches!(result, Ok(0)) || result.as_ref().is_err_and(|error| error.raw_os_error().is_some()),
                "{result:?}"
            );
        }
        assert_gone((&near).write(b"x"));
    });
}

#[test]
fn a_reset_before_the_accept_is_no_error_of_the_listener() {
    leaving_nothing(&[1, 2], || {
        let (listener, addr) = listen();
        for _ in 0..20 {
            reset(TcpStream::connect(addr).unwrap());
        }
        let mut client = TcpStream::connect(addr).unwrap();
        let own = client.local_addr().unwrap();
        // The system may give reset connections out, or not; the one that lives comes after them.
        let served = loop {
            let (stream, from) = listener.accept().unwrap();
            if from == own {
                break stream;
            }
            assert!(!matches!((&stream).read(&mut [0]), Ok(1..)));
        };
        (&served).write_all(b"x").unwrap();
        client.read_exact(&mut [0]).unwrap();
    });
}

/// One direction is at its end, the other one goes on, for long.
#[test]
fn a_half_closed_connection_still_carries_the_other_half() {
    leaving_nothing(&[1, 4], || {
        let (mut near, mut far) = connection();
        near.shutdown(Shutdown::Write).unwrap();
        assert_eq!(far.read(&mut [0; 4]).unwrap(), 0);
        let sender = spawn(move || far.write_all(&vec![7; 3_000_000]));
        let mut all = Vec::new();
        near.read_to_end(&mut all).unwrap();
        assert!(all.len() == 3_000_000 && all.iter().all(|&byte| byte == 7));
        sender.join().unwrap().unwrap();
    });
}

/// The other end exists and says nothing: only the time can end it.
#[test]
fn connections_to_the_silent_end_by_their_deadlines() {
    leaving_nothing(&[1, 4], || {
        let (listener, addr) = listen();
        let clients: Vec<_> = (0..100).map(|_| TcpStream::connect(addr).unwrap()).collect();
        let deadline = Instant::now() + Duration::from_millis(30);
        let served: Vec<_> = (0..100)
            .map(|_| {
                let (stream, _) = listener.accept().unwrap();
                stream.set_read_deadline(Some(deadline)).unwrap();
                spawn(move || (&stream).read(&mut [0; 4]))
            })
            .collect();
        served.into_iter().for_each(|handle| assert_timeout(handle.join().unwrap(), ErrorKind::TimedOut));
        drop(clients);
    });
}

/// A byte of the pattern in which everything is sent.
fn byte(place: usize) -> u8 {
    (place * 31 + place / 251) as u8
}

/// The writer finds room for a part at a time.
#[test]
fn a_slow_reader_gets_every_byte() {
    leaving_nothing(&[1, 2, 4], || {
        let (near, mut far) = connection();
        let sender = spawn(move || (&near).write_all(&(0..2_000_000).map(byte).collect::<Vec<_>>()));
        let (mut place, mut buf) = (0, [0; 7_001]);
        loop {
            let count = far.read(&mut buf[..1 + place % 7_001]).unwrap();
            if count == 0 {
                break;
            }
            assert!(buf[..count].iter().enumerate().all(|(offset, &got)| got == byte(place + offset)));
            place += count;
            if place % 5 == 0 {
                yield_now();
            }
        }
        assert_eq!(place, 2_000_000);
        sender.join().unwrap().unwrap();
    });
}

#[test]
fn bytes_arrive_one_at_a_time() {
    leaving_nothing(&[1, 2, 4, 16], || {
        let talks: Vec<_> = (0..8)
            .map(|_| {
                spawn(|| {
                    let (near, far) = connection();
                    let sender = spawn(move || (0..2_000).try_for_each(|place| (&near).write_all(&[byte(place)])));
                    for place in 0..2_000 {
                        let mut buf = [0];
                        (&far).read_exact(&mut buf).unwrap();
                        assert_eq!(buf[0], byte(place));
                    }
                    sender.join().unwrap().unwrap();
                    assert_eq!((&far).read(&mut [0]).unwrap(), 0);
                })
            })
            .collect();
        talks.into_iter().for_each(|talk| talk.join().unwrap());
    });
}

/// Clients that send a little again and again keep nobody longer than the deadline says: it is for the whole request.
#[test]
fn slow_clients_do_not_move_the_deadline() {
    leaving_nothing(&[1, 4], || {
        let (listener, addr) = listen();
        let clients: Vec<_> = (0..30)
            .map(|_| {
                spawn(move || {
                    let mut stream = TcpStream::connect(addr).unwrap();
                    // Until the server has had enough.
                    while stream.write_all(b"x").is_ok() {
                        sleep(Duration::from_millis(1));
                    }
                })
            })
            .collect();
        let servers: Vec<_> = (0..30)
            .map(|_| {
                let (stream, _) = listener.accept().unwrap();
                spawn(move || {
                    let deadline = Instant::now() + Duration::from_millis(50);
                    stream.set_read_deadline(Some(deadline)).unwrap();
                    // More than they will ever send.
                    let mut request = vec![0; 10_000_000];
                    assert_timeout((&stream).read_exact(&mut request), ErrorKind::TimedOut);
                    assert!(Instant::now() >= deadline);
                })
            })
            .collect();
        servers.into_iter().for_each(|server| server.join().unwrap());
        clients.into_iter().for_each(|client| client.join().unwrap());
    });
}

/// A record with a length in front, of which only a part comes; then the client ends, resets, or closes only its writing half.
#[test]
fn who_vanishes_in_the_middle_of_a_handshake_leaves_nothing() {
    leaving_nothing(&[1, 2, 4], || {
        let (listener, addr) = listen();
        for round in 0..60 {
            let mut client = TcpStream::connect(addr).unwrap();
            let (server, _) = listener.accept().unwrap();
            let server = spawn(move || {
                let mut head = [0; 5];
                (&server).read_exact(&mut head)?;
                let mut hello = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
                (&server).read_exact(&mut hello)?;
                (&server).write_all(b"hello")
            });
            client.write_all(&[22, 3, 1, 2, 0, 1, 0, 1][..round % 9]).unwrap();
            if round % 2 == 0 {
                yield_now();
            }
            match round % 3 {
                0 => drop(client),
                1 => reset(client),
                _ => {
                    client.shutdown(Shutdown::Write).unwrap();
                    assert_eq!(client.read_to_end(&mut Vec::new()).unwrap_or(0), 0);
                }
            }
            let kind = server.join().unwrap().unwrap_err().kind();
            assert!([ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset].contains(&kind), "{kind:?}");
        }
    });
}

/// The socket is closed for all while a queue of others waits for each side, and others make sockets at the same time.
#[test]
fn a_close_beside_new_sockets_wakes_its_own_waiters_only() {
    leaving_nothing(&[1, 2, 4, 16], || {
        for round in 0..40u8 {
            let (near, far) = connection();
            let waiting: Vec<_> = (0..3).flat_map(|_| both_sides(&near)).collect();
            let closer = spawn(move || near.close());
            let (mut other, mut its_far) = connection();
            let bystander = spawn(move || {
                let mut buf = [0; 1];
                other.read_exact(&mut buf).map(|()| buf)
            });
            closer.join().unwrap().unwrap();
            for handle in waiting {
                assert!(handle.join().unwrap().is_err());
            }
            // Whatever has happened to the others, this one waits for its own byte.
            its_far.write_all(&[round]).unwrap();
            assert_eq!(bystander.join().unwrap().unwrap(), [round]);
            drop(far);
        }
    });
}

/// Who waits for a socket that somebody else shuts down sees the end, with data that came before first.
#[test]
fn a_shutdown_by_somebody_else_comes_after_the_data() {
    leaving_nothing(&[1], || {
        let (near, mut far) = connection();
        let other = near.try_clone().unwrap();
        let reader = spawn(move || {
            let mut all = Vec::new();
            (&other).read_to_end(&mut all).map(|_| all)
        });
        settle();
        far.write_all(b"data").unwrap();
        near.shutdown(Shutdown::Read).unwrap();
        assert_eq!(reader.join().unwrap().unwrap(), b"data");
    });
}
