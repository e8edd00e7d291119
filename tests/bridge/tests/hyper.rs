//! hyper on goroutines: servers and clients over the runtime's own streams, with its executor and its timer.
//!
//! Why here: in a package of its own, see `src/lib.rs`.
//!
//! *Invariants*
//! - HY1. Nothing of tokio runs here: hyper gets its streams, its tasks and its time from goroutines.
//!
//! *Locks*: none.
//!
//! *Go:* `net/http/serve_test.go`, in spirit.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use goruntime::future::{self, block_on};
use goruntime::net::{TcpListener, TcpStream};
use goruntime::os::unix::net::UnixStream;
use goruntime_bridge_tests::run;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1 as client;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper::{Request, Response};

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await?.to_bytes();
    Ok(Response::new(Full::new(Bytes::from([path.as_bytes(), &body].concat()))))
}

fn get(path: &str, body: &str) -> Request<Full<Bytes>> {
    let body = Full::new(Bytes::from(body.to_owned()));
    Request::builder().uri(path).header("host", "test").body(body).expect("a request")
}

/// Connects; the connection is driven by a goroutine of its own.
fn connect(addr: std::net::SocketAddr) -> client::SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(addr).expect("the server listens");
    let (sender, connection) = block_on(client::handshake(stream)).expect("a connection");
    future::go(async move { connection.await.expect("the connection ends well") });
    sender
}

async fn send(sender: &mut client::SendRequest<Full<Bytes>>, path: &str, body: &str) -> String {
    sender.ready().await.expect("the connection is there");
    let response = sender.send_request(get(path, body)).await.expect("an answer");
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// Serves what comes, a goroutine a connection; counts the connections.
fn serve(listener: TcpListener) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    goruntime::go(move || {
        while let Ok((stream, _)) = listener.accept() {
            counter.fetch_add(1, Ordering::Relaxed);
            future::go(async move {
                let mut builder = server::Builder::new();
                builder.timer(future::hyper::Timer).header_read_timeout(Duration::from_secs(60));
                builder.serve_connection(stream, service_fn(echo)).await.expect("the connection ends well");
            });
        }
    });
    count
}

fn listen() -> (TcpListener, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("an address");
    (listener, addr)
}

#[test]
fn a_connection_is_kept_alive_for_many_requests() {
    run(|| {
        let (listener, addr) = listen();
        let connections = serve(listener.try_clone().unwrap());
        let mut sender = connect(addr);
        block_on(async {
            for number in 0..200 {
                assert_eq!(send(&mut sender, "/n/", &number.to_string()).await, format!("/n/{number}"));
            }
        });
        assert_eq!(connections.load(Ordering::Relaxed), 1);
        listener.close().unwrap();
    });
}

#[test]
fn a_hundred_clients_are_served_at_once() {
    run(|| {
        let (listener, addr) = listen();
        let connections = serve(listener.try_clone().unwrap());
        let clients: Vec<_> = (0..100)
            .map(|id| {
                goruntime::spawn(move || {
                    let mut sender = connect(addr);
                    for number in 0..10 {
                        let body = format!("{id}-{number}");
                        let answer = block_on(send(&mut sender, "/", &body));
                        assert_eq!(answer, format!("/{body}"));
                    }
                })
            })
            .collect();
        for client in clients {
            client.join().unwrap();
        }
        assert_eq!(connections.load(Ordering::Relaxed), 100);
        listener.close().unwrap();
    });
}

#[test]
fn bodies_that_do_not_fit_into_buffers_arrive_whole() {
    run(|| {
        let (listener, addr) = listen();
        serve(listener.try_clone().unwrap());
        let body: String = (0..1_000_000).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
        let mut sender = connect(addr);
        let answer = block_on(send(&mut sender, "/", &body));
        assert!(answer[1..] == body, "{} bytes came back", answer.len());
        listener.close().unwrap();
    });
}

/// A server that stops: it answers what was asked, then closes.
#[test]
fn a_graceful_shutdown_lets_the_request_end() {
    run(|| {
        let (listener, addr) = listen();
        let (entered_tx, entered) = goruntime::channel::bounded(1);
        let (finish, finish_rx) = futures::channel::oneshot::channel::<()>();
        let served = goruntime::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let finish_rx = futures::lock::Mutex::new(Some(finish_rx));
            let service = service_fn(|_: Request<Incoming>| async {
                entered_tx.send(()).unwrap();
                finish_rx.lock().await.take().expect("one request").await.unwrap();
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("done"))))
            });
            let (stop_tx, stop) = futures::channel::oneshot::channel::<()>();
            goruntime::go(move || {
                entered.recv().unwrap();
                stop_tx.send(()).unwrap();
            });
            let mut connection = std::pin::pin!(server::Builder::new().serve_connection(stream, service));
            block_on(async {
                use futures::FutureExt;
                let mut stop = stop.fuse();
                futures::select! {
                    _ = connection.as_mut().fuse() => panic!("the connection ended by itself"),
                    stopped = stop => stopped.unwrap(),
                }
                connection.as_mut().graceful_shutdown();
                finish.send(()).unwrap();
                connection.await.unwrap();
            });
        });
        let mut sender = connect(addr);
        assert_eq!(block_on(send(&mut sender, "/", "")), "done");
        served.join().unwrap();
        assert!(block_on(sender.ready()).is_err(), "the connection is closed");
    });
}

/// Without an answer in time hyper's timer ends the connection.
#[test]
fn a_slow_header_runs_into_the_timer() {
    run(|| {
        let (client, stream) = UnixStream::pair().unwrap();
        let mut builder = server::Builder::new();
        builder.timer(future::hyper::Timer).header_read_timeout(Duration::from_millis(20));
        std::io::Write::write_all(&mut &client, b"GET / HTTP/1.1\r\n").unwrap();
        let error = block_on(builder.serve_connection(stream, service_fn(echo))).unwrap_err();
        assert!(error.is_timeout(), "{error}");
    });
}
