//! Unix sockets as std has them.
//!
//! Why here: see `net.rs`. *Invariants*: N1, N2. *Locks*: none. *Go:* unixsock_test.go.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net as std_net;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use goruntime::net::Shutdown;
use goruntime::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use goruntime::runtime::yield_now;
use goruntime::spawn;

use crate::assert_timeout;
use crate::procs::{settle, with_procs};

/// A directory that is removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let path = std::env::temp_dir().join(format!("goruntime-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn streams_connect_by_path() {
    for procs in [1, 4] {
        with_procs(procs, || {
            let directory = Directory::new("streams");
            let path = directory.path("socket");
            let listener = UnixListener::bind(&path).unwrap();
            assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(path.as_path()));
            let server = spawn(move || {
                for stream in listener.incoming().take(2) {
                    let mut stream = stream.unwrap();
                    let mut text = String::new();
                    stream.read_to_string(&mut text).unwrap();
                    stream.write_all(text.to_uppercase().as_bytes()).unwrap();
                }
            });
            for _ in 0..2 {
                let mut client = UnixStream::connect(&path).unwrap();
                assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(path.as_path()));
                client.write_all(b"hello").unwrap();
                client.shutdown(Shutdown::Write).unwrap();
                let mut answer = String::new();
                client.read_to_string(&mut answer).unwrap();
                assert_eq!(answer, "HELLO");
            }
            server.join().unwrap();
            assert_eq!(UnixStream::connect(&path).unwrap_err().kind(), ErrorKind::ConnectionRefused);
            assert_eq!(UnixStream::connect(directory.path("none")).unwrap_err().kind(), ErrorKind::NotFound);
        });
    }
}

#[test]
fn a_path_that_std_refuses_is_refused() {
    with_procs(1, || {
        for path in ["\0abstract", "a\0b", &"long".repeat(100)] {
            let (ours, theirs) =
                (UnixStream::connect(path).unwrap_err(), std_net::UnixStream::connect(path).unwrap_err());
            assert_eq!((ours.kind(), ours.to_string()), (ErrorKind::InvalidInput, theirs.to_string()), "{path:?}");
        }
    });
}

/// More clients than the listener's queue holds: the last ones wait without a processor until somebody accepts.
#[test]
fn a_full_queue_lets_connects_wait() {
    with_procs(1, || {
        let directory = Directory::new("queue");
        let path = directory.path("socket");
        let listener = std_net::UnixListener::bind(&path).unwrap();
        // SAFETY: takes no pointers. The second call for a socket changes the length of its queue.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 2) }, 0);
        let listener = UnixListener::from(listener);
        let (begun, connected) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let clients: Vec<_> = (0..50)
            .map(|_| {
                let (path, begun, connected) = (path.clone(), Arc::clone(&begun), Arc::clone(&connected));
                spawn(move || {
                    begun.fetch_add(1, Ordering::Relaxed);
                    let mut client = UnixStream::connect(path).unwrap();
                    connected.fetch_add(1, Ordering::Relaxed);
                    client.read(&mut [0]).unwrap()
                })
            })
            .collect();
        while begun.load(Ordering::Relaxed) < 50 {
            yield_now();
        }
        // The queue holds one more than it was told.
        assert!(connected.load(Ordering::Relaxed) <= 3);
        (0..50).for_each(|_| listener.accept().unwrap().0.write_all(b"x").unwrap());
        clients.into_iter().for_each(|client| assert_eq!(client.join().unwrap(), 1));
    });
}

#[test]
fn a_pair_echoes_and_times_out() {
    with_procs(2, || {
        let (mut a, mut b) = UnixStream::pair().unwrap();
        let echo = spawn(move || {
            let mut buf = [0; 1_000];
            while let Ok(count @ 1..) = b.read(&mut buf) {
                b.write_all(&buf[..count]).unwrap();
            }
        });
        for round in 1..200usize {
            a.write_all(&[3; 1_000][..round]).unwrap();
            a.read_exact(&mut [0; 1_000][..round]).unwrap();
        }
        a.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        assert_timeout(a.read(&mut [0]), ErrorKind::WouldBlock);
        drop(a);
        echo.join().unwrap();
    });
}

#[test]
fn datagrams_go_by_path_and_by_pair() {
    with_procs(1, || {
        let directory = Directory::new("datagrams");
        let path = directory.path("socket");
        let receiver = UnixDatagram::bind(&path).unwrap();
        let waiting = spawn(move || {
            let mut buf = [0; 8];
            let (count, from) = receiver.recv_from(&mut buf).unwrap();
            assert!(from.is_unnamed());
            buf[..count].to_vec()
        });
        settle();
        assert_eq!(UnixDatagram::unbound().unwrap().send_to(b"hello", &path).unwrap(), 5);
        assert_eq!(waiting.join().unwrap(), b"hello");
        let (a, b) = UnixDatagram::pair().unwrap();
        a.set_deadline(Some(Instant::now())).unwrap();
        assert_timeout(a.recv(&mut [0]), ErrorKind::TimedOut);
        b.send(b"x").unwrap();
        a.set_deadline(None).unwrap();
        assert_eq!(a.recv(&mut [0; 4]).unwrap(), 1);
    });
}

/// A receiver's room is not announced to senders that are not connected to it.
#[test]
fn datagrams_wait_for_room_at_a_full_receiver() {
    with_procs(2, || {
        let directory = Directory::new("room");
        let path = directory.path("socket");
        let receiver = UnixDatagram::bind(&path).unwrap();
        let sender = spawn(move || {
            let socket = UnixDatagram::unbound().unwrap();
            (0..3_000u32).for_each(|number| assert_eq!(socket.send_to(&number.to_le_bytes(), &path).unwrap(), 4));
            socket.set_write_timeout(Some(Duration::from_millis(30))).unwrap();
            let last = loop {
                if let Err(error) = socket.send_to(b"full", &path) {
                    break error;
                }
            };
            assert_timeout::<()>(Err(last), ErrorKind::WouldBlock);
        });
        for number in 0..3_000u32 {
            let mut buf = [0; 4];
            assert_eq!(receiver.recv(&mut buf).unwrap(), 4);
            assert_eq!(u32::from_le_bytes(buf), number);
        }
        sender.join().unwrap();
    });
}
