//! What all Ms share: the global queue, the idle lists, the counters that decide who wakes whom.
//!
//! *Why here.* Floor 3: data with small operations.
//!
//! *Invariants.* D1. The fields of `Shared` are under `SCHED.lock`; `npidle` and `runq_size` mirror its sizes for looks without it.
//! D2. `nmspinning` counts Ms in `findrunnable` that look for work, and those being started to do so. D3. `allp[..procs]` are the live Ps.
//!
//! *Locks.* `SCHED.lock`, rank 2: above the timer heaps' (rank 3) and below every lock of a blocking primitive (rank 1).
//!
//! *Go:* `schedt` of runtime2.go.

use core::ptr::null_mut;

use crate::base::lock::Lock;
use crate::base::note::Note;
use crate::base::shim::{AtomicBool, AtomicI32, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use crate::gmp::p::MAX_PROCS;
use crate::gmp::{GList, GPtr, M, MList, MPtr, P, PPtr};

/// Under the scheduler lock.
pub(crate) struct Shared {
    /// Ms that sleep in `stopm` and may be given any work.
    pub(crate) midle: MList,
    /// Dedicated Ms that sleep.
    pub(crate) nmidle_locked: u32,
    /// Threads of the runtime that exist, without sysmon.
    pub(crate) nm: u32,
    /// Next M number.
    pub(crate) next_mid: u32,
    /// Most Ms allowed.
    pub(crate) max_mcount: u32,
    /// Idle Ps, last in first out.
    pidle: Option<PPtr>,
    /// The global run queue.
    pub(crate) runq: GList,
    /// Ps that have still to stop for a stop of the world.
    pub(crate) stop_wait: u32,
}

/// The one scheduler.
pub(crate) struct Sched {
    /// The rest of the state.
    pub(crate) lock: Lock<Shared>,
    /// Length of the idle-P list (D1).
    pub(crate) npidle: AtomicU32,
    /// Length of the global queue (D1).
    pub(crate) runq_size: AtomicU32,
    /// See D2.
    pub(crate) nmspinning: AtomicI32,
    /// A wake-up found no P: the next M that is about to go idle spins instead.
    pub(crate) needspinning: AtomicBool,
    /// The world is being stopped or stands.
    pub(crate) stopping: AtomicBool,
    /// The process is leaving: nothing further is started.
    pub(crate) exiting: AtomicBool,
    /// Decisions are random: see `proc::chaos`.
    pub(crate) chaos: AtomicBool,
    /// `runtime_main` has begun: spawns may start threads.
    pub(crate) main_started: AtomicBool,
    /// Number of live Ps (D3).
    pub(crate) procs: AtomicU32,
    /// The Ps by number (D3).
    pub(crate) allp: [AtomicPtr<P>; MAX_PROCS as usize],
    /// Source of goroutine id batches.
    pub(crate) goid_source: AtomicU64,
    /// Goroutines started where there was no P; they end where there is one.
    pub(crate) foreign_spawned: AtomicU64,
    /// The M that sleeps until the next timer or until a socket is ready, if one does.
    pub(crate) poller: AtomicPtr<M>,
    /// Until when it sleeps.
    pub(crate) poll_until: AtomicI64,
    /// Sysmon sleeps deeply; wake it by its note.
    pub(crate) sysmon_waits: AtomicBool,
    /// What it sleeps on.
    pub(crate) sysmon_note: Note,
    /// Ms that run user code and had their P taken because they compute.
    pub(crate) computing: AtomicU32,
    /// Goroutines that the affinity guard keeps in an inbox (KE1 of `proc::keep`).
    pub(crate) kept: AtomicU32,
    /// Goroutines that were retaken, for the metrics.
    pub(crate) retaken: AtomicU64,
    /// Signal receivers and the like that can always wake somebody: no deadlock is reported while there are any.
    pub(crate) external_wakers: AtomicU32,
    /// Threads that wait inside `run` or a join for a goroutine: they are no reason to stay silent.
    pub(crate) run_waiters: AtomicI32,
}

/// The scheduler's shared state.
pub(crate) static SCHED: Sched = Sched {
    lock: Lock::new(Shared {
        midle: MList::new(),
        nmidle_locked: 0,
        nm: 0,
        next_mid: 0,
        max_mcount: 10_000,
        pidle: None,
        runq: GList::new(),
        stop_wait: 0,
    }),
    npidle: AtomicU32::new(0),
    runq_size: AtomicU32::new(0),
    nmspinning: AtomicI32::new(0),
    needspinning: AtomicBool::new(false),
    stopping: AtomicBool::new(false),
    exiting: AtomicBool::new(false),
    chaos: AtomicBool::new(false),
    main_started: AtomicBool::new(false),
    procs: AtomicU32::new(0),
    allp: [const { AtomicPtr::new(null_mut()) }; MAX_PROCS as usize],
    goid_source: AtomicU64::new(1),
    foreign_spawned: AtomicU64::new(0),
    poller: AtomicPtr::new(null_mut()),
    poll_until: AtomicI64::new(0),
    sysmon_waits: AtomicBool::new(false),
    sysmon_note: Note::new(),
    computing: AtomicU32::new(0),
    kept: AtomicU32::new(0),
    retaken: AtomicU64::new(0),
    external_wakers: AtomicU32::new(0),
    run_waiters: AtomicI32::new(0),
};

impl Sched {
    /// The live Ps (D3).
    pub(crate) fn ps(&self) -> impl Iterator<Item = PPtr> {
        // Acquire: pairs with the Release in `proc::resize`: the pointers are there when the count says so.
        let count = self.procs.load(Ordering::Acquire) as usize;
        self.allp[..count].iter().filter_map(|slot| PPtr::from_raw(slot.load(Ordering::Relaxed)))
    }

    /// P number `id`, which is below the count.
    #[inline(always)]
    pub(crate) fn p(&self, id: u32) -> Option<PPtr> {
        // Acquire: pairs with the Release of the count in `proc::resize`, which follows the store of the pointer.
        PPtr::from_raw(self.allp[id as usize].load(Ordering::Acquire))
    }
}

impl Shared {
    /// Puts a P on the idle list.
    pub(crate) fn pidle_put(&mut self, pp: PPtr) {
        pp.link.set(self.pidle);
        self.pidle = Some(pp);
        pp.come_by();
        // SeqCst: the store-load pair of parking and waking (see `proc`): this store, then the looks at the queues.
        SCHED.npidle.fetch_add(1, Ordering::SeqCst);
    }

    /// Takes the P that went idle last.
    pub(crate) fn pidle_get(&mut self) -> Option<PPtr> {
        let pp = self.pidle?;
        self.pidle = pp.link.take();
        // SeqCst: as in `pidle_put`, so that all changes of the count are in one order.
        SCHED.npidle.fetch_sub(1, Ordering::SeqCst);
        Some(pp)
    }

    /// Queues a goroutine globally, at the tail.
    pub(crate) fn globrunq_put(&mut self, gp: GPtr) {
        self.runq.push_back(gp);
        self.publish_size();
    }

    /// Queues a list of goroutines globally, at the tail.
    pub(crate) fn globrunq_append(&mut self, batch: &mut GList) {
        self.runq.append(batch);
        self.publish_size();
    }

    /// Takes the goroutine at the head.
    pub(crate) fn globrunq_get(&mut self) -> Option<GPtr> {
        let gp = self.runq.pop_front();
        self.publish_size();
        gp
    }

    /// Idle list of Ms: in.
    pub(crate) fn midle_put(&mut self, mp: MPtr) {
        mp.idle_listed.set(true);
        self.midle.push_front(mp);
    }

    /// Idle list of Ms: in, to be woken after all others.
    pub(crate) fn midle_put_last(&mut self, mp: MPtr) {
        mp.idle_listed.set(true);
        self.midle.push_back(mp);
    }

    /// Idle list of Ms: out, last in first out.
    pub(crate) fn midle_get(&mut self) -> Option<MPtr> {
        let mp = self.midle.pop_front()?;
        mp.idle_listed.set(false);
        Some(mp)
    }

    /// Takes a given M off the idle list; false when it is not on it.
    pub(crate) fn midle_remove(&mut self, wanted: MPtr) -> bool {
        if !wanted.idle_listed.get() {
            return false;
        }
        let mut kept = MList::new();
        while let Some(mp) = self.midle.pop_front() {
            if mp != wanted {
                kept.push_back(mp);
            }
        }
        self.midle = kept;
        wanted.idle_listed.set(false);
        true
    }

    fn publish_size(&mut self) {
        // SeqCst: part of the store-load pair of submitting and parking (see `proc`).
        SCHED.runq_size.store(self.runq.len() as u32, Ordering::SeqCst);
    }
}
