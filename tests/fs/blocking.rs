//! Operations that block threads.
//!
//! Why here: see `fs.rs`. *Invariants*: F1. *Locks*: none. *Go:* none.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use goruntime::fs::{self, File};
use goruntime::io::{Seek, SeekFrom};
use goruntime::runtime::yield_now;
use goruntime::{go, spawn};

use crate::open::{Counts, Scratch, threads};
use crate::procs::with_procs;

#[test]
fn a_read_that_blocks_its_thread_lets_others_run() {
    with_procs(1, || {
        let counts = Counts::at_start();
        // Made by std, so that the poller does not watch it.
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut file = File::from(std::os::fd::OwnedFd::from(reader));
        let reading = spawn(move || {
            let mut word = [0; 4];
            file.read_exact(&mut word).map(|()| word)
        });
        // This goroutine comes back from each yield only if the reader does not keep the only processor.
        for _ in 0..1_000 {
            yield_now();
        }
        writer.write_all(b"word").unwrap();
        assert_eq!(&reading.join().unwrap().unwrap(), b"word");
        drop(writer);
        counts.assert_restored();
    });
}

/// There is one processor, and its goroutine does nothing but read a file.
#[test]
fn who_only_reads_lets_others_run() {
    with_procs(1, || {
        let scratch = Scratch::new();
        fs::write(scratch.path("a"), "x").unwrap();
        let mut file = File::open(scratch.path("a")).unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let other = done.clone();
        go(move || other.store(true, Ordering::Relaxed));
        while !done.load(Ordering::Relaxed) {
            file.seek(SeekFrom::Start(0)).unwrap();
            assert_eq!(file.read(&mut [0; 1]).unwrap(), 1);
        }
    });
}

#[test]
fn a_thousand_readers_need_few_threads() {
    for procs in [1, 2, 4, 16] {
        with_procs(procs, || {
            let counts = Counts::at_start();
            let scratch = Scratch::new();
            let contents: Vec<u8> = (0..100_000u32).map(|number| number as u8).collect();
            fs::write(scratch.path("a"), &contents).unwrap();
            let contents = Arc::new(contents);
            let readers: Vec<_> = (0..1_000)
                .map(|_| {
                    let (path, contents) = (scratch.path("a"), contents.clone());
                    spawn(move || {
                        assert!(fs::read(&path).unwrap() == *contents);
                        let mut file = File::open(&path).unwrap();
                        let mut chunk = [0; 1_000];
                        let mut sum = 0;
                        while let count @ 1.. = file.read(&mut chunk).unwrap() {
                            sum += count;
                        }
                        sum
                    })
                })
                .collect();
            for reader in readers {
                assert_eq!(reader.join().unwrap(), contents.len());
            }
            // A goroutine each would be a thousand. A thread is added when one sleeps in the system, or is not done within its slice.
            assert!(threads() < 500, "{} threads", threads());
            drop(scratch);
            counts.assert_restored();
        });
    }
}

#[test]
fn files_work_on_plain_threads() {
    with_procs(2, || {
        let work = || {
            let scratch = Scratch::new();
            let mut file = File::create_new(scratch.path("a")).unwrap();
            file.write_all(b"plain").unwrap();
            assert_eq!(fs::read(scratch.path("a")).unwrap(), b"plain");
            let entries = fs::read_dir(scratch.path("")).unwrap();
            let names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(names, ["a"]);
        };
        std::thread::spawn(work).join().unwrap();
    });
}
