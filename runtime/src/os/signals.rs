//! Signals: what happens when one comes, how to send one, and how to die by one.
//!
//! **What.** Dispositions as values, the handler that this crate shares with others through `signal-hook-registry`, and what the
//! kernel tells a handler.
//!
//! **Why here.** Floor 0, on every Unix. Which signal means what is decided in `signal`.
//!
//! **Invariants.**
//! - SG1. What is called in a handler (`send_to_process`, `raise`, `die`, `is_fault`, `broken_write`) is async-signal-safe, and
//!   [`keeping_errno`] hides from the interrupted code what it does to `errno`.
//! - SG2. Handlers run on the thread's signal stack, one at a time, and have interrupted calls restarted. One at a time, because the signal stacks
//!   that std makes have no room for two.
//!
//! **Locks.** Those of the registry: one for whoever registers, none in handlers.
//!
//! **Go:** `signal_unix.go`, `os_linux.go` (`setsig`, `getsig`, `raise`, `dieFromSignal`).

use core::ffi::{c_int, c_void};
use core::mem::{self, MaybeUninit};
use core::ptr;
use std::io;

use super::{exit_now, raise_abort};

/// What the kernel passes to a handler.
pub(crate) type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

/// What happens when a signal comes.
#[derive(Clone, Copy)]
pub(crate) struct Disposition(libc::sigaction);

impl Disposition {
    /// The system's default.
    pub(crate) fn default_action() -> Disposition {
        // SAFETY: sigaction is integers and an optional function pointer; zero is valid for all of them and stands for SIG_DFL, an empty
        // mask and no flags.
        Disposition(unsafe { mem::zeroed() })
    }

    /// Nothing; children inherit it.
    pub(crate) fn ignore() -> Disposition {
        let mut ignore = Disposition::default_action();
        ignore.0.sa_sigaction = libc::SIG_IGN;
        ignore
    }

    /// A handler (SG2).
    pub(crate) fn handler(handler: Handler) -> Disposition {
        let mut action = Disposition::default_action();
        action.0.sa_sigaction = handler as usize;
        action.0.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        action.on_signal_stack()
    }

    /// The same on the thread's signal stack, and alone there (SG2): a goroutine's own stack may be nearly used up.
    pub(crate) fn on_signal_stack(mut self) -> Disposition {
        self.0.sa_flags |= libc::SA_ONSTACK;
        // SAFETY: the call fills a set that is there.
        unsafe { libc::sigfillset(&raw mut self.0.sa_mask) };
        self
    }

    pub(crate) fn is_default(&self) -> bool {
        self.0.sa_sigaction == libc::SIG_DFL
    }

    pub(crate) fn is_ignore(&self) -> bool {
        self.0.sa_sigaction == libc::SIG_IGN
    }

    pub(crate) fn is_handler(&self) -> bool {
        !self.is_default() && !self.is_ignore()
    }

    /// Whether both have the same handler, or none of the same kind.
    pub(crate) fn is_like(&self, other: &Disposition) -> bool {
        self.0.sa_sigaction == other.0.sa_sigaction
    }

