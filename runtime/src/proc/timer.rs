//! Running timers that are due, and arming the one of a goroutine.
//!
//! *Why here.* Floor 5: decides when a heap is looked at and who must be told of an earlier timer.
//!
//! Looking at the clock costs as much as a goroutine switch. A P with work looks only when the coarse clock says that its earliest timer is due, and at
//! every 61st pass; a P without work looks exactly.
//!
//! *Invariants.* T1-T3. *Locks.* The heaps' own.
//!
//! *Go:* `checkTimers`, `runtimer`, `time.Sleep`'s `goroutineReady`, `goFunc`.

use core::mem::offset_of;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicI64, Ordering};

use crate::gmp::timers::{Timer, TimerCallback, Top};
use crate::gmp::{G, GPtr, PPtr, SCHED, gslab, m};
use crate::os::{self, race};
use crate::proc::{Entered, OnG0, goready, newproc, wake};

/// The coarse clock, ns.
static COARSE: AtomicI64 = AtomicI64::new(0);

/// How old the coarse clock is when Ps set it, which share its cache line; ns.
const STALE: i64 = 500_000;

/// Sysmon has read the clock. While anything runs it does so every millisecond, or every ten if all Ps come by here more often than every millisecond on
/// the average, and no timer was due so soon at the last look (`sysmon::is_brisk`).
pub(crate) fn set_coarse(now: i64) {
    COARSE.store(now, Ordering::Relaxed);
}

/// A P has read the clock.
pub(crate) fn freshen_coarse(now: i64) {
    if now - COARSE.load(Ordering::Relaxed) > STALE {
        set_coarse(now);
    }
}

/// Whether the P has a timer that is due.
pub(crate) fn is_due(pp: PPtr) -> bool {
    let when = pp.timers.min_when();
    when != 0 && when <= os::nanotime()
}

/// Runs the due timers of a P that has work, if the coarse clock says so or if asked to look exactly.
#[inline(always)]
pub(crate) fn run_due(g0: &OnG0, pp: PPtr, exactly: bool) {
    let when = pp.timers.min_when();
    if when != 0 && (exactly || when <= COARSE.load(Ordering::Relaxed)) {
        run_due_now(g0, pp);
    }
}

/// Runs the due timers of a P; true when any fired.
pub(crate) fn run_due_now(_: &OnG0, pp: PPtr) -> bool {
    let when = pp.timers.min_when();
    if when == 0 {
        return false;
    }
    let now = os::nanotime();
    freshen_coarse(now);
    if when > now {
        return false;
    }
    let mut fired = false;
    loop {
        match pp.timers.pop_due(now) {
            Top::Due(due) => {
                due.fire(now);
                fired = true;
            }
            Top::Released(timer) => release(timer),
            Top::Nothing => return fired,
        }
    }
}

/// The timer was the embedded one of a goroutine that has ended: the G is free now (G3).
fn release(timer: NonNull<Timer>) {
    let gp = goroutine_of(timer);
    // SAFETY: the timer is part of a G, which is never freed.
    unsafe { timer.as_ref() }.reset();
    newproc::recycle_elsewhere(gp);
}

/// The goroutine whose embedded timer this is.
pub(crate) fn goroutine_of(timer: NonNull<Timer>) -> GPtr {
    // SAFETY: only timers embedded in Gs come here, so stepping back by the field's offset stays in the same G.
    GPtr::new(unsafe { timer.byte_sub(offset_of!(G, timer)).cast() })
}

/// Arms a timer on the caller's P, or on any P from a foreign thread.
pub(crate) fn arm(inside: &Entered, timer: &Timer, when: i64, callback: TimerCallback) {
    let _hidden = race::hidden();
    let pp = inside.p().or_else(|| SCHED.p(0)).expect("P0 exists once the runtime has started");
    if timer.arm(&pp.timers, when, callback).earliest_changed {
        wake::wake_poller(when);
    }
}

/// The same on g0, by a park's commit.
pub(crate) fn arm_on_g0(gp: GPtr, when: i64, callback: TimerCallback) {
    debug_assert!(!gp.timer.is_firing(), "the timer of a goroutine is armed while it fires (T4)");
    let inside = core::mem::ManuallyDrop::new(Entered::adopt());
    arm(&inside, &gp.timer, when, callback);
}

/// Callback of a plain sleep: nothing else can ready the goroutine.
pub(crate) fn ready_sleeper(timer: NonNull<Timer>, _now: i64) {
    let gp = goroutine_of(timer);
    // SAFETY: the timer is part of a G, which is never freed. After this the callback does not touch it any more.
    unsafe { timer.as_ref() }.fired();
    goready(gp);
}

/// Callback of a goroutine that was prepared to start at a time.
pub(crate) fn launch_prepared(timer: NonNull<Timer>, _now: i64) {
    let gp = goroutine_of(timer);
    // SAFETY: the timer is part of a G, which is never freed.
    unsafe { timer.as_ref() }.fired();
    newproc::launch(m::current().and_then(|mp| mp.p()), gp);
}

/// Bytes that the slabs of Gs take, for the statistics.
pub(crate) fn g_memory() -> (usize, usize) {
    gslab::memory()
}
