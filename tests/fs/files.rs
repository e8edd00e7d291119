//! Open files.
//!
//! Why here: see `fs.rs`. *Invariants*: F1. *Locks*: none. *Go:* os_test.go, fifo_test.go.

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Seek, Write};
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::time::{Duration, Instant, UNIX_EPOCH};

use goruntime::fs::{self, DirBuilder, File, FileTimes};
use goruntime::io::IsTerminal;
use goruntime::os::unix::fs::{DirBuilderExt, DirEntryExt, symlink};
use goruntime::spawn;

use crate::open::{Counts, Scratch, threads};
use crate::procs::{settle, with_procs};

#[test]
fn vectored_reads_and_writes_use_all_buffers() {
    with_procs(1, || {
        let scratch = Scratch::new();
        let mut file = File::create_new(scratch.path("a")).unwrap();
        assert_eq!(file.write_vectored(&[IoSlice::new(b"one "), IoSlice::new(b"two")]).unwrap(), 7);
        file.rewind().unwrap();
        let (mut one, mut two) = ([0; 3], [0; 9]);
        let read = file.read_vectored(&mut [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)]);
        assert_eq!((read.unwrap(), &one, &two[..4]), (7, b"one", &b" two"[..]));
    });
}

#[test]
fn reads_and_writes_at_a_position_do_not_move_it() {
    with_procs(1, || {
        let scratch = Scratch::new();
        let mut file = File::create_new(scratch.path("a")).unwrap();
        file.write_all(b"0123456789").unwrap();
        file.write_all_at(b"xy", 4).unwrap();
        let mut buf = [0; 4];
        file.read_exact_at(&mut buf, 3).unwrap();
        assert_eq!(&buf, b"3xy6");
        assert_eq!(file.stream_position().unwrap(), 10);
        assert_eq!(file.read_at(&mut buf, 100).unwrap(), 0);
    });
}

#[test]
fn clones_share_the_position_and_shared_references_read() {
    with_procs(2, || {
        let scratch = Scratch::new();
        fs::write(scratch.path("a"), "abcdef").unwrap();
        let file = File::open(scratch.path("a")).unwrap();
        let other = file.try_clone().unwrap();
        assert_ne!(file.as_raw_fd(), other.as_raw_fd());
        let mut buf = [0; 2];
        (&file).read_exact(&mut buf).unwrap();
        (&other).read_exact(&mut buf).unwrap();
        assert_eq!((&buf, (&file).stream_position().unwrap()), (b"cd", 4));
    });
}

#[test]
fn modes_times_and_permissions_are_set() {
    with_procs(1, || {
        let scratch = Scratch::new();
        let file = File::options().write(true).create(true).mode(0o600).open(scratch.path("a")).unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
        file.set_permissions(fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(fs::metadata(scratch.path("a")).unwrap().mode() & 0o777, 0o640);
        fs::set_permissions(scratch.path("a"), fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o400);
        let time = UNIX_EPOCH + Duration::from_secs(1_000_000);
        file.set_modified(time).unwrap();
        file.set_times(FileTimes::new().set_accessed(time)).unwrap();
        let data = file.metadata().unwrap();
        assert_eq!((data.modified().unwrap(), data.accessed().unwrap()), (time, time));
        DirBuilder::new().mode(0o700).create(scratch.path("d")).unwrap();
        assert_eq!(fs::metadata(scratch.path("d")).unwrap().mode() & 0o777, 0o700);
        symlink("a", scratch.path("l")).unwrap();
        assert_eq!(fs::read_link(scratch.path("l")).unwrap().to_str(), Some("a"));
        let entries = fs::read_dir(scratch.path("")).unwrap().map(Result::unwrap);
        for entry in entries {
            assert_eq!(entry.ino(), fs::symlink_metadata(entry.path()).unwrap().ino());
        }
    });
}

#[test]
fn files_go_to_std_and_come_back() {
    with_procs(1, || {
        let counts = Counts::at_start();
        let scratch = Scratch::new();
        let mut file = File::create_new(scratch.path("a")).unwrap();
        let number = file.as_raw_fd();
        file.write_all(b"text").unwrap();
        let theirs = std::fs::File::from(file);
        assert_eq!(theirs.as_raw_fd(), number);
        let fd = OwnedFd::from(File::from(theirs));
        assert_eq!(File::from(fd).into_raw_fd(), number);
        // What was given away as a number is still open; std takes it from the system's own list.
        let mut again = std::fs::File::open(format!("/proc/self/fd/{number}")).unwrap();
        let mut text = String::new();
        again.read_to_string(&mut text).unwrap();
        assert_eq!(text, "text");
        drop(again);
        // SAFETY: the number was given away by `into_raw_fd` above, and nobody else has it.
        drop(unsafe { <File as std::os::fd::FromRawFd>::from_raw_fd(number) });
        counts.assert_restored();
    });
}

#[test]
fn a_deadline_is_for_what_the_poller_watches() {
    with_procs(1, || {
        let scratch = Scratch::new();
        let file = File::create_new(scratch.path("a")).unwrap();
        let error = file.set_deadline(Some(Instant::now())).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::Unsupported, "file type does not support deadline")
        );
        assert!(!file.is_terminal());
    });
}

