//! What pipes promise: std's behaviour in blocking code, closes that wake, deadlines, no starvation, nothing left behind.
//!
//! Why here: from outside.
//!
//! *Invariants*
//! - I1. T1 and T2 of `common/procs`: one test at a time, so that descriptors and goroutines can be counted.
//!
//! *Locks*: none.
//!
//! *Go:* pipe_test.go, timeout_test.go of package os.

#[path = "common/open.rs"]
mod open;
#[path = "common/procs.rs"]
mod procs;

use std::fmt::Debug;
use std::io::ErrorKind;
use std::os::fd::{AsRawFd, OwnedFd};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use goruntime::io::{self, BufRead, BufReader, Closed, IoSlice, IsTerminal, PipeReader, Read, Write, pipe};
use goruntime::runtime::yield_now;
use goruntime::{go, spawn};

use open::{Counts, threads};
use procs::{settle, with_procs};

#[track_caller]
fn assert_closed<T: Debug>(result: io::Result<T>) {
    let error = result.expect_err("the pipe was closed");
    assert!(Closed::is_source_of(&error), "{error:?}");
    assert_eq!(error.to_string(), "use of closed file");
}

/// Fills a pipe until somebody closes it or goes.
fn fill(mut writer: impl Write) -> io::Result<()> {
    loop {
        writer.write_all(&[0; 10_000])?;
    }
}

#[test]
fn types_have_the_auto_traits_of_std() {
    fn shared<T: Send + Sync + UnwindSafe + RefUnwindSafe>() {}
    shared::<goruntime::io::PipeReader>();
    shared::<goruntime::io::PipeWriter>();
    shared::<goruntime::io::Stdin>();
    shared::<goruntime::io::Stdout>();
    shared::<goruntime::io::Stderr>();
    shared::<goruntime::fs::File>();
    shared::<goruntime::fs::OpenOptions>();
    shared::<goruntime::fs::DirBuilder>();
    shared::<goruntime::fs::DirEntry>();
    shared::<goruntime::fs::ReadDir>();
    shared::<goruntime::process::Child>();
    shared::<goruntime::process::ChildStdin>();
    shared::<goruntime::process::ChildStdout>();
    shared::<goruntime::process::ChildStderr>();
    fn sent<T: Send + Sync>() {}
    sent::<goruntime::process::Command>();
}

#[test]
fn a_pipe_carries_everything_in_order() {
    for procs in [1, 2, 4, 16] {
        with_procs(procs, || {
            let counts = Counts::at_start();
            let (reader, mut writer) = pipe().unwrap();
            let expected: Vec<u8> = (0..3_000_000u32).map(|number| (number % 251) as u8).collect();
            let sent = expected.clone();
            go(move || writer.write_all(&sent).unwrap());
            let mut found = Vec::new();
            io::copy(&mut { reader }, &mut found).unwrap();
            assert!(found == expected, "{} of {} bytes", found.len(), expected.len());
            counts.assert_restored();
        });
    }
}

#[test]
fn lines_and_vectors_pass() {
    with_procs(2, || {
        let (reader, mut writer) = pipe().unwrap();
        assert_eq!(writer.write_vectored(&[IoSlice::new(b"one\n"), IoSlice::new(b"two\nthree")]).unwrap(), 13);
        drop(writer);
        let lines: Vec<_> = BufReader::new(reader).lines().map(Result::unwrap).collect();
        assert_eq!(lines, ["one", "two", "three"]);
    });
}

