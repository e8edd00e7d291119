//! Locks of whole files.
//!
//! Why here: see `fs.rs`. *Invariants*: F1. *Locks*: none. *Go:* filelock_test.go.

use std::error::Error;
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use goruntime::fs::{self, File, TryLockError};
use goruntime::runtime::yield_now;
use goruntime::{go, spawn};

use crate::open::{Counts, Scratch, threads};
use crate::procs::with_procs;

/// A new file, opened twice: locks of the one exclude those of the other.
fn twice(path: &Path) -> (File, File) {
    (File::create_new(path).unwrap(), File::open(path).unwrap())
}

fn would_block(tried: Result<(), TryLockError>) -> bool {
    matches!(tried, Err(TryLockError::WouldBlock))
}

#[test]
fn an_exclusive_lock_excludes_all_others_until_it_is_given_back() {
    with_procs(1, || {
        let scratch = Scratch::new();
        let (one, two) = twice(&scratch.path("a"));
        one.lock().unwrap();
        assert!(would_block(two.try_lock()) && would_block(two.try_lock_shared()));
        one.unlock().unwrap();
        two.try_lock().unwrap();
        assert!(would_block(one.try_lock()) && would_block(one.try_lock_shared()));
        two.unlock().unwrap();
        // Nothing happens.
        two.unlock().unwrap();
    });
}

#[test]
fn a_shared_lock_excludes_exclusive_ones_only() {
    with_procs(1, || {
        let scratch = Scratch::new();
        let (one, two) = twice(&scratch.path("a"));
        let three = File::open(scratch.path("a")).unwrap();
        one.lock_shared().unwrap();
        two.try_lock_shared().unwrap();
        assert!(would_block(three.try_lock()));
        one.unlock().unwrap();
        assert!(would_block(three.try_lock()), "the other one has it still");
        two.unlock().unwrap();
        three.try_lock().unwrap();
    });
}

#[test]
fn a_lock_changes_its_kind() {
    with_procs(1, || {
        let scratch = Scratch::new();
        let (one, two) = twice(&scratch.path("a"));
        one.lock().unwrap();
        one.lock_shared().unwrap();
        two.try_lock_shared().unwrap();
        two.unlock().unwrap();
        one.lock().unwrap();
        assert!(would_block(two.try_lock_shared()));
    });
}

#[test]
fn the_last_handle_that_is_dropped_gives_the_lock_back() {
    with_procs(1, || {
        let counts = Counts::at_start();
        let scratch = Scratch::new();
        let (one, two) = twice(&scratch.path("a"));
        let clone = one.try_clone().unwrap();
        one.lock().unwrap();
        clone.try_lock().expect("a clone has the lock as well");
        drop(one);
        assert!(would_block(two.try_lock()));
        drop(clone);
        two.try_lock().unwrap();
        drop((two, scratch));
        counts.assert_restored();
    });
}

#[test]
fn a_pipe_that_the_poller_watches_is_locked_as_well() {
    with_procs(1, || {
        let scratch = Scratch::new();
        let path = scratch.fifo("pipe");
        let open = || File::options().read(true).write(true).open(&path).unwrap();
        let (one, two) = (open(), open());
        one.set_deadline(None).expect("it is watched");
        one.lock().unwrap();
        assert!(would_block(two.try_lock()));
        let waiting = spawn(move || two.lock());
        yield_now();
        drop(one);
        waiting.join().unwrap().unwrap();
    });
}

#[test]
fn what_the_system_says_is_an_error() {
    with_procs(1, || {
        let scratch = Scratch::new();
        fs::write(scratch.path("a"), "").unwrap();
        // Such a descriptor is good for next to nothing.
        let file = File::options().read(true).custom_flags(libc::O_PATH).open(scratch.path("a")).unwrap();
        let number = |result: io::Result<()>| result.unwrap_err().raw_os_error();
        assert_eq!(number(file.lock()), Some(libc::EBADF));
        assert_eq!(number(file.lock_shared()), Some(libc::EBADF));
        assert_eq!(number(file.unlock()), Some(libc::EBADF));
        assert_eq!(number(file.try_lock_shared().map_err(io::Error::from)), Some(libc::EBADF));
        match file.try_lock() {
            Err(TryLockError::Error(error)) => assert_eq!(error.raw_os_error(), Some(libc::EBADF)),
            other => panic!("{other:?}"),
        }
    });
}

