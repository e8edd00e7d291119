//! Goroutines, Ms and Ps for the models of the scheduler: as much of them as `proc::wake` and `proc::findrunnable` touch.
//!
//! *What.* The names of `gmp`, `proc` and `netpoll` that those files use. Lists are vectors; there are no timers, no sockets and no chaos.
//!
//! *Why here.* It stands in for floors 3 to 5.
//!
//! *Invariants.* W3. Nothing here is freed: some thread may still have it.
//!
//! *Locks.* None.
//!
//! *Go:* none.

use std::cell::{Cell, UnsafeCell};
use std::collections::VecDeque;
use std::ops::Deref;
use std::ptr::NonNull;

use crate::base::note::Note;
use crate::base::shim::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use crate::gmp::runq::RunQueue;

pub(crate) const MAX_PROCS: u32 = 3;

/// As the runtime's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PStatus {
    Idle,
    Running,
    Stopped,
}

macro_rules! handle {
    ($name:ident of $target:ident) => {
        /// See the runtime's.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct $name(NonNull<$target>);

        #[allow(dead_code, reason = "not every handle is used in every way")]
        impl $name {
            pub(crate) fn new(object: NonNull<$target>) -> $name {
                $name(object)
            }

            pub(crate) fn from_raw(raw: *mut $target) -> Option<$name> {
                NonNull::new(raw).map($name)
            }

            pub(crate) fn as_ptr(self) -> *mut $target {
                self.0.as_ptr()
            }

            pub(crate) fn non_null(self) -> NonNull<$target> {
                self.0
            }
        }

        impl Deref for $name {
            type Target = $target;

            fn deref(&self) -> &$target {
                // SAFETY: nothing here is freed (W3).
                unsafe { self.0.as_ref() }
            }
        }

        // SAFETY: what is behind it is shared by design.
        unsafe impl Send for $name {}
    };
}

handle!(GPtr of G);
handle!(MPtr of M);
handle!(PPtr of P);

macro_rules! list {
    ($name:ident of $handle:ident) => {
        /// See the runtime's.
        #[derive(Debug, Default)]
        pub(crate) struct $name(VecDeque<$handle>);

        #[allow(dead_code, reason = "not every list is used in every way")]
        impl $name {
            pub(crate) const fn new() -> $name {
                $name(VecDeque::new())
            }

            pub(crate) fn len(&self) -> usize {
                self.0.len()
            }

            pub(crate) fn is_empty(&self) -> bool {
                self.0.is_empty()
            }

            pub(crate) fn iter(&self) -> impl Iterator<Item = $handle> {
                self.0.iter().copied()
            }

            pub(crate) fn push_back(&mut self, item: $handle) {
                self.0.push_back(item);
            }

            pub(crate) fn push_front(&mut self, item: $handle) {
                self.0.push_front(item);
            }

            pub(crate) fn pop_front(&mut self) -> Option<$handle> {
                self.0.pop_front()
            }

            pub(crate) fn append(&mut self, other: &mut $name) {
                self.0.append(&mut other.0);
            }
        }
    };
}

list!(GList of GPtr);
list!(MList of MPtr);

/// A goroutine.
#[derive(Debug)]
pub(crate) struct G {
    pub(crate) resumes: AtomicU32,
    home: Option<MPtr>,
}

impl G {
    /// A goroutine that may be wired to an M.
    pub(crate) fn create(home: Option<MPtr>) -> GPtr {
        let g = G { resumes: AtomicU32::new(0), home };
        g.resumes.load(Ordering::Relaxed);
        GPtr(NonNull::from(Box::leak(Box::new(g))))
    }
}

/// A thread.
pub(crate) struct M {
    pub(crate) spinning: AtomicBool,
    pub(crate) parked: AtomicBool,
    pub(crate) idle_listed: Cell<bool>,
    pub(crate) nextp: Cell<Option<PPtr>>,
    pub(crate) inbox: Cell<GList>,
    pub(crate) has_mail: AtomicBool,
    pub(crate) put_off: Cell<GList>,
    pub(crate) has_put_off: AtomicBool,
    pub(crate) note: Note,
    pub(crate) claim: Claim,
    p: AtomicPtr<P>,
}

/// Whoever asks is told that the thread is busy.
#[derive(Debug)]
pub(crate) struct Claim;

impl Claim {
    pub(crate) fn is_outside(&self) -> bool {
        false
    }
}

impl M {
    pub(crate) fn create() -> MPtr {
        let off = || {
            let flag = AtomicBool::new(false);
            flag.load(Ordering::Relaxed);
            flag
        };
        let m = M {
            spinning: off(),
            parked: off(),
            idle_listed: Cell::new(false),
            nextp: Cell::new(None),
            inbox: Cell::default(),
            has_mail: off(),
            put_off: Cell::default(),
            has_put_off: off(),
            note: Note::new(),
            claim: Claim,
            p: AtomicPtr::default(),
        };
        m.note.clear();
        assert!(m.p().is_none());
        MPtr(NonNull::from(Box::leak(Box::new(m))))
    }

    pub(crate) fn p(&self) -> Option<PPtr> {
        PPtr::from_raw(self.p.load(Ordering::Relaxed))
    }

