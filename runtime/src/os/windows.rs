//! Windows: the names of `os/` over std and a handful of kernel32 calls.
//!
//! **What.** Memory through `VirtualAlloc`, threads through std, and "not supported" for what has no counterpart (OS2).
//!
//! **Why here.** Floor 0. This platform is checked by the compiler, not run.
//!
//! **Invariants.**
//! - WN1. `reserve` commits at once: Windows has no memory that may be touched without having been promised.
//! - WN2. `release` takes a whole reservation; a part of one stays until the whole goes.
//! - WN3. A guard is always a page without access, so `guard_pages_supported` is `false`.
//!
//! **Locks.** The parking table's; std's lock on standard error.
//!
//! **Go:** `os_windows.go`, `mem_windows.go`.

use core::ffi::c_void;
use core::ptr::{self, NonNull};
use core::sync::atomic::{Ordering, fence};
use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::{self, Write};
use std::sync::OnceLock;
use std::thread;
use std::time::Instant;

pub(crate) use super::parking::{futex_wait, futex_wake};

const MEM_COMMIT: u32 = 0x1000;
const MEM_RESERVE: u32 = 0x2000;
const MEM_RESET: u32 = 0x8_0000;
const MEM_RELEASE: u32 = 0x8000;
const PAGE_NOACCESS: u32 = 0x01;
const PAGE_READWRITE: u32 = 0x04;

#[link(name = "kernel32")]
unsafe extern "system" {
    fn VirtualAlloc(address: *mut c_void, size: usize, kind: u32, protection: u32) -> *mut c_void;
    fn VirtualFree(address: *mut c_void, size: usize, kind: u32) -> i32;
    fn VirtualProtect(address: *mut c_void, size: usize, protection: u32, old: *mut u32) -> i32;
    fn GetCurrentThreadId() -> u32;
    fn GetCurrentThreadStackLimits(low: *mut usize, high: *mut usize);
    fn GetCurrentProcess() -> *mut c_void;
    fn TerminateProcess(process: *mut c_void, code: u32) -> i32;
}

/// Returns the last error of a kernel32 call.
fn last_error() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL)
}

/// Returns the page size in bytes: the same on every Windows with 64 bits.
pub(crate) fn page_size() -> usize {
    4 << 10
}

/// Returns the size of a huge page; nothing here depends on the system giving any.
pub(crate) fn huge_page_size() -> usize {
    2 << 20
}

/// Returns the number of CPUs.
pub(crate) fn cpu_count() -> u32 {
    u32::try_from(num_cpus::get()).unwrap_or(u32::MAX).max(1)
}

/// Returns the number of CPUs that the process may run on, as std counts them.
pub(crate) fn affinity_count() -> u32 {
    thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX))
}

/// Returns the quota of a container: there is no cgroup here.
pub(crate) fn cgroup_cpu_limit() -> Option<f64> {
    None
}

/// Returns the monotonic clock in nanoseconds since its first use.
pub(crate) fn nanotime() -> i64 {
    static START: OnceLock<Instant> = OnceLock::new();
    i64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(i64::MAX)
}

/// Returns a seed that differs from call to call and from run to run; not for secrets.
pub(crate) fn random_seed() -> u64 {
    RandomState::new().hash_one(nanotime())
}

/// Returns `false`: the loader has no mode for raised privileges here.
pub(crate) fn is_secure() -> bool {
    false
}

/// Reserves and commits `len` bytes of zeroed memory (WN1); fails with a Windows error code.
pub(crate) fn reserve(len: usize) -> Result<NonNull<u8>, i32> {
    // SAFETY: a null address lets the system choose a free place.
    let memory = unsafe { VirtualAlloc(ptr::null_mut(), len, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE) };
    NonNull::new(memory.cast::<u8>()).ok_or_else(last_error)
}

/// Gives a reservation back (WN2).
///
/// # Safety
///
/// - `ptr` comes from [`reserve`] or [`grow`], and `len` is its whole length.
/// - Nothing refers to it any more.
pub(crate) unsafe fn release(ptr: NonNull<u8>, _len: usize) {
    // SAFETY: the caller gives up a whole reservation; MEM_RELEASE wants size 0 and refuses any other address.
    unsafe { VirtualFree(ptr.as_ptr().cast::<c_void>(), 0, MEM_RELEASE) };
}

