//! Thread sanitizer, as it is linked into the program by `-Zsanitizer=thread`.
//!
//! **Why here.** Floor 0.
//!
//! **Invariants.** RD1-RD3. RD4. A fiber that nobody is aboard of hides nothing: `board` begins and `leave` ends what a goroutine that
//! is inside of the runtime hides.
//!
//! **Locks.** None; `Fiber::aboard` is spun on (RD1).
//!
//! **Go:** `race.go`.

use core::ffi::{c_char, c_int, c_uint, c_void};
use core::ops::Range;
use core::ptr::{null, null_mut};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use std::io::Write;

// SAFETY: the declarations are those of `sanitizer/tsan_interface.h` and `tsan_interface_ann.cpp`. The last one is that of `tsan_rtl.h`: the
// public interface can reset memory only together with mapping or allocating it. It has had this form in every release since
// LLVM 12, it does not look at the thread, and a sanitizer without it does not link.
unsafe extern "C" {
    fn __tsan_get_current_fiber() -> *mut c_void;
    fn __tsan_create_fiber(flags: c_uint) -> *mut c_void;
    fn __tsan_destroy_fiber(fiber: *mut c_void);
    fn __tsan_switch_to_fiber(fiber: *mut c_void, flags: c_uint);
    fn __tsan_set_fiber_name(fiber: *mut c_void, name: *const c_char);
    fn __tsan_mutex_pre_signal(mutex: *const c_void, flags: c_uint);
    fn __tsan_mutex_post_signal(mutex: *const c_void, flags: c_uint);
    fn __tsan_ignore_thread_end();
    fn __tsan_acquire(address: *mut c_void);
    fn __tsan_release(address: *mut c_void);
    fn AnnotateIgnoreSyncEnd(file: *const c_char, line: c_int);
    #[link_name = "_ZN6__tsan16MemoryResetRangeEPNS_11ThreadStateEmmm"]
    fn memory_reset_range(thread: *const c_void, pc: usize, address: usize, bytes: usize);
}

/// The sanitizer has a thread of its own, which wakes nobody.
pub(crate) const THREADS: usize = 1;

/// Log2 of the factor by which stacks are larger than what was asked for: instrumented frames are, and the sanitizer writes its reports on the
/// stack of whoever it catches.
pub(crate) const MORE_STACK: u8 = 2;

/// Goroutines keep their stacks while they wait: for each one that is left for good and made anew the sanitizer would keep a frame.
pub(crate) const KEEPS_STACKS: bool = true;

/// The switch orders what both fibers do.
const ORDERED: c_uint = 0;
/// The switch orders nothing.
const UNORDERED: c_uint = 1;

/// The runtime itself is what is examined.
static RUNTIME: AtomicBool = AtomicBool::new(false);

/// What thread sanitizer knows a goroutine by. All-zero memory is that of a dead goroutine.
#[derive(Debug)]
pub(crate) struct Fiber {
    handle: AtomicPtr<c_void>,
    /// A thread runs as this fiber (RD1).
    aboard: AtomicU32,
    /// Released by whoever readies the goroutine, acquired when it goes on.
    order: AtomicU32,
}

/// Who was running before a fiber was boarded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ashore(*mut c_void);

/// While it lives, nothing that the caller does is seen, nor does it order anything.
#[derive(Debug)]
pub(crate) struct Hidden(bool);

impl Fiber {
    /// A goroutine is spawned, by the caller: what it has done so far comes before all that the goroutine does.
    pub(crate) fn create(&self, goid: u64) {
        // SAFETY: creates a fiber.
        let fiber = unsafe { __tsan_create_fiber(0) };
        let mut name = [0u8; 32];
        // Ten letters and at most twenty digits: there is room, and a zero behind them.
        let _ = write!(&mut name[..31], "goroutine {goid}");
        // SAFETY: the fiber was created above; the name ends with a zero and is copied.
        unsafe { __tsan_set_fiber_name(fiber, name.as_ptr().cast()) };
        self.handle.store(fiber, Ordering::Relaxed);
    }

    /// The goroutine has ended, or will never run. Nobody is aboard.
    pub(crate) fn destroy(&self) {
        let fiber = self.handle.swap(null_mut(), Ordering::Relaxed);
        if !fiber.is_null() {
            // SAFETY: `create` has made it, it is destroyed once, and nobody is aboard.
            unsafe { __tsan_destroy_fiber(fiber) };
        }
    }

