//! What the runtime knows of a socket: who waits for which side, until when, and whether it is closed.
//!
//! *Why here.* Floor 4: data with small operations under one lock. They return the goroutines that are to be readied; `proc::netwait` does.
//!
//! *Invariants.* PD1. A descriptor is never freed; `tag` tells its lives apart, so that an event of an earlier one does nothing. PD2. All-zero
//! memory is a descriptor that was never used. PD3. `times` is under its lock; `flags` changes under it and is looked at without. A park commits
//! under it after a look at `flags`, and whoever changes them unblocks after that under it: none of the two misses the other. PD4. A side's
//! timer, if `armed` is not 0, fires no later than that, and `armed` is no later than the side's deadline and limit: what fires looks at what is
//! due, and arms again for the rest. An expiry that is late or early therefore does no harm, and a later deadline needs no arming. PD5. Tasks of async
//! code may wait beside the one goroutine of a side; what ends its wait ends theirs, and they look at `flags` after they have taken note of the edges.
//!
//! *Locks.* `times`, rank 1; a timer heap's (rank 3) is taken under it.
//!
//! *Go:* `pollDesc`; `netpollcheckerr`, `netpollunblock`, `netpolldeadlineimpl`, `poll_runtime_pollSetDeadline`.

use core::mem::offset_of;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, Ordering};

use crate::base::lock::Lock;
use crate::gmp::timers::Timer;
use crate::gmp::{G, GList, GPtr};
use crate::netpoll::edges::Edges;
use crate::netpoll::word::Word;
use crate::os;

/// A side of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Receiving and accepting.
    Read = 0,
    /// Sending and connecting.
    Write = 1,
}

/// Bits of `flags`.
const CLOSED: u8 = 1;
const READ_EXPIRED: u8 = 2;
const WRITE_EXPIRED: u8 = 4;

/// A time that has passed: what was due has been carried out.
const PAST: i64 = -1;

/// Why a wait ends without an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The socket was closed.
    Closed,
    /// The deadline of this side has passed.
    Deadline,
    /// The limit of this one wait has passed.
    Limit,
}

/// Times of one side, ns of the monotonic clock; 0 is never (PD4).
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    /// Holds for all operations until it is changed.
    deadline: i64,
    /// Holds for the wait that is under way.
    limit: i64,
    /// When the timer fires.
    armed: i64,
}

impl Times {
    /// The next thing that is due; 0 without any.
    fn next(&self) -> i64 {
        match (self.deadline.max(0), self.limit.max(0)) {
            (0, only) | (only, 0) => only,
            (a, b) => a.min(b),
        }
    }

    /// The time that the timer has to be armed for, if it has to be.
    fn rearm(&mut self) -> Option<i64> {
        let next = self.next();
        let wanted = next != 0 && (self.armed == 0 || next < self.armed);
        wanted.then(|| {
            self.armed = next;
            next
        })
    }
}

/// Arms a timer of a descriptor for a time; given by the floor that knows the heaps.
pub(crate) type Arm<'a> = &'a dyn Fn(&Timer, i64, Side);

/// The tasks of async code that wait for a side.
pub(crate) struct Tasks {
    pub(crate) edges: Edges,
    /// The proxy of the tasks, from the first one on; it is the descriptor's for all its lives.
    pub(crate) proxy: AtomicPtr<G>,
}

/// A socket as the poller sees it. What an edge touches is in the first cache line, what a wait adds to it in the second.
#[repr(C, align(64))]
pub(crate) struct PollDesc {
    words: [Word; 2],
    tasks: [Tasks; 2],
    flags: AtomicU8,
    /// See `is_irregular`.
    irregular: AtomicBool,
    /// The number of this life (PD1).
    tag: AtomicU32,
    /// What whoever waits here will touch first when the wait has ended; a hint what to fetch.
    user: AtomicPtr<()>,

    times: Lock<[Times; 2]>,
    /// Position in the table; set when the memory is made.
    pub(super) index: AtomicU32,
    /// Next free descriptor, by its position plus one; the table's.
    pub(super) next_free: AtomicU32,

    timers: [Timer; 2],
}

/// A cache line.
const LINE: usize = 64;