/// Moves a reservation to a larger one, with its contents.
///
/// # Safety
///
/// - `ptr` and `old` describe one whole reservation obtained from [`reserve`] or [`grow`].
/// - Nothing refers into it.
pub(crate) unsafe fn grow(ptr: NonNull<u8>, old: usize, new: usize) -> Result<NonNull<u8>, i32> {
    let moved = reserve(new)?;
    // SAFETY: both are at least min(old, new) bytes long, and a new reservation overlaps no old one.
    unsafe { ptr::copy_nonoverlapping(ptr.as_ptr(), moved.as_ptr(), old.min(new)) };
    // SAFETY: the caller gives the old reservation up, and its contents were copied.
    unsafe { release(ptr, old) };
    Ok(moved)
}

/// Asks for small pages: Windows never gives others unasked.
///
/// # Safety
///
/// None; `unsafe` because it is so elsewhere.
pub(crate) unsafe fn no_huge_pages(_ptr: NonNull<u8>, _len: usize) {}

/// Tells the system that the contents of a range are not needed; they may stay or become zero.
///
/// # Safety
///
/// - `ptr` and `len` describe whole pages obtained from [`reserve`].
/// - Nobody needs their contents.
unsafe fn discard(ptr: NonNull<u8>, len: usize) {
    // SAFETY: MEM_RESET leaves the pages committed and accessible; the caller gives up their contents.
    unsafe { VirtualAlloc(ptr.as_ptr().cast::<c_void>(), len, MEM_RESET, PAGE_READWRITE) };
}

/// Tells the system that the contents of many ranges `(address, length)` are not needed; none is refused.
///
/// # Safety
///
/// Each range satisfies the conditions of [`discard`].
pub(crate) unsafe fn discard_many(ranges: &[(usize, usize)]) -> usize {
    for &(address, len) in ranges {
        if let Some(ptr) = NonNull::new(ptr::with_exposed_provenance_mut::<u8>(address)) {
            // SAFETY: the caller vouches for each range.
            unsafe { discard(ptr, len) };
        }
    }
    0
}

/// Reports whether guard markers exist: never here (WN3).
pub(crate) fn guard_pages_supported() -> bool {
    false
}

/// Refuses to install guard markers (WN3).
///
/// # Safety
///
/// None; `unsafe` because it is so elsewhere.
pub(crate) unsafe fn guard_install_many(_ranges: &[(usize, usize)]) -> bool {
    false
}

/// Makes every access to the range fault; fails with a Windows error code.
///
/// # Safety
///
/// - `ptr` and `len` describe whole pages obtained from [`reserve`].
/// - Nobody accesses them.
pub(crate) unsafe fn guard_protect(ptr: NonNull<u8>, len: usize) -> Result<(), i32> {
    let mut old = 0;
    // SAFETY: the caller owns the pages and nobody accesses them; `old` is writable.
    match unsafe { VirtualProtect(ptr.as_ptr().cast::<c_void>(), len, PAGE_NOACCESS, &raw mut old) } {
        0 => Err(last_error()),
        _ => Ok(()),
    }
}

/// Refuses the asymmetric barrier, so that both sides use a full one.
pub(crate) fn membarrier_register() -> bool {
    false
}

/// Stands in for the asymmetric barrier, which nobody may use after [`membarrier_register`] refused it.
pub(crate) fn membarrier() {
    // SeqCst: the whole barrier, where the kernel has none to offer.
    fence(Ordering::SeqCst);
}

/// Starts a detached thread that calls `entry(arg)`; fails with a Windows error code.
pub(crate) fn spawn_thread(
    entry: extern "C" fn(*mut c_void) -> *mut c_void,
    arg: *mut c_void,
    stack_size: usize,
) -> Result<(), i32> {
    // What `arg` points to is between the caller and `entry`; the address alone crosses the closure.
    let arg = arg.expose_provenance();
    let run = move || {
        entry(ptr::with_exposed_provenance_mut(arg));
    };
    match thread::Builder::new().stack_size(stack_size).spawn(run) {
        Ok(_detached) => Ok(()),
        Err(error) => Err(error.raw_os_error().unwrap_or(libc::EAGAIN)),
    }
}

