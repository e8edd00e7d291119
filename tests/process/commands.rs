//! Commands and their streams.
//!
//! Why here: see `process.rs`. *Invariants*: P1. *Locks*: none. *Go:* exec_test.go.

use std::io::{ErrorKind, Read, Write};
use std::thread;

use goruntime::fs::File;
use goruntime::io::{self, pipe};
use goruntime::os::unix::process::{CommandExt, ExitStatusExt};
use goruntime::process::{Command, Stdio};
use goruntime::spawn;

use crate::open::{Counts, Scratch};
use crate::procs::with_procs;
use crate::shell;

#[test]
fn statuses_are_those_of_std() {
    for procs in [1, 2, 4, 16] {
        with_procs(procs, || {
            for text in ["exit 0", "exit 3", "exit 255", "kill -9 $$", "kill -TERM $$", "kill -PIPE $$"] {
                let ours = shell(text).status().unwrap();
                let theirs = std::process::Command::new("sh").args(["-c", text]).status().unwrap();
                assert_eq!(ours, theirs, "{text}");
            }
            let killed = shell("kill -9 $$").status().unwrap();
            assert_eq!((killed.code(), killed.signal(), killed.success()), (None, Some(9), false));
        });
    }
}

/// None is blocked, and those of the runtime and of Rust's own start are as usual. Made by `posix_spawn` and by `fork`.
#[test]
fn a_child_finds_the_signals_as_one_of_std_does() {
    with_procs(2, || {
        for forked in [false, true] {
            let text = "grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status";
            let theirs = thread::spawn(move || {
                let mut theirs = std::process::Command::new("sh");
                if forked {
                    // SAFETY: the closure does nothing.
                    unsafe { std::os::unix::process::CommandExt::pre_exec(&mut theirs, || Ok(())) };
                }
                theirs.args(["-c", text]).output().unwrap().stdout
            });
            let mut ours = shell(text);
            if forked {
                // SAFETY: the closure does nothing.
                unsafe { ours.pre_exec(|| Ok(())) };
            }
            let ours = String::from_utf8(ours.output().unwrap().stdout).unwrap();
            assert_eq!(ours.lines().count(), 3);
            assert_eq!(ours, String::from_utf8(theirs.join().unwrap()).unwrap());
        }
    });
}

#[test]
fn commands_show_themselves_as_stds_do() {
    let mut command = Command::new("echo");
    command.args(["one", "two words"]).env("NAME", "value");
    let mut theirs = std::process::Command::new("echo");
    theirs.args(["one", "two words"]).env("NAME", "value");
    assert_eq!(format!("{command:?}"), format!("{theirs:?}"));
}

#[test]
fn a_megabyte_to_each_stream_is_collected() {
    for procs in [1, 2, 4, 16] {
        with_procs(procs, || {
            let counts = Counts::at_start();
            let text = "head -c 1000000 /dev/zero | tr '\\0' o; head -c 1000000 /dev/zero | tr '\\0' e >&2; exit 7";
            let output = shell(text).output().unwrap();
            assert_eq!(output.status.code(), Some(7));
            assert!(output.stdout.len() == 1_000_000 && output.stdout.iter().all(|&byte| byte == b'o'));
            assert!(output.stderr.len() == 1_000_000 && output.stderr.iter().all(|&byte| byte == b'e'));
            // The other way round, and both at a time.
            let text = "head -c 1000000 /dev/zero >&2 & head -c 1000000 /dev/zero; wait";
            let output = shell(text).output().unwrap();
            assert_eq!((output.stdout.len(), output.stderr.len()), (1_000_000, 1_000_000));
            counts.assert_restored();
        });
    }
}