const _: () = assert!(offset_of!(PollDesc, times) == LINE && offset_of!(PollDesc, timers) == 2 * LINE);

// SAFETY: what moves is an address; the memory is never freed (PD1).
unsafe impl Send for PollDesc {}
// SAFETY: the words and flags are atomics, the times are under their lock, and a timer's cells are under its heap's lock.
unsafe impl Sync for PollDesc {}

impl PollDesc {
    /// The word of a side.
    #[inline(always)]
    pub(crate) fn word(&self, side: Side) -> &Word {
        &self.words[side as usize]
    }

    /// The tasks of a side.
    #[inline(always)]
    pub(crate) fn tasks(&self, side: Side) -> &Tasks {
        &self.tasks[side as usize]
    }

    /// The number of this life.
    pub(crate) fn tag(&self) -> u32 {
        self.tag.load(Ordering::Relaxed)
    }

    /// Fetches what an edge and the next wait will touch: with a thousand sockets in turn it is not in the nearest cache.
    pub(crate) fn warm_up(&self) {
        let first = core::ptr::from_ref(self).cast::<u8>();
        os::prefetch(first);
        os::prefetch(first.wrapping_add(LINE));
    }

    /// Says what is to be fetched when a wait ends: two lines from there.
    pub(crate) fn set_user(&self, user: *const ()) {
        self.user.store(user.cast_mut(), Ordering::Relaxed);
    }

    /// Fetches it.
    pub(crate) fn warm_up_user(&self) {
        let user = self.user.load(Ordering::Relaxed).cast::<u8>();
        os::prefetch(user);
        os::prefetch(user.wrapping_add(LINE));
    }

    /// Why an operation on this side may not begin or go on.
    #[inline(always)]
    pub(crate) fn check(&self, side: Side) -> Result<(), Ended> {
        match self.flags.load(Ordering::Relaxed) {
            0 => Ok(()),
            flags => Self::reason(flags, side).map_or(Ok(()), Err),
        }
    }

    /// Whether it was closed.
    #[inline(always)]
    pub(crate) fn is_closed(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & CLOSED != 0
    }

    /// Whether an end, an error or urgent data was announced in this life: then a short read says nothing about what there is behind it.
    #[inline(always)]
    pub(crate) fn is_irregular(&self) -> bool {
        self.irregular.load(Ordering::Relaxed)
    }

    /// Before the edge is reported that announces it: whoever takes the edge, which is an Acquire, sees this.
    pub(crate) fn set_irregular(&self) {
        self.irregular.store(true, Ordering::Relaxed);
    }

    #[cold]
    fn reason(flags: u8, side: Side) -> Option<Ended> {
        if flags & CLOSED != 0 {
            return Some(Ended::Closed);
        }
        (flags & (READ_EXPIRED << side as u32) != 0).then_some(Ended::Deadline)
    }

    /// Completes a park (PD3); false when there is a reason not to. After true the goroutine may be running elsewhere.
    pub(crate) fn commit(&self, gp: GPtr, side: Side, limit: Option<i64>, arm: Arm<'_>) -> bool {
        let mut times = self.times.lock();
        if Self::reason(self.flags.load(Ordering::Relaxed), side).is_some() {
            return false;
        }
        if let Some(limit) = limit {
            let own = &mut times[side as usize];
            let passed = limit <= os::nanotime();
            own.limit = if passed { PAST } else { limit };
            if passed {
                return false;
            }
            if let Some(when) = own.rearm() {
                arm(&self.timers[side as usize], when, side);
            }
        }
        self.word(side).commit(gp.non_null().cast())
    }

    /// After a wait with a limit: whether it has passed. The limit holds no longer.
    pub(crate) fn take_limit(&self, side: Side) -> bool {
        let mut times = self.times.lock();
        let own = &mut times[side as usize];
        let passed = core::mem::take(&mut own.limit) == PAST;
        self.rest(own, side);
        passed
    }

    /// Cancels a timer that has nothing left to fire for: an armed one keeps a deadlock from being reported.
    fn rest(&self, own: &mut Times, side: Side) {
        if own.armed != 0 && own.next() == 0 {
            own.armed = 0;
            // The callback says that it has fired before it takes the lock that is held here, so this does not wait for it.
            self.timers[side as usize].cancel();
        }
    }

