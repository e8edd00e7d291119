//! https_server, driven by curl, `openssl s_client` and plain sockets.

mod common;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::Command;

use common::{Certificate, Running, connect, reset, run, server, wait_until_refused};

const PATH: &str = env!("CARGO_BIN_EXE_https_server");
/// How a TLS handshake begins: a record of 512 bytes with a greeting of 508, of which the version follows.
const HALF_A_GREETING: [u8; 11] = [22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3];

fn start(certificate: &Certificate, patience: &str) -> (Running, SocketAddr) {
    server(PATH, &[&certificate.certificate(), &certificate.key(), patience])
}

fn curl(certificate: &Certificate, args: &[&str]) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--cacert", &certificate.certificate()]).args(args);
    curl
}

#[test]
fn curl_is_served_over_both_versions_of_tls() {
    let certificate = Certificate::new("https-versions");
    let (server, addr) = start(&certificate, "60");
    let url = format!("https://{addr}/");
    let out = run(&mut curl(&certificate, &[&url]), b"");
    assert_eq!(out.stdout, "hello over TLSv1_3\n", "{}", out.stderr);
    let out = run(&mut curl(&certificate, &["--tls-max", "1.2", &url]), b"");
    assert_eq!(out.stdout, "hello over TLSv1_2\n", "{}", out.stderr);
    // Two requests, one connection.
    let out = run(&mut curl(&certificate, &["--write-out", "%{num_connects} ", &url, &url]), b"");
    assert_eq!(out.stdout, "hello over TLSv1_3\n1 hello over TLSv1_3\n0 ", "{}", out.stderr);
    server.signal("TERM");
    server.ends_well();
}

#[test]
fn a_body_of_many_records_comes_back() {
    let certificate = Certificate::new("https-body");
    let (server, addr) = start(&certificate, "60");
    let body: String = (0..60_000).map(|number| format!("{number:08} ")).collect();
    let url = format!("https://{addr}/echo");
    let clients: Vec<_> =
        (0..8).map(|_| Running::start(&mut curl(&certificate, &["--data-binary", "@-", &url]))).collect();
    for mut client in clients {
        client.write(body.as_bytes());
        let out = client.wait();
        assert!(out.stdout == body, "another body comes back: {}", out.stderr);
    }
    server.signal("TERM");
    server.ends_well();
}

#[test]
fn what_is_not_there_or_not_allowed_is_refused() {
    let certificate = Certificate::new("https-refused");
    let (server, addr) = start(&certificate, "60");
    let status = |method: &str, path: &str| {
        let url = format!("https://{addr}{path}");
        run(&mut curl(&certificate, &["--write-out", "%{http_code}", "--request", method, &url]), b"").stdout
    };
    assert_eq!((status("GET", "/nothing"), status("DELETE", "/echo")), ("404".to_owned(), "405".to_owned()));
    server.signal("TERM");
    server.ends_well();
}

#[test]
fn a_client_that_does_not_know_the_certificate_goes_away() {
    let (certificate, other) = (Certificate::new("https-known"), Certificate::new("https-unknown"));
    let (mut server, addr) = start(&certificate, "60");
    let before = server.sockets();
    let out = run(&mut curl(&other, &[&format!("https://{addr}/")]), b"");
    // curl's status for a certificate that it cannot verify.
    assert_eq!(out.status.code(), Some(60), "{}", out.stderr);
    server.line_with("received fatal alert");
    server.wait_for_sockets(before);
    server.signal("TERM");
    server.ends_well();
}

#[test]
fn clients_that_vanish_in_the_handshake_leave_nothing() {
    let certificate = Certificate::new("https-vanish");
    let (mut server, addr) = start(&certificate, "60");
    let before = server.sockets();
    for round in 0..30 {
        let mut client = connect(addr);
        match round % 3 {
            0 => {}
            1 => client.write_all(&HALF_A_GREETING).unwrap(),
            _ => client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap(),
        }
        if round % 2 == 0 { drop(client) } else { reset(client) }
    }
    let lines: Vec<_> = (0..30).map(|_| server.line_with("127.0.0.1:")).collect();
    assert!(lines.iter().all(|line| !line.contains("requests")), "{lines:#?}");
    // Whose connection is not reset gets to hear that it does not speak TLS.
    assert!(lines.iter().filter(|line| line.contains("corrupt message")).count() >= 5, "{lines:#?}");
    server.wait_for_sockets(before);
    let out = run(&mut curl(&certificate, &[&format!("https://{addr}/")]), b"");
    assert_eq!(out.stdout, "hello over TLSv1_3\n", "{}", out.stderr);
    server.signal("TERM");
    server.ends_well();
}

#[test]
fn clients_that_dawdle_are_cut_off() {
    let certificate = Certificate::new("https-slow");
    // Enough for a handshake on a busy machine.
    let (mut server, addr) = start(&certificate, "3");
    let before = server.sockets();
    let mut in_handshake = connect(addr);
    in_handshake.write_all(&HALF_A_GREETING).unwrap();
    let mut in_request = s_client(&certificate, addr);
    in_request.write(b"POST /echo HTTP/1.1\r\nContent-Le");
    server.line_with("i/o timeout");
    server.line_with("i/o timeout");
    server.wait_for_sockets(before);
    server.signal("TERM");
    server.ends_well();
}

#[test]
fn sigterm_ends_what_is_idle_and_lets_requests_finish() {
    let certificate = Certificate::new("https-sigterm");
    let (server, addr) = start(&certificate, "60");
    let mut idle = s_client(&certificate, addr);
    idle.write(b"GET / HTTP/1.1\r\n\r\n");
    idle.line_with("hello over");
    let mut busy = s_client(&certificate, addr);
    busy.write(b"POST /echo HTTP/1.1\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\nhalf ");
    busy.line_with("HTTP/1.1 100 Continue");
    let mut in_handshake = connect(addr);
    in_handshake.write_all(&HALF_A_GREETING).unwrap();
    server.signal("TERM");
    wait_until_refused(addr);
    assert_eq!(idle.wait().status.code(), Some(0));
    assert!(matches!(in_handshake.read(&mut [0; 64]), Ok(0) | Err(_)));
    busy.write(b"a body");
    let out = busy.wait();
    assert!(out.stdout.contains("HTTP/1.1 200 OK") && out.stdout.contains("Connection: close"), "{out:#?}");
    assert!(out.stdout.ends_with("half a body"), "{out:#?}");
    server.ends_well();
}

/// A client that sends what is written to it, and ends with the connection.
fn s_client(certificate: &Certificate, addr: SocketAddr) -> Running {
    let (addr, ca) = (addr.to_string(), certificate.certificate());
    let args = ["s_client", "-quiet", "-verify_return_error", "-CAfile", &ca, "-connect", &addr];
    Running::start(Command::new("openssl").args(args))
}

#[test]
fn a_certificate_that_is_none_is_reported() {
    let certificate = Certificate::new("https-none");
    let out = run(common::program(PATH).args(["127.0.0.1:0", &certificate.key(), &certificate.certificate()]), b"");
    assert_eq!(out.status.code(), Some(1), "{out:#?}");
    assert!(out.stderr.contains("cert.pem: "), "{}", out.stderr);
}
