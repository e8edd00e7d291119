//! The book-keeping of one slab.
//!
//! **What.** [`Slab`] is the header of one mapping that is cut into slots of one class. Three sets of slots, as bit
//! maps, are all it needs; the stacks' own memory is never touched, so that discarded pages stay discarded.
//!
//! | free | guarded | used | the slot |
//! |------|---------|------|----------|
//! | 1 | 0 | 0 | was never handed out and has no guard yet |
//! | 1 | 1 | 0 | is ready; its memory was never used, or is discarded |
//! | 1 | 1 | 1 | is ready; pages of the last goroutine are still there |
//! | 0 | 1 | any | is owned: by a `Stack`, or by a sweep for one call |
//! | 0 | 0 | 0 | is owned by the thread that installs its guard right now |
//!
//! **Why here (floor 2).** `pool` keeps lists of slabs, `sweep` empties them; both use these operations.
//!
//! **Invariants.**
//! - SL1. `used` is a subset of `guarded`; a used bit means something only where the free bit is set.
//! - SL2. `free_count` is the number of bits in `free`.
//! - SL3. A slot whose free bit is clear has exactly one owner.
//! - SL4. `start` is zero exactly if the header describes no mapping.
//!
//! **Locks.** A header is reached only through the pool, under its lock.
//!
//! **Go:** mspan with its allocBits.

use super::stack::{MAX_SLOTS, StackClass};

/// The end of a list of slabs.
pub(super) const NIL: u32 = u32::MAX;

const WORDS: usize = MAX_SLOTS / 64;

/// A set of the slots of one slab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SlotSet([u64; WORDS]);

impl SlotSet {
    pub(super) const EMPTY: Self = Self([0; WORDS]);

    /// The slots below `count`.
    pub(super) fn first(count: usize) -> Self {
        let mut set = Self::EMPTY;
        for slot in 0..count {
            set.insert(slot as u8);
        }
        set
    }

    pub(super) fn insert(&mut self, slot: u8) {
        self.0[usize::from(slot) / 64] |= 1 << (slot % 64);
    }

    pub(super) fn remove(&mut self, slot: u8) {
        self.0[usize::from(slot) / 64] &= !(1 << (slot % 64));
    }

    pub(super) fn contains(&self, slot: u8) -> bool {
        (self.0[usize::from(slot) / 64] >> (slot % 64)) & 1 == 1
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0 == [0; WORDS]
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The lowest slot of the set.
    pub(super) fn lowest(&self) -> Option<u8> {
        let (index, word) = self.0.iter().enumerate().find(|(_, word)| **word != 0)?;
        Some((index * 64) as u8 + word.trailing_zeros() as u8)
    }

    /// Takes the lowest slot out of the set.
    pub(super) fn pop(&mut self) -> Option<u8> {
        let slot = self.lowest()?;
        self.remove(slot);
        Some(slot)
    }

    /// The slots of the set, from the lowest.
    pub(super) fn iter(&self) -> impl Iterator<Item = u8> + use<> {
        let mut rest = *self;
        std::iter::from_fn(move || rest.pop())
    }

    /// The slots that are in both sets.
    pub(super) fn and(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] & other.0[i]))
    }

    /// The slots that are in either set.
    pub(super) fn or(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] | other.0[i]))
    }

    /// The slots of this set that are not in the other.
    pub(super) fn without(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] & !other.0[i]))
    }
}

/// The header of one slab.
#[derive(Debug)]
pub(super) struct Slab {
    /// First address of the mapping (SL4).
    pub(super) start: usize,
    free: SlotSet,
    guarded: SlotSet,
    used: SlotSet,
    free_count: u16,
    class: StackClass,
    /// The shelf row it hangs on; kept by `pool`.
    pub(super) row: u8,
    /// Did the last sweep find it wholly free, and was nothing taken since?
    pub(super) was_idle: bool,
    /// The slab before it in its row; kept by `pool`.
    pub(super) prev: u32,
    /// The slab after it in its row, or the next vacant header; kept by `pool`.
    pub(super) next: u32,
}

impl Slab {
    /// The header of a new mapping that hangs on `row`: everything is free, nothing has a guard.
    pub(super) fn open(start: usize, class: StackClass, row: u8) -> Self {
        Self {
            start,
            free: SlotSet::first(class.slots()),
            guarded: SlotSet::EMPTY,
            used: SlotSet::EMPTY,
            free_count: class.slots() as u16,
            class,
            row,
            was_idle: false,
            prev: NIL,
            next: NIL,
        }
    }

    pub(super) fn class(&self) -> StackClass {
        self.class
    }