    /// The timer of a side has fired: carries out what is due, and arms it for the rest. Who is to be readied.
    pub(crate) fn expire(&self, side: Side, now: i64, arm: Arm<'_>) -> GList {
        let mut times = self.times.lock();
        let own = &mut times[side as usize];
        own.armed = 0;
        let mut due = false;
        if (1..=now).contains(&own.deadline) {
            own.deadline = PAST;
            self.flags.fetch_or(READ_EXPIRED << side as u32, Ordering::Relaxed);
            due = true;
        }
        if (1..=now).contains(&own.limit) {
            own.limit = PAST;
            due = true;
        }
        if let Some(when) = own.rearm() {
            arm(&self.timers[side as usize], when, side);
        }
        let mut ready = GList::new();
        if due {
            self.unblock(side, false, &mut ready);
        }
        ready
    }

    /// Sets the deadline of some sides: 0 for none, a negative time for one that has passed. The goroutines to ready; Err when it was closed.
    pub(crate) fn set_deadline(&self, sides: &[Side], when: i64, arm: Arm<'_>) -> Result<GList, Ended> {
        let mut ready = GList::new();
        let mut times = self.times.lock();
        if self.is_closed() {
            return Err(Ended::Closed);
        }
        for &side in sides {
            let own = &mut times[side as usize];
            own.deadline = when.max(PAST);
            let bit = READ_EXPIRED << side as u32;
            if when < 0 {
                self.flags.fetch_or(bit, Ordering::Relaxed);
                self.rest(own, side);
                self.unblock(side, false, &mut ready);
            } else {
                self.flags.fetch_and(!bit, Ordering::Relaxed);
                self.rest(own, side);
                if let Some(when) = own.rearm() {
                    arm(&self.timers[side as usize], when, side);
                }
            }
        }
        Ok(ready)
    }

    /// The socket is closed: nobody waits for it any more. None: it was closed already.
    pub(crate) fn evict(&self) -> Option<GList> {
        let mut times = self.times.lock();
        if self.flags.fetch_or(CLOSED, Ordering::Relaxed) & CLOSED != 0 {
            return None;
        }
        let mut ready = GList::new();
        for side in [Side::Read, Side::Write] {
            let own = &mut times[side as usize];
            (own.deadline, own.limit) = (0, 0);
            self.rest(own, side);
            self.unblock(side, false, &mut ready);
        }
        Some(ready)
    }

    /// Ends the waits of a side: puts on a list who is to be readied, the goroutine and the proxy of the tasks.
    pub(crate) fn unblock(&self, side: Side, ready: bool, list: &mut GList) {
        if let Some(gp) = self.word(side).unblock(ready) {
            list.push_back(GPtr::new(gp.cast::<G>()));
        }
        let tasks = self.tasks(side);
        if tasks.edges.edge()
            && let Some(proxy) = GPtr::from_raw(tasks.proxy.load(Ordering::Relaxed))
        {
            list.push_back(proxy);
        }
    }

    /// Begins a new life of an evicted descriptor (PD1).
    pub(super) fn renew(&self) {
        let _times = self.times.lock();
        self.tag.fetch_add(1, Ordering::Relaxed);
        for word in &self.words {
            word.clear();
        }
        self.flags.store(0, Ordering::Relaxed);
        self.irregular.store(false, Ordering::Relaxed);
    }
}

/// The descriptor whose timer of `side` this is.
pub(crate) fn of_timer(timer: NonNull<Timer>, side: Side) -> &'static PollDesc {
    let offset = offset_of!(PollDesc, timers) + side as usize * size_of::<Timer>();
    // SAFETY: only timers of descriptors come here, so stepping back by the field's offset stays in the same one.
    let desc = unsafe { timer.byte_sub(offset).cast::<PollDesc>() };
    // SAFETY: descriptors are never freed (PD1).
    unsafe { desc.as_ref() }
}

const _: () = assert!(WRITE_EXPIRED == READ_EXPIRED << Side::Write as u32);
