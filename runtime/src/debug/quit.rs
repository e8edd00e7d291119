//! SIGQUIT: every goroutine, then exit status 2.
//!
//! *Why here.* Floor 8. The handler only wakes sysmon, which prints.
//!
//! *Invariants.* None. *Locks.* None in the handler.
//!
//! *Go:* `sighandler` for signals that throw.

/// Installs the handler, unless the program has one of its own. As in Go, being ignored is no reason: shells start background jobs so.
#[cfg(unix)]
pub(crate) fn install() {
    extern "C" fn on_quit(_signal: libc::c_int) {
        crate::sysmon::request_dump();
    }
    // SAFETY: an all-zero sigaction is a valid one: SIG_DFL without flags.
    let mut old: libc::sigaction = unsafe { core::mem::zeroed() };
    // SAFETY: reads the current action into a valid place.
    unsafe { libc::sigaction(libc::SIGQUIT, core::ptr::null(), &raw mut old) };
    if old.sa_sigaction != libc::SIG_DFL && old.sa_sigaction != libc::SIG_IGN {
        return;
    }
    // SAFETY: as above.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    action.sa_sigaction = on_quit as extern "C" fn(libc::c_int) as usize;
    action.sa_flags = libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY: the handler is async-signal-safe: it stores a flag and wakes a futex.
    unsafe { libc::sigaction(libc::SIGQUIT, &raw const action, core::ptr::null_mut()) };
}

/// There is no SIGQUIT here.
#[cfg(not(unix))]
pub(crate) fn install() {}
