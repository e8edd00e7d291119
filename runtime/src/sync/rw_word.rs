//! The state of a reader-writer lock: who has it, and who is to be woken by whom.
//!
//! *Why here.* Floor 7, under `raw_rwlock`, which does the waiting. The models run this file as it is, with loom's atomics.
//!
//! Writers exclude each other before they come here, so that there is one at most. `word`:
//!
//! | `WRITER` | readers | meaning                                                                                            |
//! |----------|---------|----------------------------------------------------------------------------------------------------|
//! | 0        | n       | n readers have the lock; 0: it is free                                                             |
//! | 1        | n       | a writer has it or waits for it; of the n readers, those who came before it have it, the others wait |
//!
//! The writer counts the readers that it found into `departing`; each of them, leaving, counts itself out, and the one that makes it zero wakes the
//! writer. Readers may count themselves out before the writer has counted them in: then it is below zero for a moment, and whoever completes the sum
//! sees the zero.
//!
//! *Invariants.* RW1. Readers that come while WRITER is set wait until the writer leaves, which wakes all that it finds: so no writer waits for a reader
//! that came later, and no reader for a second writer. RW2. Of the writer and the readers that it found, exactly one sees `departing` become zero by
//! its own change. RW3. WRITER is set and cleared by the holder of the writers' mutex only.
//!
//! *Locks.* None.
//!
//! *Go:* `readerCount` and `readerWait` of rwmutex.go.

use crate::base::shim::{AtomicU32, Ordering};

const WRITER: u32 = 1 << 31;
/// More readers can only be leaked ones.
const MOST_READERS: u32 = 1 << 30;

/// The state.
#[derive(Debug)]
pub(crate) struct RwWord {
    word: AtomicU32,
    /// Readers that the writer still waits for, modulo 2³².
    departing: AtomicU32,
}

/// What has come of wanting the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Wanted {
    /// The caller has it.
    Has,
    /// The caller is counted, and has it when somebody wakes it.
    MustWait,
    /// There are too many readers; nothing has changed.
    TooMany,
}

/// What a reader leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Left {
    /// Nobody needs to be woken.
    Quiet,
    /// It was the last that the writer waits for: the caller wakes the writer.
    WakeWriter,
    /// There was no reader.
    Misuse,
}

impl RwWord {
    /// Free.
    pub(crate) const fn new() -> RwWord {
        RwWord { word: AtomicU32::new(0), departing: AtomicU32::new(0) }
    }

    /// Whether a reader would wait, at this moment.
    #[inline]
    pub(crate) fn has_writer(&self) -> bool {
        self.word.load(Ordering::Relaxed) & WRITER != 0
    }

    /// Whether a writer would wait, at this moment.
    #[inline]
    pub(crate) fn is_taken(&self) -> bool {
        self.word.load(Ordering::Relaxed) != 0
    }

    /// One more reader.
    #[inline]
    pub(crate) fn share(&self) -> Wanted {
        // Acquire: pairs with the Release of the writer before, in `release` and `downgrade`.
        let before = self.word.fetch_add(1, Ordering::Acquire);
        if before < MOST_READERS {
            return Wanted::Has;
        }
        if before & !WRITER < MOST_READERS {
            return Wanted::MustWait;
        }
        self.word.fetch_sub(1, Ordering::Relaxed);
        Wanted::TooMany
    }

    /// One more reader, if there is no writer; false if there is.
    #[inline]
    pub(crate) fn try_share(&self) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        while word < MOST_READERS {
            // Acquire: as in `share`.
            match self.word.compare_exchange(word, word + 1, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(seen) => word = seen,
            }
        }
        false
    }

    /// One reader less.
    #[inline]
    pub(crate) fn unshare(&self) -> Left {
        // Release: pairs with the Acquire in `claim` and `try_claim`; later readers continue the sequence with their own changes.
        let before = self.word.fetch_sub(1, Ordering::Release);
        if before & !WRITER == 0 {
            return Left::Misuse;
        }
        if before & WRITER == 0 {
            return Left::Quiet;
        }
        // AcqRel: Release gives what this reader has done to the one that sees the zero; Acquire gathers it there, to be handed to the writer.
        if self.departing.fetch_sub(1, Ordering::AcqRel) == 1 { Left::WakeWriter } else { Left::Quiet }
    }

    /// The holder of the writers' mutex wants the lock; from now on, readers wait.
    #[inline]
    pub(crate) fn claim(&self) -> Wanted {
        // Acquire: pairs with the Release in `unshare` of those who have left before.
        let readers = self.word.fetch_or(WRITER, Ordering::Acquire);
        if readers == 0 {
            return Wanted::Has;
        }
        // AcqRel: as in `unshare`.
        let before = self.departing.fetch_add(readers, Ordering::AcqRel);
        if before.wrapping_add(readers) == 0 { Wanted::Has } else { Wanted::MustWait }
    }

    /// The holder of the writers' mutex takes the lock if nobody has it.
    #[inline]
    pub(crate) fn try_claim(&self) -> bool {
        // Acquire: as in `claim`.
        self.word.compare_exchange(0, WRITER, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// The writer lets go; so many readers have come meanwhile and have the lock when the caller has woken them. None: there was no writer.
    #[inline]
    pub(crate) fn release(&self) -> Option<u32> {
        // Release: pairs with the Acquire of the next reader or writer.
        let before = self.word.fetch_and(!WRITER, Ordering::Release);
        (before & WRITER != 0).then_some(before & !WRITER)
    }

    /// The writer becomes a reader; so many others have the lock when the caller has woken them.
    #[inline]
    pub(crate) fn downgrade(&self) -> u32 {
        // The sum clears WRITER, which is the highest bit, and counts the caller in one step. Release: as in `release`.
        self.word.fetch_add(WRITER + 1, Ordering::Release) & !WRITER
    }
}
