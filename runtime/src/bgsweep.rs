//! The caretaker goroutines: the sweepers that give memory back, and the updater of GOMAXPROCS.
//!
//! *Why here.* Floor 6: ordinary goroutines with the flag SYSTEM.
//!
//! After goroutines have ended, `bgsweep` gives the memory of dead Gs and free stacks beyond a bound back to the system, in vectored calls;
//! `bgscavenge` trims what then stayed idle, down to nothing. Both sleep on a [`Bell`] between their rounds.
//!
//! *Invariants.* BG1. Neither runs user code. BG2. A round never holds a lock over a system call of its own.
//!
//! *Locks.* Those of `gslab` and `coro`, for moments.
//!
//! *Go:* `bgsweep`, `bgscavenge`, `forcegchelper`, `updateGOMAXPROCS`; named alike, though what they sweep are pools, not a heap.

use core::mem::MaybeUninit;
use core::panic::Location;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, Ordering};

use crate::base::env::DEBUG;
use crate::base::throw::print;
use crate::coro;
use crate::gmp::g::{SLOT_WORDS, flag};
use crate::gmp::join_word::NO_HANDLE;
use crate::gmp::{G, GPtr, SCHED, WaitReason, gslab};
use crate::os;
use crate::proc::newproc::{Spec, newproc};
use crate::proc::{Entered, boot, enter, gopark, goready, timer};
use crate::sysmon;

/// Dead Gs that a sweep leaves alone.
const KEEP_GS: usize = 8 << 10;
/// Memory of free stacks that a sweep leaves alone, bytes.
const KEEP_STACK_BYTES: usize = 16 << 20;
/// Pause between the rounds of the sweeper while there is something to sweep, ns.
const PAUSE: i64 = 250_000_000;
/// Goroutines that must have ended since the last sweep before the next is worth it.
const WORTH_SWEEPING: u64 = 4_096;
/// For how long a sweep that is worth it waits while goroutines go on ending, ns: a burst would take back what the sweep gives away.
const LONGEST_WAIT: i64 = 2_000_000_000;

/// What a caretaker sleeps on: rung once, heard once.
pub(crate) struct Bell {
    sleeper: AtomicPtr<G>,
    rung: AtomicBool,
}

impl Bell {
    pub(crate) const fn new() -> Bell {
        Bell { sleeper: AtomicPtr::new(null_mut()), rung: AtomicBool::new(false) }
    }

    /// Wakes the sleeper, or keeps it from sleeping next time. The caller is inside, or sysmon.
    pub(crate) fn ring(&self) {
        // SeqCst: this store, then the look at the sleeper; pairs with the opposite order in `commit`.
        self.rung.store(true, Ordering::SeqCst);
        if let Some(gp) = GPtr::from_raw(self.sleeper.swap(null_mut(), Ordering::SeqCst)) {
            goready(gp);
        }
    }

    /// Sleeps until rung; what was rung before counts.
    pub(crate) fn listen(&'static self, reason: WaitReason) {
        fn commit(gp: GPtr, bell: *mut ()) -> bool {
            // SAFETY: the argument is the `&'static Bell` of `listen`.
            let bell = unsafe { &*bell.cast::<Bell>() };
            // SeqCst: this store, then the look at `rung`; pairs with the opposite order in `ring`.
            bell.sleeper.store(gp.as_ptr(), Ordering::SeqCst);
            if !bell.rung.load(Ordering::SeqCst) {
                return true;
            }
            // Rung meanwhile: whoever takes the sleeper out owns the wake-up.
            bell.sleeper.swap(null_mut(), Ordering::SeqCst).is_null()
        }
        let inside = enter();
        // SeqCst: part of the same pair as in `ring`.
        if !self.rung.load(Ordering::SeqCst) {
            gopark(&inside, reason, commit, core::ptr::from_ref(self).cast_mut().cast());
        }
        self.rung.store(false, Ordering::SeqCst);
    }
}

