//! Ending connections that wait for their next request, and only those.

use std::io;
use std::sync::Arc;

use goruntime::context::{Context, StopGuard};
use goruntime::net::TcpStream;
use goruntime::sync::Mutex;
use goruntime::time::{Duration, Instant};

use crate::when_ended;

/// A connection that is idle between requests and then may be ended, or busy and then may not.
#[derive(Debug)]
pub struct Idle {
    stream: TcpStream,
    state: Arc<Mutex<State>>,
    _stop: StopGuard,
}

#[derive(Debug, Default)]
struct State {
    idle: bool,
    ended: bool,
}

impl Idle {
    /// Watches over a connection: when `ctx` ends, its reads fail if it is idle then, or when it next is.
    ///
    /// # Errors
    ///
    /// If the connection was closed.
    pub fn new(stream: &TcpStream, ctx: &Context) -> io::Result<Idle> {
        let state = Arc::new(Mutex::new(State::default()));
        let (shared, socket) = (state.clone(), stream.try_clone()?);
        let stop = when_ended(ctx, move || {
            let mut state = shared.lock().expect("nobody panics with the lock");
            state.ended = true;
            if state.idle {
                // It may be closed already, which is as good.
                _ = socket.set_read_deadline(Some(Instant::now()));
            }
        });
        Ok(Idle { stream: stream.try_clone()?, state, _stop: stop })
    }

    /// The connection waits for a request, for at most `patience`. False if it is to end instead.
    ///
    /// # Errors
    ///
    /// If the connection was closed.
    pub fn wait(&self, patience: Duration) -> io::Result<bool> {
        let mut state = self.state.lock().expect("nobody panics with the lock");
        state.idle = !state.ended;
        // Under the lock, so that it does not replace the deadline that ends the connection.
        self.stream.set_read_deadline(Some(Instant::now() + patience))?;
        Ok(state.idle)
    }

    /// The connection has a request, whose rest has to come within `patience`.
    ///
    /// # Errors
    ///
    /// If the connection was closed.
    pub fn work(&self, patience: Duration) -> io::Result<()> {
        self.state.lock().expect("nobody panics with the lock").idle = false;
        self.stream.set_read_deadline(Some(Instant::now() + patience))
    }

    /// Whether the program is to end, so that the connection had better be closed after this request.
    pub fn is_ending(&self) -> bool {
        self.state.lock().expect("nobody panics with the lock").ended
    }
}
