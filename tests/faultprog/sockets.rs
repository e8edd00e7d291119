//! Echoes over TCP with time limits, and pipes.
//!
//! Why here: what the poller is asked for.
//!
//! *Invariants*
//! - FS1. A read or a write is one call, so that nothing of what was done is forgotten when it fails and is tried again.
//!
//! *Locks*: none. *Go:* none.

use std::io::ErrorKind;

use goruntime::io::{Read, Write, pipe};
use goruntime::net::{Shutdown, TcpListener, TcpStream};
use goruntime::time::{Duration, Instant};
use goruntime::{go, spawn};

use crate::{Table, again, is_refusal};

pub(crate) const PROGRAMS: Table = &[("echo", echo), ("silence", silence), ("pipes", pipes), ("refused", refused)];

/// What client `client` says in round `round`.
fn message(client: usize, round: usize) -> Vec<u8> {
    (0..1 + (client * 977 + round * 313) % 3_000).map(|index| (index * (client + 3) + round) as u8).collect()
}

/// FS1.
fn write_all(mut stream: impl Write, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let written = again("write", || stream.write(bytes));
        bytes = &bytes[written..];
    }
}

/// FS1. Fewer bytes at the end of the stream only.
fn read_full(mut stream: impl Read, length: usize) -> Vec<u8> {
    let (mut bytes, mut filled) = (vec![0; length], 0);
    while filled < length {
        match again("read", || stream.read(&mut bytes[filled..])) {
            0 => break,
            count => filled += count,
        }
    }
    bytes.truncate(filled);
    bytes
}

/// Says everything back to whoever connects. What a client has left before it was through with its connect is none.
fn serve(listener: &TcpListener) {
    loop {
        let (mut stream, _) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) if is_refusal(&error) => continue,
            Err(_) => return,
        };
        go(move || {
            let mut buffer = [0; 1_000];
            loop {
                match stream.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(count) => write_all(&stream, &buffer[..count]),
                    Err(error) if is_refusal(&error) => {}
                    Err(error) => return assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
                }
            }
        });
    }
}

/// A server and clients that check what they hear.
fn echo() {
    let listener = again("listen", || TcpListener::bind("127.0.0.1:0"));
    let addr = listener.local_addr().expect("it is bound");
    let server = {
        let listener = listener.try_clone().expect("another handle");
        spawn(move || serve(&listener))
    };
    let clients: Vec<_> = (0..12)
        .map(|client| {
            spawn(move || {
                let stream = again("connect", || TcpStream::connect(addr));
                stream.set_deadline(Some(Instant::now() + Duration::from_secs(200))).expect("it is open");
                for round in 0..10 {
                    let said = message(client, round);
                    write_all(&stream, &said);
                    assert!(read_full(&stream, said.len()) == said, "client {client} hears something else");
                }
                stream.shutdown(Shutdown::Write).expect("it is open");
                assert!(read_full(&stream, 1).is_empty(), "the end is heard");
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().expect("it does not panic"));
    listener.close().expect("it is open");
    server.join().expect("it does not panic");
}

/// Time limits on connections where nothing is said, and what is said after them.
fn silence() {
    let listener = again("listen", || TcpListener::bind("127.0.0.1:0"));
    let addr = listener.local_addr().expect("it is bound");
    let pairs: Vec<_> = (0..8)
        .map(|_| {
            let near = again("connect", || TcpStream::connect(addr));
            // One that came to nothing may be before it in the line.
            let far = loop {
                let (far, peer) = again("accept", || listener.accept());
                if peer == near.local_addr().expect("it is connected") {
                    break far;
                }
            };
            (near, far)
        })
        .collect();
    let waits: Vec<_> = pairs
        .into_iter()
        .enumerate()
        .map(|(index, (near, far))| {
            spawn(move || {
                let time = Duration::from_millis(1 + index as u64 % 3);
                for by_deadline in [false, true, false] {
                    let begun = Instant::now();
                    if by_deadline {
                        near.set_deadline(Some(begun + time)).expect("it is open");
                    } else {
                        near.set_read_timeout(Some(time)).expect("it is open");
                    }
                    let expected = if by_deadline { ErrorKind::TimedOut } else { ErrorKind::WouldBlock };
                    again("a read in silence", || match (&near).read(&mut [0]) {
                        Err(error) if is_refusal(&error) => Err(error),
                        Err(error) => {
                            assert_eq!(error.kind(), expected, "{error}");
                            Ok(())
                        }
                        Ok(count) => panic!("{count} bytes that nobody has sent"),
                    });
                    assert!(begun.elapsed() >= time);
                    near.set_deadline(None).expect("it is open");
                    near.set_read_timeout(None).expect("it is open");
                }
                let said = message(index, 1);
                write_all(&far, &said);
                assert!(read_full(&near, said.len()) == said);
            })
        })
        .collect();
    waits.into_iter().for_each(|wait| wait.join().expect("it does not panic"));
}

/// More than a pipe has room for, through several of them.
fn pipes() {
    let ways: Vec<_> = (0..6_usize)
        .map(|index| {
            let (reader, writer) = again("pipe", pipe);
            let said: Vec<u8> = message(index, 0).repeat(200);
            let sent = said.clone();
            go(move || write_all(writer, &sent));
            spawn(move || {
                let heard = read_full(reader, said.len() + 1);
                assert!(heard == said, "{} of {} bytes, or others", heard.len(), said.len());
            })
        })
        .collect();
    ways.into_iter().for_each(|way| way.join().expect("it does not panic"));
}

/// What would have to wait fails as long as everything is refused, and says why; what need not wait does not.
fn refused() {
    let (mut near, far) = std::os::unix::net::UnixStream::pair().map_or_else(
        |error| panic!("a pair: {error}"),
        |(near, far)| (goruntime::os::unix::net::UnixStream::from(near), far),
    );
    for _ in 0..3 {
        let error = near.read(&mut [0; 8]).expect_err("it cannot be waited for");
        assert!(is_refusal(&error), "{error}");
        std::io::Write::write_all(&mut &far, b"x").expect("there is room");
        assert_eq!(near.read(&mut [0; 8]).expect("it need not wait"), 1);
    }
}
