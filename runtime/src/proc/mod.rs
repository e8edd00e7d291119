//! The verbs of the scheduler: boot, spawn, park, ready, look for work, hand over, stop.
//!
//! *Why here.* Floor 5: decides; everything that blocks a goroutine is above and only calls [`park::gopark`] and [`park::goready`].
//!
//! # Parking and waking threads
//!
//! As many threads as there is work for should run, no more. Per-P queues make the exact amount unknowable, so the rule is Go's: one
//! *spinning* M looks for work for everybody; whoever submits work wakes an M only if none spins; the last spinning M that finds
//! work wakes another. Two patterns must not lose a wake-up:
//!
//! * Submit: (1) put the goroutine on a queue, (2) StoreLoad, (3) if nobody spins and a P is idle, start a spinning M.
//! * Stop spinning: (1) decrement `nmspinning`, (2) StoreLoad, (3) look at all queues and timers once more.
//!
//! For the global queue both barriers are real (`SeqCst` on `runq_size`, `npidle`, `nmspinning`). A local put may be a plain store: a
//! wake-up missed there (or because `npidle` was read a moment too early) leaves the goroutine on the queue of a P that runs, whose owner will run it; what it costs is parallelism for
//! the moment, and sysmon, which looks at the same condition at every round, repairs that (`sysmon::rescue`).
//!
//! # Contexts
//!
//! A function that takes [`OnG0`] runs on a thread's own stack, where nothing may suspend; [`park::Entered`] proves that a goroutine (or a
//! foreign thread) is inside the runtime and, if it is a goroutine, owns a P.
//!
//! *Invariants.* Those of `gmp`, and: X1. A goroutine suspends with no runtime lock held, except one that its park's commit releases.
//! X2. Between `enter` and `leave` no user code runs and nothing is allocated.
//!
//! *Locks.* Rank 1: locks of blocking primitives; 2: `SCHED.lock`; 3: timer heaps; 4: leaves (free lists, stack pool).
//!
//! *Go:* proc.go.

pub(crate) mod boot;
pub(crate) mod chaos;
pub(crate) mod deadlock;
pub(crate) mod execute;
pub(crate) mod findrunnable;
pub(crate) mod foreign;
pub(crate) mod goid;
pub(crate) mod keep;
pub(crate) mod mstart;
pub(crate) mod netwait;
pub(crate) mod newproc;
pub(crate) mod park;
pub(crate) mod permit;
pub(crate) mod proxy;
pub(crate) mod queue;
pub(crate) mod resize;
pub(crate) mod steal;
pub(crate) mod timer;
pub(crate) mod traceback;
pub(crate) mod wake;
pub(crate) mod waker;
pub(crate) mod wire;

pub(crate) use self::park::{Entered, enter, enter_preemptible, gopark, goready};

/// Proof that the caller runs on a thread's own stack, inside the runtime.
#[derive(Debug)]
pub(crate) struct OnG0(());

impl OnG0 {
    /// Made where a thread's own stack takes control: the scheduler loop and the caretakers.
    pub(crate) fn assume() -> OnG0 {
        OnG0(())
    }
}
