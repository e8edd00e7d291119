//! The caretaker thread: takes Ps from goroutines that block or compute, watches timers, deadlocks, GOMAXPROCS and the clock.
//!
//! *Why here.* Floor 6: decides with the verbs of `proc`; the only one that claims (C1).
//!
//! *Invariants.* Y1. A P is claimed only if there is work for it. Y2. No claim when that would mean more than half of the allowed threads.
//!
//! *Locks.* None held over anything.
//!
//! *Go:* `sysmon`, `retake`.

use core::sync::atomic::{AtomicI64, AtomicPtr, AtomicU8, AtomicU32, Ordering};

use crate::base::env::DEBUG;
use crate::base::lock::Lock;
use crate::base::throw::{CrashKind, crash, fatal};
use crate::bgsweep::{self, Bell};
use crate::gmp::claim::Claimed;
use crate::gmp::p::PStatus;
use crate::gmp::{GPtr, M, MPtr, PPtr, SCHED};
use crate::os;
use crate::proc::deadlock::Policy;
use crate::proc::{boot, chaos, deadlock, goready, keep, mstart, netwait, newproc, resize, timer, wake};
use crate::sigqueue::QUEUE;

/// Naps while a P runs, ns: at first, at last, and at last while all Ps are brisk; that is the longest nap of Go's `sysmon`, too.
const SHORTEST: i64 = 20_000;
const LONGEST: i64 = 1_000_000;
const LONGEST_BRISK: i64 = 10_000_000;
/// A brisk P comes by where timers and sockets are looked at exactly at least this often on the average, ns.
const BRISK: i64 = 1_000_000;
/// Rounds without an event before the naps get longer, and before a deep sleep when all Ps are idle.
const QUIET_ROUNDS: u32 = 50;
/// Go's time slice, ns.
const SLICE: i64 = 10_000_000;
const SECOND: i64 = 1_000_000_000;
/// A sweep is forced when there was none for so long, ns.
const FORCE_SWEEP: i64 = 120 * SECOND;
/// How long sysmon expects more of the kind after it was needed, ns.
const WARY: i64 = SECOND;
/// How often a suspected deadlock is looked at again while foreign threads exist.
const SUSPECT_AGAIN: i64 = 20_000_000;

/// Upward hook of the tracer: prints a line for `GODEBUG=schedtrace`.
static TRACE: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());
/// A [`DumpReason`], or 0.
static DUMP_WANTED: AtomicU8 = AtomicU8::new(0);
/// What the goroutine that delivers signals sleeps on. Sysmon rings it, because handlers may not.
pub(crate) static DELIVERY: Bell = Bell::new();

/// A change of GOMAXPROCS that a parked goroutine waits for.
struct Resize {
    count: u32,
    waiting: GPtr,
}

static RESIZE: Lock<Option<Resize>> = Lock::new(None);
static LAST_SWEEP: AtomicI64 = AtomicI64::new(0);
static WANTED_PROCS: AtomicU32 = AtomicU32::new(0);

/// Starts the thread.
pub(crate) fn start() {
    mstart::newm(SCHED.lock.lock(), None, false, Some(sysmon));
}

/// Asks sysmon to stop the world and change the number of Ps; it readies `gp` afterwards, with the previous number in `selected`. False when
/// another change is under way.
pub(crate) fn request_resize(gp: GPtr, count: u32) -> bool {
    let mut slot = RESIZE.lock();
    if slot.is_some() {
        return false;
    }
    *slot = Some(Resize { count, waiting: gp });
    drop(slot);
    SCHED.sysmon_note.wake();
    true
}

/// The signals that ask for a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum DumpReason {
    Quit = 1,
    Ill,
    Trap,
    Bus,
    Fpe,
    Segv,
    Stkflt,
    Sys,
}

/// The first lines of dumps, in the order of [`DumpReason`], in the words of Go's runtime.
const DUMP_HEADS: [&str; 8] = [
    "SIGQUIT: quit",
    "SIGILL: illegal instruction",
    "SIGTRAP: trace trap",
    "SIGBUS: bus error",
    "SIGFPE: floating-point exception",
    "SIGSEGV: segmentation violation",
    "SIGSTKFLT: stack fault",
    "SIGSYS: bad system call",
];