/// Texts of Rust 1.95.
#[test]
fn errors_say_what_stds_say() {
    let failed = || TryLockError::Error(io::Error::from_raw_os_error(libc::EBADF));
    assert_eq!(failed().to_string(), "lock acquisition failed due to I/O error");
    assert_eq!(format!("{:?}", failed()), format!("{:?}", io::Error::from_raw_os_error(libc::EBADF)));
    assert_eq!(failed().source().expect("the system's error").to_string(), "Bad file descriptor (os error 9)");
    let refused = TryLockError::WouldBlock;
    assert_eq!(refused.to_string(), "lock acquisition failed because the operation would block");
    assert_eq!(format!("{refused:?}"), "\"WouldBlock\"");
    assert!(refused.source().is_none());
    assert_eq!(io::Error::from(refused).kind(), ErrorKind::WouldBlock);
}

#[test]
fn who_waits_for_a_lock_lets_others_run() {
    for (held, wanted) in [
        (File::lock as fn(&File) -> _, File::lock as fn(&File) -> _),
        (File::lock, File::lock_shared),
        (File::lock_shared, File::lock),
    ] {
        with_procs(1, || {
            let counts = Counts::at_start();
            let scratch = Scratch::new();
            let (one, two) = twice(&scratch.path("a"));
            held(&one).unwrap();
            let (asks, has) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
            let (asked, got) = (asks.clone(), has.clone());
            let waiting = spawn(move || {
                asked.store(true, Ordering::Relaxed);
                wanted(&two).unwrap();
                got.store(true, Ordering::Relaxed);
            });
            let turns = Arc::new(AtomicUsize::new(0));
            let other = turns.clone();
            go(move || {
                while other.fetch_add(1, Ordering::Relaxed) < 1_000 {
                    yield_now();
                }
            });
            // There are turns for these two only if the waiting one does not keep the only processor.
            while !asks.load(Ordering::Relaxed) || turns.load(Ordering::Relaxed) < 1_000 {
                yield_now();
            }
            assert!(!has.load(Ordering::Relaxed), "somebody else has the lock");
            one.unlock().unwrap();
            waiting.join().unwrap();
            assert!(has.load(Ordering::Relaxed));
            drop((one, scratch));
            counts.assert_restored();
        });
    }
}

#[test]
fn an_exclusive_lock_orders_those_who_change_a_file() {
    for procs in [1, 4] {
        with_procs(procs, || {
            let counts = Counts::at_start();
            let scratch = Scratch::new();
            fs::write(scratch.path("a"), [0]).unwrap();
            let before = threads();
            let writers: Vec<_> = (0..10)
                .map(|_| {
                    let path = scratch.path("a");
                    spawn(move || {
                        for _ in 0..20 {
                            let mut file = File::options().read(true).write(true).open(&path).unwrap();
                            file.lock().unwrap();
                            let mut number = [0];
                            file.read_exact(&mut number).unwrap();
                            yield_now();
                            file.rewind().unwrap();
                            file.write_all(&[number[0] + 1]).unwrap();
                        }
                    })
                })
                .collect();
            for writer in writers {
                writer.join().unwrap();
            }
            assert_eq!(fs::read(scratch.path("a")).unwrap(), [200]);
            assert!(threads() < before + 50, "{before} threads, then {}", threads());
            drop(scratch);
            counts.assert_restored();
        });
    }
}

#[test]
fn locks_work_on_plain_threads() {
    with_procs(1, || {
        let scratch = Scratch::new();
        let (one, two) = twice(&scratch.path("a"));
        one.lock().unwrap();
        let plain = std::thread::spawn(move || two.lock());
        yield_now();
        one.unlock().unwrap();
        plain.join().unwrap().unwrap();
    });
}
