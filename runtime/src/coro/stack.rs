//! One stack, and the classes of stacks.
//!
//! **What.** [`Stack`] is the ownership of one slot of a slab. [`StackClass`] is the slot's size as a power of two,
//! and the geometry that follows from it: slots per slab, length of the guard, colours.
//!
//! ```text
//! slot low end                                                                slot high end
//! | guard (64 KiB, at most 1/4) |  . . .  frames grow <- - - - |  colour (64..=1024) |
//!                               ^ usable_low                   ^ base
//! ```
//!
//! **Why here (floor 2).** It is the noun of this floor; `pool` makes it, `switch` consumes it.
//!
//! **Invariants.**
//! - ST1. A `Stack` is the only owner of its slot: between leaving the pool and coming back nothing else reads, writes,
//!   discards or unmaps the slot's memory.
//! - ST2. A `Stack` exists only for a slot whose guard is installed.
//! - ST3. Base and limit are multiples of 16, and at least `MIN_STACK_SIZE` of usable memory lies between the guard and
//!   the base.
//!
//! **Locks.** None.
//!
//! **Go:** `stack` in runtime2.go and the orders of stackpool in stack.go.

use std::mem::ManuallyDrop;
use std::num::NonZeroUsize;
use std::ops::Range;

use corosensei::stack::{MIN_STACK_SIZE, Stack as RawStack, StackPointer};

use super::error::StackSizeError;
use super::{overflow, pool};
use crate::os;

/// Address space of a slab, where the class does not ask for more.
const SLAB_BYTES: usize = 64 << 20;
/// No slab has more slots, so that its book-keeping is a few machine words.
pub(super) const MAX_SLOTS: usize = 256;
/// The guard where guards cost no mapping. One page stops Rust code, which probes its frames; code in other languages
/// may step over a page.
const GUARD_BYTES: usize = 64 << 10;
/// A colour is this many bytes: one cache line.
const COLOUR_STEP: usize = 64;
/// Colours run from 1 to this. The largest is 1 KiB, so that the frames of a parked goroutine and its colour still
/// share one page of 4 KiB.
const COLOURS: usize = 16;

/// The size of a stack's slot: a power of two from 16 KiB to 1 GiB, guard included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StackClass(u8);

impl StackClass {
    /// What a goroutine gets if nobody asks for another size: 256 KiB of address space.
    pub(crate) const DEFAULT: Self = Self(18 + os::MORE_STACK);
    /// The largest class, 1 GiB.
    pub(crate) const LARGEST: Self = Self(30);
    /// log2 of the smallest class that any machine can have.
    const LOWEST: u8 = 14;
    /// How many classes there are.
    pub(super) const COUNT: usize = (Self::LARGEST.0 - Self::LOWEST) as usize + 1;

    /// The smallest class that has room for `bytes`.
    ///
    /// # Errors
    ///
    /// [`StackSizeError`] if `bytes` is more than 1 GiB, or less than [`Self::smallest`] has.
    pub(crate) fn for_size(bytes: usize) -> Result<Self, StackSizeError> {
        if bytes < Self::smallest().bytes() || bytes > Self::LARGEST.bytes() {
            return Err(StackSizeError { bytes });
        }
        let log2 = bytes.next_power_of_two().trailing_zeros() as u8 + os::MORE_STACK;
        Ok(Self::from_log2(log2.min(Self::LARGEST.0)))
    }

    /// The smallest class accepted on this machine: 16 KiB and a signal frame, rounded up.
    ///
    /// A signal frame with all vector registers is 3 to 11 KiB on x86-64. Four pages leave room for a guard of a
    /// quarter of the slot where pages are large.
    pub(crate) fn smallest() -> Self {
        let room = (1usize << Self::LOWEST) + overflow::signal_frame_bytes();
        Self::from_log2(room.max(4 * os::page_size()).next_power_of_two().trailing_zeros() as u8)
    }

    /// Bytes of a slot, guard included.
    pub(crate) const fn bytes(self) -> usize {
        1 << self.0
    }

    /// The log2 of the slot's size.
    pub(crate) const fn log2(self) -> u8 {
        self.0
    }

    /// The class that [`Self::log2`] came from.
    pub(crate) const fn from_log2(log2: u8) -> Self {
        Self(log2)
    }

    /// Position of this class in a table of all classes.
    pub(super) const fn index(self) -> usize {
        (self.0 - Self::LOWEST) as usize
    }

    /// Slots in one slab: as many as fit into 64 MiB, but at least one and at most 256.
    pub(super) const fn slots(self) -> usize {
        match SLAB_BYTES >> self.0 {
            0 => 1,
            fit if fit > MAX_SLOTS => MAX_SLOTS,
            fit => fit,
        }
    }

