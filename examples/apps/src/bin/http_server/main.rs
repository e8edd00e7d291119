//! An HTTP server: `GET /` says hello, `GET /large` sends many megabytes, `GET /numbers` counts, `PUT /echo` answers with what it was sent.
//!
//! Shows an async library, hyper, on goroutines: each connection is a goroutine that runs hyper's future on a stream of `goruntime::net`, and whatever that
//! future calls may block. The numbers come through a channel from a goroutine that knows nothing of futures. Clients that dawdle with a head, a body or the taking of an answer are cut off. SIGTERM or SIGINT closes the listener and idle
//! connections, finishes the requests that are under way, and ends with status 0.

mod patient;

use std::convert::Infallible;
use std::env;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::process::ExitCode;

use goruntime::channel::bounded;
use goruntime::context::Context;
use goruntime::future::{self, RecvStream, block_on};
use goruntime::go;
use goruntime::net::TcpStream;
use goruntime::time::Duration;
use goruntime_apps::{ended, last_line, listen, serve, until_told_to_stop, usage};
use http_body_util::{BodyExt, Either, Full, Limited, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};

use patient::Patient;

const USAGE: &str = "[ADDRESS [SECONDS]]   (seconds for a head, a body, or a piece of an answer; 30)";
/// Bytes of the longest body.
const LONGEST_BODY: usize = 1 << 20;
/// Bytes of the large answer: more than the buffers between two sockets hold.
const LARGE: usize = 64 << 20;

/// A body that is there, or comes through a channel.
type Body = Either<Full<Bytes>, StreamBody<RecvStream<Result<Frame<Bytes>, Infallible>>>>;
type Answer = Response<Body>;

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
    let service = service_fn(|request| answer(request, patience, ctx));
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

async fn answer(request: Request<Incoming>, patience: Duration, ctx: &Context) -> Result<Answer, hyper::Error> {
    println!("{} {}", request.method(), request.uri());
    let (head, body) = request.into_parts();
    match (&head.method, head.uri.path()) {
        (&Method::GET, "/") => Ok(whole("hello\n")),
        (&Method::GET, "/large") => Ok(whole(vec![b'x'; LARGE])),
        (&Method::GET, "/numbers") => Ok(numbers(ctx)),
        (&Method::PUT, "/echo") => match future::timeout(patience, Limited::new(body, LONGEST_BODY).collect()).await {
            Ok(Ok(body)) => Ok(whole(body.to_bytes())),
            Ok(Err(error)) => match error.downcast::<hyper::Error>() {
                // The client has gone, or speaks nonsense: the connection ends with it.
                Ok(error) => Err(*error),
                Err(_) => Ok(status(StatusCode::PAYLOAD_TOO_LARGE)),
            },
            Err(_) => Ok(status(StatusCode::REQUEST_TIMEOUT)),
        },
        (_, "/" | "/large" | "/numbers" | "/echo") => Ok(status(StatusCode::METHOD_NOT_ALLOWED)),
        _ => Ok(status(StatusCode::NOT_FOUND)),
    }
}

fn whole(body: impl Into<Bytes>) -> Answer {
    Answer::new(Either::Left(Full::new(body.into())))
}

fn status(status: StatusCode) -> Answer {
    let mut answer = whole("");
    *answer.status_mut() = status;
    answer
}

/// Counts, as fast as the client takes it, until that goes or the program is to end.
fn numbers(ctx: &Context) -> Answer {
    let (tx, rx) = bounded(0);
    let ctx = ctx.clone();
    go(move || {
        let mut numbers = 1_u64..;
        // An error is one of those ends.
        _ = numbers.try_for_each(|number| tx.send_ctx(Ok(Frame::data(format!("{number}\n").into())), &ctx));
    });
    Answer::new(Either::Right(StreamBody::new(rx.into_stream())))
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
