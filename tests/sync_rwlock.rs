//! What `RwLock` promises beyond std: writers before readers, and nobody starves.
//!
//! Why here: from outside, with goroutines and plain threads. What it shares with std's is in `sync_std.rs`.
//!
//! *Invariants*: T1 and T2 of `common/procs`.
//!
//! *Locks*: none.
//!
//! *Go:* rwmutex_test.go.

#[path = "common/procs.rs"]
mod procs;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::thread;

use goruntime::channel::bounded;
use goruntime::runtime::{goexit, yield_now};
use goruntime::sync::{Arc, RwLock, RwLockWriteGuard, TryLockError};
use goruntime::{go, spawn};

use self::procs::{settle, with_procs};

/// Readers come in at once: each waits for all others while it has the lock.
#[test]
fn readers_are_inside_together() {
    for procs in [1, 2, 4] {
        with_procs(procs, || {
            let lock = Arc::new(RwLock::new(()));
            let (inside_tx, inside) = bounded(0);
            let (leave, leave_rx) = bounded::<()>(0);
            let readers: Vec<_> = (0..6)
                .map(|id| {
                    let (lock, inside, leave) = (lock.clone(), inside_tx.clone(), leave_rx.clone());
                    let read = move || {
                        let _guard = lock.read().unwrap();
                        inside.send(()).unwrap();
                        assert!(leave.recv().is_err());
                    };
                    if id == 0 { Err(thread::spawn(read)) } else { Ok(spawn(read)) }
                })
                .collect();
            (0..6).for_each(|_| inside.recv().unwrap());
            assert!(lock.try_read().is_ok() && lock.try_write().is_err());
            drop(leave);
            for reader in readers {
                match reader {
                    Ok(goroutine) => goroutine.join().unwrap(),
                    Err(thread) => thread.join().unwrap(),
                }
            }
            assert!(lock.try_write().is_ok());
        });
    }
}

#[test]
fn a_waiting_writer_goes_before_later_readers_and_they_before_the_next_writer() {
    with_procs(1, || {
        let (lock, log) = (Arc::new(RwLock::new(())), Arc::new(std::sync::Mutex::new(Vec::new())));
        let first = lock.read().unwrap();
        let mut all = Vec::new();
        for (name, writes) in [("writer 1", true), ("reader 1", false), ("writer 2", true), ("reader 2", false)] {
            let (lock, log) = (lock.clone(), log.clone());
            all.push(spawn(move || {
                let (_reads, _writes);
                if writes {
                    _writes = lock.write().unwrap();
                } else {
                    _reads = lock.read().unwrap();
                }
                log.lock().unwrap().push(name);
                yield_now();
            }));
            settle();
        }
        assert!(matches!(lock.try_read(), Err(TryLockError::WouldBlock)), "a reader overtakes a writer");
        assert!(log.lock().unwrap().is_empty());
        drop(first);
        all.into_iter().for_each(|one| one.join().unwrap());
        let log = log.lock().unwrap();
        assert_eq!((log[0], log[3]), ("writer 1", "writer 2"), "{log:?}");
    });
}

/// Readers that overlap without end do not keep a writer out, nor writers a reader.
#[test]
fn neither_side_starves() {
    for procs in [1, 2, 4] {
        for hogs_write in [false, true] {
            with_procs(procs, move || {
                let (lock, is_over) = (Arc::new(RwLock::new(0)), Arc::new(AtomicBool::new(false)));
                let hogs: Vec<_> = (0..3)
                    .map(|_| {
                        let (lock, is_over) = (lock.clone(), is_over.clone());
                        spawn(move || {
                            while !is_over.load(Ordering::Relaxed) {
                                if hogs_write {
                                    *lock.write().unwrap() += 1;
                                } else {
                                    let _guard = lock.read().unwrap();
                                    yield_now();
                                }
                            }
                        })
                    })
                    .collect();
                yield_now();
                for _ in 0..20 {
                    if hogs_write {
                        assert!(*lock.read().unwrap() >= 0);
                    } else {
                        *lock.write().unwrap() += 1;
                    }
                    yield_now();
                }
                is_over.store(true, Ordering::Relaxed);
                hogs.into_iter().for_each(|hog| hog.join().unwrap());
            });
        }
    }
}

