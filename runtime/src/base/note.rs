//! A one-shot wake-up between threads.
//!
//! **What.** One thread sleeps on the note, any other wakes it; a wake before the sleep is kept. `clear` readies the
//! note for the next time.
//!
//! **Why here.** Floor 1. An idle M, sysmon, and a foreign thread that waits for a goroutine sleep here.
//!
//! **Invariants.**
//! - N1. The word is one of:
//!
//!   | word | woken | a thread may sleep on it |
//!   |---|---|---|
//!   | 0 `CLEAR` | no | no |
//!   | 1 `WOKEN` | yes | maybe still, its wake is under way |
//!   | 2 `ASLEEP` | no | yes |
//!
//! - N2. At most one thread sleeps on a note at a time.
//! - N3. `clear` is called by the sleeper, before it makes itself findable for those who may wake it.
//! - N4. `wake` may touch the futex address after the sleeper has gone on, but only its address: a note may be freed
//!   by its sleeper right after `sleep` returned.
//!
//! **Locks.** None.
//!
//! **Go:** `lock_futex.go` (`notesleep`, `notewakeup`). Two wake-ups are an error there; here the second does nothing.

use crate::base::shim::{AtomicU32, Ordering};
use crate::os;

const CLEAR: u32 = 0;
const WOKEN: u32 = 1;
const ASLEEP: u32 = 2;

/// A one-shot wake-up.
#[derive(Debug)]
pub(crate) struct Note {
    word: AtomicU32,
}

impl Note {
    /// Makes a note that nobody has woken.
    pub(crate) const fn new() -> Self {
        Self { word: AtomicU32::new(CLEAR) }
    }

    /// Forgets an earlier wake (N3).
    #[inline]
    pub(crate) fn clear(&self) {
        // Relaxed: whatever makes the sleeper findable afterwards orders this store before a wake.
        self.word.store(CLEAR, Ordering::Relaxed);
    }

    /// Wakes the sleeper, or the one that comes; more wakes change nothing.
    #[inline]
    pub(crate) fn wake(&self) {
        // Release: pairs with the Acquires in `is_woken` and `sleep_until`.
        if self.word.swap(WOKEN, Ordering::Release) == ASLEEP {
            os::futex_wake(&self.word, 1);
        }
    }

    /// Sleeps until the note is woken; returns at once if it is already.
    #[inline]
    pub(crate) fn sleep(&self) {
        if !self.is_woken() {
            self.sleep_until(None);
        }
    }

    /// Sleeps until the note is woken or `ns` nanoseconds are over; `false` means the time ran out.
    ///
    /// With zero or less it only looks.
    #[inline]
    pub(crate) fn sleep_for(&self, ns: i64) -> bool {
        if self.is_woken() {
            return true;
        }
        ns > 0 && self.sleep_until(Some(os::nanotime().saturating_add(ns)))
    }

    /// Reports whether the note is woken.
    #[inline]
    pub(crate) fn is_woken(&self) -> bool {
        // Acquire: pairs with the Release in `wake`.
        self.word.load(Ordering::Acquire) == WOKEN
    }

    /// Announces the sleeper and sleeps until the note is woken or the clock reaches `deadline`.
    #[cold]
    fn sleep_until(&self, deadline: Option<i64>) -> bool {
        // Acquire on failure: pairs with the Release in `wake`, which is what made it fail.
        if self.word.compare_exchange(CLEAR, ASLEEP, Ordering::Relaxed, Ordering::Acquire).is_err() {
            return true;
        }
        loop {
            let left = deadline.map(|deadline| deadline - os::nanotime());
            if left.is_some_and(|left| left <= 0) {
                // Acquire on failure: pairs with the Release in `wake`, which came at the last moment.
                return self.word.compare_exchange(ASLEEP, CLEAR, Ordering::Relaxed, Ordering::Acquire).is_err();
            }
            os::futex_wait(&self.word, ASLEEP, left);
            if self.is_woken() {
                return true;
            }
        }
    }
}

impl Default for Note {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn a_wake_before_the_sleep_is_kept() {
        let note = Note::new();
        note.wake();
        note.wake();
        note.sleep();
        assert!(note.sleep_for(0));
        note.clear();
        assert!(!note.sleep_for(0));
    }

    #[test]
    fn a_sleep_that_times_out_lasts_its_time_and_leaves_the_note_clear() {
        let (note, start) = (Note::new(), os::nanotime());
        assert!(!note.sleep_for(2_000_000));
        assert!(os::nanotime() - start >= 2_000_000);
        assert_eq!(note.word.load(Ordering::Relaxed), CLEAR);
        assert!(!note.sleep_for(-1));
    }

    #[test]
    fn two_threads_wake_each_other_many_times() {
        let notes = Arc::new([Note::new(), Note::new()]);
        let play = |notes: &[Note; 2], mine: usize| {
            for _ in 0..20_000 {
                notes[mine].sleep();
                notes[mine].clear();
                notes[1 - mine].wake();
            }
        };
        let other = thread::spawn({
            let notes = Arc::clone(&notes);
            move || play(&notes, 1)
        });
        notes[0].wake();
        play(&notes, 0);
        other.join().expect("the other player ends");
    }

    #[test]
    fn a_thread_that_sleeps_is_woken() {
        for timed in [false, true] {
            let note = Arc::new(Note::new());
            let sleeper = thread::spawn({
                let note = Arc::clone(&note);
                move || if timed { note.sleep_for(i64::MAX) } else { note.sleep_until(None) }
            });
            while note.word.load(Ordering::Relaxed) != ASLEEP {
                os::yield_cpu();
            }
            note.wake();
            assert!(sleeper.join().expect("the sleeper ends"));
        }
    }
}