    /// Address space of one slab.
    pub(super) const fn slab_bytes(self) -> usize {
        self.slots() << self.0
    }

    /// Bytes at the low end of a slot that fault.
    ///
    /// 64 KiB where a guard costs no mapping, but never more than a quarter of the slot; one page where a guard is a
    /// mapping of its own.
    pub(super) fn guard_bytes(self) -> usize {
        let page = os::page_size();
        if os::guard_pages_supported() { GUARD_BYTES.min(self.bytes() / 4).max(page) } else { page }
    }
}

const _: () = assert!(StackClass::DEFAULT.slots() == 256 >> os::MORE_STACK);
const _: () = assert!(StackClass::LARGEST.slots() == 1);
// ST3 for the smallest class: a quarter of 16 KiB is guard, and the largest colour leaves enough of the rest.
const _: () = assert!((12 << 10) - COLOURS * COLOUR_STEP >= MIN_STACK_SIZE);

/// The ownership of one guarded stack.
///
/// It is two words, because every goroutine carries one. Dropping it gives the slot back to the central pool under
/// the pool's lock; a `StackCache` is the cheap way.
#[derive(Debug)]
pub(crate) struct Stack {
    /// The coloured top, where the first frame goes.
    base: NonZeroUsize,
    place: Place,
}

const _: () = assert!(size_of::<Option<Stack>>() == 16);

/// Where a stack belongs, in one word, because a word is what travels without a detour through memory:
///
/// | bits | |
/// |---|---|
/// | 0..32 | index of the slab's header |
/// | 32..40 | index of the slot in its slab |
/// | 40..48 | log2 of the class |
/// | 48..56 | distance of `base` from the slot's high end, in cache lines |
/// | 56 | has code run on it since its memory was last discarded? |
#[derive(Debug, Clone, Copy)]
pub(super) struct Place(u64);

impl Place {
    const SLOT: u32 = 32;
    const CLASS: u32 = 40;
    const COLOUR: u32 = 48;
    const USED: u64 = 1 << 56;

    fn new(slab: u32, slot: u8, class: StackClass, is_used: bool) -> Self {
        let mut word = u64::from(slab);
        word |= u64::from(slot) << Self::SLOT;
        word |= u64::from(class.0) << Self::CLASS;
        word |= u64::from(colour(slab, slot)) << Self::COLOUR;
        word |= if is_used { Self::USED } else { 0 };
        Self(word)
    }

    pub(super) fn slab(self) -> u32 {
        self.0 as u32
    }

    pub(super) fn slot(self) -> u8 {
        (self.0 >> Self::SLOT) as u8
    }

    pub(super) fn is_used(self) -> bool {
        self.0 & Self::USED != 0
    }

    fn class(self) -> StackClass {
        StackClass((self.0 >> Self::CLASS) as u8)
    }

    /// Bytes between the base and the slot's high end.
    fn colour_bytes(self) -> usize {
        usize::from((self.0 >> Self::COLOUR) as u8) * COLOUR_STEP
    }
}

/// The colour of a slot: neighbours in a slab differ, and so do equal slots of neighbouring slabs.
///
/// Tops at one page offset fall into the same sets of the first-level cache, and a round of switches over many
/// goroutines then evicts what it needs next.
fn colour(slab: u32, slot: u8) -> u8 {
    let spread = usize::from(slot) + 5 * (slab as usize);
    (spread % COLOURS) as u8 + 1
}

impl Stack {
    /// Makes the owner of a slot.
    ///
    /// # Safety
    ///
    /// - `slab_start` is the start of the live slab `slab`, whose class is `class`;
    /// - `slot` is one of its slots, has a guard (ST2) and is marked as taken;
    /// - no other `Stack` for the slot exists (ST1).
    pub(super) unsafe fn from_slot(slab_start: usize, class: StackClass, slab: u32, slot: u8, is_used: bool) -> Self {
        let place = Place::new(slab, slot, class, is_used);
        let high = slab_start + ((usize::from(slot) + 1) << class.log2());
        let base = NonZeroUsize::new(high - place.colour_bytes()).expect("no slab is mapped at address zero");
        Self { base, place }
    }

    /// Takes the stack apart without giving its slot back.
    #[inline]
    pub(super) fn into_words(self) -> (NonZeroUsize, Place) {
        let stack = ManuallyDrop::new(self);
        (stack.base, stack.place)
    }

    /// Puts a stack together again.
    ///
    /// # Safety
    ///
    /// - The words come from one call of [`Self::into_words`], and are used for one call only (ST1).
    #[inline]
    pub(super) unsafe fn from_words(base: NonZeroUsize, place: Place) -> Self {
        Self { base, place }
    }

