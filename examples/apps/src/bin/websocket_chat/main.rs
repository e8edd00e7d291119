//! A chat over WebSockets: `ws://ADDRESS/ROOM?name=NAME` enters a room, and what one says there goes to all who are in it.
//!
//! Shows a blocking protocol library, tungstenite, over `goruntime::net`. Each client has two goroutines, one that reads and one that writes, each
//! room has one, and channels are between them. A room waits for nobody: a client whose channel is full has been too slow and is cut off.
//! Clients that fall silent are pinged and then cut off. SIGTERM or SIGINT says goodbye to everybody, and ends with status 0.

mod outbox;
mod room;

use std::io;
use std::process::ExitCode;
use std::{env, fmt};

use goruntime::channel::{Sender, bounded};
use goruntime::context::Context;
use goruntime::net::{SocketAddr, TcpStream};
use goruntime::time::{Duration, Instant};
use goruntime::{scope, time};
use goruntime_apps::{last_line, listen, serve, until_told_to_stop, usage, when_ended};
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, HandshakeError, Message, WebSocket, accept_hdr_with_config};

use outbox::{Half, Item};
use room::Lobby;

const USAGE: &str = "[ADDRESS [SECONDS]]   (seconds that a client may be silent before it is asked; 30)";
/// Bytes of the longest message.
const LONGEST: usize = 128 << 10;
/// Messages that may be on their way to a client.
const OUTBOX: usize = 64;

#[goruntime::main]
fn main() -> io::Result<ExitCode> {
    let mut args = env::args().skip(1);
    let addr = args.next().unwrap_or_else(|| "127.0.0.1:7001".to_owned());
    let seconds = args.next().unwrap_or_else(|| "30".to_owned());
    let Ok(patience) = seconds.parse().map(Duration::from_secs) else {
        return Ok(usage("websocket_chat", format_args!("`{seconds}` is no number of seconds"), USAGE));
    };
    let (ctx, _signals) = until_told_to_stop()?;
    let lobby = Lobby::default();
    serve(listen(&addr)?, &ctx, |stream, peer| client(&stream, peer, patience, &lobby, &ctx));
    last_line();
    Ok(ExitCode::SUCCESS)
}

/// Serves a client: the caller reads, a second goroutine writes.
fn client(stream: &TcpStream, peer: SocketAddr, patience: Duration, lobby: &Lobby, ctx: &Context) {
    let (outbox, items) = bounded(OUTBOX);
    scope(|s| {
        s.go(|| {
            if let Err(error) = outbox::write_all(stream, items, patience) {
                println!("{peer}: {error}");
                // The reader need not wait any more.
                _ = stream.close();
            }
        });
        if let Err(error) = converse(stream, outbox, patience, lobby, ctx) {
            println!("{peer}: {error}");
        }
    });
}

/// Everything from the handshake to the goodbye.
fn converse(
    stream: &TcpStream,
    outbox: Sender<Item>,
    patience: Duration,
    lobby: &Lobby,
    ctx: &Context,
) -> Result<(), Error> {
    stream.set_read_deadline(Some(Instant::now() + patience))?;
    let (mut socket, place) = shake_hands(stream, &outbox, ctx)?;
    let last_words = outbox.clone();
    let _goodbye = when_ended(ctx, move || {
        // If the client has gone meanwhile, nobody has to be told.
        _ = last_words.send(outbox::close(CloseCode::Away, "the server ends"));
    });
    let seat = lobby.enter(&place.room, place.name, outbox.clone(), stream.try_clone()?);
    let end = loop {
        // A message has to be complete within this time, however its bytes trickle in. Twice: a ping comes halfway.
        if ctx.err().is_none() {
            stream.set_read_deadline(Some(Instant::now() + 2 * patience))?;
        }
        match socket.read() {
            Ok(Message::Text(text)) => seat.say(&text),
            Ok(_) => {}
            Err(Error::ConnectionClosed) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    if let Err(Error::Protocol(_) | Error::Utf8(_) | Error::Capacity(_)) = end {
        // Not if the client does not take it either.
        _ = outbox.send_timeout(outbox::close(CloseCode::Protocol, "not understood"), time::Duration::ZERO);
    }
    end
}

/// Where a client wants to be, and who it is.
#[derive(Debug, Default)]
struct Place {
    room: String,
    name: String,
}

fn shake_hands(stream: &TcpStream, outbox: &Sender<Item>, ctx: &Context) -> Result<(WebSocket<Half>, Place), Error> {
    let config = WebSocketConfig::default().max_message_size(Some(LONGEST)).max_frame_size(Some(LONGEST));
    let closing = stream.try_clone()?;
    let cut_off = when_ended(ctx, move || _ = closing.close());
    let mut place = Place::default();
    #[expect(clippy::result_large_err, reason = "the type of a refusal is the library's")]
    let callback = |request: &Request, response: Response| match place_of(request) {
        Some(asked) => {
            place = asked;
            Ok(response)
        }
        None => Err(refusal("a request is for /ROOM?name=NAME\n")),
    };
    let half = Half::new(stream.try_clone()?, outbox.clone());
    let socket = accept_hdr_with_config(half, callback, Some(config)).map_err(|error| match error {
        HandshakeError::Failure(error) => error,
        HandshakeError::Interrupted(_) => unreachable!("the stream waits instead of saying that it would block"),
    });
    drop(cut_off);
    if let Err(Error::Protocol(error)) = &socket {
        // tungstenite leaves those without an answer who do not speak the protocol at all.
        let text = format!("{error}\n");
        let head = format!("HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", text.len());
        // If the client has gone meanwhile, nobody has to be told.
        _ = outbox.send(Item::Last((head + &text).into()));
    }
    Ok((socket?, place))
}

fn place_of(request: &Request) -> Option<Place> {
    let room = request.uri().path().strip_prefix('/').filter(|room| !room.is_empty())?;
    let name = request.uri().query()?.strip_prefix("name=").filter(|name| !name.is_empty())?;
    Some(Place { room: room.to_owned(), name: name.to_owned() })
}

fn refusal(text: impl fmt::Display) -> ErrorResponse {
    let mut response = ErrorResponse::new(Some(text.to_string()));
    *response.status_mut() = tungstenite::http::StatusCode::BAD_REQUEST;
    response
}
