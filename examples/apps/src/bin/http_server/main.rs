//! An HTTP server: `GET /` says hello, `GET /large` sends many megabytes, `PUT /echo` answers with what it was sent.
//!
//! Shows an async library, hyper, on goroutines: each connection is a goroutine that runs hyper's future on a stream of `goruntime::net`, and whatever that
//! future calls may block. Clients that dawdle with a head, a body or the taking of an answer are cut off. SIGTERM or SIGINT closes the listener and idle
//! connections, finishes the requests that are under way, and ends with status 0.

mod patient;

use std::env;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::process::ExitCode;

use goruntime::context::Context;
use goruntime::future::{self, block_on};
use goruntime::net::TcpStream;
use goruntime::time::Duration;
use goruntime_apps::{ended, last_line, listen, serve, until_told_to_stop, usage};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};

use patient::Patient;

const USAGE: &str = "[ADDRESS [SECONDS]]   (seconds for a head, a body, or a piece of an answer; 30)";
/// Bytes of the longest body.
const LONGEST_BODY: usize = 1 << 20;
/// Bytes of the large answer: more than the buffers between two sockets hold.
const LARGE: usize = 64 << 20;

type Answer = Response<Full<Bytes>>;

#[goruntime::main]
fn main() -> io::Result<ExitCode> {
    let mut args = env::args().skip(1);
    let addr = args.next().unwrap_or_else(|| "127.0.0.1:7003".to_owned());
    let seconds = args.next().unwrap_or_else(|| "30".to_owned());
    let Ok(patience) = seconds.parse().map(Duration::from_secs) else {
        return Ok(usage("http_server", format_args!("`{seconds}` is no number of seconds"), USAGE));
    };
    let (ctx, _signals) = until_told_to_stop()?;
    serve(listen(&addr)?, &ctx, |stream, peer| match client(stream, patience, &ctx) {
        Ok(()) => println!("{peer}: done"),
        Err(error) => println!("{peer}: {}", with_sources(&error)),
    });
    last_line();
    Ok(ExitCode::SUCCESS)
}

/// Serves a connection until it ends.
fn client(stream: TcpStream, patience: Duration, ctx: &Context) -> Result<(), hyper::Error> {
    let mut protocol = http1::Builder::new();
    protocol.timer(future::hyper::Timer).header_read_timeout(patience);
    let service = service_fn(|request| answer(request, patience));
    let mut connection = pin!(protocol.serve_connection(Patient::new(stream, patience), service));
    let mut ended = pin!(ended(ctx));
    let mut is_ending = false;
    block_on(poll_fn(|cx| {
        if !is_ending && ended.as_mut().poll(cx).is_ready() {
            is_ending = true;
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(cx)
    }))
}

async fn answer(request: Request<Incoming>, patience: Duration) -> Result<Answer, hyper::Error> {
    println!("{} {}", request.method(), request.uri());
    let (head, body) = request.into_parts();
    match (&head.method, head.uri.path()) {
        (&Method::GET, "/") => Ok(Answer::new("hello\n".into())),
        (&Method::GET, "/large") => Ok(Answer::new(vec![b'x'; LARGE].into())),
        (&Method::PUT, "/echo") => match future::timeout(patience, Limited::new(body, LONGEST_BODY).collect()).await {
            Ok(Ok(body)) => Ok(Answer::new(body.to_bytes().into())),
            Ok(Err(error)) => match error.downcast::<hyper::Error>() {
                // The client has gone, or speaks nonsense: the connection ends with it.
                Ok(error) => Err(*error),
                Err(_) => Ok(status(StatusCode::PAYLOAD_TOO_LARGE)),
            },
            Err(_) => Ok(status(StatusCode::REQUEST_TIMEOUT)),
        },
        (_, "/" | "/large" | "/echo") => Ok(status(StatusCode::METHOD_NOT_ALLOWED)),
        _ => Ok(status(StatusCode::NOT_FOUND)),
    }
}

fn status(status: StatusCode) -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = status;
    answer
}

/// An error with what has caused it: hyper's own say little.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}
