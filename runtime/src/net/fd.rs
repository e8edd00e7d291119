//! A socket in the runtime's hands: the operations of std's type, tried without blocking and repeated when the poller says so.
//!
//! *Why here.* Floor 8: what all kinds of sockets share.
//!
//! *Invariants.* FD1. A socket's descriptor number is taken until the last handle of the socket is dropped, and nobody is inside an operation then,
//! because every operation borrows a handle. So nothing ever acts on a number that means another socket. `close` gives the socket itself back at
//! once: it puts a placeholder in its place under the same number. FD2. Whoever tries an operation that may have to wait has the turn of its side.
//! FD3. An edge is forgotten before an operation is tried, never after; so an edge after a try that would have blocked is not lost. FD4. The
//! descriptor is registered before the first wait, once, and `registered` changes under `registering`; what is ready at that moment is an edge.
//! FD5. A forked child neither registers nor ends a registration: the poller is its parent's. It may use and drop sockets, until it has to wait.
//! FD6. `drained` is set under the turn of the reading side by a read that took all there was: what comes later is an edge, which nobody has
//! forgotten while it is set. So the next operation of that side waits before it tries. For tasks, which have no turn, `emptied` says the same (TK4).
//!
//! *Locks.* `registering`, a leaf: it covers a system call, and no operation of the runtime.
//!
//! *Go:* `poll.FD`, `netFD`.

use core::panic::Location;
use core::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crate::base::lock::Lock;
use crate::net::error::{self, End};
use crate::net::kind::StdSocket;
use crate::net::task;
use crate::net::turn::{Held, Turn};
use crate::netpoll::edges::Emptied;
use crate::netpoll::polldesc::{Ended, PollDesc, Side};
use crate::netpoll::{self, table};
use crate::os;
use crate::proc::park::{check_goexit, note_place};
use crate::proc::{enter, enter_preemptible, netwait};
use crate::sync::sudog::deadline;
use crate::time::sleep;

/// A socket of one of std's types.
pub(crate) struct Socket<S> {
    /// Before `sock`: it lets go of the descriptor before that is closed.
    io: Io,
    sock: S,
    /// The addresses that it had when it was closed with `close`; for errors.
    ends: OnceLock<Box<[End; 2]>>,
}

/// The part that does not depend on the type.
struct Io {
    desc: &'static PollDesc,
    fd: RawFd,
    registered: AtomicBool,
    registering: Lock<()>,
    turns: [Turn; 2],
    /// Longest wait of one operation a side, ns; 0 is for ever.
    timeouts: [AtomicI64; 2],
    /// FD6.
    drained: AtomicBool,
    /// The same for tasks.
    emptied: Emptied,
    /// The user wants errors instead of waits.
    nonblocking: AtomicBool,
}

impl<S: StdSocket> Socket<S> {
    /// Takes a socket over. If it cannot be made non-blocking, its operations block the thread, which costs a thread and nothing else.
    pub(crate) fn new(sock: S) -> Arc<Socket<S>> {
        _ = sock.set_nonblocking(true);
        Socket::assume_nonblocking(sock)
    }

    /// Takes over a socket of somebody else's making, with the timeouts that it has.
    pub(crate) fn adopt(sock: S) -> Arc<Socket<S>> {
        let options = socket2::SockRef::from(&sock);
        let known = [options.read_timeout(), options.write_timeout()];
        let socket = Socket::new(sock);
        for (slot, timeout) in socket.io.timeouts.iter().zip(known) {
            let ns = timeout.ok().flatten().map_or(0, |timeout| i64::try_from(timeout.as_nanos()).unwrap_or(0));
            slot.store(ns, Ordering::Relaxed);
        }
        socket
    }