static SWEEP: Bell = Bell::new();
static SCAVENGE: Bell = Bell::new();
static FORCE: Bell = Bell::new();
static UPDATE: Bell = Bell::new();
/// Caretakers that have shaken hands with `runtime_main`.
static READY: AtomicU32 = AtomicU32::new(0);
static ROUNDS: AtomicU64 = AtomicU64::new(0);
static SWEPT_BYTES: AtomicU64 = AtomicU64::new(0);
/// Stacks whose memory the system would not take back.
static REFUSED: AtomicU64 = AtomicU64::new(0);
static LAST_ENDED: AtomicU64 = AtomicU64::new(0);
static LAST_ROUND: AtomicI64 = AtomicI64::new(0);
/// Goroutines that had ended at sysmon's last look.
static LAST_SEEN: AtomicU64 = AtomicU64::new(0);
/// When sysmon first saw that the next sweep is worth it; 0: it is not yet.
static WORTH_SINCE: AtomicI64 = AtomicI64::new(0);

/// Starts a goroutine of the runtime itself, with more `flags` if need be.
#[track_caller]
pub(crate) fn start_system(body: fn(), flags: u32) {
    unsafe fn entry(gp: GPtr) {
        // SAFETY: `start_system` has written a `fn()` into the first word of the slot, which is this goroutine's (G4).
        let body = unsafe { gp.slot.get().cast::<fn()>().read() };
        drop(Entered::adopt());
        body();
        core::mem::forget(enter());
    }
    let spec = Spec {
        entry,
        flags: flag::SYSTEM | flags,
        join: NO_HANDLE,
        stack_class: 0,
        extra: null_mut(),
        creator: || "goruntime::rt0::runtime_main",
        created_at: Location::caller(),
    };
    let inside = enter();
    let mut words = [MaybeUninit::uninit(); SLOT_WORDS];
    // SAFETY: a `fn()` fits in one word, and the words are this function's own.
    unsafe { (&raw mut words).cast::<fn()>().write(body) };
    // SAFETY: the words are what `entry` reads, once: a `fn()`, which any thread may call.
    unsafe { newproc(&inside, &spec, &words) };
}

/// Starts the helper that forced sweeps wake: the runtime's own init.
pub(crate) fn start_force_helper() {
    start_system(
        || {
            loop {
                FORCE.listen(WaitReason::ForceSweep);
                SWEEP.ring_from_goroutine();
            }
        },
        0,
    );
}

/// Starts the sweeper and the scavenger and waits until both have said that they run.
pub(crate) fn enable() {
    start_system(bgsweep, 0);
    start_system(bgscavenge, 0);
    // Acquire: pairs with the Release in `bgsweep` and `bgscavenge`.
    while READY.load(Ordering::Acquire) < 2 {
        let inside = enter();
        crate::proc::park::goyield(&inside);
    }
}

/// Starts the goroutine that follows the machine's CPU limits.
pub(crate) fn start_updater(update: fn(u32)) {
    static SET: AtomicPtr<()> = AtomicPtr::new(null_mut());
    // Release: pairs with the Acquire in the goroutine below.
    SET.store(update as *mut (), Ordering::Release);
    start_system(
        || {
            loop {
                UPDATE.listen(WaitReason::ProcsUpdater);
                // SAFETY: stored just before this goroutine was started, a `fn(u32)`.
                // Acquire: pairs with the Release above.
                let update = unsafe { core::mem::transmute::<*mut (), fn(u32)>(SET.load(Ordering::Acquire)) };
                let wanted = sysmon::wanted_procs();
                if boot::procs_are_automatic() && wanted > 0 {
                    update(wanted);
                }
            }
        },
        0,
    );
}

/// Sysmon has seen other CPU limits.
pub(crate) fn wake_updater() {
    UPDATE.ring();
}

/// Sysmon forces a sweep.
pub(crate) fn force() {
    LAST_ENDED.store(0, Ordering::Relaxed);
    FORCE.ring();
}

/// Sysmon's look: a sweep is worth it when many goroutines have ended since the last, and best when no more of them do.
pub(crate) fn poke(now: i64) {
    if now - LAST_ROUND.load(Ordering::Relaxed) < PAUSE {
        return;
    }
    LAST_ROUND.store(now, Ordering::Relaxed);
    let ended = ended_count();
    let goes_on = ended.wrapping_sub(LAST_SEEN.swap(ended, Ordering::Relaxed)) >= WORTH_SWEEPING;
    if ended.wrapping_sub(LAST_ENDED.load(Ordering::Relaxed)) < WORTH_SWEEPING {
        return;
    }
    let since = match WORTH_SINCE.load(Ordering::Relaxed) {
        0 => now,
        since => since,
    };
    if goes_on && now - since < LONGEST_WAIT {
        WORTH_SINCE.store(since, Ordering::Relaxed);
        return;
    }
    WORTH_SINCE.store(0, Ordering::Relaxed);
    LAST_ENDED.store(ended, Ordering::Relaxed);
    SWEEP.ring();
}

