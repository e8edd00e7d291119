//! An echo server: sends back what it receives.
//!
//! Shows plain blocking reads and writes with absolute deadlines, and an end in good order. A client that sends nothing, or does not take what it is
//! sent, is cut off after a while. SIGTERM or SIGINT closes the listener, echoes what has arrived until then, and ends with status 0.

use std::env;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use goruntime::context::Context;
use goruntime::net::{Shutdown, SocketAddr, TcpStream};
use goruntime::time::{Duration, Instant};
use goruntime_apps::{last_line, listen, serve, until_told_to_stop, usage, when_ended};

const USAGE: &str = "[ADDRESS [SECONDS]]   (seconds that a client may be silent; 60)";

#[goruntime::main]
fn main() -> io::Result<ExitCode> {
    let mut args = env::args().skip(1);
    let addr = args.next().unwrap_or_else(|| "127.0.0.1:7000".to_owned());
    let seconds = args.next().unwrap_or_else(|| "60".to_owned());
    let Ok(patience) = seconds.parse().map(Duration::from_secs) else {
        return Ok(usage("tcp_echo", format_args!("`{seconds}` is no number of seconds"), USAGE));
    };
    let (ctx, _signals) = until_told_to_stop()?;
    serve(listen(&addr)?, &ctx, |stream, peer| report(peer, echo(&stream, patience, &ctx)));
    last_line();
    Ok(ExitCode::SUCCESS)
}

/// Sends everything back until the client has sent all, or the program is to end; returns the bytes.
fn echo(mut stream: &TcpStream, patience: Duration, ctx: &Context) -> io::Result<u64> {
    // What has arrived can still be read after this; then comes the end.
    let half = stream.try_clone()?;
    let _stop = when_ended(ctx, move || _ = half.shutdown(Shutdown::Read));
    let mut buffer = [0; 16 << 10];
    let mut echoed = 0;
    loop {
        // One deadline for both ways. When the program ends, whoever still sends has until the last one.
        if ctx.err().is_none() {
            stream.set_deadline(Some(Instant::now() + patience))?;
        }
        match stream.read(&mut buffer)? {
            0 => return Ok(echoed),
            count => {
                stream.write_all(&buffer[..count])?;
                echoed += count as u64;
            }
        }
    }
}

fn report(peer: SocketAddr, end: io::Result<u64>) {
    match end {
        Ok(bytes) => println!("{peer}: {bytes} bytes echoed"),
        Err(error) => println!("{peer}: {error}"),
    }
}
