//! Children and contexts, and streams that others keep open.
//!
//! Why here: see `process.rs`. *Invariants*: P1. *Locks*: none. *Go:* exec_test.go (`TestContextCancel`, `TestWaitInterrupt`).

use std::io::{ErrorKind, Read};
use std::time::Duration;

use goruntime::context::{self, Cause, Context};
use goruntime::os::unix::process::ExitStatusExt;
use goruntime::process::{Child, Command, Stdio, WaitDelayExpired};
use goruntime::signal::Signal;
use goruntime::spawn;

use crate::open::Counts;
use crate::procs::{settle, with_procs};
use crate::shell;

#[test]
fn a_child_is_killed_at_the_deadline_of_its_context() {
    for procs in [1, 2] {
        with_procs(procs, || {
            let counts = Counts::at_start();
            // A time that is over before the machine has started the child says nothing; the next one is longer.
            let mut time = Duration::from_millis(5);
            let (mut sleep, ctx, cancel) = loop {
                let (ctx, cancel) = context::with_timeout(&context::background(), time);
                let mut sleep = Command::new("sleep");
                sleep.arg("1000").context(&ctx);
                match sleep.status() {
                    Ok(status) => {
                        assert_eq!(status.signal(), Some(9));
                        break (sleep, ctx, cancel);
                    }
                    Err(error) => assert_eq!(error.kind(), ErrorKind::TimedOut),
                }
                time *= 2;
            };
            // And from then on none is started.
            let error = sleep.status().unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::TimedOut, "context deadline exceeded"));
            assert!(error.get_ref().is_some_and(|source| source.is::<Cause>()));
            drop((sleep, ctx, cancel));
            counts.assert_restored();
        });
    }
}

#[test]
fn a_cancel_kills_a_child_that_is_waited_for() {
    for procs in [1, 4] {
        with_procs(procs, || {
            let (ctx, cancel) = context::with_cancel(&context::background());
            let mut child = Command::new("sleep").arg("1000").context(&ctx).spawn().unwrap();
            let waiting = spawn(move || child.wait().unwrap());
            settle();
            cancel.cancel();
            assert_eq!(waiting.join().unwrap().signal(), Some(9));
            let error = Command::new("true").context(&ctx).output().unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Other, "context canceled"));
        });
    }
}

#[test]
fn a_cancel_kills_a_child_that_nobody_waits_for() {
    with_procs(2, || {
        let (ctx, cancel) = context::with_cancel(&context::background());
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).context(&ctx).spawn().unwrap();
        let (_input, mut output) = (child.stdin.take(), child.stdout.take().unwrap());
        let reading = spawn(move || output.read(&mut [0; 4]).unwrap());
        cancel.cancel();
        assert_eq!(reading.join().unwrap(), 0);
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    });
}

/// A shell that says when it is prepared.
fn prepared(text: &str, ctx: &Context, delay: Duration) -> Child {
    let mut command = shell(text);
    command.stdout(Stdio::piped()).context(ctx).cancel_signal(Signal::TERM).wait_delay(delay);
    let mut child = command.spawn().unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    child
}

#[test]
fn a_child_that_is_asked_to_end_has_the_time_to_do_so() {
    for procs in [1, 4] {
        with_procs(procs, || {
            let counts = Counts::at_start();
            let (ctx, cancel) = context::with_cancel(&context::background());
            let text = "trap 'exit 7' TERM; echo; while :; do sleep 0.01; done";
            let mut child = prepared(text, &ctx, Duration::from_secs(1000));
            cancel.cancel();
            assert_eq!(child.wait().unwrap().code(), Some(7));
            drop((child, ctx, cancel));
            // Nothing waits for the time to be over.
            counts.assert_restored();
        });
    }
}

#[test]
fn a_child_that_does_not_end_when_asked_is_killed() {
    for procs in [1, 2] {
        with_procs(procs, || {
            let counts = Counts::at_start();
            let (ctx, cancel) = context::with_cancel(&context::background());
            let text = "trap '' TERM; echo; exec sleep 1000";
            let mut child = prepared(text, &ctx, Duration::from_millis(5));
            cancel.cancel();
            assert_eq!(child.wait().unwrap().signal(), Some(9));
            drop((child, ctx, cancel));
            counts.assert_restored();
        });
    }
}

#[test]
fn a_context_that_ends_later_does_no_harm() {
    with_procs(1, || {
        let counts = Counts::at_start();
        let (ctx, cancel) = context::with_cancel(&context::background());
        let output = Command::new("echo").arg("well").context(&ctx).output().unwrap();
        assert_eq!((output.status.success(), output.stdout), (true, b"well\n".to_vec()));
        // The descriptors are gone while the context lives.
        counts.assert_restored();
        cancel.cancel();
        settle();
        counts.assert_restored();
    });
}

/// The number of a process that a shell has started and left behind with its streams.
fn left_behind(output: &[u8]) -> String {
    String::from_utf8_lossy(output).trim().to_owned()
}

fn kill(number: &str) {
    assert!(Command::new("kill").arg(number).status().unwrap().success());
}

#[test]
fn a_stream_that_others_keep_open_is_left_after_the_delay() {
    for procs in [1, 2] {
        with_procs(procs, || {
            let counts = Counts::at_start();
            let mut command = shell("sleep 1000 & echo $!");
            let error = command.wait_delay(Duration::from_millis(5)).output().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            assert_eq!(error.to_string(), "exec: WaitDelay expired before I/O complete");
            let expired = error.get_ref().unwrap().downcast_ref::<WaitDelayExpired>().unwrap();
            assert!(expired.output().status.success());
            kill(&left_behind(&expired.output().stdout));
            counts.assert_restored();
        });
    }
}

#[test]
fn after_the_delay_a_bad_status_counts_more() {
    with_procs(2, || {
        let mut command = shell("sleep 1000 & echo $!; exit 5");
        let output = command.wait_delay(Duration::from_millis(5)).output().unwrap();
        assert_eq!(output.status.code(), Some(5));
        kill(&left_behind(&output.stdout));
    });
}

#[test]
fn a_context_and_a_delay_end_what_keeps_the_streams() {
    with_procs(2, || {
        let counts = Counts::at_start();
        let (ctx, _cancel) = context::with_timeout(&context::background(), Duration::from_millis(20));
        let mut command = shell("sleep 1000 & echo $!; wait");
        let output = command.context(&ctx).wait_delay(Duration::from_millis(20)).output().unwrap();
        assert_eq!(output.status.signal(), Some(9));
        // On a busy machine the shell may have been killed before it said anything.
        let number = left_behind(&output.stdout);
        if !number.is_empty() {
            kill(&number);
        }
        drop(command);
        counts.assert_restored();
    });
}
