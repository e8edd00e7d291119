//! Tests of what a fault leads to: the report, or what would have happened without us.
//!
//! **What.** Each runs in a child process, which ends by the fault; the parent looks at how.
//!
//! **Why here (floor 2).** Beside the other tests of the floor, whose child runner they use.
//!
//! **Invariants.** As in `tests`.
//!
//! **Locks.** None.
//!
//! **Go:** the stack overflow and signal tests of crash_test.go.

use std::ffi::{c_int, c_void};
use std::os::unix::process::ExitStatusExt;
use std::ptr;
use std::thread;

use super::{in_child, poke};
use crate::coro::switch::{Coro, Yielder, suspend};
use crate::coro::{StackClass, allocate, overflow};
use crate::os;

/// Prints the facts of an overflow and leaves with status 2.
fn report(fault_address: usize, stack_lo: usize, stack_hi: usize, sp: usize) -> ! {
    let is_inside = (stack_lo..stack_hi).contains(&fault_address) && (stack_lo..stack_hi).contains(&sp);
    os::write_stderr(if is_inside { b"overflow inside\n" } else { b"overflow outside\n" });
    os::exit_now(2)
}

/// Calls itself until there is no stack left.
unsafe fn recurse(argument: *mut (), yielder: *const Yielder<()>) {
    #[inline(never)]
    fn deeper(depth: u64) -> u64 {
        let frame = std::hint::black_box([depth; 16]);
        if depth == u64::MAX { 0 } else { deeper(depth + 1) + frame[3] }
    }
    if argument.is_null() {
        // SAFETY: the yielder is the entry's own, and this is its stack.
        unsafe { suspend(yielder, ()) };
    }
    std::hint::black_box(deeper(0));
}

#[test]
fn an_overflow_is_reported_with_its_stack() {
    let Some(output) = in_child(module_path!(), "an_overflow_is_reported_with_its_stack", || {
        overflow::install(report, |_| false);
        os::install_signal_stack(false).expect("memory for a test");
        let stack = allocate(StackClass::DEFAULT).expect("a stack");
        // SAFETY: `recurse` accepts a null pointer and ends the process instead of returning.
        let mut coro = unsafe { Coro::new(stack, recurse, ptr::null_mut()) };
        assert!(coro.resume().is_some());
        coro.resume();
    }) else {
        return;
    };
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("overflow inside"), "{text}");
}

#[test]
fn a_wild_pointer_into_a_guard_is_not_an_overflow() {
    let Some(output) = in_child(module_path!(), "a_wild_pointer_into_a_guard_is_not_an_overflow", || {
        overflow::install(report, |_| false);
        poke(allocate(StackClass::DEFAULT).expect("a stack").usable_low() - 1);
    }) else {
        return;
    };
    assert_eq!(output.status.signal(), Some(libc::SIGSEGV));
}

#[test]
fn a_thread_that_overflows_still_gets_the_report_of_std() {
    let Some(output) = in_child(module_path!(), "a_thread_that_overflows_still_gets_the_report_of_std", || {
        overflow::install(report, |_| false);
        let run = || {
            // SAFETY: with a pointer that is not null `recurse` ignores its yielder.
            unsafe { recurse(ptr::dangling_mut(), ptr::null()) }
        };
        let _ = thread::spawn(run).join();
    }) else {
        return;
    };
    assert_eq!(output.status.signal(), Some(libc::SIGABRT));
    assert!(String::from_utf8_lossy(&output.stderr).contains("has overflowed its stack"));
}

/// Installs a handler for SIGSEGV, as a user's crash reporter would.
fn set_handler(handler: usize, flags: c_int) {
    // SAFETY: zero is a valid sigaction.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    // SAFETY: the callers pass handlers of the flavour that the flags name.
    assert_eq!(unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, ptr::null_mut()) }, 0);
}

extern "C" fn plain_handler(signal: c_int) {
    os::exit_now(40 + signal);
}

extern "C" fn info_handler(signal: c_int, info: *mut libc::siginfo_t, _context: *mut c_void) {
    // SAFETY: the siginfo is the kernel's own, passed on.
    let facts = unsafe { &*info };
    // SAFETY: the signal is a fault, so the address is filled in.
    let address = unsafe { facts.si_addr() } as usize;
    os::exit_now(60 + signal + address as c_int);
}

#[test]
fn other_faults_reach_the_plain_handler_before() {
    let output = in_child(module_path!(), "other_faults_reach_the_plain_handler_before", || {
        set_handler(plain_handler as extern "C" fn(c_int) as usize, 0);
        overflow::install(report, |_| false);
        poke(5);
    });
    assert!(output.is_none_or(|output| output.status.code() == Some(40 + libc::SIGSEGV)));
}

#[test]
fn other_faults_reach_the_info_handler_before_with_their_address() {
    let output = in_child(module_path!(), "other_faults_reach_the_info_handler_before_with_their_address", || {
        let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = info_handler;
        set_handler(handler as usize, libc::SA_SIGINFO);
        overflow::install(report, |_| false);
        poke(5);
    });
    assert!(output.is_none_or(|output| output.status.code() == Some(65 + libc::SIGSEGV)));
}

#[test]
fn other_faults_end_the_process_by_default() {
    let output = in_child(module_path!(), "other_faults_end_the_process_by_default", || {
        set_handler(libc::SIG_DFL, 0);
        overflow::install(report, |_| false);
        poke(5);
    });
    assert!(output.is_none_or(|output| output.status.signal() == Some(libc::SIGSEGV)));
}

#[test]
fn other_faults_end_the_process_although_the_signal_is_ignored() {
    let output = in_child(module_path!(), "other_faults_end_the_process_although_the_signal_is_ignored", || {
        set_handler(libc::SIG_IGN, 0);
        overflow::install(report, |_| false);
        poke(5);
    });
    assert!(output.is_none_or(|output| output.status.signal() == Some(libc::SIGSEGV)));
}

#[test]
fn a_sent_signal_does_what_it_did_before() {
    let output = in_child(module_path!(), "a_sent_signal_does_what_it_did_before", || {
        set_handler(libc::SIG_DFL, 0);
        overflow::install(report, |_| false);
        // SAFETY: raise has no preconditions.
        unsafe { libc::raise(libc::SIGSEGV) };
        os::exit_now(0);
    });
    assert!(output.is_none_or(|output| output.status.signal() == Some(libc::SIGSEGV)));
}

#[test]
fn an_ignored_sent_signal_stays_ignored() {
    let output = in_child(module_path!(), "an_ignored_sent_signal_stays_ignored", || {
        set_handler(libc::SIG_IGN, 0);
        overflow::install(report, |_| false);
        // SAFETY: raise has no preconditions.
        unsafe { libc::raise(libc::SIGSEGV) };
        os::exit_now(7);
    });
    assert!(output.is_none_or(|output| output.status.code() == Some(7)));
}
