//! Installs the guards of stacks.
//!
//! **What.** A guard makes the low end of a slot fault. Where the kernel has guard markers it is an entry in the page
//! tables, costs no mapping, and many are made by one call; elsewhere it is a page without access, which splits the
//! slab's mapping in two.
//!
//! **Why here (floor 2).** `pool` calls it for slots that it hands out for the first time. A guard is never removed
//! except by unmapping its slab, and discarding the slot's pages leaves it alone.
//!
//! **Invariants.** ST2 of `stack` starts here: only slots that this file reports become stacks.
//!
//! **Locks.** None; the slots belong to the calling thread.
//!
//! **Go:** none; Go compares the stack pointer in each function's prologue instead.

use std::ptr::NonNull;

use super::slab::SlotSet;
use super::stack::StackClass;
use crate::os;

/// How many guards one call installs, and how many stacks a cache refills with.
pub(super) const BATCH: usize = 32;

/// Guards up to [`BATCH`] slots; returns those that have a guard now, and the errno that stopped the others.
///
/// # Safety
///
/// - The slots belong to the calling thread, in a live slab of that class which begins at `slab_start`;
/// - nothing is stored in them.
pub(super) unsafe fn install(slab_start: usize, class: StackClass, slots: &SlotSet) -> (SlotSet, i32) {
    let mut ranges = [(0, 0); BATCH];
    let mut len = 0;
    for slot in slots.iter() {
        ranges[len] = (slab_start + (usize::from(slot) << class.log2()), class.guard_bytes());
        len += 1;
    }
    // SAFETY: a guard is at most a quarter of a slot, so each range lies in a slot that the caller owns and that holds
    // nothing.
    if os::guard_pages_supported() && unsafe { os::guard_install_many(&ranges[..len]) } {
        return (*slots, 0);
    }
    // SAFETY: the caller's promises about the slots are passed on as they are.
    unsafe { protect(slab_start, class, slots) }
}

/// Guards the slots one by one with a page without access, as far as the system lets it.
///
/// # Safety
///
/// - As for [`install`].
#[cold]
unsafe fn protect(slab_start: usize, class: StackClass, slots: &SlotSet) -> (SlotSet, i32) {
    let mut guarded = SlotSet::EMPTY;
    for slot in slots.iter() {
        let low = (slab_start + (usize::from(slot) << class.log2())) as *mut u8;
        let low = NonNull::new(low).expect("no slab is mapped at address zero");
        // SAFETY: the page is the lowest of a slot that the caller owns and that holds nothing.
        if let Err(errno) = unsafe { os::guard_protect(low, os::page_size()) } {
            return (guarded, errno);
        }
        guarded.insert(slot);
    }
    (guarded, 0)
}
