//! Tells a stack overflow from any other fault.
//!
//! **What.** A handler for SIGSEGV and SIGBUS on the signal stack. If the fault lies in the guard of one of our slots
//! and the stack pointer is near, it calls the report, which does not return. Any other fault goes to the handler that
//! was there before, which for threads of std is std's own.
//!
//! **Why here (floor 2).** It knows slabs; the report, which knows goroutines, is a plain function.
//!
//! **Invariants.**
//! - OV1. Between the fault and the report only async-signal-safe things happen: atomic loads and `sigaction`.
//! - OV2. `INSTALLED` is set before the first handler is in force, so the handler always finds it.
//!
//! **Locks.** None; the faulting thread may hold any.
//!
//! **Go:** sighandler and sigpanic in signal_unix.go; newstack throws `stack overflow`.

pub(crate) use imp::{install, signal_frame_bytes};

/// What the handler calls when a process has sent one of its signals; false: to be treated as if this handler were not there.
pub(crate) type Sent = fn(signal: i32) -> bool;

/// What the handler calls on an overflow: fault address, low and high end of the stack's slot, stack pointer.
pub(crate) type Report = fn(fault_address: usize, stack_lo: usize, stack_hi: usize, sp: usize) -> !;

#[cfg(unix)]
mod imp {
    use std::ffi::{c_int, c_void};
    use std::mem::{self, MaybeUninit};
    use std::ptr;
    use std::sync::OnceLock;

    use super::{Report, Sent};
    use crate::coro::ranges::{self, Slot};

    /// A handler with SA_SIGINFO.
    type InfoHandler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
    /// A handler without.
    type PlainHandler = extern "C" fn(c_int);

    /// The report, and what was in force before us, for each signal of its own.
    struct Installed {
        report: Report,
        sent: Sent,
        old_segv: libc::sigaction,
        old_bus: libc::sigaction,
    }

    static INSTALLED: OnceLock<Installed> = OnceLock::new();

    /// Puts the handler in force for SIGSEGV and SIGBUS. The second and later calls do nothing.
    ///
    /// Threads that run goroutines need a signal stack of their own: on the overflown one there is no room.
    pub(crate) fn install(report: Report, sent: Sent) {
        let (Some(old_segv), Some(old_bus)) = (current(libc::SIGSEGV), current(libc::SIGBUS)) else {
            return;
        };
        if INSTALLED.set(Installed { report, sent, old_segv, old_bus }).is_ok() {
            put_in_force(libc::SIGSEGV);
            put_in_force(libc::SIGBUS);
        }
    }

