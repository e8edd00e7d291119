//! The descriptors: memory that only grows, found by number.
//!
//! *Why here.* Floor 4: the poller's events carry a number and a tag, not an address.
//!
//! *Invariants.* TB1. Chunk `k` has `FIRST << k` descriptors and is made once. TB2. A descriptor is in use or on the free list.
//!
//! *Locks.* The free list's, a leaf. *Go:* `pollCache`.

use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::base::lock::Lock;
use crate::base::throw::{print_facts, throw};
use crate::netpoll::polldesc::PollDesc;
use crate::os;

/// Descriptors of the first chunk.
const FIRST: u32 = 64;
/// Enough for two to the power of thirty descriptors.
const CHUNKS: usize = 24;

static TABLE: [AtomicPtr<PollDesc>; CHUNKS] = [const { AtomicPtr::new(null_mut()) }; CHUNKS];
static FREE: Lock<Free> = Lock::new(Free { first: 0, made: 0 });

struct Free {
    /// Position of the first free descriptor plus one, 0 without any.
    first: u32,
    /// Descriptors that exist.
    made: u32,
}

/// A descriptor in a new life.
pub(crate) fn allocate() -> &'static PollDesc {
    let mut free = FREE.lock();
    if free.first == 0 {
        grow(&mut free);
    }
    let Some(desc) = at(free.first - 1) else { throw("the free list of socket descriptors is broken") };
    free.first = desc.next_free.load(Ordering::Relaxed);
    desc
}

/// Takes an evicted descriptor back.
pub(crate) fn release(desc: &'static PollDesc) {
    desc.renew();
    let mut free = FREE.lock();
    desc.next_free.store(free.first, Ordering::Relaxed);
    free.first = desc.index.load(Ordering::Relaxed) + 1;
}

/// The descriptor with a number, if there is one.
pub(crate) fn at(index: u32) -> Option<&'static PollDesc> {
    let (chunk, offset) = place(index);
    // Acquire: pairs with the Release in `grow`.
    let first = NonNull::new(TABLE.get(chunk)?.load(Ordering::Acquire))?;
    // SAFETY: the chunk has more than `offset` descriptors (TB1).
    let desc = unsafe { first.add(offset as usize) };
    // SAFETY: all-zero memory is a descriptor (PD2), and it is never unmapped.
    Some(unsafe { desc.as_ref() })
}

/// Chunk and position in it.
fn place(index: u32) -> (usize, u32) {
    let chunk = (index / FIRST + 1).ilog2();
    (chunk as usize, index - FIRST * ((1 << chunk) - 1))
}

fn grow(free: &mut Free) {
    let (chunk, _) = place(free.made);
    let count = FIRST << chunk;
    let memory = match os::reserve((count as usize * size_of::<PollDesc>()).next_multiple_of(os::page_size())) {
        Ok(memory) if chunk < CHUNKS => memory,
        Ok(_) => throw("too many sockets"),
        Err(errno) => {
            print_facts(format_args!("cannot make {count} socket descriptors (errno={errno})"));
            throw("out of memory");
        }
    };
    // Release: pairs with the Acquire in `at`.
    TABLE[chunk].store(memory.as_ptr().cast(), Ordering::Release);
    for index in (free.made..free.made + count).rev() {
        let Some(desc) = at(index) else { throw("a chunk of socket descriptors is missing") };
        desc.index.store(index, Ordering::Relaxed);
        desc.next_free.store(free.first, Ordering::Relaxed);
        free.first = index + 1;
    }
    free.made += count;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_consecutive() {
        let mut expected = (0, 0);
        for index in 0..10_000 {
            assert_eq!(place(index), expected);
            expected.1 += 1;
            if expected.1 == FIRST << expected.0 {
                expected = (expected.0 + 1, 0);
            }
        }
    }

    #[test]
    fn a_descriptor_that_comes_back_has_another_tag() {
        let (first, second) = (allocate(), allocate());
        assert!(!core::ptr::eq(first, second));
        let before = first.tag();
        assert!(first.evict().is_some());
        release(first);
        assert_ne!(first.tag(), before);
        assert!(first.check(crate::netpoll::polldesc::Side::Read).is_ok());
        assert!(second.evict().is_some());
        release(second);
    }
}
