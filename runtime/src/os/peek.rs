//! Reading a word that is compared only.
//!
//! **What.** [`peek`] reads memory that need not be part of any variable, and that others may write meanwhile. A sanitizer checks every read that
//! the compiler makes, volatile ones included, and is right to: hence assembly in its builds.
//!
//! **Why here.** Floor 0: conditional compilation.
//!
//! **Invariants.** CW1. Only who compares words without believing them reads here: the affinity guard, which looks between the variables of suspended
//! frames, at waiters in them that are still linked into queues of others, and at the storage of other threads.
//!
//! **Locks.** None.
//!
//! **Go:** `//go:norace`, `//go:nocheckptr`.

/// Reads a word (CW1).
///
/// # Safety
///
/// - The address is aligned, and can be read.
#[cfg(not(any(goruntime_asan, goruntime_tsan)))]
#[inline(always)]
pub(crate) unsafe fn peek(at: usize) -> usize {
    // SAFETY: the caller's promise. Volatile, because it may be a place that no Rust value has been written to, or that another thread writes.
    unsafe { core::ptr::with_exposed_provenance::<usize>(at).read_volatile() }
}

/// Reads a word, behind the back of the sanitizer (CW1).
///
/// # Safety
///
/// - The address is aligned, and can be read.
#[cfg(any(goruntime_asan, goruntime_tsan))]
#[inline(always)]
pub(crate) unsafe fn peek(at: usize) -> usize {
    let word: usize;
    // SAFETY: reads the word that the caller vouches for, and nothing else.
    unsafe {
        core::arch::asm!("mov {}, qword ptr [{}]", out(reg) word, in(reg) at, options(nostack, readonly, preserves_flags));
    }
    word
}
