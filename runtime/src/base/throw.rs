//! The end of the process by our own hand: throw, fatal, and what they print.
//!
//! **What.** `throw` for a broken invariant of the runtime, `fatal` for a fault of the user that nothing can catch.
//! Facts come first, one per line; then `fatal error: TEXT`; then the crash hook prints goroutines; then the process
//! ends with status 2, or with SIGABRT under `GOTRACEBACK=crash`.
//!
//! **Why here.** Floor 1, so that every floor can throw. Goroutines are unknown here: the dump is one of the three
//! upward hooks, installed by rt0.
//!
//! **Invariants.**
//! - TH1. Nothing on this path allocates or takes a lock.
//! - TH2. One thread crashes at a time. A second thread that throws waits for the first one to end the process.
//! - TH3. A failure while crashing ends sooner each time: the first prints `panic during panic` and tries the dump
//!   again, the second exits with 4, the third with 5 and prints nothing.
//!
//! **Locks.** None: the crashing thread is elected by a compare-and-swap.
//!
//! **Go:** `panic.go` (`throw`, `fatal`, `startpanic_m`, `dopanic_m`).

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::OnceLock;

use crate::base::env;
use crate::os;

/// Exit status of every crash.
const EXIT_CRASH: i32 = 2;
/// Exit status when the dump failed twice.
const EXIT_NO_TRACE: i32 = 4;
/// Exit status when even that could not be said.
const EXIT_NO_WORDS: i32 = 5;

/// Why the process ends; decides what the dump shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CrashKind {
    /// A broken invariant of the runtime: all goroutines, with the runtime's own frames.
    Throw,
    /// A fault of the program: the current goroutine, or all of them if there is none.
    Fatal,
    /// A panic that nobody can observe: the panicking goroutine.
    Panic,
    /// The user asked for a dump by SIGQUIT: all goroutines.
    Quit,
}

/// What the crashing thread does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
enum Stage {
    /// First failure: dump.
    Dump,
    /// The dump failed: say so, dump again.
    DumpAgain,
    /// That failed too: say so and leave.
    GiveUp,
    /// Leave.
    Leave,
}

/// Thread id of the crashing thread, 0 before a crash.
static CRASHING: AtomicU32 = AtomicU32::new(0);
/// How many times the crashing thread has entered `crash`; only that thread changes it.
static DEPTH: AtomicU32 = AtomicU32::new(0);
/// The dump; empty before rt0 installs it. Reading it is one load, so a signal handler may.
static CRASH_HOOK: OnceLock<fn(CrashKind)> = OnceLock::new();

/// Installs the function that prints goroutines when the process crashes; the first one stays.
///
/// The hook runs on the crashing thread, wherever that stands: it may not allocate and may not wait for a lock. It
/// may be called a second time if it fails (TH3). How much it prints follows [`env::traceback`].
pub(crate) fn set_crash_hook(hook: fn(CrashKind)) {
    CRASH_HOOK.get_or_init(|| hook);
}

/// Ends the process because the runtime is broken.
#[cold]
pub(crate) fn throw(text: &'static str) -> ! {
    crash(CrashKind::Throw, format_args!("fatal error: {text}\n"))
}

/// Ends the process because the program did what cannot be recovered from.
#[cold]
pub(crate) fn fatal(text: &'static str) -> ! {
    crash(CrashKind::Fatal, format_args!("fatal error: {text}\n"))
}

/// Prints `head`, which ends its own lines, has the goroutines dumped, and ends the process.
///
/// For crashes whose first line is not `fatal error:`, as that of an unobserved panic.
#[cold]
pub(crate) fn crash(kind: CrashKind, head: fmt::Arguments<'_>) -> ! {
    match next_stage() {
        Stage::Dump => print(head),
        Stage::DumpAgain => {
            print(head);
            os::write_stderr(b"panic during panic\n");
        }
        Stage::GiveUp => {
            os::write_stderr(b"stack trace unavailable\n");
            os::exit_now(EXIT_NO_TRACE);
        }
        Stage::Leave => os::exit_now(EXIT_NO_WORDS),
    }
    if let Some(hook) = CRASH_HOOK.get() {
        hook(kind);
    }
    if env::traceback().is_crash() {
        os::raise_abort();
    }
    os::exit_now(EXIT_CRASH)
}

/// Prints one line of facts before a throw: `runtime: `, the facts, a line end.
#[cold]
pub(crate) fn print_facts(facts: fmt::Arguments<'_>) {
    print(format_args!("runtime: {facts}\n"));
}

/// Writes formatted text to standard error, in one piece if it is short.
pub(crate) fn print(text: fmt::Arguments<'_>) {
    // StderrWriter never fails; an error can only come from a Display of the caller, which then has said less.
    let _ = StderrWriter.write_fmt(text);
}

/// Elects the crashing thread, or counts its failures; another thread never returns from here (TH2).
fn next_stage() -> Stage {
    let me = os::thread_id();
    // Relaxed: only the number matters, and DEPTH is touched by the elected thread alone.
    match CRASHING.compare_exchange(0, me, Ordering::Relaxed, Ordering::Relaxed) {
        Err(other) if other != me => wait_for_the_end(other),
        _ => {}
    }
    match DEPTH.fetch_add(1, Ordering::Relaxed) {
        0 => Stage::Dump,
        1 => Stage::DumpAgain,
        2 => Stage::GiveUp,
        _ => Stage::Leave,
    }
}

/// Sleeps until the crashing thread has ended the process.
fn wait_for_the_end(crashing: u32) -> ! {
    loop {
        os::futex_wait(&CRASHING, crashing, None);
    }
}

