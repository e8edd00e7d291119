//! Address sanitizer, as it is linked into the program by `-Zsanitizer=address`.
//!
//! **Why here.** Floor 0.
//!
//! **Invariants.** AS1-AS2.
//!
//! **Locks.** None.
//!
//! **Go:** `asan.go`.

use core::arch::global_asm;
use core::ffi::c_void;
use core::ops::Range;
use core::ptr;

// SAFETY: the declarations are those of `sanitizer/asan_interface.h` and `sanitizer/lsan_interface.h`.
unsafe extern "C" {
    fn __asan_poison_memory_region(address: *const c_void, bytes: usize);
    fn __asan_unpoison_memory_region(address: *const c_void, bytes: usize);
    fn __lsan_register_root_region(address: *const c_void, bytes: usize);
    fn __lsan_unregister_root_region(address: *const c_void, bytes: usize);
}

/// Log2 of the factor by which stacks are larger than what was asked for: instrumented frames are, and the sanitizer writes its reports on the
/// stack of whoever it catches.
pub(crate) const MORE_STACK: u8 = 2;

/// Whoever has to work for what it tells the sanitizer asks first.
pub(crate) const IS_ON: bool = true;

#[cfg(not(target_arch = "x86_64"))]
compile_error!("goruntime is built for address sanitizer on x86-64 only");

/// The stack, without its guard (AS2), is a goroutine's from now on.
pub(crate) fn adopt(stack: Range<usize>) {
    renew(stack.clone());
    keep(stack);
}

/// The stack, which was adopted, is nobody's any more.
pub(crate) fn retire(stack: Range<usize>) {
    let address = ptr::without_provenance(stack.start);
    // SAFETY: undoes what `adopt` did with the same range.
    unsafe { __lsan_unregister_root_region(address, stack.len()) };
    // SAFETY: the range is a mapping of ours, and what is changed is only the sanitizer's record of it.
    unsafe { __asan_poison_memory_region(address, stack.len()) };
}

/// The memory may be used, whatever it was used for.
pub(crate) fn renew(memory: Range<usize>) {
    // SAFETY: as above.
    unsafe { __asan_unpoison_memory_region(ptr::without_provenance(memory.start), memory.len()) };
}

/// The memory is to be searched for pointers.
pub(crate) fn keep(memory: Range<usize>) {
    // SAFETY: the range can be read as long as it is registered (AS2).
    unsafe { __lsan_register_root_region(ptr::without_provenance(memory.start), memory.len()) };
}

// Defaults, which `ASAN_OPTIONS` can change. Assembly, because the sanitizer asks before instrumented code may run.
//
// Variables stay on their stacks instead of in memory of the sanitizer's own, where they are kept for a while to catch uses after the return of their
// function: corosensei does not give that memory back when a goroutine ends, and the affinity guard would not find a word there.
global_asm!(
    ".pushsection .text",
    ".globl __asan_default_options",
    ".type __asan_default_options, @function",
    "__asan_default_options:",
    "lea rax, [rip + 2f]",
    "ret",
    ".popsection",
    ".pushsection .rodata",
    "2: .asciz \"detect_stack_use_after_return=0\"",
    ".popsection",
);