/// Whether goroutines have ended that no sweep has looked after, so that sysmon must not sleep for long.
pub(crate) fn is_pending() -> bool {
    ended_count().wrapping_sub(LAST_ENDED.load(Ordering::Relaxed)) >= WORTH_SWEEPING
}

fn ended_count() -> u64 {
    SCHED.ps().map(|pp| pp.ended.load(Ordering::Relaxed)).fold(0, u64::wrapping_add)
}

impl Bell {
    fn ring_from_goroutine(&self) {
        let inside = enter();
        self.ring();
        drop(inside);
    }
}

fn bgsweep() {
    // Release: pairs with the Acquire in `enable`.
    READY.fetch_add(1, Ordering::Release);
    loop {
        SWEEP.listen(WaitReason::SweepWait);
        if sweep(KEEP_GS, KEEP_STACK_BYTES, false) > 0 {
            SCAVENGE.ring_from_goroutine();
        }
    }
}

fn bgscavenge() {
    // Release: pairs with the Acquire in `enable`.
    READY.fetch_add(1, Ordering::Release);
    loop {
        SCAVENGE.listen(WaitReason::ScavengeWait);
        // What nobody has taken back within two pauses is idle. Slabs that are free in two sweeps running are unmapped.
        for _ in 0..2 {
            pause(2 * PAUSE);
            sweep(KEEP_GS / 8, KEEP_STACK_BYTES / 16, true);
        }
        trim_allocator();
    }
}

/// Sleeps as a goroutine of the runtime does: without a place in the user's code, and whatever else the goroutine is in.
pub(crate) fn pause(ns: i64) {
    let when = os::nanotime() + ns;
    let inside = enter();
    gopark(
        &inside,
        WaitReason::Sleep,
        |gp, when| {
            timer::arm_on_g0(gp, when as usize as i64, timer::ready_sleeper);
            true
        },
        core::ptr::without_provenance_mut(when as usize),
    );
}

/// One sweep; returns the bytes given back. Runs on a goroutine or a plain thread.
pub(crate) fn sweep(keep_gs: usize, keep_stack_bytes: usize, deep: bool) -> usize {
    let begun = os::nanotime();
    let g_bytes = gslab::sweep(keep_gs);
    let swept = coro::sweep(keep_stack_bytes, deep);
    REFUSED.fetch_add(swept.refused as u64, Ordering::Relaxed);
    let bytes = g_bytes + swept.bytes_discarded;
    SWEPT_BYTES.fetch_add(bytes as u64, Ordering::Relaxed);
    let number = ROUNDS.fetch_add(1, Ordering::Relaxed) + 1;
    if DEBUG.gctrace.is_on() {
        let (now, micros) = (os::nanotime(), |ns: i64| ns / 1_000);
        let since = micros(begun - boot::start_time());
        print(format_args!(
            "sweep {number} @{}.{:03}s: {} us, {} KiB of stacks, {} KiB of goroutines, {} slabs unmapped{}\n",
            since / 1_000_000,
            since / 1_000 % 1_000,
            micros(now - begun),
            swept.bytes_discarded >> 10,
            g_bytes >> 10,
            swept.slabs_unmapped,
            if deep { " (scavenge)" } else { "" },
        ));
    }
    bytes + swept.slabs_unmapped
}

/// Has the C allocator give back what it keeps, where it can.
pub(crate) fn trim_allocator() {
    os::trim_allocator();
}

/// Sweeps so far, bytes given back by them, and how many stacks and pages of goroutines the system would not take back.
pub(crate) fn totals() -> (u64, u64, u64) {
    let refused = REFUSED.load(Ordering::Relaxed) + gslab::refused();
    (ROUNDS.load(Ordering::Relaxed), SWEPT_BYTES.load(Ordering::Relaxed), refused)
}
