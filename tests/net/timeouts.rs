//! Timeouts as std has them, and deadlines as Go has them.
//!
//! Why here: see `net.rs`. Waits are bounded from below only. *Invariants*: N1, N2. *Locks*: none. *Go:* timeout_test.go.

use std::io::ErrorKind::{InvalidInput, TimedOut, WouldBlock};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use goruntime::net::{TcpStream, UdpSocket};
use goruntime::spawn;
use goruntime::time::sleep;

use crate::procs::{settle, with_procs};
use crate::{assert_timeout, connection, listen};

const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(1_000);

fn past() -> Option<Instant> {
    Some(Instant::now())
}

fn soon() -> Option<Instant> {
    Some(Instant::now() + SHORT)
}

fn far_away() -> Option<Instant> {
    Some(Instant::now() + LONG)
}

#[test]
fn a_timeout_is_for_each_operation() {
    for procs in [1, 4] {
        with_procs(procs, || {
            let (mut near, mut far) = connection();
            near.set_read_timeout(Some(SHORT)).unwrap();
            for _ in 0..3 {
                let begun = Instant::now();
                assert_timeout(near.read(&mut [0; 4]), WouldBlock);
                assert!(begun.elapsed() >= SHORT);
            }
            far.write_all(b"x").unwrap();
            assert_eq!(near.read(&mut [0; 4]).unwrap(), 1);
        });
    }
}

/// The first reader waits for ever; those behind it do not, and leave the line as it was.
#[test]
fn a_timeout_holds_for_those_who_queue() {
    for procs in [1, 4] {
        with_procs(procs, || {
            let (near, mut far) = connection();
            let [a, b] = [(); 2].map(|()| near.try_clone().unwrap());
            let first = spawn(move || (&a).read(&mut [0; 1]));
            if procs == 1 {
                settle();
            }
            near.set_read_timeout(Some(SHORT)).unwrap();
            let begun = Instant::now();
            let second = spawn(move || (&b).read(&mut [0; 1]));
            assert_timeout((&near).read(&mut [0; 1]), WouldBlock);
            assert!(begun.elapsed() >= SHORT);
            assert_timeout(second.join().unwrap(), WouldBlock);
            near.set_read_timeout(None).unwrap();
            let third = near.try_clone().unwrap();
            let third = spawn(move || (&third).read(&mut [0; 1]));
            far.write_all(b"xx").unwrap();
            assert_eq!(third.join().unwrap().unwrap(), 1);
            // On several processors it may have begun late enough to have the timeout.
            assert!(first.join().unwrap().is_ok() || procs > 1);
        });
    }
}

#[test]
fn a_deadline_holds_for_those_who_queue() {
    with_procs(1, || {
        let (near, mut far) = connection();
        let readers = [(); 3].map(|()| {
            let other = near.try_clone().unwrap();
            spawn(move || (&other).read(&mut [0; 1]))
        });
        settle();
        near.set_read_deadline(soon()).unwrap();
        readers.into_iter().for_each(|reader| assert_timeout(reader.join().unwrap(), TimedOut));
        near.set_read_deadline(None).unwrap();
        far.write_all(b"x").unwrap();
        assert_eq!((&near).read(&mut [0; 1]).unwrap(), 1);
    });
}

#[test]
fn a_timeout_of_zero_is_refused() {
    with_procs(1, || {
        let (near, far) = connection();
        assert_eq!(near.set_read_timeout(Some(Duration::ZERO)).unwrap_err().kind(), InvalidInput);
        assert_eq!(near.set_write_timeout(Some(Duration::ZERO)).unwrap_err().kind(), InvalidInput);
        let error = TcpStream::connect_timeout(&far.local_addr().unwrap(), Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), InvalidInput);
        near.set_read_timeout(Some(LONG)).unwrap();
        near.set_read_timeout(None).unwrap();
        assert_eq!(near.read_timeout().unwrap(), None);
    });
}

#[test]
fn a_write_that_finds_no_room_times_out() {
    with_procs(1, || {
        let (near, _far) = connection();
        // The system finds more room for some time yet.
        let fill = || loop {
            if let Err(error) = (&near).write(&[0; 100_000]) {
                break error;
            }
        };
        near.set_write_timeout(Some(SHORT)).unwrap();
        assert_timeout::<()>(Err(fill()), WouldBlock);
        near.set_write_timeout(None).unwrap();
        near.set_write_deadline(soon()).unwrap();
        assert_timeout::<()>(Err(fill()), TimedOut);
    });
}

#[test]
fn a_connect_that_nobody_answers_times_out() {
    with_procs(2, || {
        // The system answers for a listener until its queue is full.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let mut connected = Vec::new();
        let error = loop {
            assert!(connected.len() < 6_000, "the queue has no end");
            match TcpStream::connect_timeout(&addr, Duration::from_millis(300)) {
                Ok(stream) => connected.push(stream),
                Err(error) => break error,
            }
        };
        assert_eq!(error.to_string(), format!("dial tcp {addr}: i/o timeout"));
        assert_timeout::<()>(Err(error), TimedOut);
    });
}

#[test]
fn a_past_deadline_comes_before_data_that_is_there() {
    with_procs(1, || {
        let (mut near, mut far) = connection();
        far.write_all(b"data").unwrap();
        near.set_read_deadline(past()).unwrap();
        assert_timeout(near.read(&mut [0; 4]), TimedOut);
        assert_timeout(near.peek(&mut [0; 4]), TimedOut);
        near.write_all(b"the other side is free").unwrap();
        near.set_read_deadline(None).unwrap();
        assert_eq!(near.read(&mut [0; 4]).unwrap(), 4);
        near.set_deadline(past()).unwrap();
        assert_timeout(near.write(b"x"), TimedOut);
    });
}

