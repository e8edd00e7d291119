//! `WaitGroup`: waits until a number of activities has ended.
//!
//! *Why here.* Floor 7. `WaitGroup::go`, which spawns, is on floor 8.
//!
//! One word holds both counts: activities in the upper half, goroutines that wait in the lower.
//!
//! *Invariants.* WG1. The lower half grows only under the lock, together with the queue; whoever takes the upper half to zero while the lower is not
//! resets the word under the lock and readies as many as it counted. WG2. While somebody waits, the upper half is not zero, but for that moment.
//! WG3. Who stops waiting counts itself out under the lock, unless the upper half is zero: then it waits for the release, which counts on the word as it is.
//!
//! *Locks.* The queue's, rank 1.
//!
//! *Go:* waitgroup.go, whose texts it uses.

use core::fmt;
use core::panic::Location;
use core::time::Duration;
use std::sync::Arc;

use crate::base::shim::{AtomicU64, Ordering};
use crate::gmp::WaitReason;
use crate::proc::park::{check_goexit, is_goexit_unwinding};
use crate::proc::{Entered, enter, enter_preemptible};
use crate::sync::cancel::Bounds;
use crate::sync::queue::{Locked, Queue, Wait, Waited, wake_all};
use crate::sync::sudog;

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
    /// With the number of releases.
    queue: Queue<u32>,
}

impl Default for Shared {
    fn default() -> Shared {
        Shared { word: AtomicU64::new(0), queue: Queue::new(0) }
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
        if !self.is_zero() {
            // Without bounds it ends with success.
            self.shared.wait(Bounds::default(), Location::caller());
        }
    }

    /// As [`WaitGroup::wait`], for at most `timeout`. True if the number of activities is zero; false if the time was up before.
    ///
    /// # Blocking
    ///
    /// As [`WaitGroup::wait`], and until the time is up. With zero it does not wait.
    ///
    /// # Panics
    ///
    /// As [`WaitGroup::wait`].
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::sync::WaitGroup;
    /// use goruntime::time::Duration;
    ///
    /// let group = WaitGroup::new();
    /// group.add(1);
    /// assert!(!group.wait_timeout(Duration::from_millis(1)));
    /// group.done();
    /// assert!(group.wait_timeout(Duration::from_millis(1)));
    /// ```
    #[must_use = "whether the activities have ended"]
    #[track_caller]
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        let may_wait = !timeout.is_zero();
        let bounds = Bounds { when: sudog::deadline(timeout), cancel: None };
        self.is_zero() || may_wait && self.shared.wait(bounds, Location::caller())
    }

    /// Waits; false if the bounds have ended the wait.
    #[track_caller]
    pub(crate) fn wait_within(&self, bounds: Bounds<'_>, at: &'static Location<'static>) -> bool {
        self.is_zero() || self.shared.wait(bounds, at)
    }

    fn is_zero(&self) -> bool {
        // Acquire: pairs with the Release in `add`.
        count(self.shared.word.load(Ordering::Acquire)) == 0
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
        let mut locked = self.queue.lock(&inside);
        if self.word.compare_exchange(word, 0, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return false;
        }
        *locked = locked.wrapping_add(1);
        let waiters = locked.dequeue_all();
        drop(locked);
        wake_all(waiters);
        true
    }

    #[cold]
    #[track_caller]
    fn wait(&self, bounds: Bounds<'_>, at: &'static Location<'static>) -> bool {
        check_goexit();
        let inside = enter_preemptible();
        let locked = self.queue.lock(&inside);
        // Acquire: as in `WaitGroup::wait`.
        let joined = self
            .word
            .fetch_update(Ordering::Relaxed, Ordering::Acquire, |word| (count(word) != 0).then_some(word + 1))
            .is_ok();
        if !joined {
            return true;
        }
        let releases = *locked;
        if let (Waited::TimedOut, Some(locked)) =
            locked.wait(&inside, &Wait::within(WaitReason::WaitGroupWait, at, bounds))
        {
            return self.leave(&inside, locked, releases, at);
        }
        drop(inside);
        let word = self.word.load(Ordering::Relaxed);
        assert!(word == 0, "sync: WaitGroup is reused before previous Wait has returned");
        true
    }

    /// The caller does not wait any more (WG3); it has since the release number `releases`. True if the count has become zero meanwhile.
    fn leave(&self, inside: &Entered, locked: Locked<'_, u32>, releases: u32, at: &'static Location<'static>) -> bool {
        if *locked != releases {
            return true;
        }
        let count_out = |word| (count(word) != 0).then(|| word - 1);
        if self.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count_out).is_ok() {
            return false;
        }
        // The release is on its way, and whoever uses the group again after this wait must not meet it: it ends the wait after all.
        let _ = locked.wait(inside, &Wait::new(WaitReason::WaitGroupWait, at));
        true
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
        if !std::thread::panicking() || is_goexit_unwinding() {
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
