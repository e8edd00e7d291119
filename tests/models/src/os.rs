//! The futex and the clock that the note stands on, and the pauses of the spinning lock.
//!
//! *What.* A sleeper looks at the word under the table's lock, as the kernel does under its bucket lock, and waits on a condition
//! variable; loom reports a sleeper that nobody wakes as a deadlock. A wait with a time-out ends at once and moves the clock to its
//! end, unless the word has changed already.
//!
//! *Why here.* It stands in for floor 0.
//!
//! *Invariants.* O1. The table's lock orders what was before a wake ahead of what comes after a wait that it ended; the kernel does
//! not promise that to a program. The paths of the note that do without the futex are therefore the ones that test its orderings.
//!
//! *Locks.* The table's, a leaf.
//!
//! *Go:* `futexsleep`, `futexwakeup`.

use loom::sync::{Condvar, Mutex};

use crate::base::shim::{AtomicU32, Ordering};

loom::lazy_static! {
    /// The time in nanoseconds, and the kernel's lock.
    static ref TABLE: Mutex<i64> = Mutex::new(0);
    static ref CHANGED: Condvar = Condvar::new();
}

/// Sleeps while `word` is `expected`; false means the time ran out.
pub(crate) fn futex_wait(word: &AtomicU32, expected: u32, timeout: Option<i64>) -> bool {
    let mut now = TABLE.lock().unwrap();
    if word.load(Ordering::Relaxed) != expected {
        return true;
    }
    match timeout {
        Some(timeout) => {
            *now += timeout;
            false
        }
        None => {
            // One wake-up is enough: a spurious one is the caller's business, and each note has one sleeper.
            drop(CHANGED.wait(now).unwrap());
            true
        }
    }
}

/// Wakes the sleepers of all words, which the sleepers must bear anyway.
pub(crate) fn futex_wake(_word: &AtomicU32, _count: u32) {
    let _kernel = TABLE.lock().unwrap();
    CHANGED.notify_all();
}

/// The model's clock.
pub(crate) fn nanotime() -> i64 {
    *TABLE.lock().unwrap()
}

/// Time passes.
pub(crate) fn advance_to(time: i64) {
    let mut now = TABLE.lock().unwrap();
    *now = time.max(*now);
}

/// A pause of the spinning lock: lets the others go on.
pub(crate) fn cpu_relax(_rounds: u32) {
    loom::hint::spin_loop();
}

/// The same.
pub(crate) fn yield_cpu() {
    loom::thread::yield_now();
}
