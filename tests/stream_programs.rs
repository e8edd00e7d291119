//! Standard streams, files and children, and the process: what it prints, how it ends, deadlocks that are none.
//!
//! Why here: the process is the subject; the programs are in `testprog/streams.rs`.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `TestStdinRead` and its like of os_test.go, exec_test.go.

mod common;

use std::io::{Read, Write};
use std::process::{ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{Running, assert_fatal, assert_listed, assert_prints, program, run, run_program};

const ASLEEP: &str = "all goroutines are asleep - deadlock!";

/// Runs a program with a pipe as its standard input; `talk` gets that and the lines that the program prints.
fn converse(name: &str, procs: &str, talk: impl FnOnce(ChildStdin, &mut dyn FnMut() -> String)) {
    let mut command = program(name);
    command.env("GOMAXPROCS", procs).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the program exists");
    let input = child.stdin.take().expect("the input is a pipe");
    let mut output = std::io::BufReader::new(child.stdout.take().expect("the output is a pipe"));
    let mut line = || {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut output, &mut line).expect("the program prints lines");
        line
    };
    talk(input, &mut line);
    let mut rest = String::new();
    output.read_to_string(&mut rest).expect("the program prints text");
    assert_eq!((child.wait().expect("it is our child").code(), rest.as_str()), (Some(0), ""));
}

/// The program reads, and a ticker is the only one who can answer.
#[test]
fn who_waits_for_input_starves_nobody() {
    for procs in ["1", "2"] {
        converse("streams_stdin", procs, |mut input, line| {
            assert_eq!(line(), "ticked 1000\n");
            for word in ["one", "two", "three"] {
                writeln!(input, "{word}").expect("the program reads");
                assert_eq!(line(), format!("{word} and a tick\n"));
            }
            drop(input);
            assert_eq!(line(), "end\n");
        });
    }
}

/// Everybody else sleeps, but input may come.
#[test]
fn who_waits_for_input_is_not_dead() {
    for procs in ["1", "4"] {
        converse("streams_stdin_alone", procs, |mut input, line| {
            assert_eq!(line(), "waiting\n");
            // Deadlocks are looked for as soon as everybody sleeps, and again after 20 ms.
            thread::sleep(Duration::from_millis(100));
            writeln!(input, "a word").expect("the program reads");
            assert_eq!(line(), "a word\n");
        });
    }
}

#[test]
fn all_ways_to_read_input_share_one_buffer() {
    converse("streams_stdin_ways", "2", |mut input, line| {
        let long = "x".repeat(20_000);
        write!(input, "a line\nanother\n1234\nfifth\nsixth\n{long}\nrest of\nthe text").expect("the program reads");
        drop(input);
        for expected in ["a line", "another", "1234", "fifth", "sixth", "20000", "rest of|the text"] {
            assert_eq!(line(), format!("{expected}\n"));
        }
    });
}

/// A goroutine holds the lock over parks, and is moved to other threads.
#[test]
fn lines_of_who_has_the_lock_stay_together() {
    for procs in ["1", "4"] {
        let out = run_program("streams_lock", &[("GOMAXPROCS", procs)]);
        assert_eq!(out.status.code(), Some(0), "{out:?}");
        for (text, count) in [(&out.stdout, 20), (&out.stderr, 20)] {
            let lines: Vec<_> = text.lines().collect();
            assert_eq!(lines.len(), count * 5, "{text}");
            for block in lines.chunks(5) {
                let writer = block[0].split(' ').next().expect("a line has words");
                let expected: Vec<_> = (0..5).map(|part| format!("{writer} part {part}")).collect();
                assert_eq!(block, expected);
            }
        }
    }
}

#[test]
fn lines_of_std_and_ours_stay_whole() {
    let out = run_program("streams_mixed", &[("GOMAXPROCS", "4")]);
    assert_eq!(out.status.code(), Some(0), "{out:?}");
    let lines: Vec<_> = out.stdout.lines().collect();
    assert_eq!(lines.len(), 8 * 50);
    assert!(lines.iter().all(|line| *line == "std says something" || *line == "ours says something"), "{lines:?}");
}