/// Returns the system's id of the calling thread.
pub(crate) fn thread_id() -> u32 {
    // SAFETY: the call has no preconditions.
    unsafe { GetCurrentThreadId() }
}

/// Returns `usize::MAX`: the number of threads is not known here.
pub(crate) fn thread_count() -> usize {
    usize::MAX
}

/// Does nothing: std names threads only when it starts them.
pub(crate) fn set_thread_name(_name: &str) {}

/// Does nothing: time-outs cannot be tuned per thread here.
pub(crate) fn set_timer_slack(_ns: u64) {}

/// Returns -1: there is no clock id for a thread here.
pub(crate) fn thread_cpu_clock() -> i32 {
    -1
}

/// Returns `None`: there is no clock id for a thread here.
pub(crate) fn thread_cpu_time(_clock: i32) -> Option<i64> {
    None
}

/// Returns -1: the state of other threads is not a file here.
pub(crate) fn open_thread_stat(_thread: u32) -> i32 {
    -1
}

/// Returns `true`: the state of other threads cannot be read.
pub(crate) fn thread_is_on_cpu(_fd: i32) -> bool {
    true
}

/// Returns `true`, as [`thread_is_on_cpu`].
pub(crate) fn thread_is_on_cpu_by_id(_thread: u32) -> bool {
    true
}

/// Returns the lowest address of the calling thread's stack and the one past its highest.
pub(crate) fn stack_bounds() -> (usize, usize) {
    let (mut low, mut high) = (0, 0);
    // SAFETY: both addresses are writable.
    unsafe { GetCurrentThreadStackLimits(&raw mut low, &raw mut high) };
    (low, high)
}

/// Lets other threads of the machine run first.
pub(crate) fn yield_cpu() {
    thread::yield_now();
}

/// Spends about `n` pause instructions.
#[inline]
pub(crate) fn cpu_relax(n: u32) {
    for _ in 0..n {
        core::hint::spin_loop();
    }
}

/// Calls `hook` when the calling thread ends; `false` if its values are already being torn down.
pub(crate) fn at_thread_exit(hook: fn()) -> bool {
    thread_local! {
        static EXIT: ExitHook = const { ExitHook(Cell::new(None)) };
    }
    EXIT.try_with(|exit| exit.0.set(Some(hook))).is_ok()
}

/// Calls its function when it is dropped with its thread.
struct ExitHook(Cell<Option<fn()>>);

impl Drop for ExitHook {
    fn drop(&mut self) {
        if let Some(hook) = self.0.take() {
            hook();
        }
    }
}

/// Does nothing: Windows raises exceptions on the faulting stack and keeps room for them.
pub(crate) fn install_signal_stack(_: bool) -> Result<(), i32> {
    Ok(())
}

/// Writes all of `bytes` to standard error, as far as it takes them.
pub(crate) fn write_stderr(bytes: &[u8]) {
    // An error has nowhere to be reported.
    let _ = io::stderr().write_all(bytes);
}

/// Ends the process at once, without exit handlers.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: the pseudo-handle names the calling process, which may end itself.
    unsafe { TerminateProcess(GetCurrentProcess(), code.cast_unsigned()) };
    raise_abort()
}

/// Ends the process abnormally, for a crash report.
pub(crate) fn raise_abort() -> ! {
    std::process::abort()
}

/// Has the C allocator give free memory back; there is no such call here.
pub(crate) fn trim_allocator() {}

/// Children of `fork` are not marked here.
pub(crate) fn at_fork(_child: fn()) {}

/// Calls a function that does not return; what is in the registers matters only where stacks are looked at.
pub(crate) fn call_with_clean_registers(entry: extern "C" fn(*mut c_void) -> !, argument: *mut c_void) -> ! {
    entry(argument)
}