    /// The thread runs as this goroutine from now on, which is inside of the runtime.
    #[inline(always)]
    pub(crate) fn board(&self) -> Ashore {
        // Acquire: pairs with the Release in `leave`.
        while self.aboard.swap(1, Ordering::Acquire) != 0 {
            core::hint::spin_loop();
        }
        // SAFETY: has no preconditions.
        let ashore = unsafe { __tsan_get_current_fiber() };
        // SAFETY: the fiber was created before the goroutine was queued, and no other thread is aboard (RD1).
        unsafe { __tsan_switch_to_fiber(self.handle.load(Ordering::Relaxed), switch_flags()) };
        enter();
        renew_thread_locals();
        Ashore(ashore)
    }

    /// The thread is what it was before.
    #[inline(always)]
    pub(crate) fn leave(&self, ashore: Ashore) {
        leave();
        // SAFETY: the fiber is the thread's own, or that of the goroutine that has boarded another one.
        unsafe { __tsan_switch_to_fiber(ashore.0, switch_flags()) };
        // Release: pairs with the Acquire in `board`.
        self.aboard.store(0, Ordering::Release);
    }

    /// The goroutine is about to be suspended: who has readied it earlier does not count any more.
    pub(crate) fn parking(&self) {
        // Release: a store, which replaces what earlier readiers have released.
        self.order.store(0, Ordering::Release);
    }

    /// The caller readies the goroutine: what it has done so far comes before what the goroutine does next.
    pub(crate) fn readied(&self) {
        // Release: pairs with the Acquire in `resumed`.
        self.order.fetch_add(1, Ordering::Release);
    }

    /// The goroutine goes on.
    pub(crate) fn resumed(&self) {
        // Acquire: pairs with the Release in `readied`.
        self.order.load(Ordering::Acquire);
    }
}

/// Before the first operation. Says whether the runtime itself is to be examined, instead of the program.
pub(crate) fn begin(runtime: bool) {
    RUNTIME.store(runtime, Ordering::Relaxed);
}

#[inline(always)]
fn is_program_examined() -> bool {
    !RUNTIME.load(Ordering::Relaxed)
}

#[inline(always)]
fn switch_flags() -> c_uint {
    if is_program_examined() { UNORDERED } else { ORDERED }
}

/// From here on the caller is inside of the runtime: its reads and writes are not the program's. They nest.
pub(crate) fn enter() {
    if is_program_examined() {
        // SAFETY: hides the thread's accesses and what it orders; the address is not looked at.
        unsafe { __tsan_mutex_pre_signal(null(), 0) };
        // SAFETY: undoes half of it: what it orders counts.
        unsafe { AnnotateIgnoreSyncEnd(null(), 0) };
    }
}

/// Ends the innermost `enter`.
pub(crate) fn leave() {
    if is_program_examined() {
        // SAFETY: `enter` was called before.
        unsafe { __tsan_ignore_thread_end() };
    }
}

/// What the caller has done so far comes before what those do who take over what is known by this address.
pub(crate) fn hand_over(address: *const ()) {
    // SAFETY: the address is a name, and not looked at.
    unsafe { __tsan_release(address.cast_mut().cast()) };
}

/// See [`hand_over`].
pub(crate) fn take_over(address: *const ()) {
    // SAFETY: as above.
    unsafe { __tsan_acquire(address.cast_mut().cast()) };
}

/// The caller is blind as if inside of the runtime, until the result is dropped.
#[derive(Debug)]
pub(crate) struct Blind;

/// Between `enter` and `leave`, however the caller ends.
pub(crate) fn blind() -> Blind {
    enter();
    Blind
}

impl Drop for Blind {
    fn drop(&mut self) {
        leave();
    }
}

/// The caller is about to touch what belongs to the scheduler: nothing of it is seen until the result is dropped.
pub(crate) fn hidden() -> Hidden {
    let is_hidden = is_program_examined();
    if is_hidden {
        // SAFETY: hides the thread's accesses and what it orders; the address is not looked at.
        unsafe { __tsan_mutex_pre_signal(null(), 0) };
    }
    Hidden(is_hidden)
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if self.0 {
            // SAFETY: undoes what `hidden` did, on the same fiber.
            unsafe { __tsan_mutex_post_signal(null(), 0) };
        }
    }
}

