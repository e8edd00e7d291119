//! Making goroutines and taking them back.
//!
//! *Why here.* Floor 5: what `task` (closures, results, names) builds on.
//!
//! A spawn writes the closure into the G and queues it. The stack is bound by the first `execute`.
//!
//! *Invariants.* G2-G5. NG1. A G leaves this module with every field of a previous life reset.
//!
//! *Locks.* None; the free lists are the P's, or `gslab`'s.
//!
//! *Go:* `newproc`, `gfget`, `gfput`, `goexit0`.

use core::mem::MaybeUninit;
use core::panic::Location;
use core::ptr::null_mut;
use core::sync::atomic::Ordering;

use crate::gmp::g::{SLOT_WORDS, flag};
use crate::gmp::{GList, GPtr, P, PPtr, SCHED, gslab};
use crate::os::race;
use crate::proc::{Entered, goid, queue, wake};

/// Most dead Gs that a P keeps: a quarter of a megabyte, so that bursts of a thousand do not go through the central list each time.
const KEEP: usize = 1024;

/// What a goroutine is to be.
#[derive(Clone, Copy)]
pub(crate) struct Spec {
    /// First function: takes the closure out of the slot.
    pub(crate) entry: unsafe fn(GPtr),
    /// Bits of `gmp::g::flag`.
    pub(crate) flags: u32,
    /// Initial `join` word: 0 with a handle, `NO_HANDLE` without.
    pub(crate) join: usize,
    /// Log2 of the stack size; 0 for the default.
    pub(crate) stack_class: u8,
    /// Name and locals, owned by `task`.
    pub(crate) extra: *mut (),
    /// The path of the closure's type.
    pub(crate) creator: fn() -> &'static str,
    /// Where it is spawned.
    pub(crate) created_at: &'static Location<'static>,
}

/// Makes a goroutine and queues it as the next to run. `words` is the content of its slot.
///
/// # Safety
///
/// - With `words` in the slot, `spec.entry` may be called once with the G, on any thread.
#[inline]
pub(crate) unsafe fn newproc(inside: &Entered, spec: &Spec, words: &[MaybeUninit<usize>; SLOT_WORDS]) -> GPtr {
    // SAFETY: what `prepare` asks for is what the caller has promised: `spec.entry` may be called once with `words`.
    let gp = unsafe { prepare(inside, spec, words) };
    launch(inside.p(), gp);
    gp
}

/// Makes a goroutine that does not exist for others yet: `launch` queues it, `discard` takes it back. It stays dead until then, and in no list.
///
/// # Safety
///
/// - As for `newproc`.
#[inline(always)]
pub(crate) unsafe fn prepare(inside: &Entered, spec: &Spec, words: &[MaybeUninit<usize>; SLOT_WORDS]) -> GPtr {
    // SAFETY: what `make` asks for is what the caller has promised: `spec.entry` may be called once with `words`.
    unsafe { make(inside.p(), inside.g().goid(), spec, words) }
}

/// As `prepare`, for those who need not be goroutines: `pp` is the caller's, `parent` the number of the goroutine that is said to have spawned it.
///
/// # Safety
///
/// - As for `newproc`.
#[inline(always)]
pub(crate) unsafe fn make(
    pp: Option<PPtr>,
    parent: u64,
    spec: &Spec,
    words: &[MaybeUninit<usize>; SLOT_WORDS],
) -> GPtr {
    // SAFETY: the caller says so.
    let gp = unsafe { fill(pp, parent, spec, words) };
    // Not hidden: what the spawner has done comes before what the goroutine will do.
    gp.fiber.create(gp.goid());
    gp
}

/// Writes a G.
///
/// # Safety
///
/// - As for `newproc`.
#[inline(always)]
unsafe fn fill(pp: Option<PPtr>, parent: u64, spec: &Spec, words: &[MaybeUninit<usize>; SLOT_WORDS]) -> GPtr {
    let _hidden = race::hidden();
    let gp = gfget(pp);
    gp.flags.store(spec.flags, Ordering::Relaxed);
    gp.join.reset(spec.join);
    gp.stack_class.set(spec.stack_class);
    if !spec.extra.is_null() {
        gp.extra.store(spec.extra, Ordering::Relaxed);
    }
    gp.entry.set(Some(spec.entry));
    gp.created_at.set(Some(spec.created_at));
    gp.blocked_at.store(null_mut(), Ordering::Relaxed);
    gp.creator.set(Some(spec.creator));
    gp.parent.set(parent);
    gp.id.store(goid::next(pp), Ordering::Relaxed);
    // SAFETY: the G is dead and was taken off its list, so nobody else knows it.
    unsafe { *gp.slot.get() = *words };
    gp
}

