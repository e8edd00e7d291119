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

use std::collections::BTreeSet;
use std::fmt;
use std::panic::Location;
use std::sync::{Mutex, OnceLock};

use loom::sync::atomic;

/// `MODELS_WEAKEN=FILE:LINE:COLUMN=ORDERING`: the access at that place has that ordering. A `/` behind the column means the second ordering of an access
/// that has two. `MODELS_SITES` prints the places of accesses whose ordering is not Relaxed.
fn in_force(written: Ordering, at: &Location<'_>, which: &str) -> Ordering {
    static WEAKENED: OnceLock<Option<(String, Ordering)>> = OnceLock::new();
    static SITES: OnceLock<Option<Mutex<BTreeSet<String>>>> = OnceLock::new();
    let place = || {
        let file = at.file().rsplit('/').next().expect("a path has a last part");
        format!("{file}:{}:{}{which}", at.line(), at.column())
    };
    let sites = SITES.get_or_init(|| std::env::var_os("MODELS_SITES").map(|_| Mutex::new(BTreeSet::new())));
    if let Some(sites) = sites
        && written != Ordering::Relaxed
        && sites.lock().unwrap().insert(place())
    {
        eprintln!("site {} {written:?}", place());
    }
    match WEAKENED.get_or_init(weakened) {
        Some((wanted, order)) if *wanted == place() => *order,
        _ => written,
    }
}

fn weakened() -> Option<(String, Ordering)> {
    let text = std::env::var("MODELS_WEAKEN").ok()?;
    let (place, order) = text.split_once('=').expect("PLACE=ORDERING");
    let orders = [Ordering::Relaxed, Ordering::Acquire, Ordering::Release, Ordering::AcqRel];
    let order = orders.into_iter().find(|known| format!("{known:?}") == order).expect("an ordering below SeqCst");
    Some((place.to_owned(), order))
}

