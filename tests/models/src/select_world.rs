//! What the body of a select stands on: goroutines that park, a timer, and channels without a buffer.
//!
//! *What.* The names of `gmp`, `proc` and `channel` that `channel::select::search` and `sync::sudog` use. A goroutine is a thread of the
//! model; the commit of its park runs on a thread of its own, because in the runtime it is g0 that runs it, while the goroutine may
//! be going on elsewhere. A channel is the rendezvous of `channel::transfer` in its shortest form, with the runtime's lock and queues.
//!
//! *Why here.* It stands in for floors 3 to 7.
//!
//! *Invariants.* W1. What a lock protects is a plain cell: that the locks are held is what is modelled, not what they order.
//!
//! *Locks.* The runtime's spinning lock, one for each channel; a mutex for the timer.
//!
//! *Go:* none.

use std::cell::Cell;
use std::ops::Deref;
use std::panic::Location;
use std::ptr::NonNull;

use loom::sync::{Condvar, Mutex};
use loom::thread;

use crate::base::shim::{AtomicU32, Ordering};
use crate::gmp::WaitReason;
use crate::gmp::status::GStatus;
use crate::os;
use crate::sync::spin::SpinLock;
use crate::sync::sudog::{Claimed, Claims, Kind, WaitQueue};

/// A goroutine.
pub(crate) struct G {
    pub(crate) status: GStatus,
    pub(crate) selected: AtomicU32,
    pub(crate) timer: Timer,
    runnable: Mutex<bool>,
    queued: Condvar,
}

/// Its handle.
#[derive(Clone, Copy)]
pub(crate) struct GPtr(NonNull<G>);

// SAFETY: what is behind it is made of loom's types and is shared by design.
unsafe impl Send for GPtr {}

impl Deref for GPtr {
    type Target = G;

    fn deref(&self) -> &G {
        // SAFETY: a goroutine lives until its model's threads have ended.
        unsafe { self.0.as_ref() }
    }
}

impl G {
    /// A running goroutine, which is never freed: some commit may be on its way out still.
    pub(crate) fn running() -> GPtr {
        let g = Box::leak(Box::new(G {
            status: GStatus::new(),
            selected: AtomicU32::new(0),
            timer: Timer::default(),
            runnable: Mutex::new(false),
            queued: Condvar::new(),
        }));
        g.selected.load(Ordering::Relaxed);
        g.timer.goroutine.set(Some(GPtr(NonNull::from(&*g))));
        g.status.dead_to_runnable();
        g.status.runnable_to_running();
        GPtr(NonNull::from(g))
    }
}

/// Being inside of the runtime, as this goroutine.
pub(crate) struct Entered(pub(crate) GPtr);

/// The thread that it is on.
pub(crate) struct M;

impl Entered {
    pub(crate) fn g(&self) -> GPtr {
        self.0
    }

    pub(crate) fn m(&self) -> M {
        M
    }
}

impl M {
    /// No randomness: the scenarios choose the order of the cases.
    pub(crate) fn random(&self) -> u64 {
        0
    }
}

pub(crate) fn note_place(_: &Entered, _: &'static Location<'static>) {}

/// Parks the goroutine; g0 is another thread (see the head).
pub(crate) fn gopark(inside: &Entered, _: WaitReason, commit: fn(GPtr, *mut ()) -> bool, arg: *mut ()) {
    let (gp, arg) = (inside.g(), arg.addr());
    gp.status.running_to_waiting();
    thread::spawn(move || {
        assert!(commit(gp, std::ptr::with_exposed_provenance_mut(arg)), "this park is not taken back")
    });
    let mut runnable = gp.runnable.lock().unwrap();
    while !*runnable {
        runnable = gp.queued.wait(runnable).unwrap();
    }
    *runnable = false;
    gp.status.runnable_to_running();
}

