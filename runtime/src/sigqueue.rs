//! The words between signal handlers and whoever delivers: what is wanted, what has come.
//!
//! *Why here.* Floor 1: words only. `sysmon` looks at them, `signal` changes them, handlers note in them. Modelled in `tests/models`.
//!
//! A handler may run on any thread at any moment, so it only sets a bit; a signal that comes again before it was taken is one signal, as in
//! the kernel's own set.
//!
//! *Invariants.* SQ1. What `note` has accepted is in `pending` when a `forget` of that signal returns, or was taken before. SQ2. After a `forget`
//! has returned no handler accepts the signal, until it is wanted again. SQ3. What a handler does not accept it has to treat as if nobody had
//! ever wanted it.
//!
//! *Locks.* None here; `want`, `forget` and `take` are called under the lock of `signal::table`.
//!
//! *Go:* sigqueue.go (`sigsend`, `signal_recv`, `signalWaitUntilIdle`).

use crate::base::shim::{AtomicUsize, Ordering, backoff, fence};

/// A set of signals: signal n is bit n - 1.
pub(crate) type Mask = usize;

/// The bit of a signal from 1 to 64.
pub(crate) const fn bit(signal: i32) -> Mask {
    1 << (signal - 1)
}

/// The signals of a set.
pub(crate) fn signals(mask: Mask) -> impl Iterator<Item = i32> {
    (1..=Mask::BITS.cast_signed()).filter(move |&signal| mask & bit(signal) != 0)
}

/// See the head.
#[derive(Debug)]
pub(crate) struct SigQueue {
    /// What somebody listens for.
    wanted: AtomicUsize,
    /// What has come and was not taken.
    pending: AtomicUsize,
    /// Handlers between their look at `wanted` and their mark in `pending`.
    noting: AtomicUsize,
}

/// The process's.
pub(crate) static QUEUE: SigQueue = SigQueue::new();

impl SigQueue {
    pub(crate) const fn new() -> SigQueue {
        SigQueue { wanted: AtomicUsize::new(0), pending: AtomicUsize::new(0), noting: AtomicUsize::new(0) }
    }

    /// In a handler: marks a signal that somebody listens for. False if nobody does (SQ3).
    #[must_use]
    pub(crate) fn note(&self, bit: Mask) -> bool {
        self.noting.fetch_add(1, Ordering::Relaxed);
        // SeqCst, a StoreLoad: `noting`, then `wanted`; pairs with the opposite order in `forget`: it waits for this handler, or this handler
        // sees that nobody wants the signal any more.
        fence(Ordering::SeqCst);
        let wanted = self.wanted.load(Ordering::Relaxed) & bit != 0;
        if wanted {
            // Release: pairs with the Acquire in `take`.
            self.pending.fetch_or(bit, Ordering::Release);
        }
        // Release: pairs with the Acquire in `forget`, which then finds the mark.
        self.noting.fetch_sub(1, Ordering::Release);
        wanted
    }

    /// From here on handlers accept these signals.
    pub(crate) fn want(&self, mask: Mask) {
        // Release: pairs with nothing that handlers read; what orders them is the change of the disposition that follows.
        self.wanted.fetch_or(mask, Ordering::Release);
    }

    /// Has handlers refuse these signals (SQ2); waits for those that are about to accept one, which takes moments.
    pub(crate) fn forget(&self, mask: Mask) {
        self.wanted.fetch_and(!mask, Ordering::Relaxed);
        // SeqCst: the other half of the StoreLoad in `note`.
        fence(Ordering::SeqCst);
        let mut rounds = 0;
        // Acquire: pairs with the Release in `note` (SQ1).
        while self.noting.load(Ordering::Acquire) != 0 {
            backoff(&mut rounds);
        }
    }

    /// Takes all that has come.
    pub(crate) fn take(&self) -> Mask {
        // Acquire: pairs with the Release in `note`.
        self.pending.swap(0, Ordering::Acquire)
    }

    /// In a handler: takes a mark back that nobody has taken.
    pub(crate) fn take_back(&self, bit: Mask) {
        self.pending.fetch_and(!bit, Ordering::Relaxed);
    }

    /// Whether anything has come.
    pub(crate) fn has_pending(&self) -> bool {
        self.pending.load(Ordering::Relaxed) != 0
    }

    /// Whether handlers accept a signal.
    pub(crate) fn is_wanted(&self, bit: Mask) -> bool {
        self.wanted.load(Ordering::Relaxed) & bit != 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_set_knows_its_signals() {
        let mask = bit(1) | bit(15) | bit(64);
        assert_eq!(signals(mask).collect::<Vec<_>>(), [1, 15, 64]);
        assert_eq!(signals(Mask::MAX).count(), 64);
        assert_eq!(signals(0).count(), 0);
    }

    #[test]
    fn only_what_is_wanted_is_noted_and_once() {
        let queue = SigQueue::new();
        assert!(!queue.note(bit(2)));
        queue.want(bit(2) | bit(15));
        assert!(queue.note(bit(2)) && queue.note(bit(2)) && !queue.note(bit(3)));
        assert!(queue.has_pending());
        assert_eq!((queue.take(), queue.take()), (bit(2), 0));
        queue.forget(bit(2));
        assert!(!queue.note(bit(2)) && queue.note(bit(15)) && !queue.is_wanted(bit(2)));
    }
}
