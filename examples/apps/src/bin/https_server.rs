//! An HTTPS server: `GET /` says hello, `POST /echo` answers with what it was sent.
//!
//! Shows a blocking TLS library, rustls, over `goruntime::net`: the layers are plain `Read` and `Write`, and the deadlines below hold through all of
//! them, so that a client which dawdles in the handshake, in a request or with an answer is cut off. SIGTERM or SIGINT closes the listener and the
//! connections that are idle, finishes the requests that are under way, and ends with status 0.

use std::env;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::ExitCode;
use std::sync::Arc;

use goruntime::context::Context;
use goruntime::net::TcpStream;
use goruntime::time::{Duration, Instant};
use goruntime_apps::{Idle, Request, last_line, listen, serve, until_told_to_stop, usage};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

const USAGE: &str = "ADDRESS CERTIFICATE.pem KEY.pem [SECONDS]   (seconds for a handshake, a request or an answer; 30)";

type Session = StreamOwned<ServerConnection, TcpStream>;

#[goruntime::main]
fn main() -> Result<ExitCode, Box<dyn Error>> {
    let args: Vec<_> = env::args().skip(1).collect();
    let [addr, certificate, key, seconds @ ..] = &args[..] else {
        return Ok(usage("https_server", "three arguments are needed", USAGE));
    };
    let Ok(patience) = seconds.first().map_or(Ok(30), |seconds| seconds.parse()).map(Duration::from_secs) else {
        return Ok(usage("https_server", format_args!("`{}` is no number of seconds", seconds[0]), USAGE));
    };
    let config = config(certificate, key)?;
    let (ctx, _signals) = until_told_to_stop()?;
    serve(listen(addr)?, &ctx, |stream, peer| match client(stream, config.clone(), patience, &ctx) {
        Ok(requests) => println!("{peer}: {requests} requests"),
        Err(error) => println!("{peer}: {error}"),
    });
    last_line();
    Ok(ExitCode::SUCCESS)
}

fn config(certificate: &str, key: &str) -> Result<Arc<ServerConfig>, Box<dyn Error>> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| format!("{certificate}: {error}"))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| format!("{key}: {error}"))?;
    Ok(Arc::new(ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?))
}

/// Serves a connection until it ends, and returns how many requests it has brought.
fn client(stream: TcpStream, config: Arc<ServerConfig>, patience: Duration, ctx: &Context) -> io::Result<usize> {
    let idle = Idle::new(&stream, ctx)?;
    let mut session = Session::new(ServerConnection::new(config).map_err(io::Error::other)?, stream);
    // A handshake is no request: it does not keep the server from ending.
    idle.wait(patience)?;
    session.sock.set_write_deadline(Some(Instant::now() + patience))?;
    session.conn.complete_io(&mut session.sock)?;
    let mut session = BufReader::new(session);
    let mut requests = 0;
    while idle.wait(patience)? && has_more(&mut session)? {
        idle.work(patience)?;
        answer(&mut session, patience, &idle)?;
        requests += 1;
    }
    // The client may have closed its end.
    session.get_mut().conn.send_close_notify();
    _ = session.get_mut().flush();
    Ok(requests)
}

/// Waits for the next request. None comes when the client is done, when it keeps still for too long, and when the server ends.
fn has_more(session: &mut BufReader<Session>) -> io::Result<bool> {
    match session.fill_buf() {
        Ok(bytes) => Ok(!bytes.is_empty()),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads a request and answers it.
fn answer(session: &mut BufReader<Session>, patience: Duration, idle: &Idle) -> io::Result<()> {
    let request = Request::read(session)?;
    let mut body = vec![0; request.length];
    if request.expects_continue {
        write_out(session.get_mut(), b"HTTP/1.1 100 Continue\r\n\r\n", patience)?;
    }
    session.read_exact(&mut body)?;
    let (status, body) = match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/") => ("200 OK", greeting(&session.get_ref().conn)),
        ("POST", "/echo") => ("200 OK", body),
        (_, "/" | "/echo") => ("405 Method Not Allowed", Vec::new()),
        _ => ("404 Not Found", Vec::new()),
    };
    let connection = if idle.is_ending() { "close" } else { "keep-alive" };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: {connection}\r\n\r\n", body.len());
    write_out(session.get_mut(), &[head.as_bytes(), &body].concat(), patience)
}

fn greeting(tls: &ServerConnection) -> Vec<u8> {
    let version = tls.protocol_version().and_then(|version| version.as_str()).unwrap_or("an unknown protocol");
    format!("hello over {version}\n").into_bytes()
}

fn write_out(session: &mut Session, bytes: &[u8], patience: Duration) -> io::Result<()> {
    session.sock.set_write_deadline(Some(Instant::now() + patience))?;
    session.write_all(bytes)?;
    session.flush()
}
