//! http_server, driven by curl and plain sockets.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use common::{Output, Running, connect, reset, run, server, wait_until_refused};

const PATH: &str = env!("CARGO_BIN_EXE_http_server");

fn curl(args: &[&str], input: &[u8]) -> Output {
    run(Command::new("curl").args(["--silent", "--show-error"]).args(args), input)
}

/// Reads an answer without a body up to the end of its head, or what is there until the connection ends.
fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

#[test]
fn a_connection_is_kept_alive() {
    let (mut server, addr) = server(PATH, &[]);
    let before = server.sockets();
    let url = format!("http://{addr}/");
    let out = curl(&["--write-out", "%{num_connects} ", &url, &url, &url], b"");
    assert_eq!(out.stdout, "hello\n1 hello\n0 hello\n0 ", "{}", out.stderr);
    server.wait_for_sockets(before);
    server.signal("TERM");
    server.ends_well();
}

#[test]
fn many_are_served_at_once() {
    let (mut server, addr) = server(PATH, &[]);
    let before = server.sockets();
    let url = format!("http://{addr}/?[1-200]");
    let out = curl(&["--parallel", "--parallel-immediate", "--parallel-max", "50", &url], b"");
    assert_eq!(out.stdout, "hello\n".repeat(200), "{}", out.stderr);
    server.wait_for_sockets(before);
    server.signal("TERM");
    let out = server.ends_well();
    assert_eq!(out.stdout.matches("GET /?").count(), 200);
}

#[test]
fn bodies_come_back_whole_however_they_are_framed() {
    let (server, addr) = server(PATH, &[]);
    let body: String = (0..100_000).map(|number| format!("{number:08} ")).collect();
    let url = format!("http://{addr}/echo");
    for framing in ["Transfer-Encoding: chunked", "X-Nothing: really"] {
        let out = curl(&["--request", "PUT", "--header", framing, "--data-binary", "@-", &url], body.as_bytes());
        assert!(out.stdout == body, "{framing}: another body comes back: {}", out.stderr);
    }
    server.signal("TERM");
    server.ends_well();
}

#[test]
fn an_answer_comes_as_it_is_made_until_its_client_or_the_server_goes() {
    let (mut server, addr) = server(PATH, &[]);
    let before = server.sockets();
    let url = format!("http://{addr}/numbers");
    let start = || {
        let mut client = Running::start(Command::new("curl").args(["--silent", "--show-error", "--no-buffer", &url]));
        client.line_with("1000");
        client
    };
    // Killed, in the middle of the answer.
    drop(start());
    server.wait_for_sockets(before);
    let client = start();
    server.signal("TERM");
    let out = client.wait();
    assert!(out.status.success(), "the answer has no end: {}", out.stderr);
    assert!(out.stdout.lines().zip(1..).all(|(line, number)| line.parse() == Ok(number)), "some numbers are missing");
    server.ends_well();
}

#[test]
fn what_is_wrong_gets_the_status_that_says_so() {
    let (mut server, addr) = server(PATH, &[]);
    let before = server.sockets();
    let status = |args: &[&str], path: &str, body: &[u8]| {
        let url = format!("http://{addr}{path}");
        curl(&[&["--output", "/dev/null", "--write-out", "%{http_code}"], args, &[&url]].concat(), body).stdout
    };
    assert_eq!(status(&[], "/nothing", b""), "404");
    assert_eq!(status(&["--request", "DELETE"], "/echo", b""), "405");
    assert_eq!(status(&["--request", "PUT", "--data-binary", "@-"], "/echo", &[b'x'; (1 << 20) + 1]), "413");
    let mut nonsense = connect(addr);
    nonsense.write_all(b"nonsense\r\n\r\n").unwrap();
    assert!(head(&mut nonsense).starts_with("HTTP/1.1 400 "));
    drop(nonsense);
    server.wait_for_sockets(before);
    server.signal("TERM");
    server.ends_well();
}

#[test]
fn clients_that_vanish_leave_nothing() {
    let (mut server, addr) = server(PATH, &[]);
    let before = server.sockets();
    for round in 0..30 {
        let mut client = connect(addr);
        match round % 3 {
            0 => client.write_all(b"GET / HT").unwrap(),
            1 => client.write_all(b"PUT /echo HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\nhalf").unwrap(),
            _ => {
                // In the middle of the answer.
                client.write_all(b"GET /large HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
                client.read_exact(&mut [0; 1000]).unwrap();
            }
        }
        if round % 2 == 0 { drop(client) } else { reset(client) }
    }
    for _ in 0..30 {
        server.line_with("127.0.0.1:");
    }
    server.wait_for_sockets(before);
    server.signal("TERM");
    server.ends_well();
}

#[test]
fn clients_that_dawdle_are_cut_off() {
    // Enough for a request on a busy machine.
    let (mut server, addr) = server(PATH, &["3"]);
    let before = server.sockets();
    let mut in_head = connect(addr);
    in_head.write_all(b"GET / HT").unwrap();
    let mut in_body = connect(addr);
    in_body.write_all(b"PUT /echo HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\nhalf").unwrap();
    let mut in_answer = connect(addr);
    in_answer.write_all(b"GET /large HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    let idle = connect(addr);
    assert!(head(&mut in_body).starts_with("HTTP/1.1 408 "));
    server.wait_for_sockets(before);
    drop((in_head, in_body, in_answer, idle));
    server.signal("TERM");
    let out = server.ends_well();
    assert!(out.stdout.contains("i/o timeout"), "{out:#?}");
}

#[test]
fn sigterm_ends_what_is_idle_and_lets_requests_finish() {
    let (mut server, addr) = server(PATH, &[]);
    let mut idle = connect(addr);
    idle.write_all(b"GET /nothing HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    assert!(head(&mut idle).starts_with("HTTP/1.1 404 "));
    let never_used = connect(addr);
    let url = format!("http://{addr}/echo");
    // `.` is standard input, read as it comes.
    let mut busy = Running::start(Command::new("curl").args(["--silent", "--include", "--upload-file", ".", &url]));
    server.line_with("PUT /echo");
    busy.write(b"half ");
    server.signal("TERM");
    wait_until_refused(addr);
    assert_eq!(head(&mut idle), "");
    busy.write(b"a body");
    let out = busy.wait();
    assert!(out.stdout.contains("HTTP/1.1 200 OK") && out.stdout.contains("connection: close"), "{out:#?}");
    assert!(out.stdout.ends_with("half a body"), "{out:#?}");
    server.ends_well();
    drop(never_used);
}