#[test]
fn the_ends_of_others_are_seen() {
    with_procs(1, || {
        let (mut reader, writer) = pipe().unwrap();
        let other = writer.try_clone().unwrap();
        let reading = spawn(move || reader.read(&mut [0; 4]).unwrap());
        settle();
        drop(writer);
        settle();
        assert!(!reading.is_finished(), "a writer is left");
        drop(other);
        assert_eq!(reading.join().unwrap(), 0);
        let (reader, writer) = pipe().unwrap();
        let filling = spawn(move || fill(writer));
        settle();
        drop(reader);
        assert_eq!(filling.join().unwrap().unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_close_ends_reads_and_writes_that_wait() {
    for procs in [1, 2, 4, 16] {
        with_procs(procs, || {
            let counts = Counts::at_start();
            let (reader, writer) = pipe().unwrap();
            let readers: Vec<_> = (0..3)
                .map(|_| {
                    let mut reader = reader.try_clone().unwrap();
                    spawn(move || reader.read(&mut [0; 4]))
                })
                .collect();
            settle();
            reader.close().unwrap();
            readers.into_iter().for_each(|reader| assert_closed(reader.join().unwrap()));
            assert_closed(reader.close());
            assert_closed(reader.set_deadline(None));
            drop((reader, writer));
            let (reader, writer) = pipe().unwrap();
            let other = writer.try_clone().unwrap();
            let filling = spawn(move || fill(other));
            settle();
            writer.close().unwrap();
            assert_closed(filling.join().unwrap());
            // What was written before is there, and then the end.
            let mut rest = Vec::new();
            { reader }.read_to_end(&mut rest).unwrap();
            assert!(!rest.is_empty());
            drop(writer);
            counts.assert_restored();
        });
    }
}

#[test]
fn deadlines_end_waits_and_can_be_lifted() {
    for procs in [1, 4] {
        with_procs(procs, || {
            let (reader, writer) = pipe().unwrap();
            reader.set_deadline(Some(Instant::now() + Duration::from_millis(2))).unwrap();
            let error = (&reader).read(&mut [0; 4]).unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::TimedOut, "i/o timeout"));
            (&writer).write_all(b"late").unwrap();
            assert_eq!((&reader).read(&mut [0; 4]).unwrap_err().kind(), ErrorKind::TimedOut);
            reader.set_deadline(None).unwrap();
            assert_eq!((&reader).read(&mut [0; 8]).unwrap(), 4);
            writer.set_deadline(Some(Instant::now() + Duration::from_millis(2))).unwrap();
            assert_eq!(fill(&writer).unwrap_err().kind(), ErrorKind::TimedOut);
        });
    }
}

/// Nothing but the poller can bring the reader on: the other goroutine never waits.
#[test]
fn a_slow_pipe_starves_nobody_and_is_not_starved() {
    with_procs(1, || {
        let (mut reader, writer) = pipe().unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let reading = spawn({
            let done = done.clone();
            move || {
                let mut byte = [0; 1];
                let mut count = 0;
                while reader.read(&mut byte).unwrap() == 1 {
                    count += 1;
                }
                done.store(true, Ordering::Relaxed);
                count
            }
        });
        // A thread writes at its own pace.
        let slow = thread::spawn(move || {
            let mut writer = std::io::PipeWriter::from(writer);
            for _ in 0..200 {
                writer.write_all(b"x").unwrap();
                thread::yield_now();
            }
        });
        let mut ticks = 0u64;
        while !done.load(Ordering::Relaxed) {
            ticks += 1;
            yield_now();
        }
        assert!(ticks > 0);
        assert_eq!(reading.join().unwrap(), 200);
        slow.join().unwrap();
    });
}

#[test]
fn four_hundred_waiting_readers_need_few_threads() {
    for procs in [1, 4] {
        with_procs(procs, || {
            let counts = Counts::at_start();
            let before = threads();
            let pipes: Vec<_> = (0..400).map(|_| pipe().unwrap()).collect();
            let (readers, writers): (Vec<PipeReader>, Vec<_>) = pipes.into_iter().unzip();
            let waits: Vec<_> =
                readers.into_iter().map(|reader| spawn(move || io::read_to_string(reader).unwrap())).collect();
            settle();
            assert!(threads() < before + 20, "{before} threads became {}", threads());
            for (number, mut writer) in writers.into_iter().enumerate() {
                write!(writer, "{number}").unwrap();
            }
            for (number, wait) in waits.into_iter().enumerate() {
                assert_eq!(wait.join().unwrap(), number.to_string());
            }
            counts.assert_restored();
        });
    }
}

#[test]
fn threads_and_goroutines_talk() {
    for procs in [1, 2] {
        with_procs(procs, || {
            let (mut there, mut back) = (pipe().unwrap(), pipe().unwrap());
            let echo = thread::spawn(move || {
                let mut word = [0; 8];
                while there.0.read_exact(&mut word).is_ok() {
                    back.1.write_all(&word).unwrap();
                }
            });
            for round in 0..300u64 {
                there.1.write_all(&round.to_le_bytes()).unwrap();
                let mut word = [0; 8];
                back.0.read_exact(&mut word).unwrap();
                assert_eq!(u64::from_le_bytes(word), round);
            }
            drop(there.1);
            let echo = spawn(move || echo.join().unwrap());
            assert_eq!(back.0.read(&mut [0; 8]).unwrap(), 0);
            echo.join().unwrap();
        });
    }
}

#[test]
fn ends_go_to_std_and_come_back_blocking() {
    with_procs(1, || {
        let counts = Counts::at_start();
        let (reader, writer) = pipe().unwrap();
        let number = reader.as_raw_fd();
        let mut theirs = std::io::PipeReader::from(reader);
        assert_eq!(theirs.as_raw_fd(), number);
        // It would fail at once if it did not block.
        let reading = thread::spawn(move || {
            let mut word = [0; 4];
            theirs.read_exact(&mut word).map(|()| (word, theirs))
        });
        let mut writer = goruntime::io::PipeWriter::from(OwnedFd::from(writer));
        writer.write_all(b"word").unwrap();
        let (word, theirs) = reading.join().unwrap().unwrap();
        assert_eq!(&word, b"word");
        let mut ours = PipeReader::from(theirs);
        drop(writer);
        assert_eq!(ours.read(&mut [0; 4]).unwrap(), 0);
        drop(ours);
        counts.assert_restored();
    });
}

#[test]
fn whether_a_stream_is_a_terminal_is_asked_of_std_types_and_ours_alike() {
    fn same(ours: [&dyn IsTerminal; 2], std: &dyn IsTerminal) {
        ours.iter().for_each(|ours| assert_eq!(ours.is_terminal(), std.is_terminal()));
    }
    same([&io::stdin(), &io::stdin().lock()], &std::io::stdin());
    same([&io::stdout(), &io::stdout().lock()], &std::io::stdout());
    same([&io::stderr(), &io::stderr().lock()], &std::io::stderr());
    // A pseudo-terminal's other side is always there to be opened.
    let std = std::fs::File::options().read(true).write(true).open("/dev/ptmx").unwrap();
    let ours = goruntime::fs::File::options().read(true).write(true).open("/dev/ptmx").unwrap();
    assert!(ours.is_terminal() && std.is_terminal());
}
