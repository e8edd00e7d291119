//! tcp_echo, driven by curl and by plain sockets.

mod common;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use common::{Running, connect, reset, server, wait_until_refused};

const PATH: &str = env!("CARGO_BIN_EXE_tcp_echo");

#[test]
fn curl_gets_back_what_it_sends() {
    let (server, addr) = server(PATH, &[]);
    let text: String = (0..10_000).map(|number| format!("line {number}\n")).collect();
    let mut curl = Running::start(Command::new("curl").args(["--silent", "--no-buffer", &format!("telnet://{addr}")]));
    curl.write(text.as_bytes());
    // Without an end of its input curl would wait for more of it, not for the answer.
    curl.close_stdin();
    curl.line_with("line 9999");
    // curl goes on until the server has ended the connection.
    server.signal("TERM");
    let out = curl.wait();
    assert!(out.stdout == text, "another text comes back: {out:#?}");
    assert_eq!(out.status.code(), Some(0));
    server.ends_well();
}

#[test]
fn many_clients_are_served_at_once() {
    let (mut server, addr) = server(PATH, &[]);
    let before = server.sockets();
    let mut clients: Vec<_> = (0..200).map(|_| connect(addr)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        write!(client, "{number:04}").unwrap();
    }
    // In the other order, so that a server that serves one after the other would hang.
    for (number, client) in clients.iter_mut().enumerate().rev() {
        let mut answer = [0; 4];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(answer, format!("{number:04}").as_bytes());
    }
    assert_eq!(server.sockets(), before + 200);
    drop(clients);
    server.wait_for_sockets(before);
    server.signal("TERM");
    server.ends_well();
}

#[test]
fn a_silent_client_is_cut_off_and_a_talkative_one_is_not() {
    let (mut server, addr) = server(PATH, &["1"]);
    let before = server.sockets();
    let mut silent = connect(addr);
    let cut_off = thread::spawn(move || silent.read(&mut [0]).map(drop));
    let mut talkative = connect(addr);
    while !cut_off.is_finished() {
        let begun = Instant::now();
        let answer = talkative.write_all(b"x").and_then(|()| talkative.read_exact(&mut [0]));
        if let Err(error) = answer {
            // Not unless this machine has kept it from talking.
            assert!(begun.elapsed() >= Duration::from_secs(1), "{error}");
            break;
        }
    }
    cut_off.join().unwrap().expect("the server closes without a reset");
    assert!(server.line_with("i/o timeout").starts_with("127.0.0.1:"));
    drop(talkative);
    server.wait_for_sockets(before);
    server.signal("TERM");
    server.ends_well();
}

#[test]
fn a_client_that_takes_nothing_is_cut_off() {
    let (mut server, addr) = server(PATH, &["1"]);
    let before = server.sockets();
    let mut client = connect(addr);
    // Until the buffers of both ways are full and the server has given up.
    while client.write_all(&[b'x'; 1 << 16]).is_ok() {}
    server.line_with("i/o timeout");
    server.wait_for_sockets(before);
    server.signal("TERM");
    server.ends_well();
}

#[test]
fn a_client_that_resets_the_connection_leaves_nothing() {
    let (mut server, addr) = server(PATH, &[]);
    let before = server.sockets();
    for _ in 0..20 {
        let mut client = connect(addr);
        client.write_all(b"x").unwrap();
        client.read_exact(&mut [0]).unwrap();
        reset(client);
    }
    server.wait_for_sockets(before);
    for _ in 0..20 {
        server.line_with("reset by peer");
    }
    server.signal("TERM");
    server.ends_well();
}

#[test]
fn what_has_arrived_before_sigterm_is_echoed() {
    let (server, addr) = server(PATH, &[]);
    let mut client = connect(addr);
    client.write_all(b"first").unwrap();
    client.read_exact(&mut [0; 5]).unwrap();
    server.signal("STOP");
    // The data and the signal are there when the server goes on.
    client.write_all(b"second").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    server.signal("TERM");
    server.signal("CONT");
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "second");
    wait_until_refused(addr);
    server.ends_well();
}

#[test]
fn a_number_that_is_none_is_refused() {
    let out = Running::start(common::program(PATH).args(["127.0.0.1:0", "soon"])).wait();
    assert_eq!(out.status.code(), Some(2));
    assert!(out.stderr.starts_with("tcp_echo: `soon` is no number of seconds\nusage: "), "{}", out.stderr);
}
