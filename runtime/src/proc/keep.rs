//! Keeping a goroutine on its thread because of what the affinity guard has seen, and letting it go when that takes too long.
//!
//! *Why here.* Floor 5: the guard only looks (`gmp::affinity`); who asks is the scheduler loop, where a goroutine would change threads and nowhere
//! else, so that one that never does pays a comparison.
//!
//! A goroutine that is kept waits in the inbox of its thread, as a wired one does. Keeping is advice: the words that were seen may be stale, and its
//! thread may be blocked in a lock that this very goroutine holds. So sysmon looks at the inboxes every [`ROUND`], and whom it meets there for the
//! third time goes on wherever it is dequeued next. With `tlsguard=strict` it waits for ever, and what its thread does instead is reported.
//!
//! *Invariants.* KE1. The bits of [`flag::KEPT`] are set exactly while the goroutine is in an inbox or put off because of the guard; whoever has the
//! scheduler lock changes them there. `SCHED.kept` counts these goroutines, under the same lock. KE2. A thread that is somebody's alone does not run
//! a goroutine that is merely kept on it.
//!
//! *Locks.* `SCHED.lock`.
//!
//! *Go:* none.

use core::ops::Range;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicI64, AtomicPtr, AtomicU64, Ordering};

use crate::base::env::{self, TlsGuard};
use crate::base::lock::Lock;
use crate::base::throw::print;
use crate::coro::StackClass;
use crate::gmp::affinity::{self, Counters, Seen, Why};
use crate::gmp::g::flag;
use crate::gmp::{GList, GPtr, M, MPtr, SCHED};
use crate::proc::{traceback, wake};

/// Time between two looks of sysmon at the inboxes, ns: a goroutine is let go after 10 to 15 ms, or 20 if it
/// is the first one in a program that was brisk (`sysmon`).
const ROUND: i64 = 5_000_000;
/// The same with `tlsguard=strict`, where the third look reports.
const STRICT_ROUND: i64 = 500_000_000;
/// Looks after which a goroutine has waited for long enough.
const ENOUGH: u32 = 2;

/// Goroutines that went on elsewhere although they were to be kept, by reason.
static MOVED: [AtomicU64; Why::COUNT] = [const { AtomicU64::new(0) }; Why::COUNT];
/// When sysmon looked last.
static LAST_ROUND: AtomicI64 = AtomicI64::new(0);
/// Prints where the calling goroutine is suspended, for `tlsguard=log`: data that `rt0` sets.
static REPORTER: AtomicPtr<()> = AtomicPtr::new(null_mut());

/// Installs the printer of reports. It runs on the stack of the goroutine that is reported, in traceback mode.
pub(crate) fn set_reporter(report: fn()) {
    // Release: pairs with the Acquire in `report`.
    REPORTER.store(report as *mut (), Ordering::Release);
}

/// The M that a goroutine, which `mp` has dequeued and which is free to run anywhere, had better go on on; None if this one is as good.
#[inline(always)]
pub(crate) fn better_home(mp: MPtr, gp: GPtr) -> Option<MPtr> {
    let home = gp.home.load(Ordering::Relaxed);
    if home == mp.as_ptr() { None } else { home_if_kept(mp, gp, MPtr::from_raw(home)?) }
}

#[inline(never)]
fn home_if_kept(mp: MPtr, gp: GPtr, home: MPtr) -> Option<MPtr> {
    let mode = env::tls_guard();
    if mode != TlsGuard::Off
        && let Some(seen) = look(mp, gp, home)
        && let Some(why) = seen.why
    {
        Counters::add(&mp.guard.kept[why.index()], 1);
        gp.keep(why);
        if mode == TlsGuard::Log && !seen.is_bare {
            report(gp);
        }
        return Some(home);
    }
    Counters::add(&mp.guard.migrations, 1);
    None
}

/// The suspended frames of a goroutine that the caller owns (S1); None if it waits without a stack, and has nothing that could belong to a thread.
fn frames_of(gp: GPtr) -> Option<Range<usize>> {
    if gp.yielder().is_null() {
        return None;
    }
    let class = match gp.stack_class.get() {
        0 => StackClass::DEFAULT,
        log2 => StackClass::from_log2(log2),
    };
    // SAFETY: where it suspends it has a coroutine, which this M owns since it has dequeued the goroutine (S1).
    let coro = unsafe { (*gp.coro.get()).assume_init_ref() };
    coro.suspended_frames(gp.yielder(), class)
}

fn look(mp: MPtr, gp: GPtr, home: MPtr) -> Option<Seen> {
    let stack = frames_of(gp)?;
    // SAFETY: the stack is the goroutine's, as above, and begins at the saved stack pointer (C4).
    let seen = unsafe { affinity::look(stack, &home) };
    Counters::add(&mp.guard.scans, 1);
    Counters::add(&mp.guard.words, seen.words as u64);
    Some(seen)
}

/// Places that were reported, or came out as one that was: a bound on what the reports may cost.
static PLACES: Lock<([u64; MOST_PLACES], usize)> = Lock::new(([0; MOST_PLACES], 0));
const MOST_PLACES: usize = 64;