/// A fence; weakened to Relaxed there is none.
#[track_caller]
pub(crate) fn fence(order: Ordering) {
    let order = in_force(order, Location::caller(), "");
    if order != Ordering::Relaxed {
        atomic::fence(order);
    }
}

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

            /// For an owner, to whom nothing is atomic.
            pub(crate) fn get_mut(&mut self) -> &mut $number {
                self.initial = self.load(Ordering::Relaxed);
                self.word = OnceLock::new();
                &mut self.initial
            }

            #[track_caller]
            pub(crate) fn load(&self, order: Ordering) -> $number {
                self.word().load(in_force(order, Location::caller(), ""))
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $number, order: Ordering) {
                self.word().store(value, in_force(order, Location::caller(), ""));
            }

            #[track_caller]
            pub(crate) fn swap(&self, value: $number, order: Ordering) -> $number {
                self.word().swap(value, in_force(order, Location::caller(), ""))
            }

            #[track_caller]
            pub(crate) fn fetch_add(&self, value: $number, order: Ordering) -> $number {
                self.word().fetch_add(value, in_force(order, Location::caller(), ""))
            }

            #[track_caller]
            pub(crate) fn fetch_sub(&self, value: $number, order: Ordering) -> $number {
                self.word().fetch_sub(value, in_force(order, Location::caller(), ""))
            }

            #[track_caller]
            pub(crate) fn fetch_or(&self, bits: $number, order: Ordering) -> $number {
                self.word().fetch_or(bits, in_force(order, Location::caller(), ""))
            }

            #[track_caller]
            pub(crate) fn fetch_and(&self, bits: $number, order: Ordering) -> $number {
                self.word().fetch_and(bits, in_force(order, Location::caller(), ""))
            }

            #[track_caller]
            pub(crate) fn fetch_xor(&self, bits: $number, order: Ordering) -> $number {
                self.word().fetch_xor(bits, in_force(order, Location::caller(), ""))
            }

            #[track_caller]
            pub(crate) fn compare_exchange(
                &self,
                from: $number,
                to: $number,
                won: Ordering,
                lost: Ordering,
            ) -> Result<$number, $number> {
                let at = Location::caller();
                self.word().compare_exchange(from, to, in_force(won, at, ""), in_force(lost, at, "/"))
            }

            #[track_caller]
            pub(crate) fn compare_exchange_weak(
                &self,
                from: $number,
                to: $number,
                won: Ordering,
                lost: Ordering,
            ) -> Result<$number, $number> {
                let at = Location::caller();
                self.word().compare_exchange_weak(from, to, in_force(won, at, ""), in_force(lost, at, "/"))
            }

            /// As core's: each round is an access of its own.
            #[track_caller]
            pub(crate) fn fetch_update(
                &self,
                set: Ordering,
                fetch: Ordering,
                mut change: impl FnMut($number) -> Option<$number>,
            ) -> Result<$number, $number> {
                let at = Location::caller();
                let (set, fetch) = (in_force(set, at, ""), in_force(fetch, at, "/"));
                let mut seen = self.word().load(fetch);
                while let Some(wanted) = change(seen) {
                    match self.word().compare_exchange_weak(seen, wanted, set, fetch) {
                        Ok(before) => return Ok(before),
                        Err(now) => seen = now,
                    }
                }
                Err(seen)
            }
        }

        impl Default for $name {
            fn default() -> $name {
                $name::new(0)
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

number! {
    /// `AtomicU64`.
    AtomicU64, u64
}

number! {
    /// `AtomicI64`.
    AtomicI64, i64
}

/// `AtomicBool`, over a number.
#[derive(Debug)]
pub(crate) struct AtomicBool(AtomicU32);

impl AtomicBool {
    pub(crate) const fn new(initial: bool) -> AtomicBool {
        AtomicBool(AtomicU32::new(initial as u32))
    }

    #[track_caller]
    pub(crate) fn load(&self, order: Ordering) -> bool {
        self.0.load(order) != 0
    }

    #[track_caller]
    pub(crate) fn store(&self, value: bool, order: Ordering) {
        self.0.store(value.into(), order);
    }

    #[track_caller]
    pub(crate) fn swap(&self, value: bool, order: Ordering) -> bool {
        self.0.swap(value.into(), order) != 0
    }
}

/// `AtomicPtr` with a `const` constructor (H1).
pub(crate) struct AtomicPtr<T> {
    initial: *mut T,
    word: OnceLock<Word<atomic::AtomicPtr<T>>>,
}

// SAFETY: the pointer is only handed out, as the real one does.
unsafe impl<T> Send for AtomicPtr<T> {}
// SAFETY: as for Send; the first use is ordered by the cell.
unsafe impl<T> Sync for AtomicPtr<T> {}

impl<T> AtomicPtr<T> {
    pub(crate) const fn new(initial: *mut T) -> AtomicPtr<T> {
        AtomicPtr { initial, word: OnceLock::new() }
    }

    fn word(&self) -> &atomic::AtomicPtr<T> {
        self.word.get_or_init(|| Word::new(atomic::AtomicPtr::new(self.initial))).take_turn()
    }

    #[track_caller]
    pub(crate) fn load(&self, order: Ordering) -> *mut T {
        self.word().load(in_force(order, Location::caller(), ""))
    }

    #[track_caller]
    pub(crate) fn store(&self, value: *mut T, order: Ordering) {
        self.word().store(value, in_force(order, Location::caller(), ""));
    }

    #[track_caller]
    pub(crate) fn swap(&self, value: *mut T, order: Ordering) -> *mut T {
        self.word().swap(value, in_force(order, Location::caller(), ""))
    }

    #[track_caller]
    pub(crate) fn compare_exchange(
        &self,
        from: *mut T,
        to: *mut T,
        won: Ordering,
        lost: Ordering,
    ) -> Result<*mut T, *mut T> {
        let at = Location::caller();
        self.word().compare_exchange(from, to, in_force(won, at, ""), in_force(lost, at, "/"))
    }
}

impl<T> Default for AtomicPtr<T> {
    fn default() -> AtomicPtr<T> {
        AtomicPtr::new(std::ptr::null_mut())
    }
}

impl<T> fmt::Debug for AtomicPtr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtomicPtr").finish_non_exhaustive()
    }
}
