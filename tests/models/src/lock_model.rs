//! Models of the futex lock: exclusion, what a holder leaves to the next, and no sleeper that nobody wakes.
//!
//! *What.* `base::lock` as it is, over the futex of `os`.
//!
//! *Why here.* The scheduler's lock is one; the models above it use loom's mutex in its place (`lock`).
//!
//! *Invariants.* LK1 of `base::lock`.
//!
//! *Locks.* This is one.
//!
//! *Go:* none.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use crate::base::raw_lock::RawLock;
use crate::explore_up_to;

struct Guarded {
    lock: RawLock,
    value: UnsafeCell<u32>,
}

// SAFETY: the cell is what the model is about; loom checks its accesses.
unsafe impl Sync for Guarded {}

impl Guarded {
    fn work(&self) {
        self.lock.lock();
        // SAFETY: as above.
        self.value.with_mut(|value| unsafe { *value += 1 });
        self.lock.unlock();
    }
}

/// Fails with Relaxed in `try_lock`, in `lock_slow` or in `unlock`, if a sleeper takes the lock as `HELD`, and without the wake-up.
#[test]
fn three_who_lock_take_turns() {
    explore_up_to(2, || {
        let guarded = Arc::new(Guarded { lock: RawLock::new(), value: UnsafeCell::new(0) });
        // Once, see H1 of the shim.
        guarded.work();
        let others = [(); 2].map(|()| {
            let guarded = Arc::clone(&guarded);
            thread::spawn(move || guarded.work())
        });
        guarded.work();
        others.into_iter().for_each(|other| other.join().unwrap());
        assert!(guarded.lock.try_lock());
        // SAFETY: as above.
        assert_eq!(guarded.value.with(|value| unsafe { *value }), 4);
    });
}