#[test]
fn output_reads_no_input_and_chooses_for_one_child_only() {
    with_procs(2, || {
        let mut cat = Command::new("cat");
        assert_eq!(cat.output().unwrap().stdout, b"");
        let mut yes = shell("echo out; echo err >&2");
        yes.stderr(Stdio::null());
        let output = yes.output().unwrap();
        assert_eq!((output.stdout, output.stderr), (b"out\n".to_vec(), Vec::new()));
        let mut child = yes.stdout(Stdio::null()).spawn().unwrap();
        assert!(child.stdin.is_none() && child.stdout.is_none() && child.stderr.is_none());
        assert!(child.wait().unwrap().success());
        let mut plain = Command::new("true");
        plain.output().unwrap();
        let mut child = plain.spawn().unwrap();
        assert!(child.stdin.is_none() && child.stdout.is_none() && child.stderr.is_none());
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn what_goes_in_comes_out() {
    for procs in [1, 2] {
        with_procs(procs, || {
            let counts = Counts::at_start();
            let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let mut input = cat.stdin.take().unwrap();
            let writing = spawn(move || {
                for round in 0..20_000 {
                    writeln!(input, "line {round}").unwrap();
                }
            });
            let text = io::read_to_string(cat.stdout.take().unwrap()).unwrap();
            assert_eq!(text.lines().count(), 20_000);
            assert_eq!(text.lines().last(), Some("line 19999"));
            writing.join().unwrap();
            assert!(cat.wait().unwrap().success());
            drop(cat);
            counts.assert_restored();
        });
    }
}

#[test]
fn errors_of_the_start_are_those_of_std() {
    with_procs(1, || {
        let counts = Counts::at_start();
        for program in ["/nonexistent/program", "goruntime-has-no-such-program", "/"] {
            let ours = Command::new(program).spawn().unwrap_err();
            let theirs = std::process::Command::new(program).spawn().unwrap_err();
            assert_eq!((ours.kind(), ours.raw_os_error()), (theirs.kind(), theirs.raw_os_error()), "{program}");
        }
        assert_eq!(Command::new("/nonexistent/program").output().unwrap_err().kind(), ErrorKind::NotFound);
        assert!(Command::new("true").current_dir("/nonexistent").status().is_err());
        counts.assert_restored();
    });
}

#[test]
fn the_environment_the_directory_and_the_names_arrive() {
    with_procs(1, || {
        let mut command = shell("echo $0 $ONE $TWO $(pwd)");
        command
            .arg("ignored")
            .env("ONE", "1")
            .envs([("TWO", "2"), ("THREE", "3")])
            .env_remove("THREE")
            .current_dir("/");
        assert_eq!(command.output().unwrap().stdout, b"ignored 1 2 /\n");
        assert_eq!(command.get_program(), "sh");
        assert_eq!(command.get_args().count(), 3);
        assert_eq!(command.get_envs().count(), 3);
        assert_eq!(command.get_current_dir().and_then(|dir| dir.to_str()), Some("/"));
        let mut command = Command::new("/bin/sh");
        command.arg0("other").args(["-c", "echo $0"]).env_clear();
        assert_eq!(command.output().unwrap().stdout, b"other\n");
    });
}

#[test]
fn a_pipeline_passes_streams_on() {
    for procs in [1, 2] {
        with_procs(procs, || {
            let counts = Counts::at_start();
            let mut first = shell("head -c 3000000 /dev/zero").stdout(Stdio::piped()).spawn().unwrap();
            // The command has the stream until it is dropped.
            let second =
                Command::new("cat").stdin(first.stdout.take().unwrap()).stdout(Stdio::piped()).spawn().unwrap();
            assert_eq!(second.wait_with_output().unwrap().stdout.len(), 3_000_000);
            assert!(first.wait().unwrap().success());
            drop(first);
            counts.assert_restored();
        });
    }
}

/// The child would fail to write if what it gets did not block, and the handle that is left must not see to that.
#[test]
fn a_child_finds_its_streams_blocking_whoever_else_has_them() {
    with_procs(2, || {
        let counts = Counts::at_start();
        let (reader, writer) = pipe().unwrap();
        let mut command = shell("head -c 500000 /dev/zero; head -c 500000 /dev/zero >&2; echo done");
        command.stdout(writer.try_clone().unwrap()).stderr(writer.try_clone().unwrap());
        let mut child = command.spawn().unwrap();
        drop(command);
        let reading = spawn(move || {
            let mut all = Vec::new();
            { reader }.read_to_end(&mut all).unwrap();
            all
        });
        assert!(child.wait().unwrap().success());
        // The handle that is left works, too.
        { writer }.write_all(b"ours").unwrap();
        let all = reading.join().unwrap();
        assert_eq!(all.len(), 1_000_000 + "done\n".len() + "ours".len());
        assert!(all.ends_with(b"done\nours"));
        drop(child);
        counts.assert_restored();
    });
}

#[test]
fn a_file_is_a_stream() {
    with_procs(1, || {
        let scratch = Scratch::new();
        let mut echo = Command::new("echo");
        echo.arg("text").stdout(File::create(scratch.path("a")).unwrap());
        assert!(echo.status().unwrap().success());
        let mut cat = Command::new("cat");
        let output = cat.stdin(File::open(scratch.path("a")).unwrap()).output().unwrap();
        assert_eq!(output.stdout, b"text\n");
        // A pipe with a name, which the poller watches, is given to the child blocking.
        let path = scratch.fifo("pipe");
        let mut child = shell("exec cat").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        assert!(child.wait().unwrap().success());
        let writer = spawn({
            let path = path.clone();
            move || File::options().write(true).open(path).unwrap()
        });
        let reader = File::open(path).unwrap();
        let mut writer = writer.join().unwrap();
        let cat = Command::new("cat").stdin(reader).stdout(Stdio::piped()).spawn().unwrap();
        writer.write_all(b"through").unwrap();
        drop(writer);
        assert_eq!(cat.wait_with_output().unwrap().stdout, b"through");
    });
}

#[test]
fn a_closure_runs_in_the_child() {
    with_procs(2, || {
        let counts = Counts::at_start();
        let parent = std::process::id();
        let mut command = Command::new("true");
        // SAFETY: the closure asks for a number, and makes an error without memory.
        unsafe {
            command.pre_exec(move || if std::process::id() == parent { Err(ErrorKind::Other.into()) } else { Ok(()) })
        };
        assert!(command.status().unwrap().success());
        // SAFETY: the closure does nothing.
        unsafe { command.pre_exec(|| Err(io::Error::from_raw_os_error(13))) };
        assert_eq!(command.spawn().unwrap_err().raw_os_error(), Some(13));
        counts.assert_restored();
    });
}

#[test]
fn commands_run_on_plain_threads() {
    with_procs(2, || {
        let alone = thread::spawn(|| shell("echo out; echo err >&2").output().unwrap());
        let output = alone.join().unwrap();
        assert_eq!((output.stdout, output.stderr), (b"out\n".to_vec(), b"err\n".to_vec()));
        let status = |code: u8| thread::spawn(move || shell(&format!("exit {code}")).status().unwrap().code());
        for (code, thread) in (0..8).map(status).collect::<Vec<_>>().into_iter().enumerate() {
            assert_eq!(thread.join().unwrap(), Some(code as i32));
        }
    });
}
