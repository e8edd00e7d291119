//! The word that a goroutine and its handle share: who waits, who drops the result, who recycles the G.
//!
//! *Why here.* Floor 3: a word with its transitions. What follows from them is in `task::join`, `task::finish` and `proc::execute`.
//!
//! The word holds flags and an address:
//!
//! | bit         | set by                         | means                                             |
//! |-------------|--------------------------------|---------------------------------------------------|
//! | `DONE`      | the goroutine, in user mode    | the result is in the slot                         |
//! | `NO_HANDLE` | the handle, when it is let go  | nobody will take the result, or it was taken      |
//! | `GONE`      | g0, after the last switch      | the stack is free: the G is the handle's          |
//! | `CLAIM`     | the joiner, with its address   | others may ready the joiner, too: claim it first  |
//! | `PASSED`    | the goroutine, after DONE      | it is done with a joiner that had to be claimed   |
//! | `TASK`      | the handle, when it is polled  | the rest is what a task has left (see `task::join_task`) |
//! | `TAKEN`     | the handle, in a poll          | the result was given out, and the handle is still there |
//! | the rest    | the joiner, by its park's commit | the G to ready when DONE is set                  |
//!
//! *Invariants.* J1. Of DONE and NO_HANDLE the second to come drops the result; of GONE and NO_HANDLE the second recycles the G. J3. A joiner with a limit
//! goes on only when nobody can claim it for this join any more: its address was taken out of the word before DONE, or PASSED is there.
//!
//! *Locks.* None.
//!
//! *Go:* none.

use crate::base::shim::{AtomicUsize, Ordering, backoff};

const DONE: usize = 1;
/// There is no handle, or no longer.
pub(crate) const NO_HANDLE: usize = 2;
const GONE: usize = 4;
/// The waiter may be readied by others, too, so it has to be claimed.
pub(crate) const CLAIM: usize = 8;
const PASSED: usize = 16;
/// The address is not that of a G but of what a task has left.
pub(crate) const TASK: usize = 32;
const TAKEN: usize = 64;
/// The bits that are not the waiter's address.
pub(crate) const JOIN_FLAGS: usize = 0xff;

/// See the head. All-zero: the goroutine has a handle, on which nobody waits.
#[derive(Debug, Default)]
#[repr(transparent)]
pub(crate) struct JoinWord(AtomicUsize);

/// What was in the word when the goroutine ended.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub(crate) struct AtEnd(usize);

impl AtEnd {
    /// Whether the result is the goroutine's to drop.
    pub(crate) fn has_no_handle(self) -> bool {
        self.0 & NO_HANDLE != 0
    }

    /// Whether the address is what a task has left.
    pub(crate) fn is_task(self) -> bool {
        self.0 & TASK != 0
    }

    /// Whether the waiter has to be claimed; the goroutine then says [`JoinWord::pass`].
    pub(crate) fn must_claim(self) -> bool {
        self.0 & CLAIM != 0
    }

    /// Who waits, or what a task has left; 0 for nobody.
    pub(crate) fn address(self) -> usize {
        self.0 & !JOIN_FLAGS
    }
}

/// What a handle that is dropped finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Detached {
    /// The goroutine has not ended: it drops the result.
    Early,
    /// It has ended: the result is the handle's to drop, which then lets go.
    Late,
    /// The same, and the result was given out before.
    Empty,
}

impl JoinWord {
    /// The goroutine's next life: 0 with a handle, `NO_HANDLE` without. Nobody else knows it yet.
    #[inline(always)]
    pub(crate) fn reset(&self, word: usize) {
        self.0.store(word, Ordering::Relaxed);
    }

    /// Whether the goroutine has ended.
    #[inline(always)]
    pub(crate) fn is_done(&self) -> bool {
        // Acquire: pairs with the goroutine's DONE: the result is visible with it.
        self.0.load(Ordering::Acquire) & DONE != 0
    }