    /// The action in force for a signal.
    fn current(signal: c_int) -> Option<libc::sigaction> {
        let mut action = MaybeUninit::uninit();
        // SAFETY: a null new action only asks, and the answer goes to a place of the right type.
        let result = unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) };
        // SAFETY: the call has succeeded, so it has written the action.
        (result == 0).then(|| unsafe { action.assume_init() })
    }

    fn put_in_force(signal: c_int) {
        let handler: InfoHandler = on_fault;
        let mut action = default_action();
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        set(signal, &action);
    }

    fn default_action() -> libc::sigaction {
        // SAFETY: sigaction is integers and an optional function pointer; zero is valid for all of them and stands
        // for SIG_DFL, an empty mask and no flags.
        unsafe { mem::zeroed() }
    }

    fn set(signal: c_int, action: &libc::sigaction) {
        // SAFETY: the action is complete, and its handler has the flavour that its flags name.
        unsafe { libc::sigaction(signal, action, ptr::null_mut()) };
    }

    extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
        let Some(installed) = INSTALLED.get() else {
            return set(signal, &default_action());
        };
        // SAFETY: the kernel passes a valid siginfo to a handler with SA_SIGINFO.
        let facts = unsafe { &*info };
        // A signal that a process sent has no address.
        let was_sent = facts.si_code <= 0;
        if !was_sent {
            // SAFETY: for a fault the kernel has filled in the address.
            let address = unsafe { facts.si_addr() } as usize;
            let sp = stack_pointer(context).unwrap_or(address);
            if let Some(slot) = ranges::find(address).filter(|slot| is_overflow(slot, address, sp)) {
                (installed.report)(address, slot.low, slot.high, sp);
            }
        } else if (installed.sent)(signal) {
            return;
        }
        let old = if signal == libc::SIGBUS { &installed.old_bus } else { &installed.old_segv };
        chain(old, signal, was_sent, info, context);
    }

    /// Does a fault at `address` come from a stack that grew into its guard?
    ///
    /// A stack pointer elsewhere means that a wild pointer hit the guard of a stack that is not at fault. It may lie
    /// below the slot by a guard's length: a frame of foreign code moves it before it touches.
    fn is_overflow(slot: &Slot, address: usize, sp: usize) -> bool {
        let slack = slot.usable_low - slot.low;
        address < slot.usable_low && (slot.low - slack..slot.high).contains(&sp)
    }

    /// Does what would have happened without us.
    fn chain(old: &libc::sigaction, signal: c_int, was_sent: bool, info: *mut libc::siginfo_t, context: *mut c_void) {
        match old.sa_sigaction {
            libc::SIG_IGN if was_sent => {}
            libc::SIG_DFL | libc::SIG_IGN => {
                // The instruction repeats its fault after the return, and that one ends the process.
                set(signal, &default_action());
                if was_sent {
                    // SAFETY: raise is async-signal-safe; the signal is blocked here and comes on return.
                    unsafe { libc::raise(signal) };
                }
            }
            handler if old.sa_flags & libc::SA_SIGINFO != 0 => {
                // SAFETY: an action with SA_SIGINFO that is neither of the above holds such a handler.
                let handler = unsafe { mem::transmute::<*const (), InfoHandler>(address(handler)) };
                handler(signal, info, context);
            }
            handler => {
                // SAFETY: an action without SA_SIGINFO that is neither of the above holds such a handler.
                let handler = unsafe { mem::transmute::<*const (), PlainHandler>(address(handler)) };
                handler(signal);
            }
        }
    }

    /// A handler's address, which the system has kept for us as a number.
    fn address(handler: libc::sighandler_t) -> *const () {
        ptr::with_exposed_provenance(handler)
    }

    /// The stack pointer at the fault, where the layout of the context is known.
    fn stack_pointer(context: *mut c_void) -> Option<usize> {
        // SAFETY: the kernel passes a ucontext_t of this platform to a handler with SA_SIGINFO.
        saved_sp(unsafe { &*context.cast::<libc::ucontext_t>() })
    }

    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn saved_sp(context: &libc::ucontext_t) -> Option<usize> {
        Some(context.uc_mcontext.gregs[libc::REG_RSP as usize] as usize)
    }

    #[cfg(all(target_os = "linux", target_arch = "aarch64"))]
    fn saved_sp(context: &libc::ucontext_t) -> Option<usize> {
        Some(context.uc_mcontext.sp as usize)
    }

    #[cfg(all(target_vendor = "apple", target_arch = "aarch64"))]
    fn saved_sp(context: &libc::ucontext_t) -> Option<usize> {
        // SAFETY: the kernel points uc_mcontext to the registers that it saved for this handler.
        let registers = unsafe { &*context.uc_mcontext };
        Some(registers.__ss.__sp as usize)
    }

    #[cfg(not(any(
        all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")),
        all(target_vendor = "apple", target_arch = "aarch64"),
    )))]
    fn saved_sp(_context: &libc::ucontext_t) -> Option<usize> {
        None
    }

    /// What the kernel writes on a stack to deliver a signal, as far as it is known.
    pub(crate) fn signal_frame_bytes() -> usize {
        #[cfg(target_os = "linux")]
        // SAFETY: getauxval reads a table of the process and has no preconditions.
        let from_kernel = unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) } as usize;
        #[cfg(not(target_os = "linux"))]
        let from_kernel = 0;
        from_kernel.max(libc::MINSIGSTKSZ)
    }
}

#[cfg(not(unix))]
mod imp {
    use super::{Report, Sent};

    /// Leaves overflows to the system's own report: they arrive there as an exception of the thread.
    pub(crate) fn install(_report: Report, _sent: Sent) {}

    /// No signals here.
    pub(crate) fn signal_frame_bytes() -> usize {
        0
    }
}
