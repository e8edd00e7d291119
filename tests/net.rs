//! What sockets promise: std's behaviour in blocking code, deadlines, closes that wake, no starvation, nothing left behind.
//!
//! Why here: from outside, on 127.0.0.1 with ports of the system's choice; IPv6 is tried where the machine has it.
//!
//! *Invariants*
//! - N1. T1 and T2 of `common/procs`: one test at a time, so that descriptors and goroutines can be counted.
//! - N2. What is to happen while somebody waits is begun on one processor, after the waiter has run as far as it can.
//!
//! *Locks*: none.
//!
//! *Go:* net_test.go, timeout_test.go, fd_mutex_test.go.

#[path = "net/closing.rs"]
mod closing;
#[path = "net/datagrams.rs"]
mod datagrams;
#[path = "net/faults.rs"]
mod faults;
#[path = "net/load.rs"]
mod load;
#[path = "net/paths.rs"]
mod paths;
#[path = "common/procs.rs"]
mod procs;
#[path = "net/tcp.rs"]
mod tcp;
#[path = "net/threads.rs"]
mod threads;
#[path = "net/timeouts.rs"]
mod timeouts;

use std::io;
use std::net::SocketAddr;

use goruntime::net::{TcpListener, TcpStream};

/// A listener on the loopback, and where it is.
fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
    let addr = listener.local_addr().expect("a listener has an address");
    (listener, addr)
}

/// Two ends of a connection.
fn connection() -> (TcpStream, TcpStream) {
    let (listener, addr) = listen();
    let near = TcpStream::connect(addr).expect("the listener listens");
    let (far, from) = listener.accept().expect("a connection waits");
    assert_eq!(from, near.local_addr().expect("a connection has an address"));
    (near, far)
}

/// Both kinds of end by time: `TimedOut` by a deadline, std's `WouldBlock` by a timeout.
fn assert_timeout<T: std::fmt::Debug>(result: io::Result<T>, kind: io::ErrorKind) {
    let error = result.expect_err("the time was up");
    assert_eq!(error.kind(), kind);
    assert!(error.to_string().ends_with(": i/o timeout"), "{error}");
}

/// Open descriptors of the process; 0 where that cannot be seen.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count())
}