/// Asks for a dump of everything and exit status 2: what SIGQUIT does. Async-signal-safe.
pub(crate) fn request_dump(reason: DumpReason) {
    DUMP_WANTED.store(reason as u8, Ordering::Relaxed);
    SCHED.sysmon_note.wake();
}

/// A handler has noted a signal. Async-signal-safe. If the wake-up meets sysmon between two naps it may be lost; then the look comes
/// after the next one, within some milliseconds, because a deep sleep begins with a look of its own.
pub(crate) fn signal_noted() {
    SCHED.sysmon_note.wake();
}

/// Installs the printer of schedtrace lines.
pub(crate) fn set_tracer(print: fn(bool)) {
    // Release: pairs with the Acquire in `trace`.
    TRACE.store(print as *mut (), Ordering::Release);
}

/// The number of Ps that the limits of the machine ask for, for the updater goroutine.
pub(crate) fn wanted_procs() -> u32 {
    WANTED_PROCS.load(Ordering::Relaxed)
}

struct Rounds {
    quiet: u32,
    nap: i64,
    /// The longest nap as of now.
    longest: i64,
    /// When the last round began.
    begun: i64,
    /// When a round last did something.
    last_needed: i64,
    last_update: i64,
    next_trace: i64,
}

fn sysmon() -> ! {
    os::set_thread_name("goruntime-sysmon");
    let now = os::nanotime();
    LAST_SWEEP.store(now, Ordering::Relaxed);
    // The first trace line comes at once, as in Go.
    let mut rounds = Rounds {
        quiet: 0,
        nap: SHORTEST,
        longest: LONGEST,
        begun: now,
        last_needed: now,
        last_update: now,
        next_trace: now,
    };
    loop {
        rounds.nap = match rounds.quiet {
            0 => SHORTEST,
            quiet if quiet > QUIET_ROUNDS => (rounds.nap * 2).min(rounds.longest),
            _ => rounds.nap,
        };
        SCHED.sysmon_note.sleep_for(rounds.nap);
        SCHED.sysmon_note.clear();
        deep_sleep(&mut rounds);
        if round(&mut rounds) {
            rounds.quiet = 0;
            rounds.last_needed = rounds.begun;
        } else {
            rounds.quiet += 1;
        }
    }
}

/// One look around; true when something was done.
fn round(rounds: &mut Rounds) -> bool {
    let now = os::nanotime();
    timer::set_coarse(now);
    if let Some(number) = DUMP_WANTED.load(Ordering::Relaxed).checked_sub(1) {
        crash(CrashKind::Quit, format_args!("{}\n", DUMP_HEADS[usize::from(number)]));
    }
    if SCHED.exiting.load(Ordering::Relaxed) {
        return false;
    }
    if QUEUE.has_pending() {
        DELIVERY.ring();
    }
    // A goroutine that waits for a resize is asleep, but not for good.
    if deadlock::confirm() && RESIZE.lock().is_none() {
        report_deadlock();
    }
    carry_out_resize();
    netwait::look_from_sysmon(now);
    rounds.longest = LONGEST;
    if all_are_brisk(rounds, now) {
        if somebody_is_blocked() {
            rounds.last_needed = now;
        } else {
            rounds.longest = LONGEST_BRISK;
        }
    }
    rounds.begun = now;
    let let_go = keep::let_go_overdue(now);
    let rescued = rescue();
    let retaken = retake(now);
    if now - rounds.last_update >= SECOND {
        rounds.last_update = now;
        check_procs();
        recount_computing();
    }
    if now - LAST_SWEEP.load(Ordering::Relaxed) > FORCE_SWEEP {
        LAST_SWEEP.store(now, Ordering::Relaxed);
        bgsweep::force();
    }
    bgsweep::poke(now);
    trace(rounds, now);
    let_go || rescued || retaken
}

