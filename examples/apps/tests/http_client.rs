//! http_client, served by Python's http.server, `openssl s_server` and plain sockets.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use common::{Certificate, DEADLINE, Directory, Output, Running, program, python, reset, run};

const PATH: &str = env!("CARGO_BIN_EXE_http_client");

fn fetch(args: &[&str]) -> Output {
    run(program(PATH).args(args), b"")
}

/// A server of our own for clients that are to have a hard time.
fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // Accepting waits no longer than that.
    socket2::SockRef::from(&listener).set_read_timeout(Some(DEADLINE)).unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// Accepts a connection and reads a request, whose path is returned.
fn accept(listener: &TcpListener) -> (TcpStream, String) {
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let path = read_request(&mut stream).expect("a request");
    (stream, path)
}

/// Reads a request; None at the end.
fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).unwrap() == 0 {
            assert!(request.is_empty(), "half a request");
            return None;
        }
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap();
    Some(request.split(' ').nth(1).unwrap().to_owned())
}

#[test]
fn it_fetches_files_from_a_real_server_in_order() {
    let directory = Directory::new("client-files");
    fs::create_dir(directory.file("sub")).unwrap();
    fs::write(directory.file("sub/index.html"), "index").unwrap();
    fs::write(directory.file("large"), vec![b'x'; 5 << 20]).unwrap();
    let args = ["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--protocol", "HTTP/1.1"];
    let mut server = Running::start(Command::new(python("http.server")).args(args).current_dir(directory.path()));
    let line = server.line_with(" port ");
    let port = line.split_once(" port ").unwrap().1.split(' ').next().unwrap();
    // By name, for the sake of the lookup; `/sub` is answered with where else to look.
    let url = |path: &str| format!("http://localhost:{port}/{path}");
    let mut urls = vec![url("large"), url("missing"), url("sub")];
    urls.extend((0..20).map(|_| url("sub/")));
    let out = run(program(PATH).args(["-j", "8"]).args(&urls), b"");
    let lines: Vec<_> = out.stdout.lines().collect();
    assert_eq!(lines[0], format!("200 {} {}", 5 << 20, urls[0]), "{out:#?}");
    assert!(lines[1].starts_with("404 ") && lines[1].ends_with(&urls[1]), "{out:#?}");
    assert!((2..23).all(|place| lines[place] == format!("200 5 {}", urls[place])), "{out:#?}");
    assert_eq!((lines[23..].concat().as_str(), out.status.code()), ("1 goroutine left", Some(1)));
    let out = fetch(&[&urls[2]]);
    assert_eq!(out.status.code(), Some(0), "{out:#?}");
}

#[test]
fn it_speaks_tls_with_openssl_and_only_with_whom_it_knows() {
    let (certificate, other) = (Certificate::new("client-tls"), Certificate::new("client-other"));
    let directory = Directory::new("client-tls-files");
    fs::write(directory.file("page"), vec![b'x'; 1 << 20]).unwrap();
    let (cert, key) = (certificate.certificate(), certificate.key());
    let args = ["s_server", "-accept", "127.0.0.1:0", "-WWW", "-cert", &cert, "-key", &key];
    let mut server = Running::start(Command::new("openssl").args(args).current_dir(directory.path()));
    let line = server.line_with("ACCEPT 127.0.0.1:");
    let url = format!("https://localhost:{}/page", line.rsplit_once(':').unwrap().1);
    let out = fetch(&["--cacert", &cert, &url, &url]);
    // The server says neither how long the page is nor goodbye.
    assert_eq!(out.stdout, format!("200 1048576 {url}\n200 1048576 {url}\n1 goroutine left\n"), "{out:#?}");
    let out = fetch(&["--cacert", &other.certificate(), &url]);
    assert!(out.stdout.starts_with(&format!("failed {url}: ")) && out.stdout.contains("certificate"), "{out:#?}");
    assert_eq!(out.status.code(), Some(1));
}

#[test]
fn one_connection_serves_one_request_after_the_other() {
    let (listener, addr) = listen();
    let urls = ["a", "b", "c"].map(|path| format!("http://{addr}/{path}"));
    let client = Running::start(program(PATH).args(["-j", "1"]).args(&urls));
    let (mut stream, path) = accept(&listener);
    assert_eq!(path, "/a");
    for next in [Some("/b"), Some("/c"), None] {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
        assert_eq!(read_request(&mut stream).as_deref(), next);
    }
    let out = client.ends_well();
    assert!(out.stdout.starts_with(&format!("200 2 {}\n200 2 {}\n", urls[0], urls[1])), "{out:#?}");
}

