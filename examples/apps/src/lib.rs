//! What the programs share: the words on the command line, the signal to stop, the loop of a server and the last line.
//!
//! Each program is in `src/bin`, and the test that drives it in `tests`.

mod idle;
mod request;
mod server;

use std::fmt::Display;
use std::process::ExitCode;

use goruntime::context::{self, Context, StopGuard};
use goruntime::runtime::num_goroutine;
use goruntime::signal::{self, Signal, SignalError, StopHandle};
use goruntime::time::{Duration, Instant, sleep};

pub use idle::Idle;
pub use request::Request;
pub use server::{listen, serve};

/// How long goroutines that have nothing to do any more may take to be gone.
const LAST_STEPS: Duration = Duration::from_secs(10);

/// The context of a program: it ends with SIGTERM or SIGINT, which do not end the program while the handle exists.
///
/// # Errors
///
/// If the signals cannot be caught.
pub fn until_told_to_stop() -> Result<(Context, StopHandle), SignalError> {
    signal::notify_context(&context::background(), &[Signal::TERM, Signal::INT])
}

/// Calls `f` when `ctx` ends while the guard lives.
pub fn when_ended(ctx: &Context, f: impl FnOnce() + Send + 'static) -> StopGuard {
    context::after_func(ctx, f).guard()
}

/// A future that is there when `ctx` has ended.
pub async fn ended(ctx: &Context) {
    let (tell, told) = futures_channel::oneshot::channel();
    let _told = when_ended(ctx, move || _ = tell.send(()));
    // The sender goes with the guard, not before.
    _ = told.await;
}

/// Says how many goroutines are left, the caller included: `1 goroutine left` if everything was cleaned up.
pub fn last_line() {
    let patience = Instant::now() + LAST_STEPS;
    while num_goroutine() > 1 && Instant::now() < patience {
        sleep(Duration::from_millis(1));
    }
    match num_goroutine() {
        1 => println!("1 goroutine left"),
        count => println!("{count} goroutines left"),
    }
}

/// Says what is wrong with a command line, and returns the status for it.
pub fn usage(program: &str, wrong: impl Display, usage: &str) -> ExitCode {
    eprintln!("{program}: {wrong}\nusage: {program} {usage}");
    ExitCode::from(2)
}
