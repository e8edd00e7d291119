//! Who sleeps, and who wakes whom: `proc::wake` against loom's atomics.
//!
//! *What.* As `src/lib.rs`, with `gmp::sched`, `gmp::runq`, `proc::wake`, `findrunnable`, `queue` and `steal` from the runtime, and the note that Ms sleep on. Goroutines, Ms and Ps are the
//! parts of the real ones that these files touch; there are no timers and no sockets. `SCHED` is a static: its words begin anew with each execution.
//!
//! *Why here.* The essay in `proc` promises that no wake-up is lost. Its two patterns, submitting and giving up, are not modelled yet: a thread that is started
//! in between is one more than the scenarios here have.
//!
//! *Invariants.* D1 of `gmp::sched`, V1 and V2 of `proc::wake`. A thread that sleeps for ever is a deadlock.
//!
//! *Locks.* `SCHED.lock`, as loom's mutex.
//!
//! *Go:* none.

#[path = "../../../runtime/src/base"]
#[allow(dead_code, reason = "these models use a part of each file")]
mod base {
    #[path = "../../../tests/models/src/lock.rs"]
    pub(crate) mod lock;
    pub(crate) mod note;
    pub(crate) mod rand;
    #[path = "../../../tests/models/src/shim.rs"]
    #[allow(unused_imports, reason = "these models use a part of it")]
    pub(crate) mod shim;
}

#[path = "../../../runtime/src/gmp"]
#[allow(dead_code, reason = "these models use a part of each file")]
mod gmp {
    pub(crate) mod runq;
    pub(crate) mod sched;

    pub(crate) use crate::parts::{GList, GPtr, M, MList, MPtr, P, PPtr};
    pub(crate) use sched::SCHED;

    pub(crate) mod p {
        pub(crate) use crate::parts::{MAX_PROCS, PStatus};
    }
}

#[path = "../../../runtime/src/proc"]
#[allow(dead_code, reason = "these models use a part of each file")]
mod proc {
    pub(crate) mod findrunnable;
    pub(crate) mod queue;
    pub(crate) mod steal;
    pub(crate) mod wake;

    pub(crate) use crate::parts::{OnG0, deadlock, keep, mstart, netwait, timer};
}

use crate::parts::netpoll;

#[path = "../src/os.rs"]
#[allow(dead_code, reason = "these models use a part of it")]
mod os;
#[path = "../src/scheduler_parts.rs"]
#[allow(dead_code, reason = "these models use a part of it")]
mod parts;

use loom::thread;

use crate::base::shim::{Ordering, begin_execution};
use crate::gmp::SCHED;
use crate::parts::{G, M, OnG0, P, PPtr};
use crate::proc::wake;

/// One model at a time, since they share the statics.
static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Runs `scenario` in all interleavings with at most `preemptions`, or as many as `LOOM_MAX_PREEMPTIONS` says.
fn explore_up_to(preemptions: usize, scenario: impl Fn() + Send + Sync + 'static) {
    let _alone = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.check(move || {
        begin_execution();
        scenario();
    });
}

/// So many Ps, all idle and none listed; loom knows the words of `SCHED` (H1 of the shim).
fn world(procs: u32) -> Vec<PPtr> {
    let mut shared = SCHED.lock.lock();
    while shared.pidle_get().is_some() || shared.midle_get().is_some() || shared.globrunq_get().is_some() {}
    shared.nmidle_locked = 0;
    assert_eq!(shared.globrunq_get(), None);
    drop(shared);
    SCHED.npidle.store(0, Ordering::Relaxed);
    SCHED.nmspinning.store(0, Ordering::Relaxed);
    SCHED.procs.store(procs, Ordering::Relaxed);
    SCHED.poller.store(std::ptr::null_mut(), Ordering::Relaxed);
    SCHED.sysmon_note.clear();
    for flag in [&SCHED.needspinning, &SCHED.stopping, &SCHED.sysmon_waits] {
        flag.store(false, Ordering::Relaxed);
    }
    let ps: Vec<PPtr> = (0..procs).map(P::create).collect();
    for (slot, pp) in SCHED.allp.iter().zip(&ps) {
        slot.store(pp.as_ptr(), Ordering::Relaxed);
    }
    ps
}

/// An M without a P goes to sleep, as a goroutine that is wired to it is delivered. Fails if `stopm` does not look at the inbox, or `deliver` does not hand the P over.
#[test]
fn mail_is_never_slept_over() {
    explore_up_to(2, || {
        let ps = world(1);
        let (home, mp) = (M::create(), M::create());
        wake::acquirep(mp, ps[0]);
        let wired = G::create(Some(home));
        let postman = thread::spawn(move || {
            let mut mail = Some(wired);
            while let Some(gp) = mail {
                wake::deliver(&OnG0, mp, gp, home);
                // What the other has given back, because it has no P.
                mail = mp.p().and_then(|_| {
                    loop {
                        let found = SCHED.lock.lock().globrunq_get();
                        if found.is_some() || home.p().is_some() {
                            break found;
                        }
                        thread::yield_now();
                    }
                });
            }
        });
        wake::stopm(&OnG0, home, None);
        assert!(wake::take_mail(home) == Some(wired), "it was woken for its mail");
        assert!(home.p().is_some() && mp.p().is_none());
        postman.join().unwrap();
    });
}

/// Sysmon goes to sleep for good, as an M takes the last idle P. Fails with weaker orderings of `sysmon_waits`, of the count of idle Ps, or of the look at it.
#[test]
fn sysmon_does_not_sleep_while_a_p_runs() {
    explore_up_to(3, || {
        let ps = world(1);
        SCHED.lock.lock().pidle_put(ps[0]);
        let sysmon = thread::spawn(|| {
            if wake::all_are_idle() {
                wake::sleep_while_all_idle(|| true, || SCHED.sysmon_note.sleep());
            }
        });
        let mp = M::create();
        assert!(wake::acquire_idle_p(mp));
        sysmon.join().unwrap();
    });
}
