//! Models of the reader-writer lock's word: exclusion, no lost wake-up, and what one holder leaves behind for the next.
//!
//! *What.* The waiting that `raw_rwlock` does around the word, with a counting semaphore of a mutex and a condition variable in the place of `Sema`, and
//! loom's mutex in that of the writers'. The value is a cell: a writer beside anybody is a race.
//!
//! *Why here.* `sync::rw_word` is lock-free.
//!
//! *Invariants.* RW1 to RW3 of `sync::rw_word`.
//!
//! *Locks.* The writers' mutex, then a semaphore's.
//!
//! *Go:* none.

use loom::cell::UnsafeCell;
use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
use loom::thread;

use crate::explore;
use crate::sync::rw_word::{Left, RwWord, Wanted};

/// Wake-ups that came before their sleep.
#[derive(Default)]
struct Sema {
    permits: Mutex<u32>,
    released: Condvar,
}

impl Sema {
    fn acquire(&self) {
        let mut permits = self.permits.lock().unwrap();
        while *permits == 0 {
            permits = self.released.wait(permits).unwrap();
        }
        *permits -= 1;
    }

    fn release(&self, count: u32) {
        *self.permits.lock().unwrap() += count;
        self.released.notify_all();
    }
}

struct Lock {
    word: RwWord,
    writers: Mutex<()>,
    readers: Sema,
    writer: Sema,
    value: UnsafeCell<u32>,
}

// SAFETY: the cell is what the model is about; loom checks its accesses.
unsafe impl Sync for Lock {}

impl Lock {
    fn new() -> Arc<Lock> {
        let lock = Lock {
            word: RwWord::new(),
            writers: Mutex::new(()),
            readers: Sema::default(),
            writer: Sema::default(),
            value: UnsafeCell::new(0),
        };
        // Once for each word, see H1 of the shim: a reader and a writer that meet touch both.
        assert_eq!(lock.word.share(), Wanted::Has);
        assert_eq!(lock.word.claim(), Wanted::MustWait);
        assert_eq!(lock.word.unshare(), Left::WakeWriter);
        assert_eq!(lock.word.release(), Some(0));
        Arc::new(lock)
    }

    /// What the value is.
    fn get(&self) -> u32 {
        // SAFETY: as above.
        self.value.with(|value| unsafe { *value })
    }

    fn read(&self) -> u32 {
        match self.word.share() {
            Wanted::Has => {}
            Wanted::MustWait => self.readers.acquire(),
            Wanted::TooMany => unreachable!("there are few"),
        }
        let seen = self.get();
        self.unlock_read();
        seen
    }

    fn unlock_read(&self) {
        match self.word.unshare() {
            Left::Quiet => {}
            Left::WakeWriter => self.writer.release(1),
            Left::Misuse => unreachable!("there is a reader"),
        }
    }

    /// Adds one; the writers' mutex is still held.
    fn begin_write(&self) -> MutexGuard<'_, ()> {
        let writers = self.writers.lock().unwrap();
        if self.word.claim() != Wanted::Has {
            self.writer.acquire();
        }
        self.add_one();
        writers
    }

    fn add_one(&self) {
        // SAFETY: as above.
        self.value.with_mut(|value| unsafe { *value += 1 });
    }

    fn write(&self) {
        let writers = self.begin_write();
        self.end_write(writers);
    }

    fn end_write(&self, writers: MutexGuard<'_, ()>) {
        let readers = self.word.release().expect("there is a writer");
        if readers != 0 {
            self.readers.release(readers);
        }
        drop(writers);
    }

    fn write_then_read(&self) -> u32 {
        let writers = self.begin_write();
        let readers = self.word.downgrade();
        if readers != 0 {
            self.readers.release(readers);
        }
        drop(writers);
        let seen = self.get();
        self.unlock_read();
        seen
    }
}

/// Fails with Relaxed instead of Acquire in `share` or `claim`, or instead of Release in `unshare` or `release`; and if `claim` does not wait for the
/// readers that it found, or waits although they have left.
#[test]
fn two_readers_and_a_writer() {
    explore(|| {
        let lock = Lock::new();
        let readers = [(); 2].map(|()| {
            let lock = Arc::clone(&lock);
            thread::spawn(move || lock.read())
        });
        lock.write();
        for reader in readers {
            assert!(reader.join().unwrap() <= 1);
        }
        assert_eq!(lock.read(), 1);
    });
}

/// Fails if `release` does not say how many wait, and with Relaxed instead of AcqRel in either change of `departing`.
#[test]
fn two_writers_and_a_reader() {
    explore(|| {
        let lock = Lock::new();
        let writers = [(); 2].map(|()| {
            let lock = Arc::clone(&lock);
            thread::spawn(move || lock.write())
        });
        assert!(lock.read() <= 2);
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!(lock.read(), 2);
    });
}

/// Fails with Relaxed instead of Release in `downgrade`. (In two steps it would do as well, because the writers' mutex is still held.)
#[test]
fn a_downgraded_writer_reads_what_it_wrote() {
    explore(|| {
        let lock = Lock::new();
        let writer = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || lock.write())
        };
        let reader = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || lock.read())
        };
        let seen = lock.write_then_read();
        assert!((1..=2).contains(&seen));
        writer.join().unwrap();
        assert!(reader.join().unwrap() <= 2);
        assert_eq!(lock.read(), 2);
    });
}

/// Fails with Relaxed instead of Acquire in `try_share` or `try_claim`.
#[test]
fn those_who_try_are_as_exclusive() {
    explore(|| {
        let lock = Lock::new();
        let reader = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || {
                if lock.word.try_share() {
                    assert!(lock.get() <= 2);
                    lock.unlock_read();
                }
            })
        };
        let writer = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || lock.write())
        };
        let mut expected = 1;
        if let Ok(writers) = lock.writers.try_lock()
            && lock.word.try_claim()
        {
            expected = 2;
            lock.add_one();
            lock.end_write(writers);
        }
        reader.join().unwrap();
        writer.join().unwrap();
        assert_eq!(lock.read(), expected);
    });
}
