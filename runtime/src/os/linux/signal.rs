//! Linux signal stacks: where a handler runs when a goroutine's own stack is exhausted.
//!
//! **What.** One alternate stack for each thread that runs goroutines, with a guard page below.
//!
//! **Why here.** Floor 0. Which signals use it is decided in `coro/overflow.rs` and above.
//!
//! **Invariants.**
//! - SS1. An alternate stack that somebody else set up stays as it is: std gives one to its own threads, and frees it when they end. That of the
//!   main thread is replaced: `std::process::exit` frees it, on whatever thread it is called, while the main thread may be in a handler.
//! - SS2. A stack from here is never unmapped. Threads of the runtime are not retired, so the number is bounded.
//!
//! **Locks.** None.
//!
//! **Go:** `os_linux.go` (`minit`), `signal_unix.go` (`minitSignalStack`).

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr;

use super::memory::{guard_protect, release, reserve};
use super::page_size;

/// `AT_MINSIGSTKSZ` of `asm/auxvec.h`: what the kernel itself pushes for a signal, with all vector registers.
const AT_MINSIGSTKSZ: libc::c_ulong = 51;
/// Room for the handlers themselves: a crash report formats numbers and walks tables.
const HANDLER_ROOM: usize = 16 << 10;

/// Gives the calling thread an alternate signal stack, unless it has one that may stay (SS1). A sandbox that forbids them goes without.
///
/// # Errors
///
/// The error number when there is no memory for it: an overflow would be a plain SIGSEGV, which says nothing.
pub(crate) fn install_signal_stack(is_main: bool) -> Result<(), i32> {
    let mut current = MaybeUninit::<libc::stack_t>::uninit();
    // SAFETY: a null new stack only queries; `current` is writable.
    if unsafe { libc::sigaltstack(ptr::null(), current.as_mut_ptr()) } != 0 {
        return Ok(());
    }
    // SAFETY: the query succeeded, so it has filled the structure.
    let is_set = unsafe { current.assume_init() }.ss_flags & libc::SS_DISABLE == 0;
    if is_set && !is_main {
        return Ok(());
    }
    let page = page_size();
    let size = signal_stack_size().next_multiple_of(page);
    let low = reserve(page + size)?;
    // SAFETY: the first page of the mapping above holds nothing.
    if let Err(error) = unsafe { guard_protect(low, page) } {
        // SAFETY: the mapping above is not in use.
        unsafe { release(low, page + size) };
        return Err(error);
    }
    // SAFETY: the mapping is `page + size` bytes long.
    let stack = unsafe { low.add(page) };
    let stack = libc::stack_t { ss_sp: stack.as_ptr().cast::<c_void>(), ss_flags: 0, ss_size: size };
    // SAFETY: the stack is mapped, at least the kernel's minimum, used by nobody else and never unmapped (SS2).
    unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) };
    Ok(())
}

/// Returns the size of an alternate stack on this machine.
fn signal_stack_size() -> usize {
    // SAFETY: `getauxval` has no preconditions.
    let frame = unsafe { libc::getauxval(AT_MINSIGSTKSZ) } as usize;
    frame.max(libc::SIGSTKSZ) + HANDLER_ROOM
}

#[cfg(test)]
mod tests {
    use core::ffi::c_void;
    use std::sync::mpsc::{self, Sender};

    use super::super::spawn_thread;
    use super::*;

    /// The calling thread's alternate stack: address, size, and whether there is one.
    fn current() -> (usize, usize, bool) {
        let mut stack = MaybeUninit::<libc::stack_t>::uninit();
        // SAFETY: a null new stack only queries.
        assert_eq!(unsafe { libc::sigaltstack(ptr::null(), stack.as_mut_ptr()) }, 0);
        // SAFETY: the query succeeded.
        let stack = unsafe { stack.assume_init() };
        (stack.ss_sp.addr(), stack.ss_size, stack.ss_flags & libc::SS_DISABLE == 0)
    }

    type States = [(usize, usize, bool); 3];

    extern "C" fn install_twice(arg: *mut c_void) -> *mut c_void {
        // SAFETY: the test passes a boxed sender, once.
        let tell = unsafe { Box::from_raw(arg.cast::<Sender<States>>()) };
        let before = current();
        install_signal_stack(false).expect("memory for a test");
        let once = current();
        install_signal_stack(false).expect("there is one");
        tell.send([before, once, current()]).expect("the test listens");
        ptr::null_mut()
    }

    #[test]
    fn a_thread_gets_one_signal_stack_and_keeps_it() {
        let (tell, told) = mpsc::channel();
        let arg = Box::into_raw(Box::<Sender<States>>::new(tell)).cast();
        spawn_thread(install_twice, arg, 0).expect("a thread for a test");
        let [before, once, twice] = told.recv().expect("the thread tells its states");
        assert!(!before.2);
        assert!(once.2 && once.1 >= signal_stack_size());
        assert_eq!(once, twice);
    }
}