#[test]
fn what_was_written_last_is_flushed_at_the_end() {
    assert_prints(&run_program("streams_flush", &[]), "a line\nand hook");
}

#[test]
fn exit_runs_hooks_and_has_its_status() {
    let out = run_program("streams_exit", &[]);
    assert_eq!((out.stdout.as_str(), out.status.code()), ("hook\n", Some(7)));
}

#[test]
fn exec_replaces_the_process() {
    assert_prints(&run_program("streams_exec", &[]), "another program\n");
}

#[test]
fn a_program_that_has_used_pipes_and_children_can_be_dead() {
    for procs in ["1", "4"] {
        let out = run_program("streams_dead_afterwards", &[("GOMAXPROCS", procs)]);
        assert_fatal(&out, ASLEEP);
        assert_listed(&out, &["thread park"]);
    }
}

/// A child, a pipe and a process's output are waited for.
#[test]
fn dumps_tell_who_waits_for_pipes_and_children() {
    let mut running = Running::start(program("streams_waits").env("GOMAXPROCS", "1"));
    running.wait_for_line("waiting");
    running.signal("QUIT");
    let out = running.wait();
    // The main goroutine may not have come to its own wait yet.
    let waiting = out.blocks().iter().filter(|block| block.status == "IO wait").count();
    assert_eq!((waiting, out.blocks().len()), (3, 4), "{}", out.stderr);
    for part in [".read(", ".wait()", ".wait_with_output()"] {
        let source: Vec<_> = include_str!("testprog/streams.rs").lines().collect();
        let named = out.blocks().iter().any(|block| {
            let places =
                block.text.match_indices("testprog/streams.rs:").map(|(at, name)| &block.text[at + name.len()..]);
            let mut lines =
                places.filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<usize>().ok());
            lines.next().is_some_and(|line| source[line - 1].contains(part))
        });
        assert!(named, "nobody waits in {part}\n{}", out.stderr);
    }
}

/// Stopping and continuing a process interrupts what it waits in.
#[test]
fn interruptions_end_no_wait() {
    for procs in ["1", "4"] {
        let mut running = Running::start(program("streams_interrupted").env("GOMAXPROCS", procs));
        let child = running.next_line();
        for _ in 0..50 {
            running.signal("STOP");
            running.signal("CONT");
        }
        assert!(Command::new("kill").args(["-USR1", &child]).status().expect("kill exists").success());
        let out = running.wait();
        assert_eq!(out.lines().last(), Some(&"all have ended"), "{}", out.stderr);
        assert_eq!(out.status.code(), Some(0));
    }
}

/// There are no descriptors left to wait with: a thread waits, and others go on.
#[test]
fn children_are_waited_for_without_descriptors() {
    for procs in ["1", "2"] {
        let inner = program("streams_shortage");
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -n 64 && exec \"$@\"", "sh"]).env("GOMAXPROCS", procs);
        command.arg(inner.get_program()).args(inner.get_args());
        assert_prints(&run(&mut command), "Some(3)\nNone\nSome(9)\nSome(9)\n");
    }
}

#[test]
fn plain_programs_may_use_files_pipes_and_children() {
    assert_prints(&run_program("streams_plain", &[]), "child\nplain\n");
}

/// Whoever reads the output goes away, and SIGPIPE is ignored: writing fails as in std, and the rest goes on.
#[test]
fn output_that_nobody_reads_is_an_error_for_who_ignores_sigpipe() {
    let mut command = program("streams_unread");
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it exists");
    drop(child.stdout.take());
    let mut said = String::new();
    let mut errors = child.stderr.take().expect("it is a pipe");
    thread::spawn(move || errors.read_to_string(&mut said).map(|_| said))
        .join()
        .expect("the thread reads")
        .map(|said| assert_eq!(said, "BrokenPipe\n"))
        .expect("the errors are text");
    assert_eq!(child.wait().expect("it is our child").code(), Some(0));
}