/// While every P is idle there is nothing to watch: sleeps until an M takes a P, or for what is due by the clock. Not if they idle and work by turns
/// many times in a nap: waking sysmon costs those who find work.
fn deep_sleep(rounds: &mut Rounds) {
    let brisk = rounds.longest == LONGEST_BRISK;
    if rounds.quiet <= QUIET_ROUNDS || brisk || !wake::all_are_idle() || RESIZE.lock().is_some() {
        return;
    }
    // `kept`: whoever gives up the last P has counted before whom it has left in an inbox.
    let nothing_is_due =
        || DUMP_WANTED.load(Ordering::Relaxed) == 0 && SCHED.kept.load(Ordering::Relaxed) == 0 && !QUEUE.has_pending();
    wake::sleep_while_all_idle(nothing_is_due, || {
        SCHED.sysmon_note.sleep_for(longest_sleep(rounds));
        SCHED.sysmon_note.clear();
    });
    // Short naps again only if goroutines of this program block: a server that idles between two requests would pay for fifty of them.
    if os::nanotime() - rounds.last_needed < WARY {
        rounds.quiet = 0;
        rounds.nap = SHORTEST;
    }
}

fn longest_sleep(rounds: &Rounds) -> i64 {
    if deadlock::is_suspected() {
        return SUSPECT_AGAIN;
    }
    let now = os::nanotime();
    let mut longest = FORCE_SWEEP - (now - LAST_SWEEP.load(Ordering::Relaxed));
    if boot::procs_are_automatic() && SCHED.main_started.load(Ordering::Relaxed) {
        longest = longest.min(10 * SECOND);
    }
    if bgsweep::is_pending() {
        longest = longest.min(SECOND / 4);
    }
    if DEBUG.schedtrace.is_on() {
        longest = longest.min(rounds.next_trace - now);
    }
    longest.max(SHORTEST)
}

fn report_deadlock() {
    if deadlock::policy() == Policy::FailTests {
        return deadlock::fail_tests();
    }
    if newproc::goroutine_count() == 0 {
        fatal("no goroutines (main called runtime.Goexit) - deadlock!");
    }
    fatal("all goroutines are asleep - deadlock!")
}

/// Repairs the wake-up that a plain store of a local put may have missed (the essay in `proc`).
fn rescue() -> bool {
    let idle = SCHED.npidle.load(Ordering::Relaxed) != 0 && SCHED.nmspinning.load(Ordering::Relaxed) == 0;
    let work = || {
        SCHED.runq_size.load(Ordering::Relaxed) != 0
            || SCHED.ps().any(|pp| pp.runq.len() > 1 || pp.status() == PStatus::Idle && timer::is_due(pp))
    };
    if idle && work() {
        wake::wakep();
    }
    false
}

/// Whether there is so little to see that a look every few milliseconds will do: every P comes by the scheduler all the time, and none was taken for
/// a second.
fn all_are_brisk(rounds: &Rounds, now: i64) -> bool {
    let may_need_rescue = SCHED.npidle.load(Ordering::Relaxed) != 0 && SCHED.procs.load(Ordering::Relaxed) > 1;
    let mut brisk = now - rounds.last_needed >= WARY
        && !may_need_rescue
        && SCHED.kept.load(Ordering::Relaxed) == 0
        && !DEBUG.schedtrace.is_on()
        && !chaos::is_on();
    for pp in SCHED.ps() {
        brisk &= is_brisk(pp, now, rounds.begun);
    }
    brisk
}

/// Whether a P has come by often enough since the last round, and none of its timers is due before the end of a long nap.
fn is_brisk(pp: PPtr, now: i64, last_round: i64) -> bool {
    let came_by = pp.came_by.load(Ordering::Relaxed);
    let times = came_by.wrapping_sub(pp.look.came_by.replace(came_by));
    let due = pp.timers.min_when();
    matches!(pp.status(), PStatus::Running | PStatus::Idle)
        && i64::from(times) * BRISK >= now - last_round
        && (due == 0 || due - now > LONGEST_BRISK)
}

