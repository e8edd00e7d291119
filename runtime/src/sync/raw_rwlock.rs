//! The reader-writer lock without its value.
//!
//! *Why here.* Floor 7, under `RwLock`: the waiting that `rw_word` asks for.
//!
//! A read lock and unlock are one addition each and do not enter the runtime while there is no writer. A writer takes the writers' mutex, which is as fair
//! as every mutex, then the word.
//!
//! *Invariants.* RW1-RW3. RX1. `readers` and `writer` hold a wake-up only for one that the word has counted and that is on its way to sleep.
//! RX2. A goexit is raised before anything is counted, never between.
//!
//! *Locks.* Those of the semaphores, rank 1, one at a time.
//!
//! *Go:* `RWMutex`.

use core::panic::Location;

use crate::base::throw::fatal;
use crate::gmp::WaitReason;
use crate::proc::park::check_goexit;
use crate::sync::queue::Wait;
use crate::sync::raw_mutex::RawMutex;
use crate::sync::readers::Readers;
use crate::sync::rw_word::{Left, RwWord, Wanted};
use crate::sync::sema::Sema;

/// A reader-writer lock over nothing.
#[derive(Debug)]
pub(super) struct RawRwLock {
    word: RwWord,
    writers: RawMutex,
    /// Readers sleep here until a writer leaves.
    readers: Sema,
    /// The writer sleeps here until the last reader leaves.
    writer: Sema,
    /// For the report of a goroutine that waits for itself.
    known: Readers,
}

impl RawRwLock {
    /// Free.
    pub(super) const fn new() -> RawRwLock {
        let (readers, writer) = (Sema::new(), Sema::new());
        RawRwLock { word: RwWord::new(), writers: RawMutex::new(), readers, writer, known: Readers::new() }
    }

    /// Takes it as a reader.
    #[inline(always)]
    #[track_caller]
    pub(super) fn read(&self) {
        if self.word.has_writer() {
            check_goexit();
        }
        let wanted = self.word.share();
        if wanted != Wanted::Has {
            self.read_slow(wanted, Location::caller());
        }
        self.known.enter();
    }

    #[cold]
    #[track_caller]
    fn read_slow(&self, wanted: Wanted, at: &'static Location<'static>) {
        assert!(wanted != Wanted::TooMany, "too many active read locks on RwLock");
        self.known.report_waiting("read", at);
        // It ends by a wake-up only.
        let _ = self.readers.acquire(&Wait::new(WaitReason::RwLockRead, at));
    }

    /// Takes it as a reader if there is no writer.
    #[inline]
    pub(super) fn try_read(&self) -> bool {
        let has = self.word.try_share();
        if has {
            self.known.enter();
        }
        has
    }

    /// Gives it back.
    #[inline(always)]
    pub(super) fn unlock_read(&self) {
        self.known.leave();
        match self.word.unshare() {
            Left::Quiet => {}
            Left::WakeWriter => self.writer.release(1),
            Left::Misuse => fatal("sync: RUnlock of unlocked RWMutex"),
        }
    }

    /// Takes it as a writer.
    #[inline]
    #[track_caller]
    pub(super) fn write(&self) {
        let at = Location::caller();
        if self.word.is_taken() {
            check_goexit();
            self.known.report_waiting("write", at);
        }
        self.writers.lock(WaitReason::RwLockWrite, at);
        if self.word.claim() != Wanted::Has {
            // It ends by a wake-up only.
            let _ = self.writer.acquire(&Wait::new(WaitReason::RwLockWrite, at));
        }
    }

    /// Takes it as a writer if nobody has it.
    #[inline]
    pub(super) fn try_write(&self) -> bool {
        if !self.writers.try_lock() {
            return false;
        }
        let has = self.word.try_claim();
        if !has {
            self.writers.unlock();
        }
        has
    }

    /// Gives it back: first to the readers that have come meanwhile, then to the next writer.
    #[inline]
    pub(super) fn unlock_write(&self) {
        let Some(readers) = self.word.release() else { fatal("sync: Unlock of unlocked RWMutex") };
        self.leave(readers);
    }

    /// Keeps it as a reader, with those that have come meanwhile.
    pub(super) fn downgrade(&self) {
        self.known.enter();
        let readers = self.word.downgrade();
        self.leave(readers);
    }

    #[inline(always)]
    fn leave(&self, readers: u32) {
        if readers != 0 {
            self.readers.release(readers);
        }
        self.writers.unlock();
    }
}
