//! What hyper asks of a runtime: who runs its tasks, and what time it is.
//!
//! The streams of [`net`](crate::net) and [`os::unix::net`](crate::os::unix::net) are `hyper::rt::Read` and `hyper::rt::Write` themselves. With
//! the cargo feature `hyper`.
//!
//! hyper keeps the text of its `Date` header in thread-local storage. What a stack has left of that may look like a handle on it, with HTTP/2 above all:
//! then the affinity guard keeps the goroutine on its thread for 20 ms at most, and a debug build prints so. Without
//! `auto_date_header` there is nothing to find.
//!
//! # A server
//!
//! A goroutine for each connection runs hyper's future, with [`block_on`](crate::future::block_on) or, where there are thousands that mostly wait, with
//! [`future::go`](crate::future::go()), which gives its stack back meanwhile. What the service calls may block. hyper has a timer for heads of
//! requests; for bodies there is [`future::timeout`], for a client that takes no answer the stream's `set_write_deadline`. When the server is to
//! stop, `graceful_shutdown` lets the request finish that is under way:
//!
//! ```
//! use goruntime::future::{self, block_on};
//! use goruntime::net::{TcpListener, TcpStream};
//! use goruntime::{channel, spawn};
//! use hyper::server::conn::http1;
//! use hyper::service::service_fn;
//! use hyper::{Request, Response};
//! use std::convert::Infallible;
//! use std::future::poll_fn;
//! use std::io::{Read, Write};
//! use std::pin::pin;
//! use std::time::Duration;
//!
//! async fn answer(request: Request<hyper::body::Incoming>) -> Result<Response<String>, Infallible> {
//!     Ok(Response::new(format!("this is {}", request.uri())))
//! }
//!
//! /// Serves one connection, until it ends or `stop` does and the last answer has been given.
//! fn serve(stream: TcpStream, stop: impl Future<Output = ()>) -> hyper::Result<()> {
//!     let mut http = http1::Builder::new();
//!     http.timer(future::hyper::Timer).header_read_timeout(Duration::from_secs(30));
//!     let mut connection = pin!(http.serve_connection(stream, service_fn(answer)));
//!     let (mut stop, mut is_stopping) = (pin!(stop), false);
//!     block_on(poll_fn(|cx| {
//!         if !is_stopping && stop.as_mut().poll(cx).is_ready() {
//!             is_stopping = true;
//!             connection.as_mut().graceful_shutdown();
//!         }
//!         connection.as_mut().poll(cx)
//!     }))
//! }
//!
//! goruntime::run(|| {
//!     let listener = TcpListener::bind("127.0.0.1:0")?;
//!     let addr = listener.local_addr()?;
//!     let (tell, told) = channel::bounded::<()>(0);
//!     let server = spawn(move || {
//!         let stream = listener.accept().unwrap().0;
//!         serve(stream, async move { _ = told.recv_async().await })
//!     });
//!     let mut client = TcpStream::connect(addr)?;
//!     client.write_all(b"GET /here HTTP/1.1\r\nHost: me\r\n\r\n")?;
//!     let mut first = [0; 15];
//!     client.read_exact(&mut first)?;
//!     assert_eq!(&first, b"HTTP/1.1 200 OK");
//!     // The connection is kept for a next request; the stop ends it.
//!     drop(tell);
//!     let mut rest = String::new();
//!     client.read_to_string(&mut rest)?;
//!     assert!(rest.ends_with("this is /here"));
//!     server.join().unwrap().unwrap();
//!     std::io::Result::Ok(())
//! }).unwrap();
//! ```
//!
//! # A task
//!
//! ```
//! use goruntime::future;
//! use hyper::rt::{Executor, Timer};
//! use std::time::Duration;
//!
//! goruntime::run(|| {
//!     let (tx, rx) = goruntime::channel::bounded(1);
//!     future::hyper::Executor.execute(async move {
//!         future::hyper::Timer.sleep(Duration::from_millis(1)).await;
//!         tx.send("later").unwrap();
//!     });
//!     assert_eq!(rx.recv(), Ok("later"));
//! });
//! ```

// *Why here.* Floor 8. *Invariants.* None. *Locks.* None. *Go:* none.

use core::pin::Pin;
use core::task::{Context, Poll};

use crate::future;
use crate::time::{Duration, Instant};

/// Runs each task in a goroutine of its own. A panic of a task ends the program, as with [`go`](crate::go()).
#[derive(Clone, Copy, Debug, Default)]
pub struct Executor;

impl<F> ::hyper::rt::Executor<F> for Executor
where
    F: Future<Output: Send> + Send + 'static,
{
    #[track_caller]
    fn execute(&self, future: F) {
        future::go(future);
    }
}

/// The timers of this runtime.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timer;

/// A sleep in a shape that hyper can set again.
#[derive(Debug)]
struct Sleep(future::Sleep);

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl ::hyper::rt::Sleep for Sleep {}

impl ::hyper::rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn ::hyper::rt::Sleep>> {
        Box::pin(Sleep(future::sleep(duration)))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn ::hyper::rt::Sleep>> {
        Box::pin(Sleep(future::sleep_until(deadline)))
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn ::hyper::rt::Sleep>>, new_deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<Sleep>() {
            Some(mut ours) => ours.0.reset(new_deadline),
            None => *sleep = self.sleep_until(new_deadline),
        }
    }
}