#[test]
fn a_deadline_holds_until_it_is_changed() {
    with_procs(2, || {
        let (mut near, mut far) = connection();
        let deadline = soon();
        near.set_read_deadline(deadline).unwrap();
        for _ in 0..3 {
            assert_timeout(near.read(&mut [0; 4]), TimedOut);
            assert!(Some(Instant::now()) >= deadline);
        }
        near.set_read_deadline(far_away()).unwrap();
        far.write_all(b"x").unwrap();
        assert_eq!(near.read(&mut [0; 4]).unwrap(), 1);
    });
}

/// A reader that waits, and another handle of its socket; N2.
fn waiting_reader() -> (goruntime::JoinHandle<std::io::Result<usize>>, TcpStream, TcpStream) {
    let (near, far) = connection();
    let other = near.try_clone().unwrap();
    let reader = spawn(move || (&other).read(&mut [0; 4]));
    settle();
    (reader, near, far)
}

#[test]
fn a_past_deadline_ends_a_wait_that_has_begun() {
    with_procs(1, || {
        let (reader, near, _far) = waiting_reader();
        near.set_read_deadline(past()).unwrap();
        assert_timeout(reader.join().unwrap(), TimedOut);
    });
}

#[test]
fn a_later_deadline_ends_a_wait_that_has_begun() {
    with_procs(1, || {
        let (reader, near, _far) = waiting_reader();
        near.set_deadline(soon()).unwrap();
        assert_timeout(reader.join().unwrap(), TimedOut);
    });
}

#[test]
fn an_earlier_deadline_takes_the_place_of_a_later_one() {
    with_procs(1, || {
        let (reader, near, _far) = waiting_reader();
        near.set_read_deadline(far_away()).unwrap();
        settle();
        near.set_read_deadline(soon()).unwrap();
        assert_timeout(reader.join().unwrap(), TimedOut);
    });
}

#[test]
fn a_deadline_that_is_put_off_does_not_end_the_wait() {
    with_procs(1, || {
        for lifted in [None, far_away()] {
            let (reader, near, mut far) = waiting_reader();
            near.set_read_deadline(soon()).unwrap();
            near.set_read_deadline(lifted).unwrap();
            sleep(2 * SHORT);
            settle();
            assert!(!reader.is_finished());
            far.write_all(b"x").unwrap();
            assert_eq!(reader.join().unwrap().unwrap(), 1);
        }
    });
}

/// The deadline passes and is lifted before the reader runs: as if it had not been there.
#[test]
fn a_deadline_that_is_lifted_in_time_is_forgotten() {
    with_procs(1, || {
        let (reader, near, mut far) = waiting_reader();
        near.set_read_deadline(past()).unwrap();
        near.set_read_deadline(None).unwrap();
        settle();
        assert!(!reader.is_finished());
        far.write_all(b"x").unwrap();
        assert_eq!(reader.join().unwrap().unwrap(), 1);
    });
}

#[test]
fn the_earlier_of_deadline_and_timeout_ends_the_wait() {
    with_procs(1, || {
        let (mut near, _far) = connection();
        near.set_read_timeout(Some(SHORT)).unwrap();
        near.set_read_deadline(far_away()).unwrap();
        assert_timeout(near.read(&mut [0; 4]), WouldBlock);
        near.set_read_timeout(Some(LONG)).unwrap();
        near.set_read_deadline(soon()).unwrap();
        assert_timeout(near.read(&mut [0; 4]), TimedOut);
    });
}

#[test]
fn accepting_has_a_deadline() {
    with_procs(1, || {
        let (listener, addr) = listen();
        listener.set_deadline(soon()).unwrap();
        assert_timeout(listener.accept(), TimedOut);
        listener.set_deadline(None).unwrap();
        let _client = TcpStream::connect(addr).unwrap();
        assert!(listener.accept().is_ok());
    });
}

#[test]
fn datagrams_have_timeouts_and_deadlines() {
    with_procs(1, || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(SHORT)).unwrap();
        assert_timeout(socket.recv_from(&mut [0; 4]), WouldBlock);
        socket.set_deadline(past()).unwrap();
        assert_timeout(socket.recv(&mut [0; 4]), TimedOut);
        assert_timeout(socket.send_to(b"x", "127.0.0.1:1"), TimedOut);
    });
}

/// Each round has the timer of the round before still in the heap.
#[test]
fn many_short_timeouts_follow_one_another() {
    for procs in [1, 2] {
        with_procs(procs, || {
            let (mut near, mut far) = connection();
            for round in 0..50 {
                near.set_read_timeout(Some(Duration::from_micros(200 + 100 * (round % 7)))).unwrap();
                assert_timeout(near.read(&mut [0; 4]), WouldBlock);
                near.set_read_timeout(Some(LONG)).unwrap();
                far.write_all(b"x").unwrap();
                assert_eq!(near.read(&mut [0; 4]).unwrap(), 1);
            }
        });
    }
}

/// Somebody waits for the network while short sleeps go on: they end, and not too early.
#[test]
fn sleeps_end_beside_a_wait_for_the_network() {
    for procs in [1, 4] {
        with_procs(procs, || {
            let (listener, addr) = listen();
            let server = spawn(move || listener.accept().map(drop));
            for _ in 0..100 {
                let begun = Instant::now();
                sleep(Duration::from_micros(100));
                assert!(begun.elapsed() >= Duration::from_micros(100));
            }
            TcpStream::connect(addr).unwrap();
            server.join().unwrap().unwrap();
        });
    }
}