    /// The same as `new` for a socket that does not block.
    pub(crate) fn assume_nonblocking(sock: S) -> Arc<Socket<S>> {
        let io = Io {
            desc: table::allocate(),
            fd: sock.as_fd().as_raw_fd(),
            registered: AtomicBool::new(false),
            registering: Lock::new(()),
            turns: [Turn::new(), Turn::new()],
            timeouts: [AtomicI64::new(0), AtomicI64::new(0)],
            drained: AtomicBool::new(false),
            emptied: Emptied::new(),
            nonblocking: AtomicBool::new(false),
        };
        Arc::new(Socket { io, sock, ends: OnceLock::new() })
    }

    /// Gives the socket back as std's. If other handles of it exist, it is duplicated, as only one can have the number, and does not block, as
    /// theirs must not.
    pub(crate) fn into_std(self: Arc<Socket<S>>) -> S {
        let nonblocking = self.is_nonblocking();
        let timeouts = [Side::Read, Side::Write].map(|side| self.io.timeout_ns(side));
        let sock = match Arc::try_unwrap(self) {
            Ok(Socket { io, sock, .. }) => {
                drop(io);
                _ = sock.set_nonblocking(nonblocking);
                sock
            }
            Err(shared) => shared.sock.try_clone().expect("no descriptor for a socket that has other handles"),
        };
        let option = |ns: i64| (ns != 0).then(|| Duration::from_nanos(ns.unsigned_abs()));
        let options = socket2::SockRef::from(&sock);
        // What cannot be set on a socket that was closed is of no use there either.
        _ = options.set_read_timeout(option(timeouts[0]));
        _ = options.set_write_timeout(option(timeouts[1]));
        sock
    }

    /// Std's socket, for what does not wait.
    pub(crate) fn get(&self) -> io::Result<&S> {
        if self.io.desc.is_closed() { Err(self.in_words("control", error::closed())) } else { Ok(&self.sock) }
    }

    /// Std's socket, also when it was closed.
    pub(crate) fn raw(&self) -> &S {
        &self.sock
    }

    /// Does `op`, and again when the socket is ready for it, for as long as the side's timeout.
    #[inline]
    pub(crate) fn run<T>(
        &self,
        side: Side,
        at: &'static Location<'static>,
        mut op: impl FnMut(&S) -> io::Result<T>,
    ) -> io::Result<T> {
        let timeout = self.io.timeout_ns(side);
        let done = self.io.run(side, timeout, at, || op(&self.sock), |_| false);
        done.map_err(|error| self.in_words(Self::word(side), error))
    }

    /// The same for a read into so much `room`.
    #[inline]
    pub(crate) fn read(
        &self,
        room: usize,
        at: &'static Location<'static>,
        mut op: impl FnMut(&S) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let timeout = self.io.timeout_ns(Side::Read);
        let done = self.io.run(Side::Read, timeout, at, || op(&self.sock), Self::took_all(room));
        done.map_err(|error| self.in_words(S::READ, error))
    }

    /// The same as `run`, for as long as `limit`.
    pub(crate) fn run_within<T>(
        &self,
        side: Side,
        limit: Option<Duration>,
        at: &'static Location<'static>,
        mut op: impl FnMut(&S) -> io::Result<T>,
    ) -> io::Result<T> {
        // Zero is the shortest limit here, and what is too long for a number is for ever.
        let ns = limit.map_or(0, |limit| i64::try_from(limit.as_nanos()).map_or(0, |ns| ns.max(1)));
        let done = self.io.run(side, ns, at, || op(&self.sock), |_| false);
        done.map_err(|error| self.in_words(Self::word(side), error))
    }

