//! The poller of Unix systems, on mio.
//!
//! *Why here.* Floor 4: the backend behind the names of `netpoll`.
//!
//! mio rounds the time of an `epoll_wait` up to milliseconds. So where there is a timer descriptor (Linux) it carries the time, and the wait
//! itself has none; kqueue takes nanoseconds.
//!
//! *Invariants.* NP1, NP2, GA1. PO1. `SHARED` is filled after `POLLER`, and neither changes again.
//!
//! *Locks.* `OPENING`, then `POLLER`; under that nothing is taken but the descriptors' words, which are atomics.
//!
//! *Go:* netpoll_epoll.go.

use core::sync::atomic::{AtomicI64, Ordering};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::OnceLock;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token, Waker};

use crate::base::lock::Lock;
use crate::base::throw::{print_facts, throw};
use crate::gmp::GList;
use crate::netpoll::gate::Gate;
use crate::netpoll::polldesc::{PollDesc, Side};
use crate::netpoll::table;
use crate::netpoll::{Readied, interests};
use crate::os::{self, Fault};

/// Events taken at a time; Go's number.
const BATCH: usize = 128;
/// Tokens that are no descriptor's.
const KICK: Token = Token(usize::MAX);
const TIMER: Token = Token(usize::MAX - 1);

/// What one thread at a time uses.
struct Poller {
    poll: Poll,
    events: Events,
    /// Wakes the sleeper by the clock, where the system has such a descriptor.
    timer: Option<OwnedFd>,
    /// For when it is armed.
    armed: i64,
}

/// What all threads use.
struct Shared {
    registry: Registry,
    waker: Waker,
}

static POLLER: Lock<Option<Poller>> = Lock::new(None);
/// Held while the poller is made: `POLLER` itself may be held by a thread that sleeps as soon as it is filled.
static OPENING: Lock<()> = Lock::new(());
static SHARED: OnceLock<Shared> = OnceLock::new();
static GATE: Gate = Gate::new();
static LAST_POLL: AtomicI64 = AtomicI64::new(0);

/// Whether there is a poller.
#[inline(always)]
pub(crate) fn is_open() -> bool {
    SHARED.get().is_some()
}

/// Makes the poller if there is none; true if this call did.
pub(crate) fn open() -> io::Result<bool> {
    if is_open() { Ok(false) } else { open_first() }
}

/// For those that have not seen one, of whom another may have been faster, and may sleep in it already.
#[cold]
fn open_first() -> io::Result<bool> {
    let _opening = OPENING.lock();
    if is_open() {
        return Ok(false);
    }
    attempt(Fault::Poller)?;
    let poll = Poll::new()?;
    attempt(Fault::Poller)?;
    let registry = poll.registry().try_clone()?;
    attempt(Fault::Poller)?;
    let waker = Waker::new(&registry, KICK)?;
    let timer = os::timer_descriptor();
    if let Some(timer) = &timer {
        attempt(Fault::Register)?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE)?;
    }
    LAST_POLL.store(os::nanotime(), Ordering::Relaxed);
    // Nobody sleeps under this lock before `SHARED` is set.
    *POLLER.lock() = Some(Poller { poll, events: Events::with_capacity(BATCH), timer, armed: 0 });
    Ok(SHARED.set(Shared { registry, waker }).is_ok())
}

/// Whether the next call is to fail.
fn attempt(fault: Fault) -> io::Result<()> {
    os::attempt(fault).map_err(io::Error::from_raw_os_error)
}

/// Watches a socket for the rest of the descriptor's life.
pub(crate) fn register(fd: RawFd, desc: &PollDesc) -> io::Result<()> {
    let token = Token(desc.index.load(Ordering::Relaxed) as usize | (desc.tag() as usize) << 32);
    let Some(shared) = SHARED.get() else { return Err(io::ErrorKind::Unsupported.into()) };
    attempt(Fault::Register)?;
    shared.registry.register(&mut SourceFd(&fd), token, interests())
}

/// Watches it no longer.
pub(crate) fn deregister(fd: RawFd) {
    if let Some(shared) = SHARED.get() {
        // It fails if the descriptor was closed behind our back, which has ended the registration.
        _ = shared.registry.deregister(&mut SourceFd(&fd));
    }
}

/// When edges were last taken, ns; `i64::MAX` while a thread sleeps in the poller.
pub(crate) fn last_poll() -> i64 {
    LAST_POLL.load(Ordering::Relaxed)
}

/// Takes the edges that have come, unless another thread is at it.
pub(crate) fn poll() -> Option<Readied> {
    if last_poll() == i64::MAX {
        return None;
    }
    let mut slot = POLLER.try_lock()?;
    let poller = slot.as_mut()?;
    let readied = poller.take_edges(Some(Duration::ZERO));
    LAST_POLL.store(os::nanotime(), Ordering::Relaxed);
    Some(readied)
}

/// Sleeps until there are edges, until a time or until [`interrupt`], and takes the edges; does not sleep if `stay` says no.
pub(crate) fn sleep(until: i64, stay: impl FnOnce() -> bool) -> Readied {
    let mut slot = POLLER.lock();
    let Some(poller) = slot.as_mut() else { return Readied::default() };
    LAST_POLL.store(i64::MAX, Ordering::Relaxed);
    GATE.announce();
    let readied = if stay() { poller.wait(until) } else { Readied::default() };
    GATE.leave();
    LAST_POLL.store(os::nanotime(), Ordering::Relaxed);
    readied
}

