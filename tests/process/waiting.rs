//! Waiting for children and killing them.
//!
//! Why here: see `process.rs`. *Invariants*: P1. *Locks*: none. *Go:* exec_test.go, os_test.go (`TestKillFindProcess`).

use std::time::Duration;

use goruntime::io::Read;
use goruntime::os::unix::process::{CommandExt, ExitStatusExt};
use goruntime::process::{Child, Command, Stdio};
use goruntime::spawn;

use crate::open::{Counts, threads};
use crate::procs::{settle, with_procs};
use crate::shell;

/// A child that runs until its standard input is closed.
fn cat() -> Child {
    Command::new("cat").stdin(Stdio::piped()).spawn().unwrap()
}

#[test]
fn two_hundred_waits_need_few_threads() {
    for procs in [1, 2, 4, 16] {
        with_procs(procs, || {
            let counts = Counts::at_start();
            let mut children: Vec<_> = (0..200).map(|_| cat()).collect();
            let before = threads();
            // `wait` closes the input of its own child.
            let inputs: Vec<_> = children.iter_mut().map(|child| child.stdin.take()).collect();
            let waits: Vec<_> = children.into_iter().map(|mut child| spawn(move || child.wait().unwrap())).collect();
            // Everybody is parked: no thread waits.
            settle();
            assert!(threads() < before + 20, "{before} threads became {}", threads());
            assert!(waits.iter().all(|wait| !wait.is_finished()));
            drop(inputs);
            waits.into_iter().for_each(|wait| assert!(wait.join().unwrap().success()));
            counts.assert_restored();
        });
    }
}

#[test]
fn many_children_are_started_at_a_time() {
    for procs in [2, 4] {
        with_procs(procs, || {
            let (counts, before) = (Counts::at_start(), threads());
            let children: Vec<_> =
                (0..100).map(|code| spawn(move || shell(&format!("exit {code}")).status().unwrap())).collect();
            for (code, child) in children.into_iter().enumerate() {
                assert_eq!(child.join().unwrap().code(), Some(code as i32));
            }
            // The thread sleeps while a child is made; no more are made at a time than there are CPUs.
            assert!(threads() < before + 50, "{before} threads became {}", threads());
            counts.assert_restored();
        });
    }
}

#[test]
fn a_wait_closes_the_input_first() {
    with_procs(1, || assert!(cat().wait().unwrap().success()));
}

#[test]
fn a_killed_child_has_the_signal_and_can_be_killed_again() {
    with_procs(2, || {
        let mut child = cat();
        let _input = child.stdin.take();
        assert_eq!(child.try_wait().unwrap(), None);
        assert_eq!(child.wait_timeout(Duration::from_millis(1)).unwrap(), None);
        assert_eq!(child.wait_timeout(Duration::ZERO).unwrap(), None);
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        assert_eq!(child.try_wait().unwrap().and_then(|status| status.signal()), Some(9));
        assert_eq!(child.wait_timeout(Duration::ZERO).unwrap().and_then(|status| status.signal()), Some(9));
    });
}

#[test]
fn a_wait_with_a_limit_sees_the_end() {
    for procs in [1, 4] {
        with_procs(procs, || {
            let mut child = cat();
            let input = child.stdin.take();
            let waiting = spawn(move || child.wait_timeout(Duration::from_secs(1_000)).unwrap());
            settle();
            drop(input);
            assert!(waiting.join().unwrap().unwrap().success());
        });
    }
}

/// The shell's child has the pipe: it is at its end only when that one is gone, too.
#[test]
fn the_longest_limit_of_a_wait_is_as_good_as_none() {
    for procs in [1, 2] {
        with_procs(procs, || {
            let mut child = cat();
            let input = child.stdin.take();
            let closing = spawn(move || {
                settle();
                drop(input);
            });
            assert!(child.wait_timeout(Duration::MAX).unwrap().expect("it ends").success());
            closing.join().unwrap();
        });
    }
}

#[test]
fn a_process_group_is_killed_as_one() {
    with_procs(2, || {
        let counts = Counts::at_start();
        let mut command = shell("sleep 1000 & echo started; wait");
        let mut child = command.process_group(0).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = child.stdout.take().unwrap();
        let mut started = [0; 8];
        output.read_exact(&mut started).unwrap();
        assert_eq!(&started, b"started\n");
        let killed = Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status().unwrap();
        assert!(killed.success());
        assert_eq!(output.read(&mut [0; 8]).unwrap(), 0);
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        drop((child, output));
        counts.assert_restored();
    });
}

#[test]
fn a_child_that_nobody_waits_for_holds_nothing() {
    with_procs(1, || {
        let counts = Counts::at_start();
        drop(cat());
        counts.assert_restored();
    });
}
