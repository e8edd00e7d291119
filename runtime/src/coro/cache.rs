//! The stacks a P keeps at hand.
//!
//! **What.** A last-in first-out array of stacks of the default class. Taking and putting are a bounds check and a
//! copy of two words; every 32nd goes to the central pool, in a batch.
//!
//! **Why here (floor 2).** It lives inside P and is reached only by P's owner, but knows nothing of it.
//!
//! **Invariants.**
//! - CC1. Of both arrays the first `len` places hold the words of a stack that the cache owns.
//!
//! **Locks.** None of its own; refill, spill and shed take `POOL`.
//!
//! **Go:** mcache.stackcache.

use std::fmt;
use std::mem::MaybeUninit;
use std::num::NonZeroUsize;

use super::error::StackError;
use super::guard::BATCH;
use super::pool::{self, POOL};
use super::stack::{Place, Stack, StackClass};
use super::sweep;

/// How many stacks fit; half of them go when one more comes.
const CAPACITY: usize = 2 * BATCH;

/// Some stacks of the default class, for one owner.
pub(crate) struct StackCache {
    len: u32,
    /// The sweep that this cache has last shed for.
    epoch: u32,
    /// The stacks, taken apart. The words lie in two arrays because compilers copy a pair with one wide load, and that
    /// load has to wait for the two narrow stores of the put before it, longer than all the rest takes.
    bases: [MaybeUninit<NonZeroUsize>; CAPACITY],
    places: [MaybeUninit<Place>; CAPACITY],
}

impl StackCache {
    /// An empty cache.
    pub(crate) const fn new() -> Self {
        Self {
            len: 0,
            epoch: 0,
            bases: [const { MaybeUninit::uninit() }; CAPACITY],
            places: [const { MaybeUninit::uninit() }; CAPACITY],
        }
    }

    /// Takes the stack that was put last, or refills from the central pool.
    ///
    /// # Errors
    ///
    /// [`StackError`] if the cache and the pool are empty and the system gives no more.
    #[inline]
    pub(crate) fn take(&mut self) -> Result<Stack, StackError> {
        if self.len == 0 {
            self.refill()?;
        }
        Ok(self.pop())
    }

    /// Puts a stack back, as it is. One of another class goes to the central pool.
    #[inline]
    pub(crate) fn put(&mut self, stack: Stack) {
        if stack.class() != StackClass::DEFAULT {
            return drop(stack);
        }
        if self.len as usize == CAPACITY {
            self.spill(BATCH);
        }
        self.push(stack);
    }

    /// Gives all stacks back to the central pool.
    pub(crate) fn drain(&mut self) {
        self.spill(self.len as usize);
    }

    /// Gives those stacks back whose slab is nearly empty, once after each sweep.
    ///
    /// A cached stack keeps its whole slab mapped. The owner calls this where it goes idle; without a sweep in between
    /// it is one load.
    #[inline]
    pub(crate) fn shed(&mut self) {
        let epoch = sweep::epoch();
        if self.epoch != epoch {
            self.epoch = epoch;
            self.shed_sparse();
        }
    }

    #[cold]
    fn shed_sparse(&mut self) {
        let mut stays = Self::new();
        let mut goes = Self::new();
        let mut pool = POOL.lock();
        while self.len > 0 {
            let stack = self.pop();
            if pool.is_sparse(&stack) { goes.push(stack) } else { stays.push(stack) }
        }
        drop(pool);
        goes.drain();
        // Both loops turn the order around, so the stack put last is on top again.
        while stays.len > 0 {
            self.push(stays.pop());
        }
    }

    #[cold]
    fn refill(&mut self) -> Result<(), StackError> {
        pool::take(StackClass::DEFAULT, BATCH, |stack| self.push(stack))
    }

    /// Gives the `count` stacks that lie deepest, which are the coldest, to the central pool.
    #[cold]
    fn spill(&mut self, count: usize) {
        let len = self.len as usize;
        debug_assert!(count <= len, "{count} of {len} cached stacks are spilled");
        pool::put_all((0..count).map(|index| {
            // SAFETY: the index is below `len` and comes once; its place is overwritten or cut off below.
            unsafe { self.read(index) }
        }));
        self.bases.copy_within(count..len, 0);
        self.places.copy_within(count..len, 0);
        self.len = (len - count) as u32;
    }

    #[inline]
    fn push(&mut self, stack: Stack) {
        let index = self.len as usize;
        let (base, place) = stack.into_words();
        self.bases[index].write(base);
        self.places[index].write(place);
        self.len += 1;
    }

    #[inline]
    fn pop(&mut self) -> Stack {
        self.len -= 1;
        // SAFETY: the index was below `len`, and is not any more, so this is the only read of it.
        unsafe { self.read(self.len as usize) }
    }

    /// Puts the stack at `index` together.
    ///
    /// # Safety
    ///
    /// - `index` is below `len`, or was before `len` was lowered;
    /// - the place is not read again before it is written.
    #[inline]
    unsafe fn read(&self, index: usize) -> Stack {
        // SAFETY: `push` has written the places below `len` (CC1).
        let base = unsafe { self.bases[index].assume_init() };
        // SAFETY: `push` writes both arrays before it raises `len`.
        let place = unsafe { self.places[index].assume_init() };
        // SAFETY: `push` took both words from one stack, and the caller reads them once.
        unsafe { Stack::from_words(base, place) }
    }
}

impl Drop for StackCache {
    fn drop(&mut self) {
        self.drain();
    }
}

impl fmt::Debug for StackCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackCache").field("len", &self.len).finish_non_exhaustive()
    }
}