pub(crate) fn goready(gp: GPtr) {
    assert!(gp.status.waiting_to_runnable(), "only one may ready a goroutine");
    let before = std::mem::replace(&mut *gp.runnable.lock().unwrap(), true);
    assert!(!before, "a goroutine is queued twice");
    gp.queued.notify_one();
}

/// When every time limit ends; the clock begins at zero.
const LIMIT: i64 = 1;

type Callback = fn(NonNull<Timer>, i64);

/// The goroutine's timer, and the time.
#[derive(Default)]
pub(crate) struct Timer {
    goroutine: Cell<Option<GPtr>>,
    /// What to do, and whether the time has come.
    state: Mutex<(Option<Callback>, bool)>,
}

impl Timer {
    /// The time of every time limit of this goroutine has come.
    pub(crate) fn pass(&self) {
        os::advance_to(LIMIT);
        let mut state = self.state.lock().unwrap();
        state.1 = true;
        if let Some(callback) = state.0.take() {
            callback(NonNull::from(self), 0);
        }
    }

    /// After this nothing of the last arming can happen, because callbacks run under the mutex.
    pub(crate) fn cancel(&self) -> bool {
        self.state.lock().unwrap().0.take().is_some()
    }

    pub(crate) fn fired(&self) {}
}

pub(crate) fn arm_on_g0(gp: GPtr, _: i64, callback: Callback) {
    let mut state = gp.timer.state.lock().unwrap();
    if state.1 { callback(NonNull::from(&gp.timer), 0) } else { state.0 = Some(callback) }
}

pub(crate) fn goroutine_of(timer: NonNull<Timer>) -> GPtr {
    // SAFETY: the timer is a part of its goroutine, which is never freed.
    unsafe { timer.as_ref() }.goroutine.get().expect("a timer belongs to a goroutine")
}

/// How long a select may wait.
#[derive(Clone, Copy)]
pub(crate) enum Patience {
    /// Until [`Timer::pass`].
    Limited,
    Endless,
}

/// The same, after the wait has begun.
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "some are only asked for")]
pub(crate) enum Limit {
    Passed,
    At(i64),
    Never,
}

impl Patience {
    pub(crate) fn limit(self) -> Limit {
        match self {
            Patience::Limited => Limit::At(LIMIT),
            Patience::Endless => Limit::Never,
        }
    }
}

impl Limit {
    pub(crate) fn until(self) -> Option<i64> {
        match self {
            Limit::At(when) => Some(when),
            Limit::Passed | Limit::Never => None,
        }
    }
}

/// Nothing is left over here.
pub(crate) trait Spent {}

/// The right to send.
pub(crate) enum Right {
    Room,
    Hand(Claimed),
    Closed,
}

/// See the runtime's.
#[allow(dead_code, reason = "some are only asked for")]
pub(crate) enum Attempt<'a> {
    Idle,
    Received(Option<Claimed>, Option<Box<dyn Spent + 'a>>),
    Promised(Claimed),
    Closed,
    MaySend(Right),
    Ready,
}

/// See the runtime's.
pub(crate) trait Operation {
    fn lock(&self) -> &SpinLock;
    fn queue(&self) -> &WaitQueue;
    fn kind(&self) -> Kind;
    fn due(&self) -> Option<i64> {
        None
    }
    fn looks_idle(&self) -> bool;
    fn is_surely_idle(&self) -> bool {
        self.looks_idle()
    }
    /// # Safety
    ///
    /// - The lock is held; `elem` is an empty place for a value.
    unsafe fn attempt(&self, elem: *mut (), since: &Cell<i64>) -> Attempt<'_>;
    /// # Safety
    ///
    /// - The lock is held.
    unsafe fn is_ready(&self) -> bool;
}

/// A channel without a buffer.
pub(crate) struct Chan {
    lock: SpinLock,
    recvq: WaitQueue,
    sendq: WaitQueue,
    closed: Cell<bool>,
}

// SAFETY: everything but the lock is under the lock (W1).
unsafe impl Sync for Chan {}
// SAFETY: as for Sync.
unsafe impl Send for Chan {}

