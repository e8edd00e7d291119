//! Models of the note: a wake is never lost, and what was written before it is seen after it.
//!
//! *What.* The waker writes a cell, the sleeper reads it; a lost wake-up is a deadlock, a missing ordering a race.
//!
//! *Why here.* `base::note` is what idle Ms sleep on.
//!
//! *Invariants.* N1 to N3 of `base::note`.
//!
//! *Locks.* None.
//!
//! *Go:* none.

use loom::cell::UnsafeCell;
use loom::sync::{Arc, Mutex};
use loom::thread;

use crate::base::note::Note;
use crate::explore;

/// A note and what its waker hands over.
struct Mail {
    note: Note,
    content: UnsafeCell<u32>,
}

impl Mail {
    fn new() -> Arc<Mail> {
        let note = Note::new();
        // Loom gets to know the word (H1 of the shim).
        note.clear();
        Arc::new(Mail { note, content: UnsafeCell::new(0) })
    }

    fn send(&self) {
        // SAFETY: the sleeper reads only after the wake; loom checks it.
        self.content.with_mut(|content| unsafe { *content += 1 });
        self.note.wake();
    }

    fn read(&self) -> u32 {
        // SAFETY: as in `send`.
        self.content.with(|content| unsafe { *content })
    }
}

/// Fails with Relaxed in `wake`, in `is_woken` or on the failed CAS of `sleep_until`, and without the futex wake.
#[test]
fn a_wake_before_during_or_after_the_fall_asleep_ends_the_sleep() {
    explore(|| {
        let mail = Mail::new();
        let sender = Arc::clone(&mail);
        let sender = thread::spawn(move || sender.send());
        mail.note.sleep();
        assert_eq!(mail.read(), 1);
        sender.join().unwrap();
    });
}

#[test]
fn two_wakes_are_one() {
    explore(|| {
        let mail = Mail::new();
        let wakers = [(); 2].map(|()| {
            let mail = Arc::clone(&mail);
            thread::spawn(move || mail.note.wake())
        });
        mail.note.sleep();
        for waker in wakers {
            waker.join().unwrap();
        }
        // Still woken: nobody has cleared it.
        mail.note.sleep();
    });
}

/// Fails if `ASLEEP` or, after the time, `CLEAR` is stored without a CAS, so that a wake at the last moment is
/// overlooked.
#[test]
fn a_timed_sleep_that_reports_a_wake_has_seen_it() {
    explore(|| {
        let mail = Mail::new();
        let sender = Arc::clone(&mail);
        let sender = thread::spawn(move || sender.send());
        if mail.note.sleep_for(5) {
            assert_eq!(mail.read(), 1);
        } else {
            // The wake is kept for the next sleep.
            mail.note.sleep();
            assert_eq!(mail.read(), 1);
        }
        sender.join().unwrap();
    });
}

/// An idle M's two naps: cleared before it is findable (N3), each wake belongs to one of them.
#[test]
fn a_cleared_note_sleeps_again() {
    explore(|| {
        let mail = Mail::new();
        let idle = Arc::new(Mutex::new(0));
        let (waker, list) = (Arc::clone(&mail), Arc::clone(&idle));
        let waker = thread::spawn(move || {
            let mut woken = 0;
            // The list says who may be woken; a look that comes too early finds nobody.
            for _ in 0..2 {
                let mut sleepers = list.lock().unwrap();
                if *sleepers > 0 {
                    *sleepers -= 1;
                    drop(sleepers);
                    waker.send();
                    woken += 1;
                }
            }
            woken
        });
        let mut slept = 0;
        for _ in 0..2 {
            mail.note.clear();
            *idle.lock().unwrap() += 1;
            if !mail.note.sleep_for(1) {
                let mut sleepers = idle.lock().unwrap();
                if *sleepers > 0 {
                    *sleepers -= 1;
                    continue;
                }
                drop(sleepers);
                // Somebody has taken us off the list and is about to wake us.
                mail.note.sleep();
            }
            slept += 1;
            assert_eq!(mail.read(), slept);
        }
        assert_eq!(waker.join().unwrap(), slept);
    });
}
