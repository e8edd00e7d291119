//! The inline slot of a G: a closure before the start, a result after the end; what does not fit is boxed.
//!
//! *Why here.* Floor 8: typed access to the untyped words of `gmp::g`.
//!
//! *Invariants.* SO1. Whether a value is inline is a function of its type alone, so writer and reader agree without a flag.
//!
//! *Locks.* None. *Go:* no counterpart.

use core::mem::MaybeUninit;
use core::ptr;

use crate::gmp::g::SLOT_WORDS;
use crate::os::race;

/// The words.
pub(crate) type Slot = [MaybeUninit<usize>; SLOT_WORDS];

const fn fits<T>() -> bool {
    size_of::<T>() <= size_of::<Slot>() && align_of::<T>() <= align_of::<Slot>()
}

/// The content of a slot that holds `value`, boxed if it does not fit. Made outside of the runtime, where boxing is allowed (X2).
#[inline(always)]
pub(crate) fn pack<T>(value: T) -> Slot {
    let mut slot = [MaybeUninit::uninit(); SLOT_WORDS];
    if fits::<T>() {
        // SAFETY: the value fits in size and alignment, and the words are this function's own.
        unsafe { (&raw mut slot).cast::<T>().write(value) };
    } else {
        // SAFETY: a pointer fits in one word, and the words are this function's own.
        unsafe { (&raw mut slot).cast::<*mut T>().write(Box::into_raw(Box::new(value))) };
    }
    slot
}

/// Moves the value out of the slot.
///
/// # Safety
///
/// - It holds the words of `pack` of the same `T`, not taken since; the slot is the caller's alone.
#[inline(always)]
pub(crate) unsafe fn take<T>(slot: *mut Slot) -> T {
    if fits::<T>() {
        // SAFETY: an inline `T` was written (SO1).
        unsafe { read(slot.cast::<T>()) }
    } else {
        // SAFETY: a box of `T` was written (SO1).
        let boxed = unsafe { Box::from_raw(read(slot.cast::<*mut T>())) };
        *boxed
    }
}

/// Reads what a slot holds, behind the back of a race detector: the next life of the G, which has nothing to do with this one, will write there.
///
/// # Safety
///
/// - As for `take`; `place` has the type of what was written.
#[inline(always)]
unsafe fn read<V>(place: *const V) -> V {
    race::enter();
    // SAFETY: the caller says so.
    let value = unsafe { ptr::read(place) };
    race::leave();
    value
}

/// Fills a slot with packed words, behind the back of a race detector as well.
///
/// # Safety
///
/// - The slot is the caller's alone, and holds nothing.
#[inline(always)]
pub(crate) unsafe fn put(slot: *mut Slot, words: Slot) {
    race::enter();
    // SAFETY: the caller says so.
    unsafe { ptr::write(slot, words) };
    race::leave();
}
