//! Goroutines as threads of a model: they park, are readied, and have timers.
//!
//! *What.* The names of `gmp` and `proc` that blocking primitives use. The commit of a park runs on the thread itself, or, where a model is about what
//! the commit does after somebody can ready the goroutine, on a thread of its own, as g0 does while the goroutine may be going on elsewhere: loom has
//! five threads. The timers are the runtime's, on one heap, which only [`pass`] looks at.
//!
//! *Why here.* It stands in for floor 5.
//!
//! *Invariants.* W2. A goroutine is never freed: some commit may be on its way out still.
//!
//! *Locks.* A mutex for each goroutine's place in the run queue.
//!
//! *Go:* none.

use std::cell::Cell;
use std::mem::offset_of;
use std::ops::Deref;
use std::panic::Location;
use std::ptr::NonNull;

use loom::sync::{Condvar, Mutex};
use loom::thread;

use crate::base::shim::{AtomicU32, Ordering};
use crate::gmp::WaitReason;
use crate::gmp::status::GStatus;
use crate::gmp::timers::{Timer, TimerCallback, TimerHeap, Top};
use crate::os;
use crate::sync::cancel::{Bounds, Cancel, Ending, park_within};
use crate::sync::sudog::expect_claim;

/// A goroutine.
pub(crate) struct G {
    pub(crate) status: GStatus,
    pub(crate) selected: AtomicU32,
    pub(crate) timer: Timer,
    has_g0: bool,
    runnable: Mutex<bool>,
    queued: Condvar,
}

/// Its handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GPtr(NonNull<G>);

// SAFETY: what is behind it is made of loom's types and is shared by design.
unsafe impl Send for GPtr {}

impl Deref for GPtr {
    type Target = G;

    fn deref(&self) -> &G {
        // SAFETY: a goroutine is never freed (W2).
        unsafe { self.0.as_ref() }
    }
}

loom::thread_local! {
    static CURRENT: Cell<Option<GPtr>> = Cell::new(None);
}

loom::lazy_static! {
    static ref HEAP: TimerHeap = TimerHeap::new();
}

impl G {
    /// A running goroutine, whose commits run on threads of their own.
    pub(crate) fn running() -> GPtr {
        G::start(true)
    }

    fn start(has_g0: bool) -> GPtr {
        let g = Box::leak(Box::new(G {
            status: GStatus::new(),
            selected: AtomicU32::new(0),
            timer: Timer::default(),
            has_g0,
            runnable: Mutex::new(false),
            queued: Condvar::new(),
        }));
        g.selected.load(Ordering::Relaxed);
        g.status.dead_to_runnable();
        g.status.runnable_to_running();
        GPtr(NonNull::from(g))
    }

    /// The goroutine that the calling thread is, whose commits run here.
    pub(crate) fn current() -> GPtr {
        CURRENT.with(|current| {
            let gp = current.get().unwrap_or_else(|| G::start(false));
            current.set(Some(gp));
            gp
        })
    }
}

/// Being inside of the runtime, as this goroutine.
pub(crate) struct Entered(pub(crate) GPtr);

impl Drop for Entered {
    /// Back to user code, which nothing here asks about.
    fn drop(&mut self) {}
}

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

pub(crate) fn enter() -> Entered {
    Entered(G::current())
}

pub(crate) fn enter_preemptible() -> Entered {
    enter()
}

/// Nobody is asked to leave.
pub(crate) fn check_goexit() {}

pub(crate) fn is_goexit_unwinding() -> bool {
    IS_LEAVING.get()
}

/// Unwinding out of `body` counts as a goexit.
pub(crate) fn leaving<R>(body: impl FnOnce() -> R) -> R {
    IS_LEAVING.set(true);
    let result = body();
    IS_LEAVING.set(false);
    result
}

/// Loom gets to know a canceller's words (H1 of the shim): a wait that is taken back.
pub(crate) fn acquaint(canceller: &Cancel) {
    assert!(!canceller.is_ended());
    let inside = enter();
    expect_claim(inside.g());
    let bounds = Bounds { when: None, cancel: Some(canceller) };
    let ending = park_within(&inside, bounds, WaitReason::MutexLock, |_, _| false, std::ptr::null_mut());
    assert_eq!(ending, Ending::Served);
}

/// A canceller that ends every wait before it has begun.
pub(crate) fn ended_cancel() -> Cancel {
    let cancel = Cancel::new();
    cancel.end();
    cancel
}

pub(crate) fn note_place(_: &Entered, _: &'static Location<'static>) {}

/// Parks the goroutine; what g0 does is done here, or on another thread (see the head).
pub(crate) fn gopark(inside: &Entered, _: WaitReason, commit: fn(GPtr, *mut ()) -> bool, arg: *mut ()) {
    let gp = inside.g();
    gp.status.running_to_waiting();
    if gp.has_g0 {
        let arg = arg.addr();
        thread::spawn(move || {
            assert!(commit(gp, std::ptr::with_exposed_provenance_mut(arg)), "this park is not taken back")
        });
    } else if !commit(gp, arg) {
        assert!(gp.status.waiting_to_runnable(), "nobody else could ready it");
        return gp.status.runnable_to_running();
    }
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
pub(crate) const LIMIT: i64 = 1;

/// The time of every time limit has come: runs the timers that are due, as an M does.
pub(crate) fn pass() {
    os::advance_to(LIMIT);
    run_due();
}

fn run_due() {
    let now = os::nanotime();
    while let Top::Due(due) = HEAP.pop_due(now) {
        due.fire(now);
    }
}

/// Who arms a timer late runs it itself: the thread that stands for the others has looked already.
pub(crate) fn arm_on_g0(gp: GPtr, when: i64, callback: TimerCallback) {
    let _ = gp.timer.arm(&HEAP, when, callback);
    if when <= os::nanotime() {
        run_due();
    }
}

pub(crate) fn goroutine_of(timer: NonNull<Timer>) -> GPtr {
    // SAFETY: every timer is a part of its goroutine.
    GPtr(unsafe { timer.byte_sub(offset_of!(G, timer)).cast() })
}

std::thread_local! {
    /// Loom runs all threads of a model on one thread, so this is the model's.
    static CPUS: Cell<u32> = const { Cell::new(1) };
    static IS_LEAVING: Cell<bool> = const { Cell::new(false) };
}

/// With more than one, a lock is worth spinning for.
pub(crate) fn set_cpus(count: u32) {
    CPUS.set(count);
}

pub(crate) fn ncpu() -> u32 {
    CPUS.get()
}

/// What the mutex asks of the scheduler: all its Ps are busy.
pub(crate) struct Sched {
    pub(crate) procs: std::sync::atomic::AtomicU32,
    pub(crate) npidle: std::sync::atomic::AtomicU32,
    pub(crate) nmspinning: std::sync::atomic::AtomicI32,
}

pub(crate) static SCHED: Sched = Sched {
    procs: std::sync::atomic::AtomicU32::new(4),
    npidle: std::sync::atomic::AtomicU32::new(0),
    nmspinning: std::sync::atomic::AtomicI32::new(0),
};

/// The thread has nothing else to do.
pub(crate) mod m {
    pub(crate) struct Mp;

    pub(crate) struct Pp {
        pub(crate) runq: &'static [u32],
    }

    pub(crate) fn current() -> Option<Mp> {
        None
    }

    impl Mp {
        pub(crate) fn p(&self) -> Option<Pp> {
            Some(Pp { runq: &[] })
        }
    }
}
