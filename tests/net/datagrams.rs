//! UDP as std has it.
//!
//! Why here: see `net.rs`. *Invariants*: N1, N2. *Locks*: none. *Go:* udpsock_test.go.

use std::io::ErrorKind;
use std::net::Ipv4Addr;

use goruntime::net::UdpSocket;
use goruntime::spawn;

use crate::procs::{settle, with_procs};

fn socket() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").unwrap()
}

#[test]
fn datagrams_keep_their_borders() {
    for procs in [1, 4] {
        with_procs(procs, || {
            let (a, b) = (socket(), socket());
            let (from, to) = (a.local_addr().unwrap(), b.local_addr().unwrap());
            let receiver = spawn(move || {
                let mut buf = [0; 100];
                for length in 0..50 {
                    assert_eq!(b.recv_from(&mut buf).unwrap(), (length, from));
                    // One at a time, so that none is lost for want of room.
                    b.send_to(b"next", from).unwrap();
                }
            });
            for length in 0..50 {
                assert_eq!(a.send_to(&[7; 50][..length], to).unwrap(), length);
                assert_eq!(a.recv(&mut [0; 8]).unwrap(), 4);
            }
            receiver.join().unwrap();
        });
    }
}

#[test]
fn a_connected_socket_hears_one_peer_only() {
    with_procs(1, || {
        let (a, b, stranger) = (socket(), socket(), socket());
        let (here, there) = (a.local_addr().unwrap(), b.local_addr().unwrap());
        a.connect(there).unwrap();
        b.connect(here).unwrap();
        assert_eq!((a.peer_addr().unwrap(), b.peer_addr().unwrap()), (there, here));
        let receiver = spawn(move || {
            let mut buf = [0; 8];
            assert_eq!(b.peek(&mut buf).unwrap(), 4);
            let count = b.recv(&mut buf).unwrap();
            buf[..count].to_vec()
        });
        settle();
        stranger.send_to(b"strange", there).unwrap();
        a.send(b"mine").unwrap();
        assert_eq!(receiver.join().unwrap(), b"mine");
    });
}

#[test]
fn several_goroutines_share_a_socket() {
    with_procs(4, || {
        let (a, b) = (socket(), socket());
        let to = b.local_addr().unwrap();
        let receivers: Vec<_> = (0..5)
            .map(|_| {
                let b = b.try_clone().unwrap();
                spawn(move || b.recv_from(&mut [0; 8]).unwrap().0)
            })
            .collect();
        (0..5).for_each(|_| assert_eq!(a.send_to(b"x", to).unwrap(), 1));
        assert_eq!(receivers.into_iter().map(|receiver| receiver.join().unwrap()).sum::<usize>(), 5);
    });
}

#[test]
fn a_port_without_a_socket_refuses() {
    with_procs(1, || {
        let a = socket();
        let nobody = socket().local_addr().unwrap();
        a.connect(nobody).unwrap();
        a.send(b"x").unwrap();
        assert_eq!(a.recv(&mut [0; 4]).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn options_are_the_systems() {
    with_procs(1, || {
        let a = socket();
        a.set_broadcast(true).unwrap();
        a.set_ttl(9).unwrap();
        a.set_multicast_ttl_v4(3).unwrap();
        a.set_multicast_loop_v4(false).unwrap();
        assert_eq!((a.broadcast().unwrap(), a.ttl().unwrap()), (true, 9));
        assert_eq!((a.multicast_ttl_v4().unwrap(), a.multicast_loop_v4().unwrap()), (3, false));
        assert!(a.join_multicast_v4(&Ipv4Addr::LOCALHOST, &Ipv4Addr::LOCALHOST).is_err(), "no multicast address");
        assert!(a.take_error().unwrap().is_none());
    });
}