    /// Leaves an address for the end, with its kind: 0, `CLAIM` or `TASK`. False: the goroutine has ended.
    #[inline]
    pub(crate) fn announce(&self, address: usize, kind: usize) -> bool {
        // AcqRel: pairs with the same in `finish`: either it sees the address or we see DONE.
        let announced = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
            (word & DONE == 0).then_some(word & JOIN_FLAGS | kind | address)
        });
        announced.is_ok()
    }

    /// Takes a task's address out. False: the goroutine has it.
    pub(crate) fn withdraw_task(&self) -> bool {
        // AcqRel: as in `announce`.
        let withdrawn = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
            (word & DONE == 0).then_some(word & JOIN_FLAGS & !TASK)
        });
        withdrawn.is_ok()
    }

    /// Takes the joiner out that has waited in vain, or waits until the goroutine is done with it (J3).
    pub(crate) fn leave(&self) {
        // AcqRel: as in `announce`.
        let left = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
            (word & DONE == 0).then_some(word & JOIN_FLAGS & !CLAIM)
        });
        if left.is_err_and(|word| word & CLAIM != 0) {
            let mut rounds = 0;
            // Acquire: pairs with the Release in `pass`, which comes right after DONE.
            while self.0.load(Ordering::Acquire) & PASSED == 0 {
                backoff(&mut rounds);
            }
        }
    }

    /// Takes one waiter out for whom nothing will come; true gives the duty to ready it.
    pub(crate) fn give_up(&self, waiter: usize) -> bool {
        // AcqRel: pairs with `announce` and with `finish`: one of the three takes the waiter out.
        let taken = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
            (word & DONE == 0 && word & !JOIN_FLAGS == waiter).then_some(word & JOIN_FLAGS)
        });
        taken.is_ok()
    }

    /// The goroutine has ended, and the result is in the slot.
    #[inline(always)]
    pub(crate) fn finish(&self) -> AtEnd {
        // AcqRel: Release publishes the result to the joiner's Acquire; Acquire sees a handle that was let go, and the waiter behind the address.
        AtEnd(self.0.fetch_or(DONE, Ordering::AcqRel))
    }

    /// The goroutine is done with a waiter that had to be claimed.
    pub(crate) fn pass(&self) {
        // Release: pairs with the Acquire in `leave`: the waiter's word is not touched after this.
        self.0.fetch_or(PASSED, Ordering::Release);
    }

    /// The handle is dropped.
    #[inline]
    pub(crate) fn detach(&self) -> Detached {
        // AcqRel: J1. NO_HANDLE is set here only while DONE is not, so the goroutine will see it and drop the result.
        let detached = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| (word & DONE == 0).then_some(word | NO_HANDLE));
        match detached {
            Ok(_) => Detached::Early,
            Err(word) if word & TAKEN != 0 => Detached::Empty,
            Err(_) => Detached::Late,
        }
    }

    /// The handle lets go of a goroutine that has ended, and whose result was taken. True: the G is its to recycle.
    #[inline(always)]
    #[must_use]
    pub(crate) fn let_go(&self) -> bool {
        // AcqRel: J1; pairs with the same in `gone`.
        self.0.fetch_or(NO_HANDLE, Ordering::AcqRel) & GONE != 0
    }

    /// The goroutine is off its stack. True: the G is the caller's to recycle.
    #[inline(always)]
    #[must_use]
    pub(crate) fn gone(&self) -> bool {
        // Acquire: pairs with the Release of whoever let the handle go, and has read the result before.
        self.0.load(Ordering::Acquire) & NO_HANDLE != 0
            // AcqRel: pairs with the same in `let_go`: exactly one of the two sees the other's bit.
            || self.0.fetch_or(GONE, Ordering::AcqRel) & NO_HANDLE != 0
    }

    /// A poll has given the result out.
    pub(crate) fn set_taken(&self) {
        self.0.fetch_or(TAKEN, Ordering::Relaxed);
    }

    /// Whether the result was given out; for the handle.
    #[inline]
    pub(crate) fn is_taken(&self) -> bool {
        self.0.load(Ordering::Relaxed) & TAKEN != 0
    }
}
