//! Handles of other people's crates that live in thread-local storage.
//!
//! Why here: they share an object with it, so that what the goroutine holds is an address on the heap.
//!
//! *Invariants*: HZ1 of the library.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use std::collections::HashSet;
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use goruntime::scope;
use goruntime_hazards::elsewhere;
use rand::RngCore;
use rand::rngs::ThreadRng;

/// Goroutines that hold a generator at the same time.
const HOLDERS: usize = 4;

/// The object that the handle is a counted reference to.
fn object(rng: &ThreadRng) -> usize {
    const { assert!(size_of::<ThreadRng>() == size_of::<usize>()) };
    // SAFETY: a handle is one counted pointer.
    unsafe { std::ptr::from_ref(rng).cast::<usize>().read() }
}

/// Several goroutines draw numbers from their thread's generator before and after a wait: it has to be that of the thread, and no number comes
/// twice.
pub(crate) fn rng() -> u64 {
    let foreign = AtomicU64::new(0);
    let numbers = Mutex::new(Vec::new());
    let hold = || {
        let mut rng = rand::rng();
        let first = rng.next_u64();
        elsewhere::wait();
        foreign.fetch_add((object(&rng) != object(&rand::rng())).into(), Ordering::Relaxed);
        let second = rng.next_u64();
        drop(rng);
        numbers.lock().expect("nobody panics").extend([first, second]);
    };
    scope(|s| {
        for _ in 0..HOLDERS {
            s.spawn(hold);
        }
    });
    let numbers = numbers.into_inner().expect("nobody panics");
    let different = numbers.iter().collect::<HashSet<_>>().len();
    foreign.into_inner() + (numbers.len() - different) as u64
}

/// Holds a pinned collector over the wait: whoever holds one is pinned.
pub(crate) fn epoch() -> u64 {
    let guard = crossbeam_epoch::pin();
    elsewhere::wait();
    let wrong = !is_pinned();
    drop(guard);
    wrong.into()
}

/// Asks anew, whatever the compiler knows.
#[inline(never)]
fn is_pinned() -> bool {
    black_box(crossbeam_epoch::is_pinned())
}