/// Queues a prepared goroutine as the next to run; `pp` is the caller's.
#[inline(always)]
pub(crate) fn launch(pp: Option<PPtr>, gp: GPtr) {
    let _hidden = race::hidden();
    gp.status.dead_to_runnable();
    match pp {
        Some(pp) => {
            if !gp.has(flag::SYSTEM) {
                P::count(&pp.spawned);
            }
            queue::runqput(pp, gp, true);
            if SCHED.main_started.load(Ordering::Relaxed) {
                wake::wakep();
            }
        }
        None => {
            if !gp.has(flag::SYSTEM) {
                SCHED.foreign_spawned.fetch_add(1, Ordering::Relaxed);
            }
            queue::inject(gp);
        }
    }
}

/// Takes a prepared goroutine back that is not to run; returns what its slot holds.
pub(crate) fn discard(inside: &Entered, gp: GPtr) -> [MaybeUninit<usize>; SLOT_WORDS] {
    // SAFETY: it was never queued, so its slot is the caller's (G4).
    let words = unsafe { *gp.slot.get() };
    gp.entry.set(None);
    gp.fiber.destroy();
    recycle(inside.p(), gp);
    words
}

/// A dead G of the P's list, or of the central one.
#[inline]
pub(crate) fn gfget(pp: Option<PPtr>) -> GPtr {
    let Some(pp) = pp else { return gfget_central() };
    // SAFETY: the caller owns the P (P1), and no reference to the list outlives this function.
    let free = unsafe { &mut *pp.gfree.get() };
    if let Some(gp) = free.pop_front() {
        return gp;
    }
    gslab::refill(free);
    free.pop_front().expect("refill gives at least one")
}

#[cold]
fn gfget_central() -> GPtr {
    let mut some = GList::new();
    gslab::refill(&mut some);
    let gp = some.pop_front().expect("refill gives at least one");
    let rest = some.len();
    gslab::give_back(&mut some, rest);
    gp
}

/// The goroutine has ended and nobody holds its handle: the G is free, unless a timer heap still knows it.
#[inline]
pub(crate) fn recycle(pp: Option<PPtr>, gp: GPtr) {
    let _hidden = race::hidden();
    if !gp.timer.abandon() {
        return;
    }
    clean(gp);
    let Some(pp) = pp else { return gslab::give_back_one(gp) };
    // SAFETY: the caller owns the P (P1), and no reference to the list outlives this function.
    let free = unsafe { &mut *pp.gfree.get() };
    free.push_front(gp);
    if free.len() > KEEP {
        gslab::give_back(free, KEEP / 2);
    }
}

/// The same where the last thing that held the G was a timer heap.
pub(crate) fn recycle_elsewhere(gp: GPtr) {
    clean(gp);
    gslab::give_back_one(gp);
}

/// Resets what the next life does not write (NG1).
#[inline]
fn clean(gp: GPtr) {
    gp.id.store(0, Ordering::Relaxed);
    gp.home.store(null_mut(), Ordering::Relaxed);
    gp.permit.clear();
}

/// Live user goroutines.
pub(crate) fn goroutine_count() -> u64 {
    let all = || SCHED.allp.iter().map_while(|slot| PPtr::from_raw(slot.load(Ordering::Acquire)));
    // All ends before all starts: whoever's end is seen, its start is seen, too, so the difference is never negative.
    // Acquire: pairs with the Release in `P::count`.
    let ended = all().fold(0, |sum: u64, pp| sum.wrapping_add(pp.ended.load(Ordering::Acquire)));
    let foreign = SCHED.foreign_spawned.load(Ordering::Relaxed);
    all().fold(foreign, |sum, pp| sum.wrapping_add(pp.spawned.load(Ordering::Relaxed))).wrapping_sub(ended)
}
