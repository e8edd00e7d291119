//! An echo server with a goroutine for each connection, and a hundred clients at once.
//!
//! Prints `100 clients, 1000 lines echoed`, then `the server has stopped`, which its listener's close has made it do.

use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;

use goruntime::net::{Closed, Shutdown, TcpListener, TcpStream};
use goruntime::{go, spawn};

const CLIENTS: usize = 100;
const LINES: usize = 10;

/// Accepts until the listener is closed, and returns why it ended.
fn serve(listener: TcpListener) -> io::Error {
    loop {
        match listener.accept() {
            Ok((stream, _)) => go(move || _ = echo(&stream)),
            Err(error) => return error,
        }
    }
}

fn echo(stream: &TcpStream) -> io::Result<u64> {
    io::copy(&mut &*stream, &mut &*stream)
}

/// Sends lines from one goroutine while another reads the answers.
fn client(addr: SocketAddr) -> io::Result<usize> {
    let stream = TcpStream::connect(addr)?;
    let sender = stream.try_clone()?;
    go(move || {
        for number in 0..LINES {
            (&sender).write_all(format!("line {number}\n").as_bytes()).expect("the server reads");
        }
        sender.shutdown(Shutdown::Write).expect("the connection is open");
    });
    let mut echoed = 0;
    for (number, line) in BufReader::new(&stream).lines().enumerate() {
        assert_eq!(line?, format!("line {number}"));
        echoed += 1;
    }
    Ok(echoed)
}

#[goruntime::main]
fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    let handle = listener.try_clone()?;
    let server = spawn(move || serve(listener));
    let clients: Vec<_> = (0..CLIENTS).map(|_| spawn(move || client(addr))).collect();
    let mut echoed = 0;
    for client in clients {
        echoed += client.join().expect("a client does not panic")?;
    }
    println!("{CLIENTS} clients, {echoed} lines echoed");
    handle.close()?;
    let error = server.join().expect("the server does not panic");
    assert!(Closed::is_source_of(&error), "{error}");
    println!("the server has stopped");
    Ok(())
}