impl Chan {
    pub(crate) fn new() -> Chan {
        let lock = SpinLock::new();
        // Loom takes the first look for a write (H1 of the shim).
        lock.lock();
        // SAFETY: locked above.
        unsafe { SpinLock::unlock(&raw const lock) };
        Chan { lock, recvq: WaitQueue::new(), sendq: WaitQueue::new(), closed: Cell::new(false) }
    }

    fn locked<R>(&self, work: impl FnOnce() -> R) -> R {
        self.lock.lock();
        let result = work();
        // SAFETY: locked above.
        unsafe { SpinLock::unlock(&raw const self.lock) };
        result
    }

    /// A plain send that does not wait; whether somebody got the value.
    pub(crate) fn try_send(&self, value: u32) -> bool {
        // SAFETY: locked meanwhile.
        let receiver = self.locked(|| unsafe { self.recvq.dequeue() });
        receiver.map(|receiver| hand(receiver, value)).is_some()
    }

    /// Ends it, as `Hchan::shut`.
    pub(crate) fn close(&self) {
        let mut waiters = Claims::new();
        self.locked(|| {
            self.closed.set(true);
            for queue in [&self.recvq, &self.sendq] {
                // SAFETY: locked meanwhile.
                while let Some(waiter) = unsafe { queue.dequeue() } {
                    waiters.push_front(waiter);
                }
            }
        });
        while let Some(waiter) = waiters.pop() {
            waiter.wake(false);
        }
    }

    /// Nobody is in a queue.
    pub(crate) fn is_left_by_all(&self) -> bool {
        self.locked(|| self.recvq.is_empty() && self.sendq.is_empty())
    }
}

/// Gives a receiver its value.
pub(crate) fn hand(receiver: Claimed, value: u32) {
    // SAFETY: a receiver's place is for a number, and ours until the ready (SU2).
    unsafe { receiver.elem().cast::<u32>().write(value) };
    receiver.wake(true);
}

/// A receive from a channel.
pub(crate) struct Recv<'a>(pub(crate) &'a Chan);

/// A send on a channel.
pub(crate) struct Give<'a>(pub(crate) &'a Chan);

impl Operation for Recv<'_> {
    fn lock(&self) -> &SpinLock {
        &self.0.lock
    }

    fn queue(&self) -> &WaitQueue {
        &self.0.recvq
    }

    fn kind(&self) -> Kind {
        Kind::Value
    }

    fn looks_idle(&self) -> bool {
        false
    }

    unsafe fn attempt(&self, _: *mut (), _: &Cell<i64>) -> Attempt<'_> {
        // SAFETY: the caller holds the lock.
        match unsafe { self.0.sendq.dequeue() } {
            // Only selects send in these models while they wait.
            Some(sender) => Attempt::Promised(sender),
            None if self.0.closed.get() => Attempt::Closed,
            None => Attempt::Idle,
        }
    }

    unsafe fn is_ready(&self) -> bool {
        // SAFETY: the caller holds the lock.
        self.0.closed.get() || unsafe { self.0.sendq.has_taker() }
    }
}

impl Operation for Give<'_> {
    fn lock(&self) -> &SpinLock {
        &self.0.lock
    }

    fn queue(&self) -> &WaitQueue {
        &self.0.sendq
    }

    fn kind(&self) -> Kind {
        Kind::Promise
    }

    fn looks_idle(&self) -> bool {
        false
    }

    unsafe fn attempt(&self, _: *mut (), _: &Cell<i64>) -> Attempt<'_> {
        if self.0.closed.get() {
            return Attempt::MaySend(Right::Closed);
        }
        // SAFETY: the caller holds the lock.
        unsafe { self.0.recvq.dequeue() }.map_or(Attempt::Idle, |receiver| Attempt::MaySend(Right::Hand(receiver)))
    }

    unsafe fn is_ready(&self) -> bool {
        // SAFETY: the caller holds the lock.
        self.0.closed.get() || unsafe { self.0.recvq.has_taker() }
    }
}
