//! Waiting for a socket by a waker: what tasks of async code do where goroutines park.
//!
//! *Why here.* Floor 8: between a socket's operations (`net::fd`) and the proxy that stands for its tasks (`proc::proxy`).
//!
//! *Invariants.* TS1. A side's proxy is made with the first task that waits for it, by whoever is first, and belongs to the descriptor for good, as its
//! timers do. TS2. When the last handle of a socket is gone its proxies keep no waker.
//!
//! *Locks.* A proxy's. *Go:* none.

use core::mem;
use core::ptr::null_mut;
use core::sync::atomic::Ordering;
use core::task::{Poll, Waker};
use std::io;

use crate::gmp::GPtr;
use crate::netpoll::edges::Seen;
use crate::netpoll::polldesc::{PollDesc, Side, Tasks};
use crate::proc::netwait;
use crate::proc::proxy::{self, Proxy};
use crate::task::wake::call_elsewhere;

/// Has `waker` called when this side has an edge that has not been `seen`, or when its waits end. False: there was one since, try again.
pub(crate) fn announce(desc: &'static PollDesc, side: Side, seen: Seen, waker: &Waker) -> bool {
    let tasks = desc.tasks(side);
    proxy::watch(proxy_of(tasks), waker, |inside| netwait::announce_task(inside, &tasks.edges, seen))
}

/// TS1.
fn proxy_of(tasks: &'static Tasks) -> GPtr {
    // Acquire: pairs with the Release below.
    if let Some(known) = GPtr::from_raw(tasks.proxy.load(Ordering::Acquire)) {
        return known;
    }
    let new = Proxy::new(call_elsewhere, Some(&tasks.edges));
    // AcqRel: Release gives what the proxy is made of to whoever finds it; Acquire as above.
    match tasks.proxy.compare_exchange(null_mut(), new.gp().as_ptr(), Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            let gp = new.gp();
            mem::forget(new);
            gp
        }
        Err(others) => GPtr::from_raw(others).unwrap_or(new.gp()),
    }
}

/// What the end of writing says to a task. As with tokio it is no error that the peer has gone before.
#[allow(dead_code, reason = "for the cargo features with traits that have such an operation")]
pub(crate) fn shut_down(ended: io::Result<()>) -> Poll<io::Result<()>> {
    Poll::Ready(ended.or_else(|error| if error.kind() == io::ErrorKind::NotConnected { Ok(()) } else { Err(error) }))
}

/// TS2.
pub(crate) fn forget(desc: &PollDesc) {
    for side in [Side::Read, Side::Write] {
        // Acquire: as in `proxy_of`.
        if let Some(gp) = GPtr::from_raw(desc.tasks(side).proxy.load(Ordering::Acquire)) {
            proxy::forget(gp);
        }
    }
}
