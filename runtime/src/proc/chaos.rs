//! Chaos: what the scheduler might do at the worst of times, done all the time.
//!
//! *Why here.* Floor 5: it decides, in the place of `findrunnable` and beside `sysmon`.
//!
//! With `GODEBUG=chaos=SEED` a part of all decisions is random: which goroutine is next and from where, whether the one that was just readied
//! goes first, when timers and the network are looked at, which goroutine leaves its processor, when a processor changes its thread,
//! who loses it while computing, whose time slice is over, whose unused stack is taken away while it sleeps. Nothing that the runtime
//! promises depends on any of these, so that every program that is right stays right. Each thread draws from its own stream of numbers,
//! which the seed and the thread's number determine: the same decisions in the same order, as far as threads go.
//!
//! *Invariants.* P1, E1. CX1. Chaos only takes decisions that could have been taken without it, by the same functions. CX2. After each of its
//! own the usual order follows, so that nothing is starved for longer.
//!
//! *Locks.* `SCHED.lock`.
//!
//! *Go:* `randomizeScheduler` and `debug.gcstoptheworld`, in spirit.

use core::sync::atomic::Ordering;

use crate::base::env::DEBUG;
use crate::base::rand::Rand;
use crate::coro;
use crate::gmp::{GPtr, MPtr, PPtr, SCHED, m};
use crate::os;
use crate::proc::findrunnable::Found;
use crate::proc::{OnG0, netwait, queue, steal, timer, traceback, wake};

/// One of so many parks is followed by a trim of the stack.
const TRIM_PERIOD: u32 = 16;
/// One of so many looks of sysmon takes what it looks at.
const RETAKE_PERIOD: u32 = 4;
/// Most goroutines that change places at once.
const SHUFFLED: u32 = 8;

/// Whether there is chaos. False costs a load and a branch.
#[inline(always)]
pub(crate) fn is_on() -> bool {
    SCHED.chaos.load(Ordering::Relaxed)
}

/// Reads the setting; before the first thread is made.
pub(crate) fn begin() {
    SCHED.chaos.store(DEBUG.chaos.is_on(), Ordering::Relaxed);
}

/// What the random numbers of thread `id` begin with.
pub(crate) fn seed(id: u32) -> u64 {
    if is_on() {
        // One step of a generator, so that neighbours have nothing in common.
        return Rand::new(DEBUG.chaos.get().cast_unsigned() ^ u64::from(id) << 32).next();
    }
    os::random_seed() ^ u64::from(id)
}

/// Before an M looks for work: something random, or what it is to run.
#[cold]
pub(crate) fn disturb(g0: &OnG0, mp: MPtr) -> Option<Found> {
    let pp = mp.p()?;
    if !SCHED.main_started.load(Ordering::Relaxed) {
        // Until then the main goroutine is alone, and belongs to the first thread.
        return None;
    }
    match mp.random_below(24) {
        0 => change_thread(g0, mp),
        1 => {
            netwait::look(g0, pp);
        }
        2 => {
            timer::run_due_now(g0, pp);
        }
        3..=5 => return from_the_global_queue(mp, pp),
        6..=8 => return steal::one_pass(g0, mp, pp, SCHED.procs.load(Ordering::Relaxed), true),
        9 | 10 => emigrate(pp),
        11..=18 => shuffle(mp, pp),
        _ => {}
    }
    None
}

/// Hands the P to whoever takes it, and waits for another one, or the same.
fn change_thread(g0: &OnG0, mp: MPtr) {
    wake::stop_spinning(mp);
    wake::handoffp(wake::releasep(mp));
    wake::stopm(g0, mp, None);
}

fn from_the_global_queue(mp: MPtr, pp: PPtr) -> Option<Found> {
    let most = 1 + mp.random_below(queue::MOST_TAKEN as u32) as usize;
    queue::take_global(pp, most).map(|gp| (gp, false))
}

/// One goroutine leaves the P for wherever it is found.
fn emigrate(pp: PPtr) {
    if let Some(gp) = next_local(pp) {
        queue::inject(gp);
    }
}

/// The first few go to the end, the one that was readied last among them.
fn shuffle(mp: MPtr, pp: PPtr) {
    for _ in 0..mp.random_below(SHUFFLED) {
        let Some(gp) = next_local(pp) else { return };
        queue::runqput(pp, gp, mp.random_below(8) == 0);
    }
}

fn next_local(pp: PPtr) -> Option<GPtr> {
    // SAFETY: the calling M owns the P (C4).
    unsafe { pp.runq.get() }.map(|(gp, _)| GPtr::new(gp))
}

/// A goroutine has parked. Now and then it is woken in traceback mode, in which nothing of it goes on, to give up the memory below its frames.
#[cold]
pub(crate) fn parked(mp: MPtr, gp: GPtr) {
    if mp.random_below(TRIM_PERIOD) == 0 {
        traceback::on_stack_of(gp, coro::trim_below_caller);
    }
}

/// Whether sysmon takes the P of a goroutine now, or ends its time slice, however short both were.
pub(crate) fn is_greedy() -> bool {
    is_on() && m::current().is_some_and(|mp| mp.random_below(RETAKE_PERIOD) == 0)
}
