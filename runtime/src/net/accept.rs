//! Accepting, for every kind of listener.
//!
//! *Why here.* Floor 8.
//!
//! *Invariants.* None. *Locks.* None. *Go:* `poll.FD.Accept`; the back-off is `net/http`'s.

use core::future::poll_fn;
use core::panic::Location;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::io;

use crate::future::sleep;
use crate::net::kind::StdSocket;
use crate::net::socket::Socket;
use crate::netpoll::polldesc::Side;
use crate::os;

/// The first pause when there are no descriptors left, and the longest, ms.
const FIRST_PAUSE: u32 = 5;
const LONGEST_PAUSE: u32 = 1_000;

/// The last pause, ms; 0 when the last accept succeeded. Of the process, like the shortage.
static PAUSE: AtomicU32 = AtomicU32::new(0);

/// Accepts with `op`. A connection that was gone before it was accepted is no error. When there are no descriptors the error comes after a pause,
/// which doubles with each: a loop that goes on accepting does not spin.
pub(crate) fn accept<L: StdSocket, T>(
    listener: &Socket<L>,
    at: &'static Location<'static>,
    op: impl Fn(&L) -> io::Result<T>,
) -> io::Result<T> {
    let accepted = listener.run(Side::Read, at, |listener| next(listener, &op));
    if !listener.is_nonblocking()
        && let Some(pause) = pause_after(&accepted)
    {
        listener.pause(pause, at);
    }
    accepted
}

/// The same for a task of async code.
pub(crate) async fn accept_async<L: StdSocket, T>(
    listener: &Socket<L>,
    op: impl Fn(&L) -> io::Result<T>,
) -> io::Result<T> {
    let accepted = poll_fn(|cx| listener.poll(Side::Read, cx, |listener| next(listener, &op))).await;
    if let Some(pause) = pause_after(&accepted) {
        sleep(pause).await;
    }
    accepted
}

/// Accepts a connection that is still there.
fn next<L, T>(listener: &L, op: impl Fn(&L) -> io::Result<T>) -> io::Result<T> {
    loop {
        os::attempt(os::Fault::Accept).map_err(io::Error::from_raw_os_error)?;
        match op(listener) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            other => return other,
        }
    }
}

/// For how long the error is to be kept back, if there is one of that kind.
fn pause_after<T>(accepted: &io::Result<T>) -> Option<Duration> {
    match accepted {
        Ok(_) => PAUSE.store(0, Ordering::Relaxed),
        Err(error) if error.raw_os_error().is_some_and(os::is_shortage) => {
            let pause = (2 * PAUSE.load(Ordering::Relaxed)).clamp(FIRST_PAUSE, LONGEST_PAUSE);
            PAUSE.store(pause, Ordering::Relaxed);
            return Some(Duration::from_millis(u64::from(pause)));
        }
        Err(_) => {}
    }
    None
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// What a process alone cannot bring about: the system is out of descriptors.
    #[test]
    fn a_shortage_of_the_system_passes_like_one_of_the_process() {
        os::in_own_process("net::accept::tests::a_shortage_of_the_system_passes_like_one_of_the_process", || {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
            let _client = std::net::TcpStream::connect(listener.local_addr().expect("it has an address"));
            let listener = Socket::new(listener);
            let accept = || accept(&listener, Location::caller(), std::net::TcpListener::accept);
            os::let_fail(os::Fault::Accept, 3);
            for pause in [5, 10, 20] {
                let begun = Instant::now();
                assert_eq!(accept().expect_err("it is to fail").raw_os_error(), Some(libc::ENFILE));
                assert!(begun.elapsed() >= Duration::from_millis(pause));
            }
            assert!(accept().is_ok());
            assert_eq!(PAUSE.load(Ordering::Relaxed), 0);
        });
    }
}