/// Whether a goroutine sleeps in the kernel now, with its P. Calls that are shorter than the long naps would otherwise never be noticed.
fn somebody_is_blocked() -> bool {
    SCHED.ps().filter_map(|pp| pp.m()).any(|mp| mp.claim.is_outside() && stands_still(mp))
}

/// As [`is_blocked`], at once: the clock is read twice.
fn stands_still(mp: MPtr) -> bool {
    let clock = || os::thread_cpu_time(mp.cpu_clock.load(Ordering::Relaxed));
    clock().is_some_and(|before| clock() == Some(before)) && sleeps(mp)
}

/// Preempts and claims; true when any P was retaken or asked to be.
fn retake(now: i64) -> bool {
    let mut acted = false;
    for pp in SCHED.ps() {
        if pp.status() != PStatus::Running {
            continue;
        }
        let Some(mp) = pp.m() else { continue };
        acted |= look_at(pp, mp, now);
    }
    acted
}

fn look_at(pp: PPtr, mp: MPtr, now: i64) -> bool {
    let look = &pp.look;
    let tick = pp.schedtick.load(Ordering::Relaxed);
    if look.tick.replace(tick) != tick {
        look.since.set(now);
    }
    let seen = mp.curg_from_outside().map_or((0, 0), |gp| (gp.goid(), gp.resumes.load(Ordering::Relaxed)));
    if look.g.replace(seen) != seen || seen.0 == 0 {
        look.g_since.set(now);
        look.cpu.store(-1, Ordering::Relaxed);
        return preempt_if_due(pp, mp, now);
    }
    if chaos::is_greedy() && !too_many_threads() {
        mp.claim.request_preempt();
        return claim(pp, mp, tick, seen, !is_blocked(pp, mp));
    }
    let preempted = preempt_if_due(pp, mp, now);
    if !mp.claim.is_outside() || !has_work(pp, mp) {
        look.cpu.store(-1, Ordering::Relaxed);
        return preempted;
    }
    let computing = !is_blocked(pp, mp);
    let patient = now - look.g_since.get() < slice() || DEBUG.asyncpreemptoff.is_on();
    if computing && patient || too_many_threads() {
        return preempted;
    }
    claim(pp, mp, tick, seen, computing) || preempted
}

fn preempt_if_due(pp: PPtr, mp: MPtr, now: i64) -> bool {
    if now - pp.look.since.get() < SLICE || !has_work(pp, mp) || DEBUG.asyncpreemptoff.is_on() {
        return false;
    }
    mp.claim.request_preempt();
    true
}

/// Whether anything waits for this P (Y1).
fn has_work(pp: PPtr, mp: MPtr) -> bool {
    !pp.runq.is_empty()
        || SCHED.runq_size.load(Ordering::Relaxed) != 0
        || mp.has_mail.load(Ordering::Relaxed)
        || timer::is_due(pp)
}