    /// The class it was taken from.
    #[inline]
    pub(crate) fn class(&self) -> StackClass {
        self.place.class()
    }

    /// Lowest address that does not fault.
    #[cfg(any(test, windows))]
    pub(crate) fn usable_low(&self) -> usize {
        self.low() + self.class().guard_bytes()
    }

    /// The address where the first frame begins; frames grow down from here.
    #[inline]
    #[cfg(test)]
    pub(crate) fn high(&self) -> usize {
        self.base.get()
    }

    /// Low end of the slot, where the guard begins.
    fn low(&self) -> usize {
        self.base.get() + self.place.colour_bytes() - self.class().bytes()
    }

    /// The whole slot but for the colour, the guard included.
    #[inline]
    pub(super) fn range(&self) -> Range<usize> {
        self.low()..self.base.get()
    }

    /// What frames may use.
    pub(super) fn usable(&self) -> Range<usize> {
        self.low() + self.class().guard_bytes()..self.base.get()
    }

    /// Remembers that code ran on it, so that a sweep discards its memory.
    #[inline]
    pub(super) fn mark_used(&mut self) {
        self.place.0 |= Place::USED;
    }

    /// Where it belongs.
    pub(super) fn place(&self) -> Place {
        self.place
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        pool::put(self.place);
    }
}

// SAFETY: the slot below `base` has a guard at its low end because `from_slot` is called for guarded slots only (ST2),
// and enough memory above it because of ST3. The memory stays mapped and unshared while the value lives because the
// pool keeps the slot marked as taken (ST1).
unsafe impl RawStack for Stack {
    #[inline]
    fn base(&self) -> StackPointer {
        self.base
    }

    #[inline]
    fn limit(&self) -> StackPointer {
        NonZeroUsize::new(self.low()).expect("no slab is mapped at address zero")
    }

    #[cfg(windows)]
    fn teb_fields(&self) -> corosensei::stack::StackTebFields {
        // All pages above the guard are committed, so the system has nothing to grow.
        corosensei::stack::StackTebFields {
            StackBase: self.base.get(),
            StackLimit: self.usable_low(),
            DeallocationStack: self.low(),
            GuaranteedStackBytes: 0,
        }
    }

    #[cfg(windows)]
    fn update_teb_fields(&mut self, _stack_limit: usize, _guaranteed_stack_bytes: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coro::allocate;

    #[test]
    fn sizes_round_up_to_a_class() {
        assert_eq!(StackClass::for_size(256 << 10), Ok(StackClass::DEFAULT));
        assert_eq!(StackClass::for_size((256 << 10) + 1).map(StackClass::bytes), Ok(512 << 10));
        assert_eq!(StackClass::for_size(1 << 30), Ok(StackClass::LARGEST));
        let smallest = StackClass::smallest();
        assert_eq!(StackClass::for_size(smallest.bytes()), Ok(smallest));
    }

    #[test]
    fn sizes_out_of_range_are_refused() {
        for bytes in [0, 1, StackClass::smallest().bytes() - 1, (1 << 30) + 1, usize::MAX] {
            assert_eq!(StackClass::for_size(bytes), Err(StackSizeError { bytes }));
        }
    }

    #[test]
    fn a_guard_is_at_least_a_page_and_at_most_a_quarter() {
        for log2 in StackClass::smallest().log2()..=30 {
            let class = StackClass::from_log2(log2);
            assert!(class.guard_bytes() >= os::page_size());
            assert!(class.guard_bytes() <= class.bytes() / 4);
            assert!(class.slots() >= 1 && class.slots() <= MAX_SLOTS);
        }
    }

    #[test]
    fn neighbours_differ_in_colour() {
        for slab in 0..100 {
            for slot in 0..255 {
                assert_ne!(colour(slab, slot), colour(slab, slot + 1));
                assert_ne!(colour(slab, slot), colour(slab + 1, slot));
            }
        }
    }

    #[test]
    fn a_stack_knows_its_bounds() {
        for bytes in [StackClass::smallest().bytes(), 256 << 10, 8 << 20, 1 << 30] {
            let class = StackClass::for_size(bytes).expect("an accepted size");
            let stack = allocate(class).expect("a stack");
            assert_eq!(stack.class(), class);
            assert_eq!(stack.base().get() % COLOUR_STEP, 0);
            assert_eq!(stack.limit().get() % os::page_size(), 0);
            let colour = stack.limit().get() + bytes - stack.high();
            assert!((64..=1024).contains(&colour), "colour of {colour} bytes");
            assert_eq!(stack.usable_low() - stack.limit().get(), class.guard_bytes());
        }
    }
}
