//! Panics: whose they are, and what is printed.
//!
//! *Why here.* Floor 8.
//!
//! One panic hook serves three cases. A goroutine started by `go` (and `main`, and inits): nobody can observe the panic, so nothing is printed
//! until it has left the goroutine; then Go's block, and exit status 2. A goroutine with a handle: the panic is the joiner's, and the hook prints what
//! std's does, with the goroutine's name. A plain thread: the hook that was there before. A hook that the user installs replaces ours, as
//! everywhere in Rust; the block of an unobserved panic is then printed without the stack.
//!
//! *Invariants.* PA1. An unobserved panic ends the process before anything else of the goroutine runs.
//!
//! *Locks.* None.
//!
//! *Go:* panic.go, `printpanics`, `fatalpanic`.

use core::any::Any;
use core::fmt::Write as _;
use core::sync::atomic::{AtomicU32, Ordering};
use std::io::{self, Write as _};
use std::panic::{self, PanicHookInfo};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::base::throw::{CrashKind, crash, print};
use crate::debug::{block, frames, handlers};
use crate::gmp::g::flag;
use crate::gmp::status::State;
use crate::gmp::{GPtr, gslab, m};
use crate::task::{extra, goexit};

/// Goroutines that are unwinding a panic which nobody can observe; main's return waits for them a little.
pub(crate) static UNWINDING: AtomicU32 = AtomicU32::new(0);

/// What is known of a panic when it begins.
#[derive(Debug)]
pub(crate) struct Record {
    message: String,
    stack: String,
}

/// What std says when a panic leaves a destructor that runs because of another panic.
const IN_CLEANUP: &str = "panic in a destructor during cleanup";
const CANNOT_UNWIND: &str = "panic in a function that cannot unwind";

/// How long a program that dies of a panic waits for its unfinished output.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// Installs the hook; once.
pub(crate) fn install_hook() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        handlers::look_at_panic(info);
        let Some(gp) = current_goroutine() else { return before(info) };
        gp.unset(flag::GOEXIT_UNWINDS);
        if gp.has(flag::JOINED) {
            print_observed(gp, info, &*before);
        } else {
            note(gp, info);
        }
    }));
}

fn current_goroutine() -> Option<GPtr> {
    m::current().and_then(|mp| mp.curg()).filter(|gp| !gp.has(flag::THREAD))
}

/// A panic that a joiner will get: prints what std prints, with the goroutine's name for the thread's.
fn print_observed(gp: GPtr, info: &PanicHookInfo<'_>, before: &dyn Fn(&PanicHookInfo<'_>)) {
    if gp.has(flag::RUN) {
        // Its name is that of the thread in `run`: what was installed before (a test harness, say) knows how to print.
        return before(info);
    }
    let name = extra::name();
    let name = name.as_deref().unwrap_or("<unnamed>");
    let place = info.location().map_or_else(|| "<unknown>".to_owned(), ToString::to_string);
    let message = payload_text(info.payload());
    print(format_args!("\nthread '{name}' (goroutine {}) panicked at {place}:\n{message}\n", gp.goid()));
    if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0") {
        print(format_args!("stack backtrace:\n{}", frames::capture()));
    } else {
        print(format_args!("note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n"));
    }
}

/// A panic that nobody will observe, unless the goroutine catches it: remembers what to print.
fn note(gp: GPtr, info: &PanicHookInfo<'_>) {
    let message = payload_text(info.payload());
    let cannot_unwind = message == IN_CLEANUP || message == CANNOT_UNWIND;
    if cannot_unwind {
        die(gp);
    }
    if !gp.has(flag::PANICKING) {
        gp.set(flag::PANICKING);
        // SeqCst: pairs with the look of `panic_grace`.
        UNWINDING.fetch_add(1, Ordering::SeqCst);
        // Records of panics that were caught since are of no interest any more.
        extra::with(|extra| extra.panics.borrow_mut().retain(|_| std::thread::panicking()));
    }
    let record = Record { message, stack: frames::capture() };
    extra::with(|extra| extra.panics.borrow_mut().push(record));
    if cfg!(panic = "abort") {
        die(gp);
    }
}

/// The goroutine has caught its panics.
pub(crate) fn over(gp: GPtr) {
    if gp.has(flag::PANICKING) {
        gp.unset(flag::PANICKING);
        // SeqCst: pairs with the look of `panic_grace`.
        UNWINDING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether a goroutine that has not caught its panic, as far as is known, runs or wants to.
pub(crate) fn is_anybody_dying() -> bool {
    let mut found = false;
    gslab::for_each(|gp| {
        found |= gp.has(flag::PANICKING) && matches!(gp.status.load(), State::Running | State::Runnable);
    });
    found
}

/// A panic has left a goroutine that nobody joins: prints Go's block and ends the process.
pub(crate) fn unobserved(payload: Box<dyn Any + Send>) -> ! {
    let gp = extra::current_g();
    let known = extra::with_existing(|extra| !extra.panics.borrow().is_empty()).unwrap_or(false);
    if !known {
        let record = Record { message: payload_text(&*payload), stack: String::new() };
        extra::with(|extra| extra.panics.borrow_mut().push(record));
    }
    core::mem::forget(payload);
    die(gp)
}

fn die(gp: GPtr) -> ! {
    // SeqCst: pairs with the look of `panic_grace`, which then waits for the exit that follows.
    PRINTING.store(1, Ordering::SeqCst);
    let records = extra::with(|extra| core::mem::take(&mut *extra.panics.borrow_mut()));
    let mut text = String::new();
    for (depth, record) in records.iter().enumerate() {
        let tab = if depth == 0 { "" } else { "\t" };
        // Writing to a String does not fail.
        let _ = writeln!(text, "{tab}panic: {}", record.message.replace('\n', "\n\t"));
    }
    let stack = records.last().map_or("", |record| record.stack.as_str());
    text.push('\n');
    if crate::base::env::traceback().level() > 0 {
        text.push_str(&block::running(gp, stack));
    }
    flush_stdout();
    crash(CrashKind::Panic, format_args!("{text}"))
}

/// Writes what `print!` has left unfinished, which std would write when the process ends. On a thread of its own: somebody may hold the lock
/// of standard output for ever, or nobody read it, and then the text is not worth the wait.
fn flush_stdout() {
    let (tell, told) = mpsc::channel();
    let helper = thread::Builder::new().spawn(move || {
        // Whoever listened has ended, or waits; nobody cares for the error.
        let _ = io::stdout().flush();
        let _ = tell.send(());
    });
    if helper.is_ok() {
        let _ = told.recv_timeout(FLUSH_LIMIT);
    }
}

/// A panic block is being printed: main's return waits for the exit that follows.
pub(crate) static PRINTING: AtomicU32 = AtomicU32::new(0);

/// The text of a panic's payload: strings as they are, anything else by what little is known of it.
pub(crate) fn payload_text(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else if goexit::is_goexit(payload) {
        "goexit".to_owned()
    } else {
        "Box<dyn Any>".to_owned()
    }
}
