//! A processor: the right to run goroutines, with its queue, timers and caches.
//!
//! *Why here.* Floor 3: data with small operations; resizing and hand-off are `proc::resize` and `proc::wake`.
//!
//! *Invariants.* P1. Cells belong to the owner of the P (C3, C4): the M whose `p` it is, inside the runtime; or whoever took it from the
//! idle list or by a claim. P2. The list of Ps only grows; Ps beyond GOMAXPROCS are `Stopped` and have empty queues and heaps.
//!
//! *Locks.* The timer heap has its own.
//!
//! *Go:* `p` of runtime2.go.

use core::cell::{Cell, UnsafeCell};
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicI64, AtomicPtr, AtomicU32, AtomicU64, Ordering};

use crate::coro::StackCache;
use crate::gmp::runq::RunQueue;
use crate::gmp::timers::TimerHeap;
use crate::gmp::{G, GList, M, MPtr, PPtr};

/// Most Ps there can ever be; above it GOMAXPROCS is lowered.
pub(crate) const MAX_PROCS: u32 = 1024;

/// What a P is doing; the numbers are Go's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum PStatus {
    /// On the idle list, or between two owners.
    Idle = 0,
    /// Owned by an M.
    Running = 1,
    /// Frozen by a stop of the world.
    Stopped = 3,
}

/// A processor.
#[repr(C, align(128))]
pub(crate) struct P {
    /// Position in the list of Ps.
    pub(crate) id: u32,
    status: AtomicU32,
    /// Its owner, null when idle (C3).
    m: AtomicPtr<M>,
    /// Counts executions that started a new time slice; written by the owner.
    pub(crate) schedtick: AtomicU32,
    /// Passes of the scheduler that found work, for the look at the global queue every 61.
    pub(crate) ticks: Cell<u32>,
    /// Next on the idle list (scheduler lock).
    pub(crate) link: Cell<Option<PPtr>>,
    /// Next goroutine id of this P's batch, and the batch's end (P1).
    pub(crate) goids: Cell<(u64, u64)>,
    /// Dead Gs (P1).
    pub(crate) gfree: UnsafeCell<GList>,
    /// Stacks of the default class (P1).
    pub(crate) stacks: UnsafeCell<StackCache>,
    /// User goroutines started here; written by the owner.
    pub(crate) spawned: AtomicU64,
    /// User goroutines ended here; written by the owner.
    pub(crate) ended: AtomicU64,
    /// Sleeping and timed waits.
    pub(crate) timers: TimerHeap,
    /// Runnable goroutines.
    pub(crate) runq: RunQueue<G>,
    /// How often it came by where timers and sockets are looked at exactly: at every 61st pass, and when it went idle. Sysmon looks at it.
    pub(crate) came_by: AtomicU32,
    /// What sysmon saw at its last look; sysmon's alone.
    pub(crate) look: Look,
}

/// Sysmon's notes about a P.
#[derive(Debug)]
pub(crate) struct Look {
    /// The schedtick seen.
    pub(crate) tick: Cell<u32>,
    /// Since when it has been that one, ns.
    pub(crate) since: Cell<i64>,
    /// The number of times seen that it came by.
    pub(crate) came_by: Cell<u32>,
    /// The id and resume count of the goroutine seen.
    pub(crate) g: Cell<(u64, u32)>,
    /// Since when it has been that one without a break, ns.
    pub(crate) g_since: Cell<i64>,
    /// CPU time of the thread at the last look, -1 when not read.
    pub(crate) cpu: AtomicI64,
}

impl P {
    /// Makes P number `id`; it lives for good (G1).
    pub(crate) fn create(id: u32) -> PPtr {
        let p = P {
            id,
            status: AtomicU32::new(PStatus::Stopped as u32),
            m: AtomicPtr::new(null_mut()),
            schedtick: AtomicU32::new(0),
            ticks: Cell::new(0),
            link: Cell::new(None),
            goids: Cell::new((0, 0)),
            gfree: UnsafeCell::new(GList::new()),
            stacks: UnsafeCell::new(StackCache::new()),
            spawned: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            timers: TimerHeap::new(),
            runq: RunQueue::new(),
            came_by: AtomicU32::new(0),
            look: Look {
                came_by: Cell::new(0),
                tick: Cell::new(0),
                since: Cell::new(0),
                g: Cell::new((0, 0)),
                g_since: Cell::new(0),
                cpu: AtomicI64::new(-1),
            },
        };
        PPtr::new(NonNull::from(Box::leak(Box::new(p))))
    }

    /// What it is doing.
    pub(crate) fn status(&self) -> PStatus {
        match self.status.load(Ordering::Relaxed) {
            0 => PStatus::Idle,
            1 => PStatus::Running,
            _ => PStatus::Stopped,
        }
    }

    /// Changes what it is doing; the owner's right.
    pub(crate) fn set_status(&self, status: PStatus) {
        self.status.store(status as u32, Ordering::Relaxed);
    }

    /// Its owner.
    #[inline(always)]
    pub(crate) fn m(&self) -> Option<MPtr> {
        // Acquire: pairs with the Release in `set_m`: sysmon and stealers look into an M that another thread has made.
        MPtr::from_raw(self.m.load(Ordering::Acquire))
    }

    /// Changes its owner (C3).
    #[inline(always)]
    pub(crate) fn set_m(&self, mp: Option<MPtr>) {
        // Release: pairs with the Acquire in `m`.
        self.m.store(mp.map_or(null_mut(), MPtr::as_ptr), Ordering::Release);
    }

    /// Adds one to a counter that only the owner writes.
    #[inline(always)]
    pub(crate) fn count(counter: &AtomicU64) {
        // Release: pairs with the Acquire in `newproc::goroutine_count`: an end that is counted was a start before.
        counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
    }

    /// Starts a new time slice.
    #[inline(always)]
    pub(crate) fn bump_tick(&self) {
        self.schedtick.store(self.schedtick.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Its owner has come by, or puts it on the idle list.
    #[inline(always)]
    pub(crate) fn come_by(&self) {
        self.came_by.store(self.came_by.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }
}