/// Hides the calling thread for good, but not the goroutines that it runs.
pub(crate) fn hide_thread() {
    core::mem::forget(hidden());
    // Makes the thread's handle, which the goroutines will share, as if it had always been there.
    drop(std::thread::current());
}

// Defaults, which `TSAN_OPTIONS` can change. Assembly, because the sanitizer asks before instrumented code may run.
//
// Not reported: the list that a thread keeps of the destructors of its thread-locals. Each goroutine that is the first to use one appends to
// it, one after the other. A longer history: a thread that does much would take that of goroutines which have ended, and their
// races would not be reported. No second of waiting at the end for other threads' races: they are reported when they happen.
core::arch::global_asm!(
    ".pushsection .text",
    ".globl __tsan_default_suppressions",
    ".type __tsan_default_suppressions, @function",
    "__tsan_default_suppressions:",
    "lea rax, [rip + 2f]",
    "ret",
    ".globl __tsan_default_options",
    ".type __tsan_default_options, @function",
    "__tsan_default_options:",
    "lea rax, [rip + 3f]",
    "ret",
    ".popsection",
    ".pushsection .rodata",
    "2: .asciz \"race:std::sys::thread_local::destructors\\n\"",
    "3: .asciz \"history_size=6:atexit_sleep_ms=0\"",
    ".popsection",
);

/// The memory becomes another goroutine's stack: what was done to it before is forgotten.
pub(crate) fn renew(stack: Range<usize>) {
    if is_program_examined() {
        forget_accesses(stack);
    }
}

/// A thread's thread-locals are touched by many goroutines, one after the other. That may break their libraries, but it is not a race:
/// what one goroutine did to them is forgotten when another one comes.
fn renew_thread_locals() {
    if is_program_examined() {
        let high = thread_pointer();
        forget_accesses(high - thread_local_bytes()..high);
    }
}

/// Makes the sanitizer treat a piece of memory as if it had just been allocated.
fn forget_accesses(memory: Range<usize>) {
    // SAFETY: the range is memory of the program, and what is changed is only the sanitizer's record of it.
    unsafe { memory_reset_range(null(), 0, memory.start, memory.len()) };
}

/// The address that thread-local storage of the program lies below.
#[cfg(target_arch = "x86_64")]
fn thread_pointer() -> usize {
    let pointer: usize;
    // SAFETY: x86-64 keeps the thread pointer at fs:0.
    unsafe {
        core::arch::asm!("mov {}, qword ptr fs:[0]", out(reg) pointer, options(nostack, readonly, preserves_flags));
    }
    pointer
}

#[cfg(not(target_arch = "x86_64"))]
compile_error!("goruntime announces its goroutines to thread sanitizer on x86-64 only");

/// How far thread-local storage reaches below the thread pointer: the program's, and that of the libraries that it was loaded with (`errno`).
/// It is the same for all threads.
fn thread_local_bytes() -> usize {
    static BYTES: AtomicUsize = AtomicUsize::new(usize::MAX);
    let known = BYTES.load(Ordering::Relaxed);
    if known != usize::MAX {
        return known;
    }
    let mut bytes = 0usize;
    // SAFETY: the callback takes a `usize`, which lives as long as the call.
    unsafe { libc::dl_iterate_phdr(Some(measure), (&raw mut bytes).cast()) };
    BYTES.store(bytes, Ordering::Relaxed);
    bytes
}

/// Finds the block of the calling thread that begins lowest.
unsafe extern "C" fn measure(info: *mut libc::dl_phdr_info, _: usize, bytes: *mut c_void) -> c_int {
    /// Further away are the blocks of libraries that were loaded later.
    const FAR: usize = 1 << 20;
    // SAFETY: the loader passes a live description.
    let block = unsafe { (*info).dlpi_tls_data };
    // SAFETY: `thread_local_bytes` passes its `usize`.
    let bytes = unsafe { &mut *bytes.cast::<usize>() };
    let below = thread_pointer().wrapping_sub(block.addr());
    if !block.is_null() && below < FAR {
        *bytes = below.max(*bytes);
    }
    0
}

/// The process is about to end, wherever the caller is (RD2).
#[inline(always)]
pub(crate) fn before_exit() {
    if is_program_examined() {
        // SAFETY: creates a fiber, which hides nothing.
        let fiber = unsafe { __tsan_create_fiber(0) };
        // SAFETY: nobody else knows the fiber, and the caller does not return.
        unsafe { __tsan_switch_to_fiber(fiber, UNORDERED) };
    }
}