/// A goroutine that computed when its P was taken may have blocked since, for good perhaps: it is no reason for longer slices any more.
fn recount_computing() {
    if SCHED.computing.load(Ordering::Relaxed) == 0 {
        return;
    }
    for mp in M::all().filter(|mp| mp.computing.load(Ordering::Relaxed)) {
        let Some(cpu) = os::thread_cpu_time(mp.cpu_clock.load(Ordering::Relaxed)) else { continue };
        // Whoever takes the mark back counts: this thread, or the goroutine when it comes back (`park::regain`).
        if mp.computed.replace(cpu) == cpu && sleeps(mp) && mp.computing.swap(false, Ordering::Relaxed) {
            SCHED.computing.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Whether the thread sleeps in the kernel: its CPU clock stood still since the last look, and the kernel says that it does not run.
fn is_blocked(pp: PPtr, mp: MPtr) -> bool {
    let Some(cpu) = os::thread_cpu_time(mp.cpu_clock.load(Ordering::Relaxed)) else { return false };
    pp.look.cpu.swap(cpu, Ordering::Relaxed) == cpu && sleeps(mp)
}

/// What the kernel says of the thread.
fn sleeps(mp: MPtr) -> bool {
    // Acquire: pairs with the Release in `minit`.
    let stat = mp.stat_fd.load(Ordering::Acquire);
    if stat >= 0 { !os::thread_is_on_cpu(stat) } else { !os::thread_is_on_cpu_by_id(mp.tid.load(Ordering::Relaxed)) }
}

/// The slice of a goroutine that computes: longer when many do, so that a fan-out does not become a thread each.
fn slice() -> i64 {
    let procs = i64::from(SCHED.procs.load(Ordering::Relaxed).max(1));
    SLICE + SLICE * i64::from(SCHED.computing.load(Ordering::Relaxed)) / procs
}

/// Y2.
fn too_many_threads() -> bool {
    let shared = SCHED.lock.lock();
    shared.midle.is_empty() && shared.nm >= shared.max_mcount / 2
}

fn claim(pp: PPtr, mp: MPtr, tick: u32, seen: (u64, u32), computing: bool) -> bool {
    let unchanged = || {
        mp.p() == Some(pp)
            && pp.m() == Some(mp)
            && pp.schedtick.load(Ordering::Relaxed) == tick
            && mp.curg_from_outside().is_some_and(|gp| (gp.goid(), gp.resumes.load(Ordering::Relaxed)) == seen)
    };
    let take = || {
        mp.set_p(None);
        pp.set_m(None);
        pp.set_status(PStatus::Idle);
        if computing {
            mp.computing.store(true, Ordering::Relaxed);
            SCHED.computing.fetch_add(1, Ordering::Relaxed);
        }
    };
    if mp.claim.try_claim(unchanged, take) == Claimed::Withdrawn {
        return false;
    }
    SCHED.retaken.fetch_add(1, Ordering::Relaxed);
    if SCHED.stopping.load(Ordering::Relaxed) {
        resize::stop_claimed(pp);
    } else {
        wake::handoffp(pp);
    }
    true
}

/// Stops the world, changes the number of Ps, starts it, and readies who asked.
fn carry_out_resize() {
    let Some(Resize { count, waiting }) = RESIZE.lock().take() else { return };
    resize::begin_stop();
    while resize::still_running() != 0 {
        for pp in SCHED.ps() {
            let Some(mp) = pp.m().filter(|_| pp.status() == PStatus::Running) else { continue };
            mp.claim.request_preempt();
            let tick = pp.schedtick.load(Ordering::Relaxed);
            if let Some(gp) = mp.curg_from_outside().filter(|_| mp.claim.is_outside()) {
                claim(pp, mp, tick, (gp.goid(), gp.resumes.load(Ordering::Relaxed)), true);
            }
        }
        if resize::still_running() != 0 {
            SCHED.sysmon_note.sleep_for(SHORTEST);
            SCHED.sysmon_note.clear();
        }
    }
    waiting.selected.store(SCHED.procs.load(Ordering::Relaxed), Ordering::Relaxed);
    resize::procresize(count);
    resize::start_the_world();
    goready(waiting);
}

/// The limits of the machine may have changed: the updater goroutine acts on it.
fn check_procs() {
    if !boot::procs_are_automatic() || !SCHED.main_started.load(Ordering::Relaxed) {
        return;
    }
    let wanted = boot::default_procs();
    if wanted != SCHED.procs.load(Ordering::Relaxed) {
        WANTED_PROCS.store(wanted, Ordering::Relaxed);
        bgsweep::wake_updater();
    }
}

fn trace(rounds: &mut Rounds, now: i64) {
    let period = DEBUG.schedtrace.get();
    if period <= 0 || now < rounds.next_trace {
        return;
    }
    rounds.next_trace = now.saturating_add(period.saturating_mul(1_000_000));
    // Acquire: pairs with the Release in `set_tracer`.
    let print = TRACE.load(Ordering::Acquire);
    if print.is_null() {
        return;
    }
    // SAFETY: only `set_tracer` stores here, a `fn(bool)`.
    let print = unsafe { core::mem::transmute::<*mut (), fn(bool)>(print) };
    print(DEBUG.scheddetail.is_on());
}