/// Ends the sleep in the poller, if a thread sleeps there.
pub(crate) fn interrupt() {
    if GATE.claim_kick()
        && let Some(shared) = SHARED.get()
    {
        // An eventfd that has no room for one more is readable anyway.
        _ = shared.waker.wake();
    }
}

/// Somebody has closed our descriptors.
#[cold]
fn fail(error: &io::Error) -> ! {
    print_facts(format_args!("the poller failed (errno={})", error.raw_os_error().unwrap_or(0)));
    throw("netpoll failed")
}

impl Poller {
    /// Sleeps, at most until a time; `i64::MAX` is never.
    fn wait(&mut self, until: i64) -> Readied {
        let left = until - os::nanotime();
        if until == i64::MAX {
            // A time for which the timer is still armed ends the sleep in vain, once.
            return self.take_edges(None);
        }
        if left <= 0 {
            return self.take_edges(Some(Duration::ZERO));
        }
        match &self.timer {
            Some(timer) if self.armed == until || os::set_timer_descriptor(timer, until) => {
                self.armed = until;
                self.take_edges(None)
            }
            _ => self.take_edges(Some(Duration::from_nanos(left as u64))),
        }
    }

    /// Turns the system's events into goroutines.
    fn take_edges(&mut self, timeout: Option<Duration>) -> Readied {
        let mut ready = GList::new();
        match attempt(Fault::Wait).and_then(|()| self.poll.poll(&mut self.events, timeout)) {
            Ok(()) => {}
            // A signal: the caller looks around and comes back.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Readied(ready),
            Err(error) => fail(&error),
        }
        for event in &self.events {
            // None for the poller's own tokens.
            if let Some(desc) = table::at(event.token().0 as u32) {
                desc.warm_up();
            }
        }
        for event in &self.events {
            let token = event.token();
            if token == KICK || token == TIMER {
                continue;
            }
            let Some(desc) = table::at(token.0 as u32) else { continue };
            if desc.tag() != (token.0 >> 32) as u32 {
                continue;
            }
            desc.warm_up_user();
            if event.is_read_closed() || event.is_error() || event.is_priority() {
                desc.set_irregular();
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                desc.unblock(Side::Read, true, &mut ready);
            }
            if event.is_writable() || event.is_write_closed() || event.is_error() {
                desc.unblock(Side::Write, true, &mut ready);
            }
        }
        Readied(ready)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    /// At its first step, and at its last.
    #[test]
    fn a_poller_that_cannot_be_made_leaves_nothing_behind_and_is_tried_for_again() {
        os::in_own_process(
            "netpoll::poller::tests::a_poller_that_cannot_be_made_leaves_nothing_behind_and_is_tried_for_again",
            || {
                let descriptors = || std::fs::read_dir("/dev/fd").expect("every Unix has it").count();
                let before = descriptors();
                let mut faults = vec![(Fault::Poller, libc::EMFILE)];
                faults.extend(os::timer_descriptor().map(|_| (Fault::Register, libc::ENOSPC)));
                for (fault, number) in faults {
                    os::let_fail(fault, 1);
                    assert_eq!(open().expect_err("it is to fail").raw_os_error(), Some(number));
                    assert_eq!((is_open(), descriptors()), (false, before), "{fault:?}");
                }
                os::let_fail(Fault::Timer, 1);
                assert!(open().expect("there are descriptors"));
                assert!(is_open() && !open().expect("it is open"));
            },
        );
    }

    /// The timer cannot be set, and there is none: the poller's own limit does.
    #[test]
    fn a_sleep_ends_in_time_without_the_timer() {
        os::in_own_process("netpoll::poller::tests::a_sleep_ends_in_time_without_the_timer", || {
            assert!(open().expect("there are descriptors"));
            for failures in [0, 1] {
                os::let_fail(Fault::Timer, failures);
                let until = os::nanotime() + 20_000_000;
                while os::nanotime() < until {
                    assert!(sleep(until, || true).0.is_empty());
                }
            }
        });
    }

    /// It looked for the poller under the lock that the sleeper holds.
    #[test]
    fn who_comes_late_to_the_opening_does_not_wait_for_the_sleeper() {
        os::in_own_process(
            "netpoll::poller::tests::who_comes_late_to_the_opening_does_not_wait_for_the_sleeper",
            || {
                static DONE: AtomicBool = AtomicBool::new(false);
                assert!(open().expect("there are descriptors"));
                let sleeper = thread::spawn(|| {
                    while !DONE.load(Ordering::Relaxed) {
                        assert!(sleep(i64::MAX, || !DONE.load(Ordering::Relaxed)).0.is_empty());
                    }
                });
                while last_poll() != i64::MAX {
                    thread::yield_now();
                }
                let (tell, told) = mpsc::channel();
                thread::spawn(move || tell.send(open_first().expect("there is a poller")));
                assert_eq!(told.recv_timeout(Duration::from_secs(60)), Ok(false));
                DONE.store(true, Ordering::Relaxed);
                interrupt();
                sleeper.join().expect("the sleeper ends");
            },
        );
    }
}
