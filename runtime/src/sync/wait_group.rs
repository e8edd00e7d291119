//! `WaitGroup`: waits until a number of activities has ended.
//!
//! *Why here.* Floor 7. `WaitGroup::go`, which spawns, is on floor 8.
//!
//! One word holds both counts: activities in the upper half, goroutines that wait in the lower.
//!
//! *Invariants.* WG1. The lower half grows only under the lock, together with the queue; whoever takes the upper half to zero while the lower is not
//! resets the word under the lock and readies as many as it counted. WG2. While somebody waits, the upper half is not zero, but for that moment.
//!
//! *Locks.* The queue's, rank 1.
//!
//! *Go:* waitgroup.go, whose texts it uses.

use core::fmt;
use core::panic::Location;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use crate::gmp::WaitReason;
use crate::proc::park::{check_goexit, is_in_goexit};
use crate::proc::{enter, enter_preemptible};
use crate::sync::queue::{Queue, Wait, wake_all};

/// Waits until a number of activities has ended. Clones share the count.
///
/// # Examples
///
/// ```
/// use goruntime::sync::WaitGroup;
///
/// goruntime::run(|| {
///     let group = WaitGroup::new();
///     for _ in 0..3 {
///         group.add(1);
///         let group = group.clone();
///         goruntime::go(move || group.done());
///     }
///     group.wait();
/// });
/// ```
#[derive(Clone, Default)]
pub struct WaitGroup {
    shared: Arc<Shared>,
}

struct Shared {
    /// See the head.
    word: AtomicU64,
    queue: Queue<()>,
}

impl Default for Shared {
    fn default() -> Shared {
        Shared { word: AtomicU64::new(0), queue: Queue::new(()) }
    }
}

/// The signed number of activities in a word.
fn count(word: u64) -> i32 {
    (word >> 32) as i32
}

/// The goroutines that wait.
fn waiting(word: u64) -> u32 {
    word as u32
}

impl WaitGroup {
    /// Makes a group that counts zero.
    pub fn new() -> WaitGroup {
        WaitGroup::default()
    }

    /// Adds `delta`, which may be negative, to the number of activities. At zero, all who wait go on.
    ///
    /// Additions from zero come before the `wait` that is to count them: usually before the activity starts.
    ///
    /// # Panics
    ///
    /// `sync: negative WaitGroup counter`; and `sync: WaitGroup misuse: Add called concurrently with Wait`, where that is noticed.
    #[inline]
    #[track_caller]
    pub fn add(&self, delta: i64) {
        assert!(i32::try_from(delta).is_ok(), "sync: WaitGroup counter out of range");
        let shared = &*self.shared;
        let addend = (delta as u64) << 32;
        // AcqRel: Release gives what this activity has done to the waiters; Acquire gathers it for the one that wakes them.
        let word = shared.word.fetch_add(addend, Ordering::AcqRel).wrapping_add(addend);
        if i64::from(count(word)) < 0 || waiting(word) != 0 {
            shared.settle(word, delta);
        }
    }

    /// One activity has ended.
    ///
    /// # Panics
    ///
    /// As [`WaitGroup::add`].
    #[inline]
    #[track_caller]
    pub fn done(&self) {
        self.add(-1);
    }

    /// Waits until the number of activities is zero.
    ///
    /// # Blocking
    ///
    /// Parks the goroutine (or the plain thread) until then.
    ///
    /// # Panics
    ///
    /// `sync: WaitGroup is reused before previous Wait has returned`, where that is noticed.
    #[track_caller]
    pub fn wait(&self) {
        let shared = &*self.shared;
        // Acquire: pairs with the Release in `add`.
        if count(shared.word.load(Ordering::Acquire)) != 0 {
            shared.wait();
        }
    }
}

impl Shared {
    /// An addition has led to `word`, which is negative, or somebody waits.
    #[cold]
    #[track_caller]
    fn settle(&self, word: u64, delta: i64) {
        let count = i64::from(count(word));
        assert!(count >= 0, "sync: negative WaitGroup counter");
        let concurrent = delta > 0 && count == delta || count == 0 && !self.release(word);
        assert!(!concurrent, "sync: WaitGroup misuse: Add called concurrently with Wait");
    }

    /// Wakes all who wait; false if the word has changed since `word` was seen.
    fn release(&self, word: u64) -> bool {
        let inside = enter();
        let locked = self.queue.lock(&inside);
        if self.word.compare_exchange(word, 0, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return false;
        }
        let waiters = locked.dequeue_all();
        drop(locked);
        wake_all(waiters);
        true
    }

    #[cold]
    #[track_caller]
    fn wait(&self) {
        check_goexit();
        let inside = enter_preemptible();
        let locked = self.queue.lock(&inside);
        // Acquire: as in `WaitGroup::wait`.
        let joined = self
            .word
            .fetch_update(Ordering::Relaxed, Ordering::Acquire, |word| (count(word) != 0).then_some(word + 1))
            .is_ok();
        if !joined {
            return;
        }
        // It ends when the count is zero only.
        let _ = locked.wait(&inside, &Wait::new(WaitReason::WaitGroupWait, Location::caller()));
        drop(inside);
        let word = self.word.load(Ordering::Relaxed);
        assert!(word == 0, "sync: WaitGroup is reused before previous Wait has returned");
    }
}

/// Counts one activity until it is dropped: for `WaitGroup::go`.
pub(crate) struct Activity(WaitGroup);

impl WaitGroup {
    /// Counts one more activity.
    #[track_caller]
    pub(crate) fn activity(&self) -> Activity {
        self.add(1);
        Activity(self.clone())
    }
}

impl Drop for Activity {
    /// Not when the activity panics: that ends the program, and nobody is to go on before. A goexit is an end like any other.
    fn drop(&mut self) {
        if !std::thread::panicking() || is_in_goexit() {
            self.0.done();
        }
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.shared.word.load(Ordering::Relaxed);
        f.debug_struct("WaitGroup").field("count", &count(word)).field("waiting", &waiting(word)).finish()
    }
}
