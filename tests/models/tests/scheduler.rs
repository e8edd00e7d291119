//! Who sleeps, and who wakes whom: `proc::wake` and `proc::findrunnable` against loom's atomics.
//!
//! *What.* As `src/lib.rs`, with `gmp::sched`, `gmp::runq`, `proc::wake`, `findrunnable`, `queue` and `steal` from the runtime, and the note that Ms sleep on. Goroutines, Ms and Ps are the
//! parts of the real ones that these files touch; there are no timers and no sockets. `SCHED` is a static: its words begin anew with each execution.
//!
//! An M that `newm` starts is a thread of loom's, which looks for goroutines and runs them until the scenario has ended.
//!
//! *Why here.* The essay in `proc` promises that no wake-up is lost.
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

use loom::sync::{Condvar, Mutex};
use loom::thread::{self, JoinHandle};

use crate::base::shim::{AtomicBool, Ordering, begin_execution};
use crate::gmp::SCHED;
use crate::gmp::sched::Shared;
use crate::parts::{G, M, MPtr, OnG0, P, PPtr};
use crate::proc::{findrunnable, queue, steal, wake};

/// One model at a time, since they share the statics.
static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Runs `scenario` in all interleavings with at most `preemptions`, or as many as `LOOM_MAX_PREEMPTIONS` says.
fn explore_up_to(preemptions: usize, scenario: impl Fn() + Send + Sync + 'static) {
    let _alone = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.max_branches = 20_000;
    builder.check(move || {
        begin_execution();
        scenario();
        // What is left is taken off where it was put: a path of loom's is that of one execution.
        let mut shared = SCHED.lock.lock();
        while shared.pidle_get().is_some() || shared.midle_get().is_some() || shared.globrunq_get().is_some() {}
        shared.nmidle_locked = 0;
    });
}

/// So many Ps, all idle and none listed; loom knows the words of `SCHED` (H1 of the shim).
fn world(procs: u32) -> Vec<PPtr> {
    assert_eq!(SCHED.lock.lock().globrunq_get(), None);
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

loom::lazy_static! {
    /// Goroutines that have not run yet.
    static ref TO_RUN: Mutex<u32> = Mutex::new(0);
    static ref ONE_RAN: Condvar = Condvar::new();
    static ref THREADS: Mutex<Vec<JoinHandle<()>>> = Mutex::default();
}

/// All have run: the Ms leave their loops.
static ENDED: AtomicBool = AtomicBool::new(false);

/// A world of idle Ps in which that many goroutines are to run, each of which blocks its thread until the others have begun, too.
fn world_of(procs: u32, goroutines: u32) {
    let ps = world(procs);
    ENDED.store(false, Ordering::Relaxed);
    *TO_RUN.lock().unwrap() = goroutines;
    let mut shared = SCHED.lock.lock();
    ps.iter().for_each(|pp| shared.pidle_put(*pp));
}

/// A thread of the scheduler, which does something before it looks for goroutines.
fn start(mp: MPtr, first: impl FnOnce() + 'static) {
    let thread = thread::spawn(move || {
        first();
        while !ENDED.load(Ordering::Relaxed) {
            if findrunnable::findrunnable(&OnG0, mp).is_some() {
                wake::stop_spinning_and_wake(mp);
                run_one();
            }
        }
    });
    THREADS.lock().unwrap().push(thread);
}

/// What `newm` starts.
pub(crate) fn start_m(pp: Option<PPtr>, spinning: bool) {
    let mp = M::create();
    mp.spinning.store(spinning, Ordering::Relaxed);
    start(mp, move || pp.into_iter().for_each(|pp| wake::acquirep(mp, pp)));
}

fn run_one() {
    let mut to_run = TO_RUN.lock().unwrap();
    *to_run -= 1;
    if *to_run == 0 {
        end();
        return ONE_RAN.notify_all();
    }
    while *to_run != 0 {
        to_run = ONE_RAN.wait(to_run).unwrap();
    }
}

/// Waits until the last M has left. Who starts one has not left then.
fn wait_for_all() {
    loop {
        let Some(thread) = THREADS.lock().unwrap().pop() else { break };
        thread.join().unwrap();
    }
    assert_eq!(*TO_RUN.lock().unwrap(), 0);
}

/// All goroutines have run: who sleeps is woken, now and when he goes to sleep.
fn end() {
    let shared = SCHED.lock.lock();
    ENDED.store(true, Ordering::Relaxed);
    note_idle(&shared);
}

/// Somebody goes to sleep, or has to be woken for the end: with a P, as always, so that the loop looks again.
pub(crate) fn note_idle(shared: &Shared) {
    if ENDED.load(Ordering::Relaxed) {
        for mp in shared.midle.iter() {
            mp.parked.store(false, Ordering::Relaxed);
            mp.nextp.set(Some(P::create(0)));
            mp.note.wake();
        }
    }
}

/// A thread without a P queues a goroutine, as the last M that looks for work gives up. Fails without the second look at the global queue in `look_again`, or if
/// `wake_for_global` wakes nobody.
#[test]
fn what_is_queued_for_all_is_found_by_who_gives_up_or_by_who_is_woken() {
    explore_up_to(2, || {
        world_of(1, 1);
        let mp = M::create();
        assert!(wake::acquire_idle_p(mp));
        steal::start_spinning(mp);
        start(mp, || ());
        queue::inject(G::create(None));
        wait_for_all();
    });
}

/// A goroutine queues another one on its own P, as the last M that looks for work gives up, and blocks its thread until that one has run. Fails without the fence in `wakep_slow`.
#[test]
fn what_is_queued_on_a_p_is_found_by_who_gives_up_or_by_who_is_woken() {
    explore_up_to(1, || {
        world_of(3, 2);
        let (giving_up, submitting) = (M::create(), M::create());
        for mp in [giving_up, submitting] {
            assert!(wake::acquire_idle_p(mp));
        }
        steal::start_spinning(giving_up);
        start(giving_up, || ());
        start(submitting, move || {
            queue::runqput(submitting.p().expect("it has one"), G::create(None), false);
            wake::wakep();
            run_one();
        });
        wait_for_all();
    });
}

/// A P is handed off, as a thread without one queues a goroutine, and the only other P goes to a goroutine that blocks its thread until that one has run. Fails if `handoffp` does not look
/// at the global queue under its lock.
#[test]
fn a_p_that_is_handed_off_goes_to_what_is_queued_meanwhile() {
    explore_up_to(1, || {
        world_of(2, 2);
        let (blocked, other) = (M::create(), M::create());
        assert!(wake::acquire_idle_p(blocked));
        start(blocked, move || {
            wake::handoffp(wake::releasep(blocked));
            wake::stopm(&OnG0, blocked, None);
        });
        start(other, move || {
            while !wake::acquire_idle_p(other) {
                thread::yield_now();
            }
            run_one();
        });
        queue::inject(G::create(None));
        wait_for_all();
    });
}

/// Two goroutines are queued, each of which waits for the other on its thread. Fails if an M that has found work leaves it to others to look for
/// more, or if `stop_spinning` orders nothing.
#[test]
fn a_second_goroutine_gets_a_second_thread() {
    explore_up_to(2, || {
        world_of(2, 2);
        queue::inject(G::create(None));
        queue::inject(G::create(None));
        wait_for_all();
    });
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

/// Sysmon goes to sleep for good, as an M takes the last idle P. Fails if an announcement and the look behind it are both weaker: the shim's fences (H3) let
/// each stand in for the other.
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
