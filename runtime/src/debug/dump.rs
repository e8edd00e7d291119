//! What a crash prints after its first lines: which goroutines, in which order.
//!
//! *Why here.* Floor 8: the crash hook of `base::throw`.
//!
//! *Invariants.* DU1. The dump takes no lock of the scheduler: a crash may happen under any of them.
//!
//! *Locks.* None.
//!
//! *Go:* `dopanic_m`, `tracebackothers`.

use crate::base::env;
use crate::base::mapvec::MapVec;
use crate::base::throw::{CrashKind, print};
use crate::debug::block;
use crate::gmp::g::flag;
use crate::gmp::status::State;
use crate::gmp::{GPtr, SCHED, gslab, m};
use crate::proc::newproc;

/// The hook: prints the goroutines that a crash of this kind shows.
pub(crate) fn on_crash(kind: CrashKind) {
    SCHED.exiting.store(true, core::sync::atomic::Ordering::Relaxed);
    let level = env::traceback();
    if level.level() == 0 {
        return;
    }
    let current = m::current().and_then(|mp| mp.curg()).filter(|gp| !gp.has(flag::THREAD));
    let everybody = match kind {
        CrashKind::Panic => level.is_all(),
        CrashKind::Fatal => level.is_all() || current.is_none(),
        CrashKind::Throw | CrashKind::Quit => true,
    };
    if let Some(gp) = current.filter(|_| kind != CrashKind::Panic) {
        print(format_args!("\n{}", block::running(gp, "")));
    }
    if everybody && newproc::goroutine_count() > 0 {
        others(current);
    }
}

/// Every user goroutine but `current`, oldest first; the runtime's own from level 2.
fn others(current: Option<GPtr>) {
    let system_too = env::traceback().level() >= 2;
    let is_shown = |gp: GPtr| {
        let hidden = gp.has(flag::THREAD) || gp.has(flag::SYSTEM) && !system_too;
        gp.goid() != 0 && !hidden && Some(gp) != current && gp.status.load() != State::Dead
    };
    let (mut shown, mut has_room) = (MapVec::new(), true);
    gslab::for_each(|gp| has_room &= !is_shown(gp) || shown.try_push(gp).is_ok());
    if has_room {
        shown.sort_unstable_by_key(|gp| gp.goid());
        shown.iter().for_each(|&gp| show(gp));
    } else {
        // The crash may be for want of memory: then they come as they lie.
        gslab::for_each(|gp| {
            if is_shown(gp) {
                show(gp);
            }
        });
    }
}

fn show(gp: GPtr) {
    if let Some(block) = block::other(gp) {
        print(format_args!("\n{block}"));
    }
}
