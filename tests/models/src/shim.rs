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
//! H3. Loom takes a SeqCst access for AcqRel; only its SeqCst fences are what they are called. So an access that is SeqCst has a fence on both sides here,
//! which is a little more than the language promises and no more than x86-64 and aarch64 do.
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

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

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

/// H3.
fn access<R>(order: Ordering, body: impl FnOnce(Ordering) -> R) -> R {
    if order != Ordering::SeqCst {
        return body(order);
    }
    atomic::fence(Ordering::SeqCst);
    let result = body(Ordering::AcqRel);
    atomic::fence(Ordering::SeqCst);
    result
}

/// An access that is not a read-modify-write has one half of AcqRel.
fn downgraded(order: Ordering, half: Ordering) -> Ordering {
    if order == Ordering::AcqRel { half } else { order }
}

/// A ring that four puts can fill.
pub(crate) const RUNQ_SIZE: usize = 4;

std::thread_local! {
    /// Loom runs all threads of a model on one thread.
    static EXECUTION: Cell<u64> = const { Cell::new(0) };
}

/// Begins an execution of a model that uses statics: their words are forgotten, and begin anew. One model at a time may.
#[allow(dead_code, reason = "most models have no statics")]
pub(crate) fn begin_execution() {
    EXECUTION.set(EXECUTION.get() + 1);
}

/// Something of loom's once it was used, and in which execution (H1).
pub(crate) struct Shared<A>(Mutex<Option<(u64, Arc<A>)>>);

impl<A> Shared<A> {
    pub(crate) const fn new() -> Shared<A> {
        Shared(Mutex::new(None))
    }

    pub(crate) fn get(&self, make: impl FnOnce() -> A) -> Arc<A> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = EXECUTION.get();
        match &*known {
            Some((execution, word)) if *execution == now => Arc::clone(word),
            _ => Arc::clone(&known.insert((now, Arc::new(make()))).1),
        }
    }
}

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
            word: Shared<Word<atomic::$name>>,
        }

        impl $name {
            pub(crate) const fn new(initial: $number) -> $name {
                $name { initial, word: Shared::new() }
            }

            fn word(&self) -> Arc<Word<atomic::$name>> {
                self.word.get(|| Word::new(atomic::$name::new(self.initial)))
            }

            /// For an owner, to whom nothing is atomic.
            pub(crate) fn get_mut(&mut self) -> &mut $number {
                self.initial = self.load(Ordering::Relaxed);
                self.word = Shared::new();
                &mut self.initial
            }

            #[track_caller]
            pub(crate) fn load(&self, order: Ordering) -> $number {
                access(in_force(order, Location::caller(), ""), |order| self.word().take_turn().load(downgraded(order, Ordering::Acquire)))
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $number, order: Ordering) {
                access(in_force(order, Location::caller(), ""), |order| {
                    self.word().take_turn().store(value, downgraded(order, Ordering::Release));
                });
            }

            #[track_caller]
            pub(crate) fn swap(&self, value: $number, order: Ordering) -> $number {
                access(in_force(order, Location::caller(), ""), |order| self.word().take_turn().swap(value, order))
            }

            #[track_caller]
            pub(crate) fn fetch_add(&self, value: $number, order: Ordering) -> $number {
                access(in_force(order, Location::caller(), ""), |order| self.word().take_turn().fetch_add(value, order))
            }

            #[track_caller]
            pub(crate) fn fetch_sub(&self, value: $number, order: Ordering) -> $number {
                access(in_force(order, Location::caller(), ""), |order| self.word().take_turn().fetch_sub(value, order))
            }

            #[track_caller]
            pub(crate) fn fetch_or(&self, bits: $number, order: Ordering) -> $number {
                access(in_force(order, Location::caller(), ""), |order| self.word().take_turn().fetch_or(bits, order))
            }

            #[track_caller]
            pub(crate) fn fetch_and(&self, bits: $number, order: Ordering) -> $number {
                access(in_force(order, Location::caller(), ""), |order| self.word().take_turn().fetch_and(bits, order))
            }

            #[track_caller]
            pub(crate) fn fetch_xor(&self, bits: $number, order: Ordering) -> $number {
                access(in_force(order, Location::caller(), ""), |order| self.word().take_turn().fetch_xor(bits, order))
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
                let lost = in_force(lost, at, "/");
                access(in_force(won, at, ""), |won| self.word().take_turn().compare_exchange(from, to, won, lost))
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
                let lost = in_force(lost, at, "/");
                access(in_force(won, at, ""), |won| self.word().take_turn().compare_exchange_weak(from, to, won, lost))
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
                let mut seen = self.word().take_turn().load(fetch);
                while let Some(wanted) = change(seen) {
                    match self.word().take_turn().compare_exchange_weak(seen, wanted, set, fetch) {
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

number! {
    /// `AtomicI32`.
    AtomicI32, i32
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
    word: Shared<Word<atomic::AtomicPtr<T>>>,
}

// SAFETY: the pointer is only handed out, as the real one does.
unsafe impl<T> Send for AtomicPtr<T> {}
// SAFETY: as for Send; the first use is ordered by the cell.
unsafe impl<T> Sync for AtomicPtr<T> {}

impl<T> AtomicPtr<T> {
    pub(crate) const fn new(initial: *mut T) -> AtomicPtr<T> {
        AtomicPtr { initial, word: Shared::new() }
    }

    fn word(&self) -> Arc<Word<atomic::AtomicPtr<T>>> {
        self.word.get(|| Word::new(atomic::AtomicPtr::new(self.initial)))
    }

    #[track_caller]
    pub(crate) fn load(&self, order: Ordering) -> *mut T {
        access(in_force(order, Location::caller(), ""), |order| {
            self.word().take_turn().load(downgraded(order, Ordering::Acquire))
        })
    }

    #[track_caller]
    pub(crate) fn store(&self, value: *mut T, order: Ordering) {
        access(in_force(order, Location::caller(), ""), |order| {
            self.word().take_turn().store(value, downgraded(order, Ordering::Release));
        });
    }

    #[track_caller]
    pub(crate) fn swap(&self, value: *mut T, order: Ordering) -> *mut T {
        access(in_force(order, Location::caller(), ""), |order| self.word().take_turn().swap(value, order))
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
        let lost = in_force(lost, at, "/");
        access(in_force(won, at, ""), |won| self.word().take_turn().compare_exchange(from, to, won, lost))
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
