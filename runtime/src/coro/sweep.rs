//! Gives memory of free stacks back to the system.
//!
//! **What.** A goroutine leaves its pages behind when it ends, because `madvise` on that path would cost more than the
//! goroutine. The sweep, called by a caretaker, discards the pages of free stacks beyond a bound, and unmaps slabs
//! that were wholly free since the sweep before.
//!
//! **Why here (floor 2).** It walks the pool's headers. When to run it is decided above.
//!
//! **Invariants.** CP2 of `pool`: a slot whose pages are being discarded is taken, a slab that is being unmapped is
//! retired, so no other thread can meet them while the lock is not held.
//!
//! **Locks.** `POOL`, for at most [`SCAN`] headers at a time.
//!
//! **Go:** freeStackSpans in stack.go and the scavenger in mgcscavenge.go.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use super::pool::{POOL, Pool};
use super::ranges;
use super::slab::SlotSet;
use super::stack::{MAX_SLOTS, StackClass};
use crate::os::{self, asan};

/// How many headers are looked at in one locking.
const SCAN: u32 = 64;

/// Counts sweeps, so that a `StackCache` sees when it is time to shed.
static EPOCH: AtomicU32 = AtomicU32::new(0);

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// Memory given back, taken as one page for each stack: most goroutines touch no more.
    pub(crate) bytes_discarded: usize,
    /// Stacks whose pages were discarded.
    pub(crate) stacks_trimmed: usize,
    /// Stacks whose pages the system would not take back.
    pub(crate) refused: usize,
    /// Slabs that were unmapped.
    pub(crate) slabs_unmapped: usize,
}

/// Discards memory of free stacks until about `keep_bytes` of it are left, and unmaps idle slabs.
///
/// A slab is unmapped if the sweep before already found it wholly free; with `deep` at once. Stacks in a `StackCache`
/// are not touched.
///
/// # Blocking
///
/// Takes some hundred milliseconds after a burst of a million stacks. Other threads go on taking and putting stacks.
pub(crate) fn sweep(keep_bytes: usize, deep: bool) -> Swept {
    let mut swept = Swept::default();
    // Relaxed: the number only says that time has passed.
    EPOCH.fetch_add(1, Ordering::Relaxed);
    unmap_idle(deep, &mut swept);
    let mut excess = count_used().saturating_sub(keep_bytes / os::page_size());
    // What is kept is kept where stacks are taken from next, not in slabs that are about to go.
    for only_idle in [true, false] {
        discard_used(only_idle, &mut excess, &mut swept);
    }
    swept.bytes_discarded = swept.stacks_trimmed * os::page_size();
    swept
}

/// A number that differs after each sweep.
pub(super) fn epoch() -> u32 {
    // Relaxed: the number only says that time has passed.
    EPOCH.load(Ordering::Relaxed)
}

/// Unmaps slabs that stayed wholly free since the last sweep, and marks those that are free now.
fn unmap_idle(deep: bool, swept: &mut Swept) {
    let mut cursor = 0;
    while let Some((index, (start, len))) = find_map(&mut cursor, |pool, index| {
        let slab = pool.slab(index);
        if !slab.is_idle() {
            return None;
        }
        if !deep && !slab.was_idle {
            slab.was_idle = true;
            return None;
        }
        Some((index, pool.retire(index)))
    }) {
        asan::renew(start..start + len);
        let start = NonNull::new(start as *mut u8).expect("a live slab has a start (SL4)");
        // SAFETY: the slab is retired, and it was wholly free, so no stack of it exists (SL3).
        unsafe { os::release(start, len) };
        POOL.lock().vacate(index);
        swept.slabs_unmapped += 1;
    }
}

/// How many free stacks hold pages.
fn count_used() -> usize {
    let mut count = 0;
    find_map(&mut 0, |pool, index| {
        count += pool.slab(index).used_free().len();
        None::<()>
    });
    count
}

/// Discards the pages of used free stacks, slab by slab, until the excess is gone.
fn discard_used(only_idle: bool, excess: &mut usize, swept: &mut Swept) {
    let mut cursor = 0;
    while *excess > 0 {
        let Some(taken) = find_map(&mut cursor, |pool, index| take_used(pool, index, only_idle)) else {
            return;
        };
        let (count, refused) = (taken.slots.len(), taken.discard());
        if refused == 0 {
            POOL.lock().put_clean(taken.slab, &taken.slots);
        } else {
            // Which of them it was is not known: the next sweep tries them all again.
            POOL.lock().put_used(taken.slab, &taken.slots);
        }
        *excess = excess.saturating_sub(count - refused);
        swept.stacks_trimmed += count - refused;
        swept.refused += refused;
    }
}

/// Free slots of one slab that this thread holds while it discards their pages.
struct Taken {
    slab: u32,
    start: usize,
    class: StackClass,
    slots: SlotSet,
}

/// Takes what there is to discard in one slab.
fn take_used(pool: &mut Pool, index: u32, only_idle: bool) -> Option<Taken> {
    let slab = pool.slab(index);
    let (start, class) = (slab.start, slab.class());
    if only_idle && !slab.is_idle() {
        return None;
    }
    let slots = pool.take_used(index);
    (!slots.is_empty()).then_some(Taken { slab: index, start, class, slots })
}

impl Taken {
    /// Discards the memory above the guards, all slots in one call; returns how many the system refused.
    fn discard(&self) -> usize {
        let guard_bytes = self.class.guard_bytes();
        let mut ranges = [(0, 0); MAX_SLOTS];
        let mut len = 0;
        for slot in self.slots.iter() {
            let low = self.start + (usize::from(slot) << self.class.log2());
            ranges[len] = (low + guard_bytes, self.class.bytes() - guard_bytes);
            len += 1;
        }
        // SAFETY: the slots are taken by this thread (SL3) and no stack of them exists, so nobody has data there; the
        // slab is not unmapped while some of its slots are taken.
        unsafe { os::discard_many(&ranges[..len]) }
    }
}

/// How far the calls of [`trim_below_caller`] itself may reach down.
const OWN_DEPTH: usize = 16 << 10;

/// Gives the memory of the running goroutine's stack back that lies well below the caller: the frames of calls that have returned.
#[inline(never)]
pub(crate) fn trim_below_caller() {
    let frame = 0u8;
    let here = (&raw const frame).addr();
    let Some(slot) = ranges::find(here) else { return };
    let end = here.saturating_sub(OWN_DEPTH) / os::page_size() * os::page_size();
    if end > slot.usable_low {
        // SAFETY: the pages are on the stack that this thread runs on, below every frame that will be returned to, and below those of this
        // call, which are less than `OWN_DEPTH` bytes.
        unsafe { os::discard_many(&[(slot.usable_low, end - slot.usable_low)]) };
    }
}

/// Asks `f` about live slabs from `cursor` on until it answers, unlocking every [`SCAN`] headers.
fn find_map<T>(cursor: &mut u32, mut f: impl FnMut(&mut Pool, u32) -> Option<T>) -> Option<T> {
    loop {
        let mut pool = POOL.lock();
        let end = pool.opened().min(*cursor + SCAN);
        if *cursor == end {
            return None;
        }
        while *cursor < end {
            let index = *cursor;
            *cursor += 1;
            if pool.slab(index).start != 0
                && let Some(found) = f(&mut pool, index)
            {
                return Some(found);
            }
        }
    }
}
