//! `GODEBUG=schedtrace=MS`: a line about the scheduler every so often, with details on demand.
//!
//! *Why here.* Floor 8; sysmon calls it.
//!
//! *Invariants.* None: the numbers are looks without a stop.
//!
//! *Locks.* `SCHED.lock`.
//!
//! *Go:* `schedtrace`.

use core::fmt::Write as _;
use core::sync::atomic::Ordering::Relaxed;

use crate::base::throw::print;
use crate::gmp::{M, SCHED, WaitReason, gslab};
use crate::os;
use crate::proc::boot;

/// Prints Go's line, and with `detailed` its tables.
pub(crate) fn print_line(detailed: bool) {
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = write_head(&mut text, detailed);
    if detailed {
        let _ = write_details(&mut text);
    }
    print(format_args!("{text}"));
}

fn write_head(text: &mut String, detailed: bool) -> core::fmt::Result {
    let (threads, idle, locked, runq, stop_wait) = {
        let shared = SCHED.lock.lock();
        (shared.nm + 1, shared.midle.len(), shared.nmidle_locked, shared.runq.len(), shared.stop_wait)
    };
    write!(
        text,
        "SCHED {}ms: gomaxprocs={} idleprocs={} threads={threads} spinningthreads={} needspinning={} idlethreads={idle} runqueue={runq}",
        (os::nanotime() - boot::start_time()) / 1_000_000,
        SCHED.procs.load(Relaxed),
        SCHED.npidle.load(Relaxed),
        SCHED.nmspinning.load(Relaxed),
        u32::from(SCHED.needspinning.load(Relaxed)),
    )?;
    if detailed {
        return writeln!(
            text,
            " gcwaiting={} nmidlelocked={locked} stopwait={stop_wait} sysmonwait={}",
            SCHED.stopping.load(Relaxed),
            SCHED.sysmon_waits.load(Relaxed),
        );
    }
    text.push_str(" [");
    for pp in SCHED.ps() {
        write!(text, " {}", pp.runq.len())?;
    }
    text.push_str(" ] schedticks=[ ");
    for pp in SCHED.ps() {
        write!(text, "{} ", pp.schedtick.load(Relaxed))?;
    }
    text.push_str("]\n");
    Ok(())
}

fn write_details(text: &mut String) -> core::fmt::Result {
    for pp in SCHED.ps() {
        let m = pp.m().map_or_else(|| "nil".to_owned(), |mp| mp.id.to_string());
        writeln!(
            text,
            "  P{}: status={} schedtick={} m={m} runqsize={} timerslen={}",
            pp.id,
            pp.status() as u32,
            pp.schedtick.load(Relaxed),
            pp.runq.len(),
            pp.timers.len(),
        )?;
    }
    for mp in M::all().filter(|mp| !mp.foreign) {
        let or_nil = |value: Option<u64>| value.map_or_else(|| "nil".to_owned(), |value| value.to_string());
        writeln!(
            text,
            "  M{}: p={} curg={} spinning={} blocked={} lockedg={}",
            mp.id,
            or_nil(mp.p().map(|pp| u64::from(pp.id))),
            or_nil(mp.curg_from_outside().map(|gp| gp.goid())),
            mp.spinning.load(Relaxed),
            mp.parked.load(Relaxed),
            or_nil(crate::gmp::GPtr::from_raw(mp.locked_g.load(Relaxed)).map(|gp| gp.goid())),
        )?;
    }
    let mut result = Ok(());
    gslab::for_each(|gp| {
        if gp.goid() != 0 && result.is_ok() {
            let reason = WaitReason::text(gp.wait_reason.load(Relaxed));
            let locked = gp.wired_to().map_or_else(|| "nil".to_owned(), |mp| mp.id.to_string());
            result = writeln!(text, "  G{}: status={}({reason}) lockedm={locked}", gp.goid(), gp.status.load() as u32);
        }
    });
    result
}
