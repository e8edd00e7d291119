//! The nouns of the scheduler: goroutines (G), threads (M), processors (P) and what they hang on.
//!
//! *Why here.* Floor 3: data with small total operations, never decisions; the verbs are in `proc`.
//!
//! *Invariants.* G1. A G, M or P is never freed: its memory stays readable for the life of the process, so the `Copy` handles below
//! may be dereferenced at any time; whether the object still stands for what the holder means is told by its id or by ownership.
//! (Pages of dead Gs may be given back to the system, which makes them all-zero valid dead Gs again.)
//!
//! *Locks.* None here.
//!
//! *Go:* runtime2.go.

pub(crate) mod affinity;
pub(crate) mod barrier;
pub(crate) mod claim;
pub(crate) mod g;
pub(crate) mod gslab;
pub(crate) mod join_word;
pub(crate) mod m;
pub(crate) mod p;
pub(crate) mod permit;
pub(crate) mod reason;
pub(crate) mod runq;
pub(crate) mod sched;
pub(crate) mod status;
pub(crate) mod timers;

use core::ops::Deref;
use core::ptr::NonNull;

use crate::base::list::List;

pub(crate) use self::g::{G, Switch};
pub(crate) use self::m::M;
pub(crate) use self::p::P;
pub(crate) use self::reason::WaitReason;
pub(crate) use self::sched::SCHED;

macro_rules! typed_list {
    ($(#[$doc:meta])* $name:ident of $handle:ident) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(crate) struct $name(List<<$handle as Deref>::Target>);

        // SAFETY: what moves is the right to the elements' links; the elements are shared handles that are Send, and whatever hands the
        // list over (a lock, the owner of a P) orders the links.
        unsafe impl Send for $name {}

        impl $name {
            /// An empty list.
            pub(crate) const fn new() -> $name {
                $name(List::new())
            }

            /// Number of elements.
            #[inline(always)]
            pub(crate) const fn len(&self) -> usize {
                self.0.len()
            }

            /// Whether there are none.
            #[inline(always)]
            pub(crate) const fn is_empty(&self) -> bool {
                self.0.is_empty()
            }

            /// Appends an element, which is in no list (Q1, M2).
            #[inline(always)]
            pub(crate) fn push_back(&mut self, item: $handle) {
                // SAFETY: it is never freed (G1), and whoever holds it outside of every list owns its link (Q1 for Gs, the scheduler lock
                // for Ms).
                unsafe { self.0.push_back(item.non_null()) }
            }

            /// Puts an element in front, which is in no list (Q1, M2).
            #[inline(always)]
            pub(crate) fn push_front(&mut self, item: $handle) {
                // SAFETY: as in `push_back`.
                unsafe { self.0.push_front(item.non_null()) }
            }

            /// Takes the first element.
            #[inline(always)]
            pub(crate) fn pop_front(&mut self) -> Option<$handle> {
                self.0.pop_front().map($handle::new)
            }
        }
    };
}

typed_list! {
    /// Goroutines, first in first out.
    GList of GPtr
}
impl GList {
    /// Moves all elements of `other` to the end.
    pub(crate) fn append(&mut self, other: &mut GList) {
        self.0.append(&mut other.0);
    }
}

typed_list! {
    /// Threads, first in first out.
    MList of MPtr
}

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident -> $target:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub(crate) struct $name(NonNull<$target>);

        impl $name {
            /// Wraps the address of an object that is never freed (G1).
            #[inline(always)]
            pub(crate) fn new(object: NonNull<$target>) -> $name {
                $name(object)
            }

            /// The handle in a nullable word, if there is one.
            #[inline(always)]
            pub(crate) fn from_raw(raw: *mut $target) -> Option<$name> {
                NonNull::new(raw).map($name)
            }

            /// The address, for words and lists.
            #[inline(always)]
            pub(crate) fn as_ptr(self) -> *mut $target {
                self.0.as_ptr()
            }

            /// The address as the lists and queues want it.
            #[inline(always)]
            #[allow(dead_code, reason = "of Ps there are no such lists")]
            pub(crate) fn non_null(self) -> NonNull<$target> {
                self.0
            }
        }

        impl Deref for $name {
            type Target = $target;

            #[inline(always)]
            fn deref(&self) -> &$target {
                // SAFETY: handles are made only of objects from the runtime's own mappings, which are never unmapped (G1).
                unsafe { self.0.as_ref() }
            }
        }

        // SAFETY: what moves is an address, of memory that stays (G1). Which thread may touch which field is said at each: they are atomics, or cells
        // with a named owner (G4, M2, P1) or lock. That only the owner touches a cell is kept by floors 3 to 5; no type checks it.
        unsafe impl Send for $name {}
        // SAFETY: as for Send: a shared handle is a copied one.
        unsafe impl Sync for $name {}
    };
}

handle! {
    /// A goroutine.
    GPtr -> G
}
handle! {
    /// A thread of the runtime, or a foreign thread that has used it.
    MPtr -> M
}
handle! {
    /// A processor: the right to run goroutines.
    PPtr -> P
}