/// Standard error as a `fmt::Write` without allocation or locks.
///
/// A `write!` collects up to [`LINE`] bytes before they are written, so that short lines of several threads do not
/// mix; a bare `write_str` writes at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StderrWriter;

/// Bytes that a `write!` collects; small enough for a goroutine's stack.
const LINE: usize = 256;

impl Write for StderrWriter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        os::write_stderr(text.as_bytes());
        Ok(())
    }

    fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> fmt::Result {
        let mut line = LineBuffer { bytes: [0; LINE], len: 0 };
        let result = fmt::write(&mut line, text);
        line.flush();
        result
    }
}

/// The bytes that one `write!` has collected.
struct LineBuffer {
    bytes: [u8; LINE],
    len: usize,
}

impl LineBuffer {
    /// Writes out what was collected.
    fn flush(&mut self) {
        os::write_stderr(&self.bytes[..self.len]);
        self.len = 0;
    }
}

impl Write for LineBuffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.as_bytes().chunks(LINE) {
            if self.len + part.len() > LINE {
                self.flush();
            }
            self.bytes[self.len..self.len + part.len()].copy_from_slice(part);
            self.len += part.len();
        }
        Ok(())
    }
}

#[cfg(all(test, unix))]
pub(super) mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Output};
    use std::thread;

    use super::*;

    /// Set in a process that runs one test alone.
    const CHILD: &str = "GORUNTIME_TEST_ALONE";

    /// Runs `body` in a process of its own, which is this test program with only the test `name` of `module`.
    ///
    /// For what a process can do only once: crash, or install a hook.
    pub(in crate::base) fn alone(module: &str, name: &str, traceback: &str, body: fn()) -> Output {
        if std::env::var_os(CHILD).is_some() {
            env::init();
            body();
            std::process::exit(0);
        }
        let module = module.split_once("::").expect("a test module has a parent").1;
        Command::new(std::env::current_exe().expect("the test program has a path"))
            .args(["--exact", "--nocapture", &format!("{module}::{name}")])
            .env(CHILD, "1")
            .env("GOTRACEBACK", traceback)
            .output()
            .expect("the test program runs")
    }

    fn crashed(name: &str, traceback: &str, crash: fn()) -> Output {
        alone(module_path!(), name, traceback, crash)
    }

    fn text(output: &Output) -> &str {
        str::from_utf8(&output.stderr).expect("crashes print UTF-8")
    }

    #[test]
    fn throw_prints_facts_then_text_then_the_dump_and_exits_with_2() {
        let output = crashed("throw_prints_facts_then_text_then_the_dump_and_exits_with_2", "", || {
            set_crash_hook(|kind| print(format_args!("\ndump of {kind:?}\n")));
            print_facts(format_args!("p={} status={}", 3, "running"));
            throw("bad status");
        });
        assert_eq!(text(&output), "runtime: p=3 status=running\nfatal error: bad status\n\ndump of Throw\n");
        assert_eq!(output.status.code(), Some(2));
    }

    #[test]
    fn fatal_under_traceback_crash_ends_with_sigabrt() {
        let output = crashed("fatal_under_traceback_crash_ends_with_sigabrt", "crash", || fatal("user fault"));
        assert_eq!(text(&output), "fatal error: user fault\n");
        assert_eq!(output.status.signal(), Some(libc::SIGABRT));
    }

    #[test]
    fn a_throw_while_dumping_is_a_panic_during_panic() {
        static FAILED: AtomicU32 = AtomicU32::new(0);
        let output = crashed("a_throw_while_dumping_is_a_panic_during_panic", "", || {
            set_crash_hook(|_| {
                if FAILED.fetch_add(1, Ordering::Relaxed) == 0 {
                    throw("second");
                }
            });
            throw("first");
        });
        assert_eq!(text(&output), "fatal error: first\nfatal error: second\npanic during panic\n");
        assert_eq!(output.status.code(), Some(2));
    }

    #[test]
    fn a_dump_that_fails_twice_exits_with_4() {
        let output = crashed("a_dump_that_fails_twice_exits_with_4", "", || {
            set_crash_hook(|_| throw("in the dump"));
            throw("first");
        });
        assert!(text(&output).ends_with("panic during panic\nstack trace unavailable\n"), "{}", text(&output));
        assert_eq!(output.status.code(), Some(4));
    }

    #[test]
    fn a_failure_after_the_last_words_exits_with_5() {
        let output = crashed("a_failure_after_the_last_words_exits_with_5", "", || {
            DEPTH.store(3, Ordering::Relaxed);
            throw("not printed");
        });
        assert_eq!((text(&output), output.status.code()), ("", Some(5)));
    }

    #[test]
    fn a_second_thread_that_throws_waits_for_the_first() {
        let output = crashed("a_second_thread_that_throws_waits_for_the_first", "", || {
            set_crash_hook(|_| {
                static STARTED: AtomicU32 = AtomicU32::new(0);
                thread::spawn(|| {
                    STARTED.store(1, Ordering::Relaxed);
                    throw("second thread");
                });
                while STARTED.load(Ordering::Relaxed) == 0 {
                    os::yield_cpu();
                }
            });
            throw("first thread");
        });
        assert_eq!((text(&output), output.status.code()), ("fatal error: first thread\n", Some(2)));
    }

    #[test]
    fn a_text_longer_than_the_line_buffer_is_written_whole() {
        static LONG: [u8; 3 * LINE + 7] = [b'x'; 3 * LINE + 7];
        let output = crashed("a_text_longer_than_the_line_buffer_is_written_whole", "", || {
            print(format_args!("ab{}cd", str::from_utf8(&LONG).expect("plain letters")));
            throw("end");
        });
        let long = "x".repeat(LONG.len());
        assert_eq!(text(&output), format!("ab{long}cdfatal error: end\n"));
    }
}