    pub(crate) fn set_p(&self, pp: Option<PPtr>) {
        self.p.store(pp.map_or(std::ptr::null_mut(), PPtr::as_ptr), Ordering::Relaxed);
    }

    pub(crate) fn curg(&self) -> Option<GPtr> {
        None
    }

    pub(crate) fn is_dedicated(&self) -> bool {
        false
    }

    pub(crate) fn may_run(&self, gp: GPtr) -> bool {
        gp.home.is_none_or(|home| std::ptr::eq(home.as_ptr(), self))
    }

    pub(crate) fn set_put_off(&self, list: GList) {
        self.has_put_off.store(!list.is_empty(), Ordering::Relaxed);
        self.put_off.set(list);
    }

    /// No randomness.
    pub(crate) fn random_below(&self, _: u32) -> u32 {
        0
    }
}

/// A processor.
pub(crate) struct P {
    pub(crate) link: Cell<Option<PPtr>>,
    pub(crate) ticks: Cell<u32>,
    pub(crate) schedtick: AtomicU32,
    pub(crate) stacks: UnsafeCell<Stacks>,
    pub(crate) timers: Timers,
    pub(crate) runq: RunQueue<G>,
    status: AtomicU32,
    m: AtomicPtr<M>,
}

/// The cache of stacks.
#[derive(Debug)]
pub(crate) struct Stacks;

impl Stacks {
    pub(crate) fn shed(&mut self) {}
}

/// No timers.
#[derive(Debug)]
pub(crate) struct Timers;

impl Timers {
    pub(crate) fn min_when(&self) -> i64 {
        0
    }
}

impl P {
    pub(crate) fn create(_: u32) -> PPtr {
        let p = P {
            link: Cell::new(None),
            ticks: Cell::new(0),
            schedtick: AtomicU32::new(0),
            stacks: UnsafeCell::new(Stacks),
            timers: Timers,
            runq: RunQueue::new(),
            status: AtomicU32::new(PStatus::Idle as u32),
            m: AtomicPtr::default(),
        };
        assert!(p.runq.is_empty() && p.m().is_none() && p.status() == PStatus::Idle);
        p.schedtick.load(Ordering::Relaxed);
        PPtr(NonNull::from(Box::leak(Box::new(p))))
    }

    /// Sysmon's, which is not here.
    pub(crate) fn come_by(&self) {}

    pub(crate) fn status(&self) -> PStatus {
        let status = self.status.load(Ordering::Relaxed);
        let all = [PStatus::Idle, PStatus::Running, PStatus::Stopped];
        all.into_iter().find(|known| *known as u32 == status).expect("a status")
    }

    pub(crate) fn set_status(&self, status: PStatus) {
        self.status.store(status as u32, Ordering::Relaxed);
    }

    pub(crate) fn m(&self) -> Option<MPtr> {
        MPtr::from_raw(self.m.load(Ordering::Relaxed))
    }

    pub(crate) fn set_m(&self, mp: Option<MPtr>) {
        self.m.store(mp.map_or(std::ptr::null_mut(), MPtr::as_ptr), Ordering::Relaxed);
    }

    pub(crate) fn bump_tick(&self) {
        self.schedtick.store(self.schedtick.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

/// Proof that the caller is the scheduler.
#[derive(Debug)]
pub(crate) struct OnG0;

pub(crate) mod deadlock {
    /// Loom itself reports deadlocks.
    pub(crate) use crate::note_idle;
}

pub(crate) mod keep {
    use super::GPtr;

    pub(crate) fn taken(_: GPtr) {}

    pub(crate) fn given(_: GPtr) {}
}

pub(crate) mod mstart {
    use crate::base::lock::LockGuard;
    use crate::gmp::sched::Shared;

    use super::PPtr;

    pub(crate) fn newm(shared: LockGuard<'_, Shared>, pp: Option<PPtr>, spinning: bool, _: Option<fn() -> !>) {
        drop(shared);
        crate::start_m(pp, spinning);
    }
}

pub(crate) mod netpoll {
    use super::GList;

    #[derive(Debug, Default)]
    pub(crate) struct Readied(#[allow(dead_code, reason = "always empty")] pub(crate) GList);

    pub(crate) fn is_open() -> bool {
        false
    }

    pub(crate) fn sleep(_: i64, _: impl Fn() -> bool) -> Readied {
        unreachable!("there is no poller")
    }

    pub(crate) fn interrupt() {}

    pub(crate) fn has_waiters_before_sleep() -> bool {
        false
    }
}

pub(crate) mod netwait {
    use super::netpoll::Readied;
    use super::{OnG0, PPtr};

    pub(crate) fn inject(_: Readied) -> bool {
        false
    }

    pub(crate) fn look(_: &OnG0, _: PPtr) -> bool {
        false
    }

    pub(crate) fn look_when_busy(_: &OnG0) {}
}

pub(crate) mod timer {
    use super::{OnG0, PPtr};

    pub(crate) fn is_due(_: PPtr) -> bool {
        false
    }

    pub(crate) fn run_due(_: &OnG0, _: PPtr, _: bool) {}

    pub(crate) fn run_due_now(_: &OnG0, _: PPtr) -> bool {
        false
    }
}
