//! What a process has open, as far as tests count it.
//!
//! Why here: shared by the tests of files, pipes and processes.
//!
//! *Invariants*
//! - O1. Descriptors of the runtime itself are not counted: its threads have one each, and come and go as they are needed.
//!
//! *Locks*: none.
//!
//! *Go:* `exec_test.go` (`checkFDs`).
#![allow(dead_code, reason = "each test file uses a part")]

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use goruntime::runtime::{num_goroutine, yield_now};

/// Pipes, processes and files below the temporary directory that are open, and goroutines that exist.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    descriptors: usize,
    goroutines: usize,
}

impl Counts {
    /// At the start of a test, whose body is one goroutine: those that an earlier one has left behind, which end by themselves, are gone.
    pub(crate) fn at_start() -> Counts {
        while num_goroutine() > 1 {
            yield_now();
        }
        Counts::now()
    }

    fn now() -> Counts {
        Counts { descriptors: descriptors(), goroutines: num_goroutine() }
    }

    /// Waits until there are no more than there were, and then there are exactly as many.
    #[track_caller]
    pub(crate) fn assert_restored(&self) {
        while num_goroutine() > self.goroutines {
            yield_now();
        }
        assert_eq!(&Counts::now(), self);
    }
}

/// O1.
fn descriptors() -> usize {
    let temporary = std::env::temp_dir();
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return 0 };
    let targets = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let counts = |target: &PathBuf| {
        let name = target.to_string_lossy();
        name.starts_with("pipe:") || name.contains("pidfd") || target.starts_with(&temporary)
    };
    targets.filter(counts).count()
}

/// Threads of the process.
pub(crate) fn threads() -> usize {
    fs::read_dir("/proc/self/task").expect("the system has /proc").count()
}

/// A directory that is removed in the end.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// A new one.
    pub(crate) fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("goruntime-test-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("there is room for temporary files");
        Scratch(path)
    }

    /// The path of an entry.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes a pipe with a name.
    pub(crate) fn fifo(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo exists");
        assert!(made.success(), "no pipe was made");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A test that has failed may have left it in any state.
        _ = fs::remove_dir_all(&self.0);
    }
}
