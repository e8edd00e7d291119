//! The handlers: what a signal does that nobody listens for, in Go's way.
//!
//! *Why here.* Floor 8; `rt0` installs them, `table` changes what they do.
//!
//! Two functions run when a signal comes. [`base`] is installed by this file, at the start or right before the first registration. [`action`] is what
//! `signal-hook-registry` calls once a signal was listened for; the registry calls what was in force before it, which may be `base`, first.
//!
//! | the signal | `base` alone | the registry: `base`, then `action` |
//! |---|---|---|
//! | the first registration is under way | leaves it in `EARLY` | the same; then `action` takes it back and notes it |
//! | somebody listens | - | `base` nothing, `action` notes it |
//! | nobody listens | [`unwanted`] | `base` nothing, `action` does `unwanted` |
//!
//! *Invariants.* HD1. What a handler calls is async-signal-safe. HD2. No signal is lost between the effects: one that comes while a listener comes or
//! goes is noted (SQ1), or has the effect that it has without listeners. (In the moments of the first registration one may be noted twice, by
//! `base` and by `action`; it is then delivered twice if the registration ends just in between.) HD3. A bit in `RAISES` means that the
//! disposition to go back to is the system's default, and that it was put in force before the listeners went (`table`): so to send the signal again is
//! to take the default action, or to be caught by who listens now.
//!
//! *Locks.* None.
//!
//! *Go:* `sighandler`, `sigpipe`, `initsig`, sigtab_linux_generic.go.

use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicUsize, Ordering};
use std::panic::PanicHookInfo;

use crate::os::signals::{self as os, Disposition};
use crate::proc::boot;
use crate::signal::name::Signal;
use crate::sigqueue::{Mask, QUEUE, SigQueue, bit};
use crate::sysmon::{self, DumpReason};

/// Signals that come during their first registration.
static EARLY: SigQueue = SigQueue::new();
/// Signals for which the registry calls [`action`].
static REGISTERED: AtomicUsize = AtomicUsize::new(0);
/// HD3.
static RAISES: AtomicUsize = AtomicUsize::new(0);
/// What [`ignore`](super::ignore()) has ignored, for the panic hook, which may not wait for the table.
static IGNORED: AtomicUsize = AtomicUsize::new(0);
/// Signals whose dump is this runtime's: those for which `base` was installed at the start.
static DUMPS: AtomicUsize = AtomicUsize::new(0);
/// Signals that end a first process: those of [`END`] that were not ignored at the start.
static ENDS: AtomicUsize = AtomicUsize::new(0);

/// The signals that ask for a dump in every program, and those that do in one with the attribute.
const DUMPS_ALWAYS: &[Signal] = &[Signal::QUIT];
const DUMPS_IN_PROGRAMS: &[Signal] = &[Signal::ILL, Signal::TRAP, Signal::FPE, Signal::SYS];
/// Signals that end a program. The kernel takes no default action on the first process of a container, so there it takes a handler.
const END: &[Signal] = &[Signal::HUP, Signal::INT, Signal::TERM];
/// Signals without effect in a program with the attribute, in addition to those that the system ignores by default, and to real-time signals.
const WITHOUT_EFFECT: &[Signal] =
    &[Signal::USR1, Signal::USR2, Signal::ALRM, Signal::IO, Signal::XCPU, Signal::XFSZ, Signal::VTALRM, Signal::PROF];

/// Installs what every kind of start has; and Go's defaults, if the program has the attribute. In a library the signals are the program's.
pub(crate) fn install() {
    DUMPS_ALWAYS.iter().for_each(|signal| dump_on(signal.as_raw()));
    if !boot::is_program() {
        return;
    }
    // Whoever has started the program may have ignored this one; then the children would be nobody's to wait for.
    if Disposition::of(libc::SIGCHLD).is_ok_and(|now| now.is_ignore()) {
        // It fails only for numbers that are no signals.
        let _ = Disposition::default_action().set(libc::SIGCHLD);
    }
    DUMPS_IN_PROGRAMS.iter().map(|signal| signal.as_raw()).chain(os::MORE_DUMPS.iter().copied()).for_each(dump_on);
    if os::is_first_process() {
        END.iter().map(|signal| signal.as_raw()).for_each(end_on);
    }
    let quiet = WITHOUT_EFFECT.iter().map(|signal| signal.as_raw());
    quiet.chain(os::more_without_effect()).for_each(|signal| _ = put_in_force(signal));
    // Std has it ignored at the start; if the program was built to leave it alone, so does this.
    if os::KNOWS_BROKEN_WRITES && Disposition::of(libc::SIGPIPE).is_ok_and(|now| now.is_ignore()) {
        put_in_force(libc::SIGPIPE);
    }
}

fn dump_on(signal: i32) {
    // Before the handler is in force, so that it finds the bit. Without the handler the bit means nothing.
    DUMPS.fetch_or(bit(signal), Ordering::Relaxed);
    if !put_in_force(signal) {
        DUMPS.fetch_and(!bit(signal), Ordering::Relaxed);
    }
}

fn end_on(signal: i32) {
    if Disposition::of(signal).is_ok_and(|now| now.is_default()) {
        // Before the handler is in force, so that it finds the bit.
        ENDS.fetch_or(bit(signal), Ordering::Relaxed);
        put_in_force(signal);
    }
}

/// Installs [`base`], unless something has a handler. That a signal is ignored is no reason: shells start background jobs with SIGQUIT so, and HUP and
/// INT, which are to stay ignored then, are not installed here.
fn put_in_force(signal: i32) -> bool {
    let Ok(before) = Disposition::handler(base).set(signal) else { return false };
    if before.is_handler() {
        // It is what was in force a moment ago, so it can be put back.
        let _ = before.set(signal);
    }
    !before.is_handler()
}

