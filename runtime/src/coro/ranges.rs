//! Which slot is this address in?
//!
//! **What.** One word per slab, readable without a lock and from a signal handler: the slab's start, with log2 of its
//! slot size in the low bits that page alignment leaves free.
//!
//! **Why here (floor 2).** `pool` writes it; `overflow` reads it in the middle of a fault, when the pool's lock may be
//! held by the very thread that faults.
//!
//! **Invariants.**
//! - RA1. An entry is set only after its mapping exists, and cleared before it is unmapped.
//! - RA2. All entries at or above `LENGTH` are zero.
//!
//! **Locks.** Writers hold the pool lock; readers need none, because an entry is one word.
//!
//! **Go:** the arena index of mheap, `spanOf`.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::stack::StackClass;

/// How many slabs can exist: 4 TiB of default stacks.
pub(super) const MAX_SLABS: usize = 1 << 16;
/// Low bits of an entry that hold the class. Pages have at least 4 KiB on every supported machine.
const CLASS_BITS: usize = 0xff;

static RANGES: [AtomicUsize; MAX_SLABS] = [const { AtomicUsize::new(0) }; MAX_SLABS];
static LENGTH: AtomicUsize = AtomicUsize::new(0);

/// One slot of one slab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    /// First address, where the guard begins.
    pub(super) low: usize,
    /// First address above the guard.
    pub(super) usable_low: usize,
    /// First address after the slot.
    pub(super) high: usize,
}

/// Announces slab `index`. The caller holds the pool lock and has mapped it (RA1).
pub(super) fn publish(index: u32, start: usize, class: StackClass) {
    debug_assert_eq!(start & CLASS_BITS, 0, "slabs start at a page");
    let index = index as usize;
    // Release: pairs with the Acquire of the entry in `find`; whoever sees the entry sees the mapping.
    RANGES[index].store(start | usize::from(class.log2()), Ordering::Release);
    // Release: pairs with the Acquire of LENGTH in `find`; an entry is set before it is counted.
    LENGTH.fetch_max(index + 1, Ordering::Release);
}

/// Takes the announcement back. The caller holds the pool lock and has not unmapped the slab yet (RA1).
pub(super) fn withdraw(index: u32) {
    // Relaxed: who runs on a stack of the slab would have to see it in time, but none of its stacks is out.
    RANGES[index as usize].store(0, Ordering::Relaxed);
}

/// Finds the slot that contains `address`. Async-signal-safe.
pub(super) fn find(address: usize) -> Option<Slot> {
    // Acquire: pairs with the Release of LENGTH in `publish`.
    let length = LENGTH.load(Ordering::Acquire);
    RANGES[..length].iter().find_map(|entry| {
        // Acquire: pairs with the Release of the entry in `publish`.
        let entry = entry.load(Ordering::Acquire);
        if entry == 0 {
            return None;
        }
        let (start, log2) = (entry & !CLASS_BITS, (entry & CLASS_BITS) as u8);
        let class = StackClass::from_log2(log2);
        let offset = address.checked_sub(start)?;
        if offset >= class.slab_bytes() {
            return None;
        }
        let low = start + ((offset >> log2) << log2);
        Some(Slot { low, usable_low: low + class.guard_bytes(), high: low + class.bytes() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coro::allocate;

    #[test]
    fn every_address_of_a_slot_finds_it() {
        let stack = allocate(StackClass::DEFAULT).expect("a stack");
        let slot = find(stack.high()).expect("a published slot");
        assert_eq!(slot.high - slot.low, StackClass::DEFAULT.bytes());
        assert_eq!(slot.usable_low, stack.usable_low());
        assert_eq!(find(slot.low), Some(slot));
        assert_eq!(find(slot.high - 1), Some(slot));
        assert_ne!(find(slot.high), Some(slot));
        assert_ne!(find(slot.low - 1), Some(slot));
    }

    #[test]
    fn foreign_addresses_find_nothing() {
        let local = 0u8;
        for address in [0, 1, &raw const local as usize, usize::MAX] {
            assert_eq!(find(address), None, "address {address:#x}");
        }
    }
}
