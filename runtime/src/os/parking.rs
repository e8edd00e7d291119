//! A futex for systems whose own is not open to us: a table of mutexes and condition variables.
//!
//! **What.** `futex_wait` and `futex_wake` over a fixed number of buckets, chosen by the word's address.
//!
//! **Why here.** Floor 0, only on macOS, the BSDs and Windows.
//!
//! **Invariants.**
//! - PK1. A sleeper looks at the word under its bucket's mutex, and a waker passes through that mutex before it
//!   notifies. So a waker that changed the word first either is seen by the look or finds the sleeper asleep.
//! - PK2. Words share buckets, so every wake notifies the whole bucket: spurious wakes are many, lost ones none.
//!
//! **Locks.** The bucket's mutex; a leaf, held over no call but the condition variable's.
//!
//! **Go:** `lock_sema.go`, in spirit.

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::sync::{Condvar, Mutex, PoisonError};

/// One place to sleep.
struct Bucket {
    mutex: Mutex<()>,
    changed: Condvar,
}

const BUCKETS: usize = 64;

static TABLE: [Bucket; BUCKETS] = [const { Bucket { mutex: Mutex::new(()), changed: Condvar::new() } }; BUCKETS];

/// Returns the bucket of a word.
fn bucket(word: &AtomicU32) -> &'static Bucket {
    let address = word.as_ptr().addr();
    // Words lie in cache lines of their own, so the low six bits tell nothing.
    &TABLE[(address >> 6 ^ address >> 12) % BUCKETS]
}

/// Sleeps while `word` holds `expected`, at most `timeout` nanoseconds; `false` means that the time ran out.
///
/// `true` says nothing about `word`. The caller loops.
pub(crate) fn futex_wait(word: &AtomicU32, expected: u32, timeout: Option<i64>) -> bool {
    let bucket = bucket(word);
    // Nothing under these mutexes panics, so a poisoned one is as good as any.
    let guard = bucket.mutex.lock().unwrap_or_else(PoisonError::into_inner);
    // Relaxed: the mutex orders this look against the waker's change (PK1).
    if word.load(Ordering::Relaxed) != expected {
        return true;
    }
    match timeout {
        None => {
            let _guard = bucket.changed.wait(guard);
            true
        }
        Some(ns) => {
            let limit = Duration::from_nanos(u64::try_from(ns).unwrap_or(0));
            let (_guard, result) = bucket.changed.wait_timeout(guard, limit).unwrap_or_else(PoisonError::into_inner);
            !result.timed_out()
        }
    }
}

/// Wakes the threads that sleep on `word`; more than `count` of them may notice.
pub(crate) fn futex_wake(word: &AtomicU32, _count: u32) {
    let bucket = bucket(word);
    // Waits until a sleeper that has seen the old value is asleep (PK1).
    drop(bucket.mutex.lock());
    bucket.changed.notify_all();
}