/// A pipe with a name, open at both ends.
fn fifo(scratch: &Scratch) -> (File, File) {
    let path = scratch.fifo("pipe");
    let other = path.clone();
    // Each waits for the other to be opened.
    let writer = spawn(move || File::options().write(true).open(other).unwrap());
    (File::open(path).unwrap(), writer.join().unwrap())
}

#[test]
fn a_named_pipe_parks_its_reader() {
    for procs in [1, 2] {
        with_procs(procs, || {
            let counts = Counts::at_start();
            let scratch = Scratch::new();
            let (reader, mut writer) = fifo(&scratch);
            let handle = reader.try_clone().unwrap();
            let waits = spawn(move || {
                let mut buf = [0; 4];
                (&handle).read_exact(&mut buf).map(|()| buf)
            });
            if procs == 1 {
                // It returns when everybody is parked, which a blocked thread is not.
                settle();
            }
            writer.write_all(b"word").unwrap();
            assert_eq!(&waits.join().unwrap().unwrap(), b"word");
            drop(writer);
            assert_eq!((&reader).read(&mut [0; 4]).unwrap(), 0);
            drop((reader, scratch));
            counts.assert_restored();
        });
    }
}

#[test]
fn a_named_pipe_that_was_opened_not_to_block_does_not_wait() {
    with_procs(1, || {
        let scratch = Scratch::new();
        let path = scratch.fifo("pipe");
        let mut reader = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&path).unwrap();
        assert_eq!(reader.read(&mut [0; 4]).unwrap(), 0);
        let _writer = File::options().write(true).open(&path).unwrap();
        assert_eq!(reader.read(&mut [0; 4]).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn a_deadline_ends_a_wait_for_a_named_pipe() {
    with_procs(1, || {
        let scratch = Scratch::new();
        let (reader, _writer) = fifo(&scratch);
        let handle = reader.try_clone().unwrap();
        let waits = spawn(move || (&handle).read(&mut [0; 4]));
        settle();
        reader.set_deadline(Some(Instant::now())).unwrap();
        let error = waits.join().unwrap().unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::TimedOut, "i/o timeout"));
    });
}

#[test]
fn many_named_pipes_need_few_threads() {
    with_procs(2, || {
        let counts = Counts::at_start();
        let scratches: Vec<_> = (0..100).map(|_| Scratch::new()).collect();
        let pipes: Vec<_> = scratches.iter().map(fifo).collect();
        let before = threads();
        let (readers, writers): (Vec<_>, Vec<_>) = pipes.into_iter().unzip();
        let waits: Vec<_> = readers
            .into_iter()
            .map(|mut reader| {
                spawn(move || {
                    let mut all = Vec::new();
                    reader.read_to_end(&mut all).unwrap();
                    all
                })
            })
            .collect();
        for mut writer in writers {
            writer.write_all(b"end").unwrap();
        }
        waits.into_iter().for_each(|wait| assert_eq!(wait.join().unwrap(), b"end"));
        assert!(threads() < before + 50, "{before} threads became {}", threads());
        drop(scratches);
        counts.assert_restored();
    });
}
