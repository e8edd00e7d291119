//! A socket in the runtime's hands: std's type, whose operations wait in the runtime, and whose errors tell Go's words.
//!
//! *Why here.* Floor 8: what all kinds of sockets share.
//!
//! *Invariants.* FD1 of `net::fd`: an operation borrows a handle.
//!
//! *Locks.* None.
//!
//! *Go:* `netFD`.

use core::panic::Location;
use core::sync::atomic::Ordering;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crate::net::error::{self, End};
use crate::net::fd::{Fd, Made};
use crate::net::kind::StdSocket;
use crate::netpoll::polldesc::Side;
use crate::os;
use crate::proc::{enter, netwait};
use crate::sync::sudog::deadline;
use crate::time::sleep;

/// A socket of one of std's types.
pub(crate) struct Socket<S> {
    /// Before `sock`: it lets go of the descriptor before that is closed.
    fd: Fd,
    sock: S,
    /// The addresses that it had when it was closed with `close`; for errors.
    ends: OnceLock<Box<[End; 2]>>,
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
        for (slot, timeout) in socket.fd.timeouts.iter().zip(known) {
            let ns = timeout.ok().flatten().map_or(0, |timeout| i64::try_from(timeout.as_nanos()).unwrap_or(0));
            slot.store(ns, Ordering::Relaxed);
        }
        socket
    }

    /// The same as `new` for a socket that does not block.
    pub(crate) fn assume_nonblocking(sock: S) -> Arc<Socket<S>> {
        let fd = Fd::new(sock.as_fd().as_raw_fd());
        Arc::new(Socket { fd, sock, ends: OnceLock::new() })
    }

    /// Gives the socket back as std's. If other handles of it exist, it is duplicated, as only one can have the number, and does not block, as
    /// theirs must not.
    pub(crate) fn into_std(self: Arc<Socket<S>>) -> S {
        let nonblocking = self.is_nonblocking();
        let timeouts = [Side::Read, Side::Write].map(|side| self.fd.timeout_ns(side));
        let sock = match Arc::try_unwrap(self) {
            Ok(Socket { fd, sock, .. }) => {
                drop(fd);
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
        if self.fd.desc.is_closed() { Err(self.in_words("control", error::closed())) } else { Ok(&self.sock) }
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
        let timeout = self.fd.timeout_ns(side);
        let done = self.fd.run(side, timeout, at, || op(&self.sock), |_| Made::Plain);
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
        let timeout = self.fd.timeout_ns(Side::Read);
        let done = self.fd.run(Side::Read, timeout, at, || op(&self.sock), Self::made(room));
        done.map_err(|error| self.in_words(S::READ, error))
    }

    /// The same for what else receives; `count` is how many bytes it has got.
    pub(crate) fn receive<T>(
        &self,
        at: &'static Location<'static>,
        mut op: impl FnMut(&S) -> io::Result<T>,
        count: impl Fn(&T) -> usize,
    ) -> io::Result<T> {
        let timeout = self.fd.timeout_ns(Side::Read);
        let made = |done: &T| if count(done) == 0 { Made::Nothing } else { Made::Plain };
        let done = self.fd.run(Side::Read, timeout, at, || op(&self.sock), made);
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
        let done = self.fd.run(side, ns, at, || op(&self.sock), |_| Made::Plain);
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
        let done = self.fd.poll(side, cx.waker(), || op(&self.sock), |_| Made::Plain);
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
        let done = self.fd.poll(Side::Read, cx.waker(), || op(&self.sock), Self::made(room));
        done.map_err(|error| self.in_words(S::READ, error))
    }

    /// What a read of so many bytes into so much room means.
    fn made(room: usize) -> impl Fn(&usize) -> Made {
        move |&count| match count {
            0 => Made::Nothing,
            _ if S::SHORT_READS_TELL && count < room => Made::Emptied,
            _ => Made::Plain,
        }
    }

    /// Waits for `time`, or until the socket is closed or its deadline has passed.
    pub(crate) fn pause(&self, time: Duration, at: &'static Location<'static>) {
        let limit = deadline(time);
        let Ok(_turn) = self.fd.turn(Side::Read, limit, at) else { return };
        if self.fd.ensure_registered().is_err() {
            // The poller lacks descriptors itself.
            return sleep(time);
        }
        while self.fd.wait(Side::Read, limit, at).is_ok() {}
    }

    /// Closes the socket for all handles; what waits for it returns with an error.
    pub(crate) fn close(&self) -> io::Result<()> {
        if !self.fd.desc.is_closed() && !S::NETWORK.is_empty() {
            // Another one that closes may have been faster: its addresses are the same.
            _ = self.ends.set(Box::new(self.sock.ends()));
        }
        let inside = enter();
        let evicted = netwait::evict(&inside, self.fd.desc);
        drop(inside);
        if !evicted {
            return Err(self.in_words("close", error::closed()));
        }
        self.fd.end_registration();
        self.fd.mark_comes_first();
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
        let set = netwait::set_deadline(&inside, self.fd.desc, sides, when);
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
        self.fd.timeouts[side as usize].store(ns, Ordering::Relaxed);
        Ok(())
    }

    /// The longest wait of one operation of a side.
    pub(crate) fn timeout(&self, side: Side) -> io::Result<Option<Duration>> {
        self.get()?;
        Ok(match self.fd.timeout_ns(side) {
            0 => None,
            ns => Some(Duration::from_nanos(ns.unsigned_abs())),
        })
    }

    /// Whether operations fail instead of waiting.
    pub(crate) fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.get()?;
        self.fd.nonblocking.store(nonblocking, Ordering::Relaxed);
        Ok(())
    }

    /// Whether they do.
    pub(crate) fn is_nonblocking(&self) -> bool {
        self.fd.nonblocking.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc;
    use std::task::{Wake, Waker};
    use std::thread;

    use super::*;
    use crate::gmp::SCHED;
    use crate::net::Closed;
    use crate::netpoll;

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

    /// Closes the socket in the middle of an operation, with a placeholder or for want of a descriptor without.
    fn close<S: StdSocket>(socket: &Socket<S>, in_shortage: bool) {
        os::let_fail(os::Fault::Open, in_shortage.into());
        socket.close().expect("it was open");
    }

    #[track_caller]
    fn assert_closed<T: fmt::Debug>(done: io::Result<T>) {
        let error = done.expect_err("the socket was closed meanwhile");
        assert!(Closed::is_source_of(&error), "{error:?}");
    }

    /// FD7.
    #[test]
    fn what_a_close_does_to_an_operation_beside_it_is_no_end_of_the_stream() {
        os::in_own_process(
            "net::socket::tests::what_a_close_does_to_an_operation_beside_it_is_no_end_of_the_stream",
            || [false, true].into_iter().for_each(close_beside_operations),
        );
    }

    fn close_beside_operations(in_shortage: bool) {
        let at = Location::caller();
        for nonblocking in [false, true] {
            let (near, _far) = pair();
            near.set_nonblocking(nonblocking).expect("it is open");
            assert_closed(near.read(1, at, |mut sock| {
                close(&near, in_shortage);
                sock.read(&mut [0])
            }));
            let (near, _far) = connected();
            near.set_nonblocking(nonblocking).expect("it is open");
            assert_closed(near.run(Side::Write, at, |mut sock| {
                close(&near, in_shortage);
                sock.write(&[0])
            }));
        }
        let (near, _far) = connected();
        assert_closed(near.receive(
            at,
            |sock| {
                close(&near, in_shortage);
                sock.peek(&mut [0])
            },
            |&count| count,
        ));
        let (near, _far) = connected();
        let polled = near.poll_read(1, &mut Context::from_waker(Waker::noop()), |mut sock| {
            close(&near, in_shortage);
            sock.read(&mut [0])
        });
        match polled {
            Poll::Ready(done) => assert_closed(done),
            Poll::Pending => panic!("a task waits for a socket that was closed"),
        }
        let listener = Socket::new(TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port"));
        assert_closed(listener.run(Side::Read, at, |sock| {
            close(&listener, in_shortage);
            sock.accept()
        }));
    }

    /// What the operation has got before is the caller's, and so is the end if the peer's was first.
    #[test]
    fn what_an_operation_has_got_before_a_close_is_kept() {
        let (near, mut far) = pair();
        far.write_all(b"x").expect("there is room");
        let count = near.read(1, Location::caller(), |mut sock| {
            let done = sock.read(&mut [0]);
            near.close().expect("it was open");
            done
        });
        assert_eq!(count.expect("a byte was there"), 1);
        let (near, far) = pair();
        drop(far);
        assert_eq!(near.read(1, Location::caller(), |mut sock| sock.read(&mut [0])).expect("the peer has gone"), 0);
        near.close().expect("it was open");
    }

    /// The M that watches a timer has to sleep in the poller from the moment when there is one, also if the socket for which it was made cannot
    /// be registered.
    #[test]
    fn the_watcher_learns_of_a_poller_whose_first_registration_fails() {
        os::in_own_process("net::socket::tests::the_watcher_learns_of_a_poller_whose_first_registration_fails", || {
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