    /// Go's word for an operation of a side.
    fn word(side: Side) -> &'static str {
        match side {
            Side::Read => S::READ,
            Side::Write => "write",
        }
    }

    /// An error with what was tried.
    #[cold]
    fn in_words(&self, op: &'static str, error: io::Error) -> io::Error {
        if S::NETWORK.is_empty() {
            return error;
        }
        error::in_words(error, op, S::NETWORK, || match self.ends.get() {
            Some(ends) => <[End; 2]>::clone(ends),
            None => self.sock.ends(),
        })
    }

    /// Tries `op`. If it would have to wait, the task is called when the socket may be ready, closed, or past its deadline. Timeouts, which are for
    /// operations that wait, do not hold here.
    pub(crate) fn poll<T>(
        &self,
        side: Side,
        cx: &mut Context<'_>,
        mut op: impl FnMut(&S) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let done = self.io.poll(side, cx.waker(), || op(&self.sock), |_| false);
        done.map_err(|error| self.in_words(Self::word(side), error))
    }

    /// The same for a read into so much `room`.
    #[allow(dead_code, reason = "for the cargo features with traits for streams")]
    pub(crate) fn poll_read(
        &self,
        room: usize,
        cx: &mut Context<'_>,
        mut op: impl FnMut(&S) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let done = self.io.poll(Side::Read, cx.waker(), || op(&self.sock), Self::took_all(room));
        done.map_err(|error| self.in_words(S::READ, error))
    }

    /// Whether a read of so many bytes into so much room has taken all there was.
    fn took_all(room: usize) -> impl Fn(&usize) -> bool {
        move |count| S::SHORT_READS_TELL && (1..room).contains(count)
    }

    /// Waits for `time`, or until the socket is closed or its deadline has passed.
    pub(crate) fn pause(&self, time: Duration, at: &'static Location<'static>) {
        let limit = deadline(time);
        let Ok(_turn) = self.io.turn(Side::Read, limit, at) else { return };
        if self.io.ensure_registered().is_err() {
            // The poller lacks descriptors itself.
            return sleep(time);
        }
        while self.io.wait(Side::Read, limit, at).is_ok() {}
    }

    /// Closes the socket for all handles; what waits for it returns with an error.
    pub(crate) fn close(&self) -> io::Result<()> {
        if !self.io.desc.is_closed() && !S::NETWORK.is_empty() {
            // Another one that closes may have been faster: its addresses are the same.
            _ = self.ends.set(Box::new(self.sock.ends()));
        }
        let inside = enter();
        let evicted = netwait::evict(&inside, self.io.desc);
        drop(inside);
        if !evicted {
            return Err(self.in_words("close", error::closed()));
        }
        self.io.end_registration();
        if !os::replace_with_null(self.sock.as_fd()) {
            // No descriptor is to be had for the placeholder: the peer learns of the close at once, the number is free when the handles are gone.
            _ = socket2::SockRef::from(&self.sock).shutdown(std::net::Shutdown::Both);
        }
        Ok(())
    }

    /// Sets when operations of these sides fail, whenever they began. None is never.
    pub(crate) fn set_deadline(&self, sides: &[Side], when: Option<Instant>) -> io::Result<()> {
        let when = match when.map(|when| when.checked_duration_since(Instant::now())) {
            None => 0,
            Some(None) => -1,
            Some(Some(left)) if left.is_zero() => -1,
            Some(Some(left)) => deadline(left).unwrap_or(0),
        };
        let inside = enter();
        let set = netwait::set_deadline(&inside, self.io.desc, sides, when);
        drop(inside);
        set.map_err(|ended| self.in_words("set", error::of_end(ended)))
    }

    /// Sets the longest wait of one operation of a side.
    pub(crate) fn set_timeout(&self, side: Side, timeout: Option<Duration>) -> io::Result<()> {
        self.get()?;
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a timeout of zero; None is for ever"));
        }
        let ns = timeout.map_or(0, |timeout| i64::try_from(timeout.as_nanos()).unwrap_or(0));
        self.io.timeouts[side as usize].store(ns, Ordering::Relaxed);
        Ok(())
    }

    /// The longest wait of one operation of a side.
    pub(crate) fn timeout(&self, side: Side) -> io::Result<Option<Duration>> {
        self.get()?;
        Ok(match self.io.timeout_ns(side) {
            0 => None,
            ns => Some(Duration::from_nanos(ns.unsigned_abs())),
        })
    }

    /// Whether operations fail instead of waiting.
    pub(crate) fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.get()?;
        self.io.nonblocking.store(nonblocking, Ordering::Relaxed);
        Ok(())
    }

    /// Whether they do.
    pub(crate) fn is_nonblocking(&self) -> bool {
        self.io.nonblocking.load(Ordering::Relaxed)
    }
}