    /// What is in force for a signal.
    pub(crate) fn of(signal: i32) -> io::Result<Disposition> {
        let mut action = MaybeUninit::uninit();
        // SAFETY: a null new action only asks, and the answer goes to a place of the right type.
        match unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) } {
            // SAFETY: the call has succeeded, so it has written the action.
            0 => Ok(Disposition(unsafe { action.assume_init() })),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Puts this in force for a signal; returns what was before.
    pub(crate) fn set(&self, signal: i32) -> io::Result<Disposition> {
        let mut before = MaybeUninit::uninit();
        // SAFETY: the action is complete, its handler has the flavour that its flags name, and what was before goes to a place of the
        // right type.
        match unsafe { libc::sigaction(signal, &raw const self.0, before.as_mut_ptr()) } {
            // SAFETY: the call has succeeded, so it has written the action.
            0 => Ok(Disposition(unsafe { before.assume_init() })),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Has `action` called whenever a signal comes, beside whatever other crates have registered and what was in force before. For good: there
/// is no way to take it back, but another disposition may hide it.
///
/// `action` is async-signal-safe; it gets the signal, and whether the running code raised it by a fault.
pub(crate) fn register(signal: i32, action: fn(i32, bool)) -> io::Result<()> {
    let called = move |info: &libc::siginfo_t| action(signal, is_fault(info));
    // SAFETY: the caller's action does only what a handler may do, and so does `is_fault` (SG1).
    unsafe { signal_hook_registry::register_unchecked(signal, called) }.map(drop)
}

/// The highest signal.
pub(crate) fn last_signal() -> i32 {
    #[cfg(target_os = "linux")]
    {
        libc::SIGRTMAX()
    }
    #[cfg(not(target_os = "linux"))]
    {
        31
    }
}

/// Whether the C library uses the signal for itself.
pub(crate) fn is_reserved(signal: i32) -> bool {
    #[cfg(target_os = "linux")]
    {
        (32..libc::SIGRTMIN()).contains(&signal)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = signal;
        false
    }
}

/// Names and meanings of signals that other systems lack.
pub(crate) const MORE_NAMES: &[(i32, &str, &str)] = &[
    #[cfg(target_os = "linux")]
    (libc::SIGSTKFLT, "SIGSTKFLT", "stack fault"),
    #[cfg(target_os = "linux")]
    (libc::SIGPWR, "SIGPWR", "power failure"),
];

/// Signals that other systems lack and that ask for a dump in Go's programs.
pub(crate) const MORE_DUMPS: &[i32] = &[
    #[cfg(target_os = "linux")]
    libc::SIGSTKFLT,
];

/// Signals that other systems lack and that have no effect in Go's programs: those for power and for real time.
pub(crate) fn more_without_effect() -> impl Iterator<Item = i32> {
    #[cfg(target_os = "linux")]
    {
        core::iter::once(libc::SIGPWR).chain(libc::SIGRTMIN()..=libc::SIGRTMAX())
    }
    #[cfg(not(target_os = "linux"))]
    {
        core::iter::empty()
    }
}

/// Whether this is the first process of a system, or of a container.
pub(crate) fn is_first_process() -> bool {
    std::process::id() == 1
}

/// Sends a signal to this process.
pub(crate) fn send_to_process(signal: i32) -> io::Result<()> {
    // SAFETY: the call takes no pointers.
    match unsafe { libc::kill(libc::getpid(), signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Sends a signal to the calling thread, which handles it before this returns, unless it blocks it.
pub(crate) fn raise(signal: i32) -> io::Result<()> {
    // SAFETY: `raise` has no preconditions.
    match unsafe { libc::raise(signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Ends the process by the default action of a signal, so that whoever waits for it sees the signal.
pub(crate) fn die(signal: i32) -> ! {
    // Best effort, step by step: what follows ends the process in any case.
    let _ = Disposition::default_action().set(signal);
    let mut only = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the call initialises the set.
    unsafe { libc::sigemptyset(only.as_mut_ptr()) };
    // SAFETY: the set was initialised above.
    unsafe { libc::sigaddset(only.as_mut_ptr(), signal) };
    // SAFETY: the set was initialised above; null asks for no old one.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, only.as_ptr(), ptr::null_mut()) };
    // If it returns, there is still the exit.
    let _ = raise(signal);
    if signal == libc::SIGABRT { raise_abort() } else { exit_now(128 + signal) }
}

/// Whether the signal comes from an instruction of the thread that handles it, and not from a process, a timer or a terminal.
pub(crate) fn is_fault(info: &libc::siginfo_t) -> bool {
    match info.si_signo {
        libc::SIGILL | libc::SIGTRAP | libc::SIGFPE | libc::SIGSEGV | libc::SIGBUS | libc::SIGSYS => info.si_code > 0,
        _ => false,
    }
}

/// Runs a part of a handler so that the interrupted code does not see another error number.
pub(crate) fn keeping_errno<T>(body: impl FnOnce() -> T) -> T {
    #[cfg(target_os = "linux")]
    // SAFETY: the address is that of the calling thread's error number, which is there while it runs.
    let place = unsafe { libc::__errno_location() };
    #[cfg(not(target_os = "linux"))]
    // SAFETY: as above.
    let place = unsafe { libc::__error() };
    // SAFETY: as above.
    let before = unsafe { *place };
    let value = body();
    // SAFETY: as above.
    unsafe { *place = before };
    value
}

/// Whether [`broken_write`] can tell descriptors here.
pub(crate) const KNOWS_BROKEN_WRITES: bool = cfg!(all(target_os = "linux", target_arch = "x86_64"));

/// The descriptor that the interrupted thread has just written to in vain, if this SIGPIPE is the kernel's answer to that.
///
/// The kernel does not say which it was, but it delivers the signal on the way out of the system call, which has changed no register except
/// for the result: the first argument is still there. On aarch64 the result takes its place.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub(crate) fn broken_write(info: &libc::siginfo_t, context: *mut c_void) -> Option<i32> {
    // SAFETY: getpid has no preconditions.
    let me = unsafe { libc::getpid() };
    // SAFETY: with these codes the kernel has filled in a process.
    let is_own = info.si_code == libc::SI_USER && unsafe { info.si_pid() } == me;
    // SAFETY: the kernel passes a ucontext_t of this platform to a handler with SA_SIGINFO.
    let registers = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let result = registers[libc::REG_RAX as usize];
    let descriptor = registers[libc::REG_RDI as usize];
    (is_own && result == -i64::from(libc::EPIPE)).then(|| i32::try_from(descriptor).ok())?
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub(crate) fn broken_write(_info: &libc::siginfo_t, _context: *mut c_void) -> Option<i32> {
    None
}