/// Go's hammer: readers count up by one, a writer by ten thousand.
#[test]
fn a_writer_is_alone() {
    for procs in [1, 2, 4] {
        with_procs(procs, || {
            let (lock, inside) = (Arc::new(RwLock::new(0_u64)), Arc::new(AtomicI64::new(0)));
            let mut threads = Vec::new();
            let (done, all_done) = bounded(0);
            for id in 0..8_u64 {
                let (lock, inside, done) = (lock.clone(), inside.clone(), done.clone());
                let work = move || {
                    for round in 0..2_000 {
                        if (round + id) % 5 == 0 {
                            let mut value = lock.write().unwrap();
                            assert_eq!(inside.fetch_add(10_000, Ordering::Relaxed), 0, "a writer met somebody");
                            *value += 1;
                            if round % 50 == 0 {
                                yield_now();
                            }
                            inside.fetch_sub(10_000, Ordering::Relaxed);
                        } else {
                            let value = lock.read().unwrap();
                            let seen = *value;
                            assert!(inside.fetch_add(1, Ordering::Relaxed) < 10_000, "a reader met a writer");
                            if round % 50 == 0 {
                                yield_now();
                            }
                            inside.fetch_sub(1, Ordering::Relaxed);
                            assert_eq!(*value, seen);
                        }
                    }
                    done.send(()).unwrap();
                };
                if id < 6 { go(work) } else { threads.push(thread::spawn(work)) }
            }
            (0..8).for_each(|_| all_done.recv().unwrap());
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(*lock.read().unwrap(), 8 * 400);
        });
    }
}

#[test]
fn a_downgraded_writer_lets_readers_in_and_keeps_writers_out() {
    with_procs(1, || {
        let (lock, reads) = (Arc::new(RwLock::new(1)), Arc::new(AtomicUsize::new(0)));
        let mut writer = lock.write().unwrap();
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let (lock, reads) = (lock.clone(), reads.clone());
                spawn(move || {
                    assert_eq!(*lock.read().unwrap(), 2);
                    reads.fetch_add(1, Ordering::Relaxed);
                })
            })
            .collect();
        let other = spawn({
            let lock = lock.clone();
            move || *lock.write().unwrap() = 3
        });
        settle();
        *writer = 2;
        let reader = RwLockWriteGuard::downgrade(writer);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        assert_eq!((*reader, reads.load(Ordering::Relaxed)), (2, 3));
        assert!(lock.try_write().is_err());
        drop(reader);
        other.join().unwrap();
        assert_eq!(*lock.read().unwrap(), 3);
    });
}

#[test]
fn a_writer_poisons_and_a_reader_or_a_goexit_does_not() {
    with_procs(1, || {
        let lock = Arc::new(RwLock::new(1));
        let ends = |writes: bool, end: fn()| {
            let lock = lock.clone();
            let ended = spawn(move || {
                let (_reads, _writes);
                if writes {
                    _writes = lock.write();
                } else {
                    _reads = lock.read();
                }
                end();
            });
            assert!(ended.join().is_err());
        };
        ends(true, || goexit());
        ends(false, || goexit());
        ends(false, || std::panic::resume_unwind(Box::new(())));
        assert!(!lock.is_poisoned() && lock.try_write().is_ok());
        ends(true, || std::panic::resume_unwind(Box::new(())));
        assert!(lock.is_poisoned());
        // A downgrade while its own panic unwinds poisons, too.
        lock.clear_poison();
        struct Downgrades<'a>(Option<RwLockWriteGuard<'a, i32>>);
        impl Drop for Downgrades<'_> {
            fn drop(&mut self) {
                self.0.take().map(RwLockWriteGuard::downgrade);
            }
        }
        let lock = &*lock;
        let downgraded = std::panic::catch_unwind(|| {
            let _downgrades = Downgrades(Some(lock.write().unwrap()));
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(downgraded.is_err() && lock.is_poisoned());
        assert!(matches!(lock.try_write(), Err(TryLockError::Poisoned(_))));
    });
}

#[test]
fn it_works_in_a_static_and_for_unsized_values() {
    static TABLE: RwLock<[i32; 2]> = RwLock::new([1, 2]);
    TABLE.write().unwrap()[0] = 3;
    let table: &RwLock<[i32]> = &TABLE;
    assert_eq!(*table.read().unwrap(), [3, 2]);
}

#[test]
fn a_reader_may_be_moved_to_another_thread_while_it_reads() {
    with_procs(4, || {
        let lock = Arc::new(RwLock::new(5));
        let readers: Vec<_> = (0..16)
            .map(|_| {
                let lock = lock.clone();
                spawn(move || {
                    for _ in 0..50 {
                        let guard = lock.read().unwrap();
                        (0..3).for_each(|_| yield_now());
                        assert_eq!(*guard, 5);
                    }
                })
            })
            .collect();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        assert!(lock.try_write().is_ok());
    });
}
