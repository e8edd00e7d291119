//! No poller, on systems where sockets are not watched yet.
//!
//! *Why here.* Floor 4: the names of `netpoll`, for a scheduler that finds nothing there.
//!
//! *Invariants.* `is_open` is false, so nothing sleeps here. *Locks.* None. *Go:* netpoll_stub.go.

use crate::netpoll::Readied;

/// There is none.
pub(crate) fn is_open() -> bool {
    false
}

/// Never.
pub(crate) fn last_poll() -> i64 {
    i64::MAX
}

/// Nothing to take.
pub(crate) fn poll() -> Option<Readied> {
    None
}

/// Nothing to sleep for.
pub(crate) fn sleep(_until: i64, _stay: impl FnOnce() -> bool) -> Readied {
    Readied::default()
}

/// Nobody sleeps.
pub(crate) fn interrupt() {}