#[test]
fn an_idle_connection_that_was_closed_is_not_used_again() {
    let (listener, addr) = listen();
    let urls = ["a", "b"].map(|path| format!("http://{addr}/{path}"));
    let client = Running::start(program(PATH).args(["-j", "1"]).args(&urls));
    let (mut stream, _) = accept(&listener);
    // In one piece: when the client has read the answer, the end is there, too.
    let socket = socket2::SockRef::from(&stream);
    socket.set_tcp_cork(true).unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
    drop(stream);
    let (mut stream, path) = accept(&listener);
    assert_eq!(path, "/b");
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    client.ends_well();
}

#[test]
fn as_many_are_fetched_at_a_time_as_it_is_told() {
    let (listener, addr) = listen();
    let urls: Vec<_> = (0..20).map(|number| format!("http://{addr}/{number}")).collect();
    let mut client = Running::start(program(PATH).args(["-j", "8"]).args(&urls));
    let accept_one = || {
        let (stream, path) = accept(&listener);
        (path[1..].parse::<usize>().unwrap(), stream)
    };
    // All of them wait for their answers at once; whoever worked alone would not get further.
    let mut waiting: BTreeMap<_, _> = (0..8).map(|_| accept_one()).collect();
    // The last of those that wait comes first, and the lines are in order all the same.
    let mut served = Vec::new();
    while let Some((number, mut stream)) = waiting.pop_last() {
        // A ninth would be in the queue.
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "more than eight at a time");
        listener.set_nonblocking(false).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        drop(stream);
        served.push(number);
        if served.len() + waiting.len() < 20 {
            waiting.extend([accept_one()]);
        }
    }
    assert!(served[0] > 0, "{served:?}");
    for url in &urls {
        assert_eq!(client.next_line(), format!("200 0 {url}"));
    }
    client.ends_well();
}

#[test]
fn what_goes_wrong_is_told_and_leaves_nothing() {
    let (listener, addr) = listen();
    let (closed, nobody) = listen();
    drop(closed);
    let urls = [
        format!("http://{nobody}/"),
        format!("http://{addr}/reset"),
        format!("http://{addr}/half"),
        format!("http://{addr}/nonsense"),
        "ftp://example.invalid/".to_owned(),
    ];
    let client = Running::start(program(PATH).args(["-j", "1"]).args(&urls));
    let (stream, path) = accept(&listener);
    assert_eq!(path, "/reset");
    reset(stream);
    let (mut stream, _) = accept(&listener);
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").unwrap();
    drop(stream);
    let (mut stream, _) = accept(&listener);
    stream.write_all(b"nonsense\r\n\r\n").unwrap();
    drop(stream);
    let out = client.wait();
    let lines: Vec<_> = out.stdout.lines().collect();
    assert!(urls.iter().zip(&lines).all(|(url, line)| line.starts_with(&format!("failed {url}: "))), "{out:#?}");
    assert!(lines[0].contains("refused") && lines[1].contains("Connection reset"), "{out:#?}");
    assert_eq!((lines[5], out.status.code()), ("1 goroutine left", Some(1)));
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let (listener, addr) = listen();
    let client = Running::start(program(PATH).args(["-t", "3", &format!("http://{addr}/")]));
    let (_silent, _) = accept(&listener);
    let out = client.wait();
    assert_eq!(out.stdout, format!("failed http://{addr}/: timeout: global\n1 goroutine left\n"), "{out:#?}");
    assert_eq!(out.status.code(), Some(1));
}

#[test]
fn sigint_ends_what_is_under_way() {
    let (listener, addr) = listen();
    let client = Running::start(program(PATH).arg(format!("http://{addr}/")));
    let (_silent, _) = accept(&listener);
    client.signal("INT");
    let out = client.wait();
    assert!(out.stdout.starts_with("failed ") && out.stdout.ends_with("1 goroutine left\n"), "{out:#?}");
    assert_eq!(out.status.code(), Some(1));
}

#[test]
fn a_command_line_that_makes_no_sense_is_refused() {
    for args in [&[][..], &["-j", "0", "http://localhost/"], &["-t"], &["--what"]] {
        let out = fetch(args);
        assert_eq!((out.status.code(), out.stdout.as_str()), (Some(2), ""), "{args:?}");
        assert!(out.stderr.contains("usage: http_client "), "{args:?}: {}", out.stderr);
    }
}