    pub(super) fn free_count(&self) -> usize {
        usize::from(self.free_count)
    }

    /// How many slots are owned by somebody.
    pub(super) fn taken_count(&self) -> usize {
        self.class.slots() - self.free_count()
    }

    /// Is every slot free?
    pub(super) fn is_idle(&self) -> bool {
        self.taken_count() == 0
    }

    /// The free slots that hold pages of their last use.
    pub(super) fn used_free(&self) -> SlotSet {
        self.free.and(&self.used)
    }

    /// Takes one slot that has a guard, one with warm pages if there is any, and says whether it has.
    pub(super) fn take_ready(&mut self) -> Option<(u8, bool)> {
        let (slot, is_used) = match self.used_free().lowest() {
            Some(slot) => (slot, true),
            None => (self.free.and(&self.guarded).lowest()?, false),
        };
        self.free.remove(slot);
        self.free_count -= 1;
        self.was_idle = false;
        Some((slot, is_used))
    }

    /// Takes up to `want` slots that have no guard yet.
    pub(super) fn take_bare(&mut self, want: usize) -> SlotSet {
        let mut taken = SlotSet::EMPTY;
        for slot in self.free.without(&self.guarded).iter().take(want) {
            taken.insert(slot);
        }
        self.free = self.free.without(&taken);
        self.free_count -= taken.len() as u16;
        self.was_idle = false;
        taken
    }

    /// Takes all free slots that hold pages of their last use, for a sweep, which brings them back in a moment.
    pub(super) fn take_used(&mut self) -> SlotSet {
        let taken = self.used_free();
        self.free = self.free.without(&taken);
        self.free_count -= taken.len() as u16;
        taken
    }

    /// Puts one guarded slot back.
    pub(super) fn put(&mut self, slot: u8, is_used: bool) {
        debug_assert!(!self.free.contains(slot), "slot {slot} is put back twice");
        debug_assert!(self.guarded.contains(slot), "slot {slot} never had a guard");
        self.free.insert(slot);
        self.free_count += 1;
        if is_used {
            self.used.insert(slot);
        } else {
            self.used.remove(slot);
        }
    }

    /// Records that these taken slots have a guard from now on.
    pub(super) fn mark_guarded(&mut self, slots: &SlotSet) {
        self.guarded = self.guarded.or(slots);
    }

    /// Puts a set of slots back that hold no pages.
    pub(super) fn put_clean(&mut self, slots: &SlotSet) {
        debug_assert!(self.free.and(slots).is_empty(), "a slot is put back twice");
        self.free = self.free.or(slots);
        self.free_count += slots.len() as u16;
        self.used = self.used.without(slots);
    }

    /// Puts a set of slots back that hold pages.
    pub(super) fn put_used(&mut self, slots: &SlotSet) {
        debug_assert!(self.free.and(slots).is_empty(), "a slot is put back twice");
        self.free = self.free.or(slots);
        self.free_count += slots.len() as u16;
        self.used = self.used.or(slots);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_hands_its_slots_out_from_the_lowest() {
        let mut set = SlotSet::EMPTY;
        for slot in [255, 0, 64, 63, 130] {
            set.insert(slot);
        }
        assert_eq!(set.len(), 5);
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 63, 64, 130, 255]);
    }

    #[test]
    fn bare_slots_become_ready_only_with_a_guard() {
        let mut slab = Slab::open(4096, StackClass::DEFAULT, 0);
        assert_eq!(slab.take_ready(), None);
        let bare = slab.take_bare(32);
        assert_eq!(bare, SlotSet::first(32));
        slab.put_clean(&bare);
        assert_eq!(slab.take_ready(), None);
        let bare = slab.take_bare(32);
        slab.mark_guarded(&bare);
        slab.put_clean(&bare);
        assert_eq!(slab.take_ready(), Some((0, false)));
        assert_eq!(slab.take_bare(1000).len(), 256 - 32);
    }

    #[test]
    fn used_slots_are_taken_first_and_discarded_once() {
        let mut slab = Slab::open(4096, StackClass::DEFAULT, 0);
        let bare = slab.take_bare(4);
        slab.mark_guarded(&bare);
        slab.put(0, false);
        slab.put(1, true);
        slab.put(2, true);
        slab.put(3, false);
        assert_eq!(slab.take_ready(), Some((1, true)));
        slab.put(1, true);
        let used = slab.take_used();
        assert_eq!(used.len(), 2);
        slab.put_clean(&used);
        assert!(slab.take_used().is_empty());
        assert!(slab.is_idle());
    }
}
