//! `base::shim` made of loom's types.
//!
//! *What.* The names of `runtime/src/base/shim.rs` as far as the modelled files use them.
//!
//! *Why here.* It stands in for floor 1.
//!
//! *Invariants.* H1. A word is registered with loom at its first use, because loom's constructors are not `const` and the note's is.
//! Loom takes that for a write: whoever makes an object looks at its words once before others get it (a model that forgets it fails).
//! H2. Every access takes its turn first, by a Relaxed read-modify-write of a word beside it, which orders nothing in the model.
//! Loom remembers one last access of a word; a compare-and-swap that follows a load of the same thread would hide from it
//! that another thread's two loads have a place between them, and that interleaving would never be run.
//!
//! *Locks.* None.
//!
//! *Go:* none.

pub(crate) use loom::hint::spin_loop as hint_spin;

/// One round of a wait: lets the other threads of the model go on.
pub(crate) fn backoff(_rounds: &mut u32) {
    loom::hint::spin_loop();
}
pub(crate) use loom::sync::atomic::Ordering;

use std::fmt;
use std::sync::OnceLock;

use loom::sync::atomic;

/// A ring that four puts can fill.
pub(crate) const RUNQ_SIZE: usize = 4;

/// A loom word with its turn (H2).
struct Word<A> {
    word: A,
    turn: atomic::AtomicBool,
}

impl<A> Word<A> {
    fn new(word: A) -> Word<A> {
        Word { word, turn: atomic::AtomicBool::new(false) }
    }

    fn take_turn(&self) -> &A {
        self.turn.fetch_or(false, Ordering::Relaxed);
        &self.word
    }
}

/// `AtomicU32` with a `const` constructor (H1).
pub(crate) struct AtomicU32 {
    initial: u32,
    word: OnceLock<Word<atomic::AtomicU32>>,
}

impl AtomicU32 {
    pub(crate) const fn new(initial: u32) -> AtomicU32 {
        AtomicU32 { initial, word: OnceLock::new() }
    }

    fn word(&self) -> &atomic::AtomicU32 {
        self.word.get_or_init(|| Word::new(atomic::AtomicU32::new(self.initial))).take_turn()
    }

    pub(crate) fn load(&self, order: Ordering) -> u32 {
        self.word().load(order)
    }

    pub(crate) fn store(&self, value: u32, order: Ordering) {
        self.word().store(value, order);
    }

    pub(crate) fn swap(&self, value: u32, order: Ordering) -> u32 {
        self.word().swap(value, order)
    }

    pub(crate) fn fetch_or(&self, bits: u32, order: Ordering) -> u32 {
        self.word().fetch_or(bits, order)
    }

    pub(crate) fn fetch_and(&self, bits: u32, order: Ordering) -> u32 {
        self.word().fetch_and(bits, order)
    }

    pub(crate) fn fetch_xor(&self, bits: u32, order: Ordering) -> u32 {
        self.word().fetch_xor(bits, order)
    }

    pub(crate) fn compare_exchange(&self, from: u32, to: u32, won: Ordering, lost: Ordering) -> Result<u32, u32> {
        self.word().compare_exchange(from, to, won, lost)
    }
}

impl fmt::Debug for AtomicU32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtomicU32").field("initial", &self.initial).finish_non_exhaustive()
    }
}

/// `AtomicPtr`.
pub(crate) struct AtomicPtr<T>(Word<atomic::AtomicPtr<T>>);

impl<T> AtomicPtr<T> {
    pub(crate) fn new(initial: *mut T) -> AtomicPtr<T> {
        AtomicPtr(Word::new(atomic::AtomicPtr::new(initial)))
    }

    pub(crate) fn load(&self, order: Ordering) -> *mut T {
        self.0.take_turn().load(order)
    }

    pub(crate) fn store(&self, value: *mut T, order: Ordering) {
        self.0.take_turn().store(value, order);
    }

    pub(crate) fn swap(&self, value: *mut T, order: Ordering) -> *mut T {
        self.0.take_turn().swap(value, order)
    }

    pub(crate) fn compare_exchange(
        &self,
        from: *mut T,
        to: *mut T,
        won: Ordering,
        lost: Ordering,
    ) -> Result<*mut T, *mut T> {
        self.0.take_turn().compare_exchange(from, to, won, lost)
    }
}

impl<T> fmt::Debug for AtomicPtr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtomicPtr").finish_non_exhaustive()
    }
}