/// See the table in the head.
extern "C" fn base(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let mask = bit(signal);
    // SAFETY: the kernel passes a valid siginfo to a handler with SA_SIGINFO.
    let info = unsafe { &*info };
    if signal == libc::SIGPIPE && !QUEUE.is_wanted(mask) {
        // Only this function is told where the write was.
        return os::keeping_errno(|| broken_pipe(info, context));
    }
    // Relaxed, here and below: a handler of a signal that is registered for the first time just now takes one way or the other (HD2).
    if REGISTERED.load(Ordering::Relaxed) & mask != 0 || EARLY.note(mask) {
        return;
    }
    os::keeping_errno(|| unwanted(signal, os::is_fault(info)));
}

/// What the registry calls; it keeps errno.
pub(super) fn action(signal: i32, is_fault: bool) {
    // Whatever `base` has left before it was this same signal.
    EARLY.take_back(bit(signal));
    if QUEUE.note(bit(signal)) {
        sysmon::signal_noted();
    } else {
        unwanted(signal, is_fault);
    }
}

/// The effect of a signal that nobody listens for, where there is one.
fn unwanted(signal: i32, is_fault: bool) {
    if RAISES.load(Ordering::Relaxed) & bit(signal) != 0 {
        // HD3. It cannot fail: the signal exists, and so does the process.
        let _ = os::send_to_process(signal);
    } else if ENDS.load(Ordering::Relaxed) & bit(signal) != 0 {
        os::die(signal);
    } else if DUMPS.load(Ordering::Relaxed) & bit(signal) != 0 {
        if is_fault {
            // The program itself did it: as in every Rust program it dies on the spot, for whoever reads core dumps.
            os::die(signal);
        }
        sysmon::request_dump(reason(signal));
    }
}

fn reason(signal: i32) -> DumpReason {
    match signal {
        libc::SIGILL => DumpReason::Ill,
        libc::SIGTRAP => DumpReason::Trap,
        libc::SIGBUS => DumpReason::Bus,
        libc::SIGFPE => DumpReason::Fpe,
        libc::SIGSEGV => DumpReason::Segv,
        libc::SIGSYS => DumpReason::Sys,
        libc::SIGQUIT => DumpReason::Quit,
        _ => DumpReason::Stkflt,
    }
}

/// A write to the standard output or to standard error that nobody will read ends the program; any other one only returns an error.
fn broken_pipe(info: &libc::siginfo_t, context: *mut c_void) {
    if matches!(os::broken_write(info, context), Some(libc::STDOUT_FILENO | libc::STDERR_FILENO)) {
        os::die(libc::SIGPIPE);
    }
}

/// SIGSEGV or SIGBUS was sent by a process. True if that is dealt with.
pub(crate) fn fault_was_sent(signal: i32) -> bool {
    let is_ours = boot::is_program();
    if is_ours {
        os::keeping_errno(|| sysmon::request_dump(reason(signal)));
    }
    is_ours
}

/// A panic begins: if it is std's about a standard stream that nobody reads, the program ends as by the write itself. For systems that do not tell
/// which descriptor it was.
pub(crate) fn look_at_panic(info: &PanicHookInfo<'_>) {
    let is_stdio = info.location().is_some_and(|place| place.file().ends_with("std/src/io/stdio.rs"));
    // Relaxed: whoever has it ignored does not expect more than that his own prints know it.
    let pipe = Signal::PIPE.bit();
    let is_taken = IGNORED.load(Ordering::Relaxed) & pipe != 0 || QUEUE.is_wanted(pipe);
    if !is_stdio || is_taken || !boot::is_program() {
        return;
    }
    let message = info.payload().downcast_ref::<String>();
    if message.is_some_and(|text| text.starts_with("failed printing to std") && text.ends_with(&broken_pipe_text())) {
        os::die(libc::SIGPIPE);
    }
}

/// How std shows the error.
fn broken_pipe_text() -> String {
    std::io::Error::from_raw_os_error(libc::EPIPE).to_string()
}

/// The first registration of a signal begins. If nothing handles it yet, `base` keeps what comes meanwhile.
pub(super) fn begin_registration(signal: i32, has_handler: bool) -> std::io::Result<()> {
    EARLY.want(bit(signal));
    if has_handler { Ok(()) } else { Disposition::handler(base).set(signal).map(drop) }
}

/// The registration is over: if it went well, the registry calls [`action`] from now on. True if the signal came meanwhile.
pub(super) fn end_registration(signal: i32, went_well: bool) -> bool {
    if went_well {
        REGISTERED.fetch_or(bit(signal), Ordering::Relaxed);
    }
    EARLY.forget(bit(signal));
    EARLY.take() != 0
}

/// Whether the disposition is `base`'s.
pub(super) fn is_base(disposition: &Disposition) -> bool {
    disposition.is_like(&Disposition::handler(base))
}

/// A signal is ignored from now on, or no more.
pub(super) fn set_ignored(mask: Mask, is_ignored: bool) {
    if is_ignored {
        IGNORED.fetch_or(mask, Ordering::Relaxed);
    } else {
        IGNORED.fetch_and(!mask, Ordering::Relaxed);
    }
}

/// HD3, as soon as it is known what a signal goes back to.
pub(super) fn goes_back_to_default(mask: Mask) {
    RAISES.fetch_or(mask, Ordering::Relaxed);
}
