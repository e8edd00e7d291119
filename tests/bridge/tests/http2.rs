//! hyper's HTTP/2 on goroutines: the executor runs a task for each request, the timer sends pings, and in the end all of it is gone.
//!
//! Why here: in a package of its own, see `src/lib.rs`; apart from `hyper.rs` because these tests count goroutines.
//!
//! *Invariants*
//! - H1. One test at a time, so that each counts only its own goroutines.
//! - H2. A test waits for an event. A short time stands only where nothing happens before it is over, however late.
//!
//! *Locks*: `SERIAL` (H1).
//!
//! *Go:* `net/http/internal/http2`, in spirit.

use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use goruntime::JoinHandle;
use goruntime::channel::{bounded, unbounded};
use goruntime::future::{self, block_on};
use goruntime::net::{TcpListener, TcpStream};
use goruntime::os::unix::net::UnixStream;
use goruntime::runtime::{num_goroutine, yield_now};
use goruntime::sync::Barrier;
use goruntime::time::timeout;
use goruntime_bridge_tests::LIMIT;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::client::conn::http2 as client;
use hyper::server::conn::http2 as server;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};

/// What may be on its way before the other side has to make room: the least that is usual. hyper's own default is far more.
const WINDOW: u32 = 65_535;
/// A body for which the other side makes room many times.
const LARGE: usize = 300_000;
/// Requests that one connection carries at the same time.
const CROWD: usize = 100;
/// What a frame of HTTP/2 starts with.
const FRAME_HEAD: usize = 9;

static SERIAL: Mutex<()> = Mutex::new(());

/// Runs a test by itself (H1). In the end there is no other goroutine than the one that waits for it.
fn alone(f: impl FnOnce() + Send + 'static) {
    let _serial = SERIAL.lock().expect("the goroutines of a test that has failed are still there");
    goruntime::run(|| {
        timeout(LIMIT, |_| f()).expect("the test hangs");
        let begin = Instant::now();
        while num_goroutine() > 1 {
            assert!(begin.elapsed() < LIMIT, "{} goroutines are left", num_goroutine() - 1);
            yield_now();
        }
    });
}

fn server_builder() -> server::Builder<future::hyper::Executor> {
    let mut builder = server::Builder::new(future::hyper::Executor);
    builder.timer(future::hyper::Timer).initial_stream_window_size(WINDOW).initial_connection_window_size(WINDOW);
    builder
}

fn client_builder() -> client::Builder<future::hyper::Executor> {
    let mut builder = client::Builder::new(future::hyper::Executor);
    builder.timer(future::hyper::Timer).initial_stream_window_size(WINDOW).initial_connection_window_size(WINDOW);
    builder
}

/// A goroutine that drives one side of a connection.
type Connection = JoinHandle<hyper::Result<()>>;

/// A server of one connection.
struct Server {
    addr: SocketAddr,
    stop: oneshot::Sender<()>,
    stopping: oneshot::Receiver<()>,
    served: Connection,
}

impl Server {
    fn start<F, B>(answer: impl Fn(Request<Incoming>) -> F + Send + 'static) -> Server
    where
        F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
        B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = listener.local_addr().expect("an address");
        let (stop, mut stopped) = oneshot::channel();
        let (tell_stopping, stopping) = oneshot::channel();
        let served = goruntime::spawn(move || {
            let (stream, _) = listener.accept().expect("a client");
            stream.set_nodelay(true).expect("a connection");
            let mut connection = pin!(server_builder().serve_connection(stream, service_fn(answer)));
            let mut tell_stopping = Some(tell_stopping);
            block_on(poll_fn(|cx| {
                if tell_stopping.is_some() && pin!(&mut stopped).poll(cx) == Poll::Ready(Ok(())) {
                    connection.as_mut().graceful_shutdown();
                    tell_stopping.take().expect("it was there").send(()).expect("somebody waits");
                }
                connection.as_mut().poll(cx)
            }))
        });
        Server { addr, stop, stopping, served }
    }

    /// Lets the connection end with the last answer; returns when it has begun to, with what waits for the end.
    fn stop(self) -> Connection {
        self.stop.send(()).expect("the server runs");
        block_on(self.stopping).expect("the server stops");
        self.served
    }
}

/// Connects; the connection is driven by a goroutine of its own.
fn connect<B>(addr: SocketAddr) -> (client::SendRequest<B>, Connection)
where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin + Send + 'static,
{
    let stream = TcpStream::connect(addr).expect("the server listens");
    stream.set_nodelay(true).expect("a connection");
    let (sender, connection) = block_on(client_builder().handshake(stream)).expect("a connection");
    (sender, future::spawn(connection))
}