impl Io {
    fn timeout_ns(&self, side: Side) -> i64 {
        self.timeouts[side as usize].load(Ordering::Relaxed)
    }

    #[inline]
    fn run<T>(
        &self,
        side: Side,
        timeout: i64,
        at: &'static Location<'static>,
        mut op: impl FnMut() -> io::Result<T>,
        took_all: impl Fn(&T) -> bool,
    ) -> io::Result<T> {
        check_goexit();
        if self.nonblocking.load(Ordering::Relaxed) {
            self.desc.check(side).map_err(error::of_end)?;
            return op();
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
                    Err(_) if self.desc.is_closed() => return Err(error::closed()),
                    done => {
                        if done.as_ref().is_ok_and(&took_all) {
                            self.drained.store(true, Ordering::Relaxed);
                        }
                        return done;
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

    fn poll<T>(
        &self,
        side: Side,
        waker: &Waker,
        mut op: impl FnMut() -> io::Result<T>,
        took_all: impl Fn(&T) -> bool,
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
                Err(_) if self.desc.is_closed() => return Poll::Ready(Err(error::closed())),
                done => {
                    if side == Side::Read {
                        self.emptied.note(done.as_ref().is_ok_and(&took_all).then_some(seen));
                    }
                    return Poll::Ready(done);
                }
            }
            self.ensure_registered()?;
            if task::announce(self.desc, side, seen, waker) {
                return Poll::Pending;
            }
        }
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
    fn turn(&self, side: Side, limit: Option<i64>, at: &'static Location<'static>) -> Result<Held<'_>, Ended> {
        self.turns[side as usize].take(at, limit).ok_or(Ended::Limit)
    }

    #[inline(never)]
    fn wait(&self, side: Side, limit: Option<i64>, at: &'static Location<'static>) -> Result<(), Ended> {
        let inside = enter_preemptible();
        note_place(&inside, at);
        netwait::wait(&inside, self.desc, side, limit)
    }

    /// FD4.
    fn ensure_registered(&self) -> io::Result<()> {
        if self.registered.load(Ordering::Relaxed) || netpoll::is_forked_child() {
            return Ok(());
        }
        let (opened, registered) = {
            let _registering = self.registering.lock();
            if self.registered.load(Ordering::Relaxed) || self.desc.is_closed() {
                return Ok(());
            }
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
    fn end_registration(&self) {
        let _registering = self.registering.lock();
        if self.registered.swap(false, Ordering::Relaxed) {
            netpoll::deregister(self.fd);
        }
    }
}

impl Drop for Io {
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc;
    use std::task::Wake;
    use std::thread;

    use super::*;
    use crate::gmp::SCHED;

    fn pair() -> (Arc<Socket<UnixStream>>, UnixStream) {
        let (near, far) = UnixStream::pair().expect("there are descriptors");
        (Socket::new(near), far)
    }

    fn connected() -> (Arc<Socket<TcpStream>>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
        let far = TcpStream::connect(listener.local_addr().expect("it has an address")).expect("it listens");
        (Socket::new(listener.accept().expect("somebody has connected").0), far)
    }

    fn read(socket: &Socket<UnixStream>) -> io::Result<usize> {
        socket.run(Side::Read, Location::caller(), |mut socket| socket.read(&mut [0]))
    }

    /// FD6: what has been read to the end is not tried before there is an edge; a wait in vain makes it doubtful again.
    #[test]
    fn after_a_short_read_the_next_one_waits_first() {
        if !netpoll::SHORT_READS_TELL {
            return;
        }
        let (near, mut far) = connected();
        let mut tries = 0;
        let mut read = |length: usize| {
            tries = 0;
            let done = near.read(length, Location::caller(), |mut sock| {
                tries += 1;
                sock.read(&mut [0; 8][..length])
            });
            (done.ok(), tries)
        };
        far.write_all(b"0123456789abcdef").expect("there is room");
        // Registered, and full: more may be there.
        assert_eq!((read(8), read(4)), ((Some(8), 1), (Some(4), 1)));
        near.set_timeout(Side::Read, Some(Duration::from_millis(1))).expect("it is open");
        assert_eq!((read(5), read(8)), ((Some(4), 1), (None, 1)));
        far.write_all(b"xyz").expect("there is room");
        near.set_timeout(Side::Read, None).expect("it is open");
        assert_eq!(read(8).0, Some(3));
        near.set_timeout(Side::Read, Some(Duration::from_millis(1))).expect("it is open");
        // The second one knows nothing any more, and finds out.
        assert_eq!((read(8), read(8)), ((None, 0), (None, 1)));
        drop(far);
        near.set_timeout(Side::Read, None).expect("it is open");
        assert_eq!(read(8).0, Some(0));
    }

    /// The same for tasks, which look at the edges as often as they are polled.
    #[test]
    fn after_a_short_read_a_task_waits_without_a_try() {
        struct Tell(mpsc::Sender<()>);

        impl Wake for Tell {
            fn wake(self: Arc<Tell>) {
                // The test may have ended.
                _ = self.0.send(());
            }
        }

        if !netpoll::SHORT_READS_TELL {
            return;
        }
        let (near, mut far) = connected();
        let (tell, told) = mpsc::channel();
        let waker = Waker::from(Arc::new(Tell(tell)));
        let poll = |length: usize| {
            let mut tries = 0;
            let done = near.poll_read(length, &mut Context::from_waker(&waker), |mut sock| {
                tries += 1;
                sock.read(&mut [0; 8][..length])
            });
            (done.map(Result::ok), tries)
        };
        let wait = || told.recv_timeout(Duration::from_secs(60)).expect("an edge calls the waker");
        assert_eq!(poll(8), (Poll::Pending, 1));
        far.write_all(b"0123456789").expect("there is room");
        wait();
        // Full: more may be there.
        assert_eq!((poll(4), poll(8)), ((Poll::Ready(Some(4)), 1), (Poll::Ready(Some(6)), 1)));
        assert_eq!((poll(8), poll(8)), ((Poll::Pending, 0), (Poll::Pending, 0)));
        far.write_all(b"xyz").expect("there is room");
        wait();
        assert_eq!((poll(8), poll(8)), ((Poll::Ready(Some(3)), 1), (Poll::Pending, 0)));
        drop(far);
        wait();
        assert_eq!((poll(8), poll(8)), ((Poll::Ready(Some(0)), 1), (Poll::Ready(Some(0)), 1)));
    }

    /// The M that watches a timer has to sleep in the poller from the moment when there is one, also if the socket for which it was made cannot
    /// be registered.
    #[test]
    fn the_watcher_learns_of_a_poller_whose_first_registration_fails() {
        os::in_own_process("net::fd::tests::the_watcher_learns_of_a_poller_whose_first_registration_fails", || {
            crate::go(|| crate::time::sleep(Duration::from_secs(100_000)));
            while SCHED.poller.load(Ordering::SeqCst).is_null() {
                thread::yield_now();
            }
            os::let_fail(os::Fault::Register, 1);
            let (socket, _far) = pair();
            assert_eq!(read(&socket).unwrap_err().kind(), io::ErrorKind::StorageFull);
            let (socket, mut far) = pair();
            let (tell, told) = mpsc::channel();
            thread::spawn(move || tell.send(read(&socket).unwrap()));
            // Until nobody is left who would find the edge by chance.
            while !netpoll::has_waiters() || !SCHED.sysmon_waits.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            far.write_all(b"x").unwrap();
            assert_eq!(told.recv_timeout(Duration::from_secs(60)), Ok(1));
        });
    }
}
