//! A descriptor in the runtime's hands: operations are tried without blocking and repeated when the poller says so.
//!
//! *Why here.* Floor 8: the part of a socket that does not depend on its type, which is `net::socket`'s.
//!
//! *Invariants.* FD1. A socket's descriptor number is taken until the last handle of the socket is dropped, and nobody is inside an operation then,
//! because every operation borrows a handle. So nothing ever acts on a number that means another socket. `close` gives the socket itself back at
//! once: it puts a placeholder in its place under the same number. FD2. Whoever tries an operation that may have to wait has the turn of its side.
//! FD3. An edge is forgotten before an operation is tried, never after; so an edge after a try that would have blocked is not lost. FD4. The
//! descriptor is registered before the first wait, once, and `registered` changes under `registering`; what is ready at that moment is an edge.
//! FD5. A forked child neither registers nor ends a registration: the poller is its parent's. It may use and drop sockets, until it has to wait.
//! FD6. `drained` is set under the turn of the reading side by a read that took all there was: what comes later is an edge, which nobody has
//! forgotten while it is set. So the next operation of that side waits before it tries. For tasks, which have no turn, `emptied` says the same (TK4).
//! FD7. A descriptor is marked as closed before anything is done to what it stands for. So an error, or an end of the stream, that a close has brought
//! about for an operation beside it comes when the mark is there: it counts as the close (`Made::Nothing`).
//!
//! *Locks.* `registering`, a leaf: it covers a system call, and no operation of the runtime.
//!
//! *Go:* `poll.FD`.

use core::panic::Location;
use core::sync::atomic::{AtomicBool, AtomicI64, Ordering, fence};
use core::task::{Poll, Waker};
use std::io;
use std::os::fd::RawFd;

use crate::base::lock::Lock;
use crate::net::error;
use crate::net::task;
use crate::net::turn::{Held, Turn};
use crate::netpoll::edges::Emptied;
use crate::netpoll::polldesc::{Ended, PollDesc, Side};
use crate::netpoll::{self, table};
use crate::os;
use crate::proc::park::{check_goexit, note_place};
use crate::proc::{enter, enter_preemptible, netwait};

/// What a success means beyond its value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// Nothing.
    Plain,
    /// A read has taken all there was (FD6).
    Emptied,
    /// A read has got nothing: this is the end, perhaps of this side's doing (FD7).
    Nothing,
}

/// A descriptor, its place in the poller, and who may use it. What every operation touches comes first, for the poller to fetch
/// (`PollDesc::warm_up_user`).
#[repr(C)]
pub(super) struct Fd {
    pub(super) desc: &'static PollDesc,
    /// Longest wait of one operation a side, ns; 0 is for ever.
    pub(super) timeouts: [AtomicI64; 2],
    fd: RawFd,
    registered: AtomicBool,
    /// FD6.
    drained: AtomicBool,
    /// The user wants errors instead of waits.
    pub(super) nonblocking: AtomicBool,
    /// What `drained` is, for tasks.
    emptied: Emptied,
    turns: [Turn; 2],
    registering: Lock<()>,
}

impl Fd {
    /// A descriptor that does not block and is not registered yet.
    pub(super) fn new(fd: RawFd) -> Fd {
        Fd {
            desc: table::allocate(),
            fd,
            registered: AtomicBool::new(false),
            registering: Lock::new(()),
            turns: [Turn::new(), Turn::new()],
            timeouts: [AtomicI64::new(0), AtomicI64::new(0)],
            drained: AtomicBool::new(false),
            emptied: Emptied::new(),
            nonblocking: AtomicBool::new(false),
        }
    }

    /// The longest wait of one operation of a side; 0 is for ever.
    pub(super) fn timeout_ns(&self, side: Side) -> i64 {
        self.timeouts[side as usize].load(Ordering::Relaxed)
    }

    /// Does `op` under the turn of its side, and again when the poller says so, for as long as `timeout`, ns.
    #[inline]
    pub(super) fn run<T>(
        &self,
        side: Side,
        timeout: i64,
        at: &'static Location<'static>,
        mut op: impl FnMut() -> io::Result<T>,
        made: impl Fn(&T) -> Made,
    ) -> io::Result<T> {
        check_goexit();
        if self.nonblocking.load(Ordering::Relaxed) {
            self.desc.check(side).map_err(error::of_end)?;
            let done = op();
            let made = done.as_ref().map_or(Made::Nothing, &made);
            return self.unless_closed(done, made);
        }
        let mut limit = None;
        let _turn = match self.turns[side as usize].try_take() {
            Some(turn) => turn,
            None => {
                limit = (timeout != 0).then(|| os::nanotime().saturating_add(timeout));
                self.turn(side, limit, at).map_err(error::of_end)?
            }
        };
        self.desc.check(side).map_err(error::of_end)?;
        let mut is_empty = side == Side::Read && self.take_drained();
        if !is_empty {
            // FD3.
            self.desc.word(side).reset();
        }
        loop {
            if !is_empty {
                match op() {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    done => {
                        let made = done.as_ref().map_or(Made::Nothing, &made);
                        if made == Made::Emptied {
                            self.drained.store(true, Ordering::Relaxed);
                        }
                        return self.unless_closed(done, made);
                    }
                }
            }
            is_empty = false;
            self.ensure_registered()?;
            if timeout != 0 && limit.is_none() {
                limit = Some(os::nanotime().saturating_add(timeout));
            }
            self.wait(side, limit, at).map_err(error::of_end)?;
        }
    }