fn request<B>(path: &str, body: B) -> Request<B> {
    Request::builder().method("POST").uri(format!("http://test{path}")).body(body).expect("a request")
}

/// Bytes that differ from number to number, and from place to place.
fn bytes(number: usize, len: usize) -> Bytes {
    (0..len).map(|place| ((number * 31 + place * 7) % 251) as u8).collect()
}

async fn answered(response: Response<Incoming>) -> (StatusCode, Bytes) {
    let status = response.status();
    (status, response.into_body().collect().await.expect("a body").to_bytes())
}

/// The services block until all of them have been called: a goroutine for each, or they wait for ever. The bodies are sent back as they come.
#[test]
fn a_crowd_of_requests_is_served_at_once_over_one_connection() {
    alone(|| {
        let meeting = Arc::new(Barrier::new(CROWD));
        let server = Server::start(move |request: Request<Incoming>| {
            let meeting = Arc::clone(&meeting);
            async move {
                meeting.wait();
                let status = request.uri().path()[1..].parse().expect("the path is a status");
                Ok(Response::builder().status::<u16>(status).body(request.into_body()).expect("a response"))
            }
        });
        let (sender, connection) = connect(server.addr);
        for wave in 0..3 {
            let clients: Vec<_> = (0..CROWD)
                .map(|id| {
                    let mut sender = sender.clone();
                    goruntime::spawn(move || {
                        let body = bytes(wave * CROWD + id, if id % 10 == 0 { LARGE } else { id });
                        let request = request(&format!("/{}", 200 + id), Full::new(body.clone()));
                        let (status, answer) =
                            block_on(async { answered(sender.send_request(request).await.expect("an answer")).await });
                        assert_eq!(usize::from(status.as_u16()), 200 + id);
                        assert!(
                            answer == body,
                            "request {id} of wave {wave}: {} bytes of {}",
                            answer.len(),
                            body.len()
                        );
                    })
                })
                .collect();
            for client in clients {
                client.join().unwrap();
            }
        }
        server.stop().join().unwrap().unwrap();
        connection.join().unwrap().unwrap();
        drop(sender);
    });
}

/// Each part is more than the windows hold, and the next one is sent when it is back.
#[test]
fn a_body_is_answered_while_it_is_sent() {
    alone(|| {
        let server = Server::start(async |request: Request<Incoming>| Ok(Response::new(request.into_body())));
        let (mut sender, connection) = connect(server.addr);
        let (parts, parts_rx) = mpsc::unbounded();
        let body = StreamBody::new(parts_rx.map(|part| Ok::<_, Infallible>(Frame::data(part))));
        block_on(async {
            let mut answer = sender.send_request(request("/", body)).await.expect("an answer").into_body();
            for round in 0..20 {
                let part = bytes(round, 100_000);
                parts.unbounded_send(part.clone()).unwrap();
                let mut back = Vec::new();
                while back.len() < part.len() {
                    let frame = answer.frame().await.expect("there is more").expect("a frame");
                    back.extend_from_slice(frame.data_ref().expect("data"));
                }
                assert!(back == part, "round {round}");
            }
            drop(parts);
            let rest = answer.collect().await.expect("the end is passed on");
            assert_eq!(rest.to_bytes(), "");
        });
        server.stop().join().unwrap().unwrap();
        connection.join().unwrap().unwrap();
        drop(sender);
    });
}

