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
pub(crate) use loom::sync::atomic::{Ordering, fence};

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

/// An atomic number with a `const` constructor (H1).
macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $number:ty) => {
        $(#[$doc])*
        pub(crate) struct $name {
            initial: $number,
            word: OnceLock<Word<atomic::$name>>,
        }

        impl $name {
            pub(crate) const fn new(initial: $number) -> $name {
                $name { initial, word: OnceLock::new() }
            }

            fn word(&self) -> &atomic::$name {
                self.word.get_or_init(|| Word::new(atomic::$name::new(self.initial))).take_turn()
            }

            pub(crate) fn load(&self, order: Ordering) -> $number {
                self.word().load(order)
            }

            pub(crate) fn store(&self, value: $number, order: Ordering) {
                self.word().store(value, order);
            }

            pub(crate) fn swap(&self, value: $number, order: Ordering) -> $number {
                self.word().swap(value, order)
            }

            pub(crate) fn fetch_add(&self, value: $number, order: Ordering) -> $number {
                self.word().fetch_add(value, order)
            }

            pub(crate) fn fetch_sub(&self, value: $number, order: Ordering) -> $number {
                self.word().fetch_sub(value, order)
            }

            pub(crate) fn fetch_or(&self, bits: $number, order: Ordering) -> $number {
                self.word().fetch_or(bits, order)
            }

            pub(crate) fn fetch_and(&self, bits: $number, order: Ordering) -> $number {
                self.word().fetch_and(bits, order)
            }

            pub(crate) fn fetch_xor(&self, bits: $number, order: Ordering) -> $number {
                self.word().fetch_xor(bits, order)
            }

            pub(crate) fn compare_exchange(
                &self,
                from: $number,
                to: $number,
                won: Ordering,
                lost: Ordering,
            ) -> Result<$number, $number> {
                self.word().compare_exchange(from, to, won, lost)
            }

            pub(crate) fn compare_exchange_weak(
                &self,
                from: $number,
                to: $number,
                won: Ordering,
                lost: Ordering,
            ) -> Result<$number, $number> {
                self.word().compare_exchange_weak(from, to, won, lost)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).field("initial", &self.initial).finish_non_exhaustive()
            }
        }
    };
}

number! {
    /// `AtomicU32`.
    AtomicU32, u32
}

number! {
    /// `AtomicUsize`.
    AtomicUsize, usize
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