    /// Tries `op`; if it would have to wait, the task is announced.
    pub(super) fn poll<T>(
        &self,
        side: Side,
        waker: &Waker,
        mut op: impl FnMut() -> io::Result<T>,
        made: impl Fn(&T) -> Made,
    ) -> Poll<io::Result<T>> {
        let edges = &self.desc.tasks(side).edges;
        loop {
            // FD3: an edge that comes after this keeps the task from waiting. So does an end, which the look that follows may not see yet.
            let seen = edges.seen();
            self.desc.check(side).map_err(error::of_end)?;
            // FD6.
            let is_empty = side == Side::Read && self.emptied.holds(seen) && self.edges_tell_all();
            let done = if is_empty { Err(io::ErrorKind::WouldBlock.into()) } else { op() };
            match done {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => {
                    let made = done.as_ref().map_or(Made::Nothing, &made);
                    if side == Side::Read {
                        self.emptied.note((made == Made::Emptied).then_some(seen));
                    }
                    return Poll::Ready(self.unless_closed(done, made));
                }
            }
            self.ensure_registered()?;
            if task::announce(self.desc, side, seen, waker) {
                return Poll::Pending;
            }
        }
    }

    /// FD7.
    #[inline(always)]
    fn unless_closed<T>(&self, done: io::Result<T>, made: Made) -> io::Result<T> {
        if made == Made::Nothing && self.was_closed() { Err(error::closed()) } else { done }
    }

    /// Whether the mark was there when the system said what has become of an operation.
    fn was_closed(&self) -> bool {
        // Acquire: pairs with the Release in `mark_comes_first`; what is written and read between them is the system's, of the socket.
        fence(Ordering::Acquire);
        self.desc.is_closed()
    }

    /// FD7: for who has marked the descriptor, and closes now what it stands for.
    pub(super) fn mark_comes_first(&self) {
        // Release: pairs with the Acquire in `was_closed`.
        fence(Ordering::Release);
    }

    /// FD6. True: there is nothing to read unless there was an edge.
    #[inline(always)]
    fn take_drained(&self) -> bool {
        if !self.drained.load(Ordering::Relaxed) {
            return false;
        }
        self.drained.store(false, Ordering::Relaxed);
        self.edges_tell_all()
    }

    /// Whether whatever comes after a read that has taken all there was is an edge.
    #[inline(always)]
    fn edges_tell_all(&self) -> bool {
        self.registered.load(Ordering::Relaxed) && !self.desc.is_irregular() && !netpoll::is_forked_child()
    }

    /// Waits for the turn of a side. Behind it others may wait for longer than `limit`: the time in the queue counts.
    #[cold]
    pub(super) fn turn(
        &self,
        side: Side,
        limit: Option<i64>,
        at: &'static Location<'static>,
    ) -> Result<Held<'_>, Ended> {
        self.turns[side as usize].take(at, limit).ok_or(Ended::Limit)
    }

    /// Waits for an edge or an end of a side.
    #[inline(never)]
    pub(super) fn wait(&self, side: Side, limit: Option<i64>, at: &'static Location<'static>) -> Result<(), Ended> {
        let inside = enter_preemptible();
        note_place(&inside, at);
        netwait::wait(&inside, self.desc, side, limit)
    }

    /// Before the first wait (FD4).
    pub(super) fn ensure_registered(&self) -> io::Result<()> {
        if self.registered.load(Ordering::Relaxed) || netpoll::is_forked_child() {
            return Ok(());
        }
        let (opened, registered) = {
            let _registering = self.registering.lock();
            if self.registered.load(Ordering::Relaxed) || self.desc.is_closed() {
                return Ok(());
            }
            self.desc.set_user(core::ptr::from_ref(self).cast());
            let opened = netpoll::open()?;
            let registered = netpoll::register(self.fd, self.desc);
            self.registered.store(registered.is_ok(), Ordering::Relaxed);
            (opened, registered)
        };
        // Even if this socket cannot be registered: the next one's thread does not know that the poller is new.
        if opened {
            let _inside = enter();
            netwait::poller_opened();
        }
        registered
    }

    /// After the descriptor was evicted.
    pub(super) fn end_registration(&self) {
        let _registering = self.registering.lock();
        if self.registered.swap(false, Ordering::Relaxed) {
            netpoll::deregister(self.fd);
        }
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        if netpoll::is_forked_child() {
            // FD5; the descriptor stays taken until the child executes something else or ends.
            return;
        }
        // No goroutine is inside an operation (FD1); tasks that have announced themselves are called in vain.
        if let Some(ready) = self.desc.evict().filter(|ready| !ready.is_empty()) {
            let _inside = enter();
            netwait::ready_each(ready);
        }
        self.end_registration();
        task::forget(self.desc);
        table::release(self.desc);
    }
}