/// A server that stops: what was asked is answered, more than the windows hold, and nothing else is. The last answer is short: the connection
/// ends behind it, and has no use for what a client says about room any more.
#[test]
fn a_graceful_shutdown_lets_requests_end() {
    alone(|| {
        let (entered_tx, entered) = unbounded();
        let (finish, finish_rx) = bounded::<()>(0);
        let (finish_last, finish_last_rx) = bounded::<()>(0);
        let server = Server::start(move |request: Request<Incoming>| {
            let is_last = request.uri().path() == "/last";
            let (entered, finish) = (entered_tx.clone(), if is_last { &finish_last_rx } else { &finish_rx }.clone());
            async move {
                entered.send(()).expect("the test counts");
                assert!(finish.recv().is_err(), "nothing is sent, it is closed for all of them");
                Ok(Response::new(Full::new(bytes(0, if is_last { 10 } else { LARGE }))))
            }
        });
        let (mut sender, connection) = connect(server.addr);
        let mut ask = |path| {
            let answer = sender.send_request(request(path, Full::default()));
            future::spawn(async { answered(answer.await.expect("an answer")).await })
        };
        let (clients, last_client) = ([(); 9].map(|()| ask("/")), ask("/last"));
        for _ in 0..10 {
            entered.recv().unwrap();
        }
        let served = server.stop();
        drop(finish);
        for client in clients {
            let (status, body) = client.join().unwrap();
            assert!(status == StatusCode::OK && body == bytes(0, LARGE), "{status}, {} bytes", body.len());
        }
        drop(finish_last);
        assert_eq!(last_client.join().unwrap(), (StatusCode::OK, bytes(0, 10)));
        served.join().unwrap().unwrap();
        connection.join().unwrap().unwrap();
        assert!(block_on(sender.send_request(request("/", Full::default()))).is_err(), "the connection is closed");
    });
}

/// The other side of a connection, frame by frame.
struct Peer(UnixStream);

impl Peer {
    const SETTINGS: u8 = 4;
    const PING: u8 = 6;
    const GOAWAY: u8 = 7;
    const ACK: u8 = 1;

    /// Says what a client says first.
    fn start(&mut self) {
        self.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").expect("room");
        self.put(Peer::SETTINGS, 0, &[]);
    }

    fn put(&mut self, kind: u8, flags: u8, payload: &[u8]) {
        let head = [0, 0, payload.len() as u8, kind, flags, 0, 0, 0, 0];
        self.0.write_all(&[&head, payload].concat()).expect("room");
    }

    /// Kind, flags and payload of the next frame.
    fn get(&mut self) -> (u8, u8, Vec<u8>) {
        let mut head = [0; FRAME_HEAD];
        self.0.read_exact(&mut head).expect("a frame");
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.0.read_exact(&mut payload).expect("a whole frame");
        (head[3], head[4], payload)
    }
}

/// The timer starts again after each answer: it was set to an hour meanwhile.
#[test]
fn pings_that_are_answered_keep_a_connection() {
    alone(|| {
        let (peer, stream) = UnixStream::pair().unwrap();
        let client = goruntime::spawn(move || {
            let mut peer = Peer(peer);
            peer.start();
            let mut pings = 0;
            while pings < 10 {
                match peer.get() {
                    (Peer::SETTINGS, 0, _) => peer.put(Peer::SETTINGS, Peer::ACK, &[]),
                    (Peer::PING, 0, payload) => {
                        pings += 1;
                        peer.put(Peer::PING, Peer::ACK, &payload);
                    }
                    _ => {}
                }
            }
            peer.put(Peer::GOAWAY, 0, &[0; 8]);
            // Closed with something unread, the connection would break instead of ending.
            peer.0.shutdown(Shutdown::Write).expect("a connection");
            std::io::copy(&mut peer.0, &mut std::io::sink()).expect("an end");
        });
        let mut builder = server_builder();
        builder.keep_alive_interval(Duration::from_millis(2)).keep_alive_timeout(Duration::from_secs(3600));
        let service = service_fn(async |_| Ok::<_, Infallible>(Response::new(String::new())));
        block_on(builder.serve_connection(stream, service)).unwrap();
        client.join().unwrap();
    });
}

#[test]
fn pings_without_an_answer_end_a_connection() {
    alone(|| {
        let (peer, stream) = UnixStream::pair().unwrap();
        let mut peer = Peer(peer);
        peer.start();
        let mut builder = server_builder();
        builder.keep_alive_interval(Duration::from_millis(5)).keep_alive_timeout(Duration::from_millis(20));
        let service = service_fn(async |_| Ok::<_, Infallible>(Response::new(String::new())));
        let error = block_on(builder.serve_connection(stream, service)).unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
    });
}

#[test]
fn a_request_to_a_server_that_is_silent_runs_into_the_timer() {
    alone(|| {
        let (_peer, stream) = UnixStream::pair().unwrap();
        let mut builder = client_builder();
        builder.keep_alive_interval(Duration::from_millis(5)).keep_alive_timeout(Duration::from_millis(20));
        let (mut sender, connection) = block_on(builder.handshake(stream)).unwrap();
        // Whether it ends with that error or as one without requests is a race within hyper.
        future::go(connection);
        let error = block_on(sender.send_request(request("/", Full::new(bytes(0, LARGE))))).unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
    });
}
