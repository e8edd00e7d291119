//! Signals: what they do by default, what listening changes, and that nothing is lost on the way.
//!
//! Why here: the process is the subject; the programs are in `testprog/signals.rs` and `testprog/defaults.rs`.
//!
//! *Invariants*
//! - SI1. A signal is sent when the program has said that it is ready for it.
//!
//! *Locks*: none.
//!
//! *Go:* os/signal/signal_test.go, `TestSignalExitStatus` of runtime/crash_test.go.
#![cfg(unix)]

mod common;

use std::os::unix::process::{CommandExt as _, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use common::{Output, Running, assert_crash, assert_fatal, assert_listed, assert_prints, program, run, run_program};

/// Numbers that are the same on every Linux that is tested.
const HUP: i32 = 1;
const INT: i32 = 2;
const QUIT: i32 = 3;
const ILL: i32 = 4;
const ABRT: i32 = 6;
const USR1: i32 = 10;
const USR2: i32 = 12;
const PIPE: i32 = 13;
const TERM: i32 = 15;
const WINCH: i32 = 28;

const ASLEEP: &str = "all goroutines are asleep - deadlock!";

/// Starts a program and waits until it is ready.
fn start(command: &mut Command) -> Running {
    let mut running = Running::start(command);
    running.wait_for_line("ready");
    running
}

/// The program, with signals by number in its arguments.
fn about(name: &str, signals: &[i32]) -> Command {
    let mut command = program(name);
    command.args(signals.iter().map(ToString::to_string));
    command
}

/// The command, started by a shell that ignores some signals.
fn with_ignored(signals: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("trap '' {signals}; exec \"$@\""), "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    shell
}

#[track_caller]
fn assert_killed(out: &Output, signal: i32) {
    assert_eq!(out.status.signal(), Some(signal), "{out:#?}");
    assert_eq!(out.stderr, "", "{out:#?}");
}

/// What becomes of a program that waits when a signal is sent.
fn sent(name: &str, signal: &str) -> Output {
    let running = start(&mut program(name));
    running.signal(signal);
    running.wait()
}

#[test]
fn hup_int_and_term_end_a_program_by_the_signal() {
    for (name, number) in [("HUP", HUP), ("INT", INT), ("TERM", TERM)] {
        assert_killed(&sent("sig_wait", name), number);
    }
}

/// The command as the first process of a container, if containers can be made here.
fn as_first_process(command: &Command) -> Option<Command> {
    let unshare = || {
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--pid", "--fork", "--kill-child"]);
        unshare
    };
    if !unshare().arg("true").output().is_ok_and(|out| out.status.success()) {
        println!("skipped: no containers");
        return None;
    }
    let mut first = unshare();
    first.arg(command.get_program()).args(command.get_args());
    Some(first)
}

#[test]
fn the_first_process_of_a_container_is_ended_by_signals_too() {
    let Some(mut raises) = as_first_process(&about("sig_raise", &[TERM])) else { return };
    assert_eq!(run(&mut raises).status.code(), Some(128 + TERM));
    let listens = run(as_first_process(&about("sig_undo", &[INT])).expect("it works").env("UNDO", "stop"));
    assert_eq!((listens.stdout.as_str(), listens.status.code()), ("SIGINT\n", Some(128 + INT)), "{listens:#?}");
}

#[test]
fn what_is_ignored_at_the_start_stays_ignored() {
    let running = start(&mut with_ignored("HUP INT", &program("sig_wait")));
    running.signal("HUP");
    running.signal("INT");
    running.signal("TERM");
    assert_killed(&running.wait(), TERM);
}

#[test]
fn listening_catches_what_was_ignored_at_the_start() {
    let running = start(&mut with_ignored("HUP", &about("sig_print", &[HUP])));
    running.signal("HUP");
    assert_prints(&running.wait(), "ready\nSIGHUP: hangup\n");
}

#[test]
fn a_signal_that_is_sent_and_asks_for_a_dump_gets_one() {
    let heads = [
        ("QUIT", "SIGQUIT: quit"),
        ("ILL", "SIGILL: illegal instruction"),
        ("TRAP", "SIGTRAP: trace trap"),
        ("BUS", "SIGBUS: bus error"),
        ("FPE", "SIGFPE: floating-point exception"),
        ("SEGV", "SIGSEGV: segmentation violation"),
        ("STKFLT", "SIGSTKFLT: stack fault"),
        ("SYS", "SIGSYS: bad system call"),
    ];
    for (name, head) in heads {
        let out = sent("sig_wait", name);
        assert_crash(&out, head);
        assert_eq!(out.blocks().len(), 1, "{out:#?}");
    }
}

#[test]
fn quit_dumps_even_if_it_was_ignored_at_the_start() {
    let running = start(&mut with_ignored("QUIT", &program("sig_wait")));
    running.signal("QUIT");
    assert_crash(&running.wait(), "SIGQUIT: quit");
}

#[test]
fn aborts_and_faults_of_the_program_itself_end_it_by_the_signal() {
    assert_killed(&sent("sig_wait", "ABRT"), ABRT);
    assert_killed(&run_program("sig_abort", &[]), ABRT);
    assert_killed(&run_program("sig_fault_ill", &[]), ILL);
}

#[test]
fn other_signals_have_no_effect() {
    let running = start(&mut program("sig_wait"));
    let names = ["USR1", "USR2", "ALRM", "IO", "PWR", "XCPU", "XFSZ", "VTALRM", "PROF", "34", "64"];
    for name in names.into_iter().chain(["CHLD", "URG", "WINCH", "CONT", "PIPE"]) {
        running.signal(name);
    }
    // Whatever one of them did would end or stop the program sooner, or by another signal.
    running.signal("TERM");
    assert_killed(&running.wait(), TERM);
}

#[test]
fn a_library_leaves_the_signals_to_the_program() {
    for (name, number) in [("TERM", TERM), ("USR1", USR1), ("USR2", USR2), ("ILL", ILL)] {
        assert_killed(&sent("sig_wait_library", name), number);
    }
    assert_crash(&sent("sig_wait_library", "QUIT"), "SIGQUIT: quit");
}

/// The state of a process, as in `ps`.
#[cfg(target_os = "linux")]
fn wait_for_state(pid: u32, state: char) {
    let wanted = format!("State:\t{state}");
    while !std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs").contains(&wanted) {
        std::thread::yield_now();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_program_can_be_stopped_and_goes_on() {
    // In a group of its own: a group that has no parent in its session, as the tests may be in, is not stopped.
    let running = start(program("sig_wait").process_group(0));
    for _ in 0..3 {
        running.signal("TSTP");
        wait_for_state(running.id(), 'T');
        running.signal("CONT");
        wait_for_state(running.id(), 'S');
    }
    running.signal("TERM");
    assert_killed(&running.wait(), TERM);
}

#[test]
fn a_signal_comes_through_the_channel_and_has_no_other_effect() {
    for name in ["sig_print", "sig_print_library"] {
        for procs in ["1", "4"] {
            let mut running = start(about(name, &[HUP, INT, QUIT, USR1, WINCH, 34, TERM]).env("GOMAXPROCS", procs));
            let sent = [
                ("HUP", "SIGHUP: hangup"),
                ("INT", "SIGINT: interrupt"),
                ("QUIT", "SIGQUIT: quit"),
                ("USR1", "SIGUSR1: user defined signal 1"),
                ("WINCH", "SIGWINCH: window changed"),
                ("34", "Signal(34): signal 34"),
                ("TERM", "SIGTERM: terminated"),
            ];
            for (signal, line) in sent {
                running.signal(signal);
                assert_eq!(running.next_line(), line);
            }
            assert_eq!(running.wait().status.code(), Some(0));
        }
    }
}

#[test]
fn init_functions_may_listen() {
    for name in ["sig_init", "sig_init_library"] {
        assert_prints(&run_program(name, &[]), "Ok(SIGUSR1) Ok(SIGUSR2)\n");
    }
}

#[test]
fn none_named_is_all_that_can_be_caught() {
    let mut running = start(&mut program("sig_all"));
    for name in ["HUP", "INT", "QUIT", "TRAP", "USR1", "PIPE", "TSTP", "TTOU", "PROF", "64", "TERM"] {
        running.signal(name);
        let expected = if name == "64" { "Signal(64)".to_owned() } else { format!("SIG{name}") };
        assert_eq!(running.next_line(), expected);
    }
    assert_eq!(running.wait().status.code(), Some(0));
}

/// All ways to end listening.
const WAYS: [&str; 6] = ["stop", "reset", "reset_all", "ignore", "again", "handle"];

#[test]
fn afterwards_a_signal_does_what_it_did_before() {
    for program in ["sig_undo", "sig_undo_library"] {
        for way in WAYS {
            let out = run(about(program, &[TERM]).env("UNDO", way));
            assert_killed(&out, TERM);
            assert!(out.stdout.starts_with(if way == "handle" { "terminated signal received\n" } else { "SIGTERM\n" }));
            assert!(!out.stdout.contains("went on"), "{out:#?}");
            assert_crash(&run(about(program, &[QUIT]).env("UNDO", way)), "SIGQUIT: quit");
        }
    }
    // And what had no effect has none.
    for way in WAYS {
        let mut running = Running::start(about("sig_undo", &[USR1]).env("UNDO", way));
        running.wait_for_line("went on");
        running.kill();
    }
}

#[test]
fn what_was_ignored_at_the_start_is_ignored_again_afterwards() {
    let mut running = Running::start(with_ignored("HUP", &about("sig_undo", &[HUP])).env("UNDO", "stop"));
    running.wait_for_line("went on");
    running.kill();
}

#[test]
fn a_program_that_was_started_with_sigchld_ignored_can_wait_for_children() {
    let mut command = program("sig_wait_for_children");
    // SAFETY: `signal` is async-signal-safe, and takes a signal and no handler. (Shells do not let this one be ignored.)
    unsafe { command.pre_exec(|| Ok(_ = libc::signal(libc::SIGCHLD, libc::SIG_IGN))) };
    assert_prints(&run(&mut command), "true SIGCHLD true\n");
}

#[test]
fn ignored_signals_have_no_effect_until_somebody_listens() {
    assert_prints(&run_program("sig_ignore", &[]), "true false\nSIGINT false\ntrue\n");
}

#[test]
fn a_full_channel_drops_and_others_get_theirs() {
    for procs in ["1", "4"] {
        let out = run_program("sig_full", &[("GOMAXPROCS", procs)]);
        assert_prints(&out, "Ok(SIGUSR1) Err(Empty) Err(Empty)\n");
    }
}

#[test]
fn a_channel_collects_signals_until_it_is_stopped() {
    assert_prints(&run_program("sig_union", &[]), "SIGUSR1 SIGUSR1\nSIGUSR2 SIGUSR2\nSIGWINCH Err(Empty)\ntrue\n");
}

#[test]
fn of_a_thousand_signals_that_are_waited_for_none_is_lost() {
    for procs in ["1", "2", "16"] {
        assert_prints(&run_program("sig_one_by_one", &[("GOMAXPROCS", procs)]), "Err(Empty)\n");
    }
}

#[test]
fn nothing_fails_in_a_storm_of_signals() {
    for procs in ["1", "2", "4", "16"] {
        assert_prints(&run_program("sig_storm", &[("GOMAXPROCS", procs)]), "Ok(SIGIO) 1\n");
    }
}

#[test]
fn a_signal_beside_a_stop_is_delivered_or_ends_the_program() {
    for procs in ["1", "2", "4"] {
        for _ in 0..10 {
            let out = run_program("sig_atomic_stop", &[("GOMAXPROCS", procs)]);
            let all_before = out.stdout == "always before the stop\n" && out.status.success();
            assert!(all_before || out.status.signal() == Some(INT) && out.stdout.is_empty(), "{out:#?}");
        }
    }
}

#[test]
fn a_context_ends_by_the_signal_the_stop_or_its_parent() {
    let lines = [
        "interrupt signal received SIGINT Canceled",
        "interrupt signal received",
        "context canceled Canceled",
        "out of cheese",
        "out of cheese",
        "Ok(SIGHUP) hangup signal received\n",
    ];
    for procs in ["1", "4"] {
        assert_prints(&run_program("sig_contexts", &[("GOMAXPROCS", procs)]), &lines.join("\n"));
    }
}

#[test]
fn a_server_finishes_what_it_has_begun_when_it_is_told_to_stop() {
    use std::io::{Read, Write};

    for procs in ["1", "4"] {
        let mut running = Running::start(program("sig_server").env("GOMAXPROCS", procs));
        let mut client = std::net::TcpStream::connect(running.next_line()).expect("the server listens");
        running.wait_for_line("accepted");
        running.signal("TERM");
        running.wait_for_line("terminated signal received");
        client.write_all(b"not yet").expect("the server reads");
        client.shutdown(std::net::Shutdown::Write).expect("the connection is there");
        let mut text = String::new();
        client.read_to_string(&mut text).expect("the server answers");
        assert_eq!(text, "NOT YET");
        let out = running.wait();
        assert_eq!((out.lines().last(), out.status.code()), (Some(&"served"), Some(0)), "{out:#?}");
    }
}

#[test]
fn a_signal_is_delivered_beside_a_busy_loop() {
    let running = start(program("sig_busy").env("GOMAXPROCS", "1"));
    running.signal("TERM");
    assert_eq!(running.wait().status.code(), Some(7));
}

#[test]
fn no_deadlock_is_reported_while_somebody_listens() {
    let running = start(&mut program("sig_alive"));
    assert!(running.is_silent_for(Duration::from_millis(100)), "the program has ended");
    running.signal("TERM");
    assert_prints(&running.wait(), "ready\nSIGTERM\n");
}

/// std frees the main thread's signal stack when any thread leaves the program.
#[test]
fn a_program_can_be_left_while_the_main_thread_handles_signals() {
    for _ in 0..5 {
        assert_prints(&run_program("sig_exit_in_a_storm", &[]), "leaving\n");
    }
}

#[test]
fn a_deadlock_is_reported_when_nobody_listens_any_more() {
    for name in ["sig_dead_after_stop", "sig_dead_after_thread"] {
        let out = run_program(name, &[]);
        assert_fatal(&out, ASLEEP);
        assert_listed(&out, &["chan receive"]);
    }
}

/// The hexadecimal set in a line of `/proc/PID/status`.
fn set(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
    u64::from_str_radix(line.unwrap_or_else(|| panic!("no {name} in {text}")), 16).expect("a set")
}

#[cfg(target_os = "linux")]
#[test]
fn children_inherit_what_is_ignored_and_nothing_else() {
    let own = run(Command::new("cat").arg("/proc/self/status")).stdout;
    let out = run_program("sig_children", &[]);
    assert_eq!(out.status.code(), Some(0), "{out:#?}");
    assert_eq!((set(&out.stdout, "SigBlk"), set(&out.stdout, "SigCgt")), (set(&own, "SigBlk"), set(&own, "SigCgt")));
    // What lies above belongs to the C library, whose `posix_spawn` ignores it and whose `fork` does not.
    let ignored = |text| set(text, "SigIgn") & ((1 << 31) - 1);
    assert_eq!(ignored(&out.stdout), ignored(&own) | 1 << (HUP - 1) | 1 << (USR1 - 1));
}

#[cfg(target_os = "linux")]
#[test]
fn no_thread_blocks_signals() {
    assert_prints(&run_program("sig_masks", &[]), "true\n");
}

/// Runs a program that writes when nobody reads its standard streams any more, except for what `keep` names.
fn unread(name: &str, keep_stderr: bool) -> (ExitStatus, String) {
    let mut command = program(name);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    drop(child.stdout.take());
    let stderr = child.stderr.take().filter(|_| keep_stderr);
    // From here on the program may write.
    drop(child.stdin.take());
    let text = stderr.map_or_else(String::new, |stderr| std::io::read_to_string(stderr).expect("text"));
    (child.wait().expect("it is our child"), text)
}

#[test]
fn prints_that_nobody_reads_end_the_program_by_sigpipe() {
    for (name, keep_stderr) in [("sig_pipe_print", true), ("sig_pipe_print", false), ("sig_pipe_print_error", false)] {
        let (status, stderr) = unread(name, keep_stderr);
        assert_eq!((status.signal(), stderr.as_str()), (Some(PIPE), ""), "{name}: {status:?}");
    }
}

#[test]
fn a_library_has_stds_panic_for_prints_that_nobody_reads() {
    let (status, stderr) = unread("sig_pipe_print_library", true);
    assert_eq!(status.code(), Some(101), "{stderr}");
    assert!(stderr.contains("failed printing to stdout"), "{stderr}");
}

/// Whether the program is told which descriptor it was. An emulated one is of another machine than its tests.
fn knows_broken_writes() -> bool {
    cfg!(all(target_os = "linux", target_arch = "x86_64")) && std::env::var_os("TESTPROG").is_none()
}

/// On other machines the kernel does not tell which descriptor it was, and the write returns the error.
#[test]
fn other_writes_to_a_standard_stream_that_nobody_reads_end_the_program_as_well() {
    for name in ["sig_pipe_write", "sig_pipe_write_io"] {
        let (status, stderr) = unread(name, true);
        if knows_broken_writes() {
            assert_eq!((status.signal(), stderr.as_str()), (Some(PIPE), ""), "{name}: {status:?}");
        } else {
            assert_eq!((status.code(), stderr.as_str()), (Some(8), ""), "{name}: {status:?}");
        }
    }
}

#[test]
fn writes_to_other_descriptors_that_nobody_reads_return_an_error() {
    let running = start(&mut program("sig_pipe_others"));
    running.signal("PIPE");
    running.signal("TERM");
    let out = running.wait();
    assert_killed(&out, TERM);
    assert_eq!(out.lines(), ["BrokenPipe", "BrokenPipe", "ready"]);
}

#[test]
fn who_listens_for_sigpipe_gets_it_and_the_error() {
    let (status, stderr) = unread("sig_pipe_wanted", true);
    let lines: Vec<_> = stderr.lines().collect();
    assert_eq!(lines.first(), Some(&"BrokenPipe SIGPIPE"), "{status:?}");
    if knows_broken_writes() {
        assert_eq!(status.signal(), Some(PIPE), "{stderr}");
    } else {
        assert_eq!(status.code(), Some(8), "{stderr}");
    }
}

#[test]
fn a_program_in_a_pipe_ends_when_its_reader_does() {
    let inner = program("sig_pipe_endless");
    let out = run(Command::new("bash")
        .args(["-c", "\"$@\" | head -n 1; echo ${PIPESTATUS[0]}", "bash"])
        .arg(inner.get_program())
        .args(inner.get_args()));
    assert_eq!((out.stdout.as_str(), out.stderr.as_str()), ("line 0\n141\n", ""));
}