/// Remembers a place; false if it is known, or if there have been enough.
fn is_new_place(gp: GPtr) -> bool {
    let Some(stack) = frames_of(gp) else { return false };
    // SAFETY: the stack is the goroutine's, which the caller has dequeued (S1), and begins at the saved stack pointer (C4).
    let print = unsafe { affinity::fingerprint(stack) };
    let mut places = PLACES.lock();
    let (known, count) = &mut *places;
    if *count == MOST_PLACES || known[..*count].contains(&print) {
        return false;
    }
    known[*count] = print;
    *count += 1;
    true
}

fn report(gp: GPtr) {
    if !is_new_place(gp) {
        return;
    }
    // Acquire: pairs with the Release in `set_reporter`.
    let report = REPORTER.load(Ordering::Acquire);
    if !report.is_null() {
        // SAFETY: only `set_reporter` stores here, a `fn()`.
        let report = unsafe { core::mem::transmute::<*mut (), fn()>(report) };
        traceback::on_own_stack(gp, report);
        if let Some(frames) = frames_of(gp) {
            // SAFETY: the frames are those of a goroutine that the caller has dequeued (S1).
            unsafe { affinity::wipe_below(frames) };
        }
    }
}

/// Takes a goroutine out of the keeping: it was dequeued. Under the scheduler lock.
pub(crate) fn taken(gp: GPtr) {
    if gp.kept_because().is_some() {
        gp.unset(flag::KEPT | flag::KEPT_ROUNDS);
        SCHED.kept.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A goroutine with the mark goes to an inbox. Under the scheduler lock.
pub(crate) fn given(gp: GPtr) {
    if gp.kept_because().is_some() {
        // Seen by sysmon together with the idle list (`sysmon::deep_sleep`): the caller's P is put there later.
        SCHED.kept.fetch_add(1, Ordering::Relaxed);
    }
}

/// Sysmon's look at those who are kept, which does something every [`ROUND`] at most. True if somebody was let go.
pub(crate) fn let_go_overdue(now: i64) -> bool {
    if SCHED.kept.load(Ordering::Relaxed) == 0 {
        return false;
    }
    let strict = env::tls_guard() == TlsGuard::Strict;
    if now - LAST_ROUND.load(Ordering::Relaxed) < if strict { STRICT_ROUND } else { ROUND } {
        return false;
    }
    LAST_ROUND.store(now, Ordering::Relaxed);
    let mut overdue = GList::new();
    {
        let mut shared = SCHED.lock.lock();
        for mp in M::all().filter(|mp| !mp.foreign) {
            mp.inbox.set(let_go_from(mp, mp.inbox.take(), strict, &mut overdue));
            mp.put_off.set(let_go_from(mp, mp.put_off.take(), strict, &mut overdue));
        }
        if overdue.is_empty() {
            return false;
        }
        shared.globrunq_append(&mut overdue);
    }
    wake::wake_for_global();
    true
}

/// Counts a round for those who are kept among the goroutines in a list of `mp`; returns the list without those that have waited for long enough.
fn let_go_from(mp: MPtr, mut list: GList, strict: bool, overdue: &mut GList) -> GList {
    let mut rest = GList::new();
    while let Some(gp) = list.pop_front() {
        let Some(why) = gp.kept_because() else {
            rest.push_back(gp);
            continue;
        };
        let rounds = gp.add_kept_round();
        if strict || rounds <= ENOUGH {
            if strict && rounds == ENOUGH + 1 {
                report_strict(gp, mp);
            }
            rest.push_back(gp);
            continue;
        }
        taken(gp);
        // With no thread to return to it is as good as new: nobody looks at its stack once more.
        gp.home.store(null_mut(), Ordering::Relaxed);
        MOVED[why.index()].fetch_add(1, Ordering::Relaxed);
        overdue.push_back(gp);
    }
    rest
}

fn report_strict(gp: GPtr, mp: MPtr) {
    let id = gp.goid();
    match mp.curg_from_outside() {
        Some(other) => print(format_args!(
            "goruntime: goroutine {id} has been kept on thread {} for a second, which runs goroutine {}\n",
            mp.id,
            other.goid()
        )),
        None => print(format_args!("goruntime: goroutine {id} has been kept on thread {} for a second\n", mp.id)),
    }
}

/// What all threads have counted.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) migrations: u64,
    pub(crate) scans: u64,
    pub(crate) words: u64,
    pub(crate) kept: [u64; Why::COUNT],
    pub(crate) moved: [u64; Why::COUNT],
}

/// Adds the counters of all threads up.
pub(crate) fn totals() -> Totals {
    let mut totals = Totals::default();
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    for mp in M::all() {
        totals.migrations += of(&mp.guard.migrations);
        totals.scans += of(&mp.guard.scans);
        totals.words += of(&mp.guard.words);
        for (sum, counter) in totals.kept.iter_mut().zip(&mp.guard.kept) {
            *sum += of(counter);
        }
    }
    totals.moved = MOVED.each_ref().map(of);
    totals
}
