//! A server that finishes what it has begun when it is told to stop. Here it tells itself, at the third request.
//!
//! Prints `told to stop: terminated signal received`, then `3 requests were answered in full`.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use goruntime::context::{self, Context};
use goruntime::net::{Shutdown, TcpListener, TcpStream};
use goruntime::signal::{self, Signal};
use goruntime::spawn;
use goruntime::time::{Duration, sleep};

/// Accepts until the context ends, then waits for the requests that are under way.
fn serve(listener: &TcpListener, ctx: &Context) -> io::Result<()> {
    let handle = listener.try_clone()?;
    let _close = context::after_func(ctx, move || handle.close().expect("it is open")).guard();
    let mut requests = Vec::new();
    while let Ok((stream, _)) = listener.accept() {
        requests.push(spawn(move || answer(stream)));
        if requests.len() == 3 {
            // What `kill` and Ctrl-C do.
            signal::raise(Signal::TERM)?;
        }
    }
    println!("told to stop: {}", ctx.cause().expect("only its end closes the listener"));
    requests.into_iter().try_for_each(|request| request.join().expect("a request does not panic"))
}

/// Takes its time.
fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut request = String::new();
    stream.read_to_string(&mut request)?;
    sleep(Duration::from_millis(20));
    stream.write_all(request.to_uppercase().as_bytes())
}

fn request(addr: SocketAddr, text: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(addr)?;
    stream.write_all(text.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[goruntime::main]
fn main() -> io::Result<()> {
    let (ctx, stop) = signal::notify_context(&context::background(), &[Signal::INT, Signal::TERM])?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    let clients = ["one", "two", "three"].map(|text| (text, spawn(move || request(addr, text))));
    serve(&listener, &ctx)?;
    // From here on a signal ends the program again, should the rest take too long.
    stop.stop();
    let mut whole = 0;
    for (text, client) in clients {
        whole += usize::from(client.join().expect("a client does not panic")? == text.to_uppercase());
    }
    println!("{whole} requests were answered in full");
    Ok(())
}
