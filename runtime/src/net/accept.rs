//! Accepting, for every kind of listener.
//!
//! *Why here.* Floor 8.
//!
//! *Invariants.* None. *Locks.* None. *Go:* `poll.FD.Accept`; the back-off is `net/http`'s.

use core::panic::Location;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::io;

use crate::net::fd::{Socket, StdSocket};
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
    let accepted = listener.run(Side::Read, at, |listener| {
        loop {
            match op(listener) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                other => return other,
            }
        }
    });
    match &accepted {
        Ok(_) => PAUSE.store(0, Ordering::Relaxed),
        Err(error) if error.raw_os_error().is_some_and(os::is_shortage) && !listener.is_nonblocking() => {
            let pause = (2 * PAUSE.load(Ordering::Relaxed)).clamp(FIRST_PAUSE, LONGEST_PAUSE);
            PAUSE.store(pause, Ordering::Relaxed);
            listener.pause(Duration::from_millis(u64::from(pause)), at);
        }
        Err(_) => {}
    }
    accepted
}
