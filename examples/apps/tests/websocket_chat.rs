//! websocket_chat, driven by Python's websockets, curl and plain sockets.

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use common::{Running, client, connect, python, reset, run, server};

const PATH: &str = env!("CARGO_BIN_EXE_websocket_chat");

/// Has somebody enter a room.
fn enter(addr: SocketAddr, room: &str, name: &str) -> Running {
    let url = format!("ws://{addr}/{room}?name={name}");
    let mut client = Running::start(Command::new(python("websockets")).arg(client("chat.py")).arg(url));
    assert_eq!(client.next_line(), format!("* {name} enters"));
    client
}

/// Shakes hands with a plain socket.
fn enter_by_hand(addr: SocketAddr) -> TcpStream {
    let mut stream = connect(addr);
    let request = "GET /room?name=raw HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    while !answer.ends_with("\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0].into());
    }
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    // The answer to this very key, by RFC 6455.
    assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
    stream
}

#[test]
fn what_is_said_in_a_room_goes_to_those_who_are_in_it() {
    let (mut server, addr) = server(PATH, &[]);
    let before = server.sockets();
    let mut alice = enter(addr, "red", "alice");
    let mut bob = enter(addr, "red", "bob");
    assert_eq!(alice.next_line(), "* bob enters");
    let mut carol = enter(addr, "blue", "carol");
    alice.write("Grüße\n".as_bytes());
    assert_eq!((alice.next_line(), bob.next_line()), ("alice: Grüße".to_owned(), "alice: Grüße".to_owned()));
    carol.write(b"/ping\nanybody here?\n");
    // Had the other room been heard, that would have come first.
    assert_eq!((carol.next_line(), carol.next_line()), ("pong".to_owned(), "carol: anybody here?".to_owned()));
    bob.close_stdin();
    assert_eq!(bob.next_line(), "closed 1000 ");
    assert_eq!(alice.next_line(), "* bob leaves");
    drop((alice, bob, carol));
    server.wait_for_sockets(before);
    server.signal("TERM");
    server.ends_well();
}

#[test]
fn a_client_that_receives_nothing_is_cut_off_and_stalls_nobody() {
    let (mut server, addr) = server(PATH, &[]);
    let mut bob = enter(addr, "room", "bob");
    bob.write(b"/deaf\n");
    assert_eq!(bob.next_line(), "deaf");
    let mut alice = enter(addr, "room", "alice");
    let text = "x".repeat(100 << 10);
    let mut rounds = 0;
    let answer = loop {
        alice.write(format!("{text}\n").as_bytes());
        match alice.next_line() {
            line if line.len() > text.len() => rounds += 1,
            line => break line,
        }
        assert!(rounds < 10_000, "a gigabyte fits into no buffer");
    };
    assert_eq!(answer, "* bob was too slow");
    assert_eq!(server.line_with("slow"), "room: bob is too slow");
    alice.line_with("alice: x");
    alice.write(b"/ping\n");
    assert_eq!(alice.next_line(), "pong");
    server.signal("TERM");
    server.ends_well();
}

#[test]
fn a_client_that_vanishes_leaves_the_room_and_nothing_behind() {
    let (mut server, addr) = server(PATH, &[]);
    let before = server.sockets();
    let mut alice = enter(addr, "room", "alice");
    let bob = enter(addr, "room", "bob");
    assert_eq!(alice.next_line(), "* bob enters");
    bob.signal("KILL");
    assert_eq!(alice.next_line(), "* bob leaves");
    reset(enter_by_hand(addr));
    assert_eq!((alice.next_line(), alice.next_line()), ("* raw enters".to_owned(), "* raw leaves".to_owned()));
    server.wait_for_sockets(before + 1);
    drop(alice);
    server.wait_for_sockets(before);
    server.signal("TERM");
    server.ends_well();
}

#[test]
fn whoever_speaks_no_websocket_gets_an_answer() {
    let (mut server, addr) = server(PATH, &[]);
    let before = server.sockets();
    let curl =
        |path: &str| run(Command::new("curl").args(["--silent", "--include", &format!("http://{addr}{path}")]), b"");
    let answer = curl("/room?name=curl").stdout;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("upgrade"), "{answer}");
    let out = run(Command::new(python("websockets")).arg(client("chat.py")).arg(format!("ws://{addr}/room")), b"");
    assert_eq!(out.stdout, "refused 400\n", "{}", out.stderr);
    server.wait_for_sockets(before);
    server.signal("TERM");
    server.ends_well();
}

#[test]
fn bytes_that_are_no_frame_end_the_connection_with_a_reason() {
    let (mut server, addr) = server(PATH, &[]);
    let before = server.sockets();
    let mut stream = enter_by_hand(addr);
    stream.write_all(&[0xff; 64]).unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    let close = [0x88, 16, 1002_u16.to_be_bytes()[0], 1002_u16.to_be_bytes()[1]];
    assert!(rest.windows(4).any(|part| part == close), "{rest:x?}");
    drop(stream);
    server.wait_for_sockets(before);
    server.signal("TERM");
    server.ends_well();
}

#[test]
fn a_client_that_dawdles_is_cut_off() {
    // Enough for a handshake on a busy machine.
    let (mut server, addr) = server(PATH, &["3"]);
    let before = server.sockets();
    let mut early = connect(addr);
    early.write_all(b"GET /room?name=late HT").unwrap();
    // In the middle of a frame, with pings unanswered.
    let mut late = enter_by_hand(addr);
    late.write_all(&[0x81]).unwrap();
    server.line_with("i/o timeout");
    server.line_with("i/o timeout");
    server.wait_for_sockets(before);
    server.signal("TERM");
    server.ends_well();
}

#[test]
fn sigterm_says_goodbye_to_everybody() {
    let (server, addr) = server(PATH, &[]);
    let mut clients: Vec<_> = (0..10).map(|number| enter(addr, "room", &format!("guest{number}"))).collect();
    let mut half_in = connect(addr);
    half_in.write_all(b"GET /room?name=late HT").unwrap();
    server.signal("TERM");
    for client in &mut clients {
        assert_eq!(client.line_with("closed"), "closed 1001 the server ends");
    }
    assert!(matches!(half_in.read(&mut [0; 64]), Ok(0) | Err(_)));
    server.ends_well();
}
