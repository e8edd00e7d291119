//! Unix without Linux's extras: macOS and the BSDs.
//!
//! **What.** The names of `os/` by POSIX means. What POSIX does not know is answered with "not supported" (OS2).
//!
//! **Why here.** Floor 0. These systems are checked by the compiler, not measured.
//!
//! **Invariants.**
//! - UX1. A guard is always `mprotect` here, so `guard_pages_supported` is `false`.
//! - UX2. Nobody can look at another thread, so every thread counts as on its CPU: blocked goroutines are found by
//!   their time slice instead.
//!
//! **Locks.** The parking table's.
//!
//! **Go:** `os_darwin.go`, `mem_bsd.go`.

use core::ffi::c_void;
use core::mem::{self, MaybeUninit};
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicU32, Ordering};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::time::Instant;

pub(crate) use super::parking::{futex_wait, futex_wake};
use super::{Fault, attempt};

/// Room for signal handlers above the system's minimum.
const HANDLER_ROOM: usize = 16 << 10;

/// Returns the calling thread's errno.
fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL)
}

/// Makes a timer that the poller can wait for: kqueue takes nanoseconds, so none is needed.
pub(crate) fn timer_descriptor() -> Option<OwnedFd> {
    None
}

/// Sets such a timer; there are none.
pub(crate) fn set_timer_descriptor(_timer: &OwnedFd, _when: i64) -> bool {
    false
}

/// Returns the page size in bytes.
pub(crate) fn page_size() -> usize {
    // SAFETY: `sysconf` has no preconditions.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}

/// Returns the size of a huge page; nothing here depends on the system having any.
pub(crate) fn huge_page_size() -> usize {
    2 << 20
}

/// Returns the number of CPUs.
pub(crate) fn cpu_count() -> u32 {
    u32::try_from(num_cpus::get()).unwrap_or(u32::MAX).max(1)
}

/// Returns the number of CPUs that the calling thread may run on: these systems have no mask to ask for.
pub(crate) fn affinity_count() -> u32 {
    cpu_count()
}

/// Returns the quota of a container: there are none here.
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

/// Reports whether the process runs with raised privileges.
pub(crate) fn is_secure() -> bool {
    // SAFETY: the four calls have no preconditions.
    unsafe { libc::getuid() != libc::geteuid() || libc::getgid() != libc::getegid() }
}

/// Maps `len` bytes of zeroed, private memory that costs nothing until it is touched; fails with an errno.
pub(crate) fn reserve(len: usize) -> Result<NonNull<u8>, i32> {
    attempt(Fault::Map)?;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a null hint without MAP_FIXED never replaces an existing mapping.
    let mapping = unsafe { libc::mmap(ptr::null_mut(), len, protection, libc::MAP_PRIVATE | libc::MAP_ANON, -1, 0) };
    if mapping == libc::MAP_FAILED {
        return Err(errno());
    }
    NonNull::new(mapping.cast::<u8>()).ok_or(libc::ENOMEM)
}

/// Unmaps a range.
///
/// # Safety
///
/// - `ptr` and `len` describe whole pages obtained from [`reserve`] or [`grow`].
/// - Nothing refers to them any more.
pub(crate) unsafe fn release(ptr: NonNull<u8>, len: usize) {
    // SAFETY: the caller gives up whole pages of ours that nothing refers to.
    unsafe { libc::munmap(ptr.as_ptr().cast::<c_void>(), len) };
}

/// Moves a mapping to a larger one, with its contents.
///
/// # Safety
///
/// - `ptr` and `old` describe one whole mapping obtained from [`reserve`] or [`grow`].
/// - Nothing refers into it.
pub(crate) unsafe fn grow(ptr: NonNull<u8>, old: usize, new: usize) -> Result<NonNull<u8>, i32> {
    let moved = reserve(new)?;
    // SAFETY: both mappings are at least min(old, new) bytes long, and a new mapping overlaps no old one.
    unsafe { ptr::copy_nonoverlapping(ptr.as_ptr(), moved.as_ptr(), old.min(new)) };
    // SAFETY: the caller gives the old mapping up, and its contents were copied.
    unsafe { release(ptr, old) };
    Ok(moved)
}

/// Asks for small pages: there is nothing to ask here.
///
/// # Safety
///
/// None; `unsafe` because it is so elsewhere.
pub(crate) unsafe fn no_huge_pages(_ptr: NonNull<u8>, _len: usize) {}

/// Tells the system that the contents of a range are not needed; they may stay or become zero. False if it refuses.
///
/// # Safety
///
/// - `ptr` and `len` describe whole pages obtained from [`reserve`].
/// - Nobody needs their contents.
unsafe fn discard(ptr: NonNull<u8>, len: usize) -> bool {
    // SAFETY: the caller owns the pages and gives up their contents.
    attempt(Fault::Advise).is_ok()
        && unsafe { libc::madvise(ptr.as_ptr().cast::<c_void>(), len, libc::MADV_DONTNEED) == 0 }
}

/// Tells the system that the contents of many ranges `(address, length)` are not needed; returns how many of them it refused.
///
/// # Safety
///
/// Each range satisfies the conditions of [`discard`].
pub(crate) unsafe fn discard_many(ranges: &[(usize, usize)]) -> usize {
    let pages =
        ranges.iter().map(|&(address, len)| (NonNull::new(ptr::with_exposed_provenance_mut::<u8>(address)), len));
    // SAFETY: the caller vouches for each range.
    pages.filter(|&(ptr, len)| ptr.is_none_or(|ptr| unsafe { !discard(ptr, len) })).count()
}

/// Reports whether guard markers exist: never here (UX1).
pub(crate) fn guard_pages_supported() -> bool {
    false
}

/// Refuses to install guard markers (UX1).
///
/// # Safety
///
/// None; `unsafe` because it is so elsewhere.
pub(crate) unsafe fn guard_install_many(_ranges: &[(usize, usize)]) -> bool {
    false
}

/// Makes every access to the range fault by taking its protection away; fails with an errno.
///
/// # Safety
///
/// - `ptr` and `len` describe whole pages obtained from [`reserve`].
/// - Nobody accesses them.
pub(crate) unsafe fn guard_protect(ptr: NonNull<u8>, len: usize) -> Result<(), i32> {
    attempt(Fault::Protect)?;
    // SAFETY: the caller owns the pages and nobody accesses them.
    match unsafe { libc::mprotect(ptr.as_ptr().cast::<c_void>(), len, libc::PROT_NONE) } {
        0 => Ok(()),
        _ => Err(errno()),
    }
}

/// Refuses the asymmetric barrier: these systems have none.
pub(crate) fn membarrier_register() -> bool {
    false
}

/// Stands in for the asymmetric barrier, which nobody may use after [`membarrier_register`] refused it.
pub(crate) fn membarrier() {
    // SeqCst: the whole barrier, where the kernel has none to offer.
    core::sync::atomic::fence(Ordering::SeqCst);
}

/// Starts a detached thread that calls `entry(arg)`; fails with an errno.
pub(crate) fn spawn_thread(
    entry: extern "C" fn(*mut c_void) -> *mut c_void,
    arg: *mut c_void,
    stack_size: usize,
) -> Result<(), i32> {
    attempt(Fault::Thread)?;
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: `pthread_attr_init` initialises the attributes it is given.
    match unsafe { libc::pthread_attr_init(attributes.as_mut_ptr()) } {
        0 => {}
        error => return Err(error),
    }
    let size = stack_size.max(libc::PTHREAD_STACK_MIN).next_multiple_of(page_size());
    // SAFETY: the attributes were initialised above.
    unsafe { libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), size) };
    // SAFETY: the attributes were initialised above.
    unsafe { libc::pthread_attr_setdetachstate(attributes.as_mut_ptr(), libc::PTHREAD_CREATE_DETACHED) };
    let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
    // SAFETY: the attributes are initialised, and `entry` has the type that pthread_create calls.
    let error = unsafe { libc::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), entry, arg) };
    // SAFETY: the attributes were initialised above and are not used again.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    if error == 0 { Ok(()) } else { Err(error) }
}

/// Returns a number that no other thread of this process has had.
pub(crate) fn thread_id() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    thread_local! {
        static ID: u32 = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    // While a thread tears its values down it has no number any more: u32::MAX is nobody's.
    ID.try_with(|id| *id).unwrap_or(u32::MAX)
}

/// Returns `usize::MAX`: the number of threads is not known here.
pub(crate) fn thread_count() -> usize {
    usize::MAX
}

/// Does nothing: the systems differ in how a thread is named.
pub(crate) fn set_thread_name(_name: &str) {}

/// Does nothing: time-outs cannot be tuned here.
pub(crate) fn set_timer_slack(_ns: u64) {}

/// Returns -1: the CPU time of other threads cannot be read here.
pub(crate) fn thread_cpu_clock() -> i32 {
    -1
}

/// Returns `None`: the CPU time of other threads cannot be read here.
pub(crate) fn thread_cpu_time(_clock: i32) -> Option<i64> {
    None
}

/// Returns -1: the state of other threads cannot be read here.
pub(crate) fn open_thread_stat(_thread: u32) -> i32 {
    -1
}

/// Returns `true` (UX2).
pub(crate) fn thread_is_on_cpu(_fd: i32) -> bool {
    true
}

/// Returns `true`, as [`thread_is_on_cpu`].
pub(crate) fn thread_is_on_cpu_by_id(_thread: u32) -> bool {
    true
}

/// Returns the bounds of the calling thread's stack; (0, 0) where they are not known.
pub(crate) fn stack_bounds() -> (usize, usize) {
    #[cfg(target_vendor = "apple")]
    {
        // SAFETY: `pthread_self` is the calling thread.
        let high = unsafe { libc::pthread_get_stackaddr_np(libc::pthread_self()) }.addr();
        // SAFETY: as above.
        let size = unsafe { libc::pthread_get_stacksize_np(libc::pthread_self()) };
        (high - size, high)
    }
    #[cfg(not(target_vendor = "apple"))]
    {
        (0, 0)
    }
}

/// Lets other threads of the machine run first.
pub(crate) fn yield_cpu() {
    // SAFETY: `sched_yield` has no preconditions.
    unsafe { libc::sched_yield() };
}

/// Spends about `n` pause instructions.
#[inline]
pub(crate) fn cpu_relax(n: u32) {
    for _ in 0..n {
        core::hint::spin_loop();
    }
}

/// Calls `hook` when the calling thread ends; `false` if the C library has no key left.
pub(crate) fn at_thread_exit(hook: fn()) -> bool {
    static KEY: OnceLock<Option<libc::pthread_key_t>> = OnceLock::new();
    let key = KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: `key` is writable and `run_exit_hook` has the type of a key destructor.
        let error = unsafe { libc::pthread_key_create(&raw mut key, Some(run_exit_hook)) };
        (error == 0).then_some(key)
    });
    let Some(key) = *key else { return false };
    // SAFETY: the key was created above and is never deleted.
    unsafe { libc::pthread_setspecific(key, hook as *const c_void) == 0 }
}

/// The key destructor: calls the function that [`at_thread_exit`] stored on this thread.
unsafe extern "C" fn run_exit_hook(value: *mut c_void) {
    // SAFETY: the key is private to `at_thread_exit`, which stores nothing but `fn()` values, never null.
    let hook = unsafe { mem::transmute::<*mut c_void, fn()>(value) };
    hook();
}

/// Gives the calling thread an alternate signal stack that lives as long as the process, unless it has one. That of the main thread is replaced:
/// `std::process::exit` frees it, on whatever thread it is called, while the main thread may be in a handler.
///
/// # Errors
///
/// The error number when there is no memory for it.
pub(crate) fn install_signal_stack(is_main: bool) -> Result<(), i32> {
    let mut current = MaybeUninit::<libc::stack_t>::uninit();
    // SAFETY: a null new stack only queries; `current` is writable.
    if unsafe { libc::sigaltstack(ptr::null(), current.as_mut_ptr()) } != 0 {
        return Ok(());
    }
    // SAFETY: the query succeeded, so it has filled the structure.
    if !is_main && unsafe { current.assume_init() }.ss_flags & libc::SS_DISABLE == 0 {
        return Ok(());
    }
    let page = page_size();
    let size = (libc::SIGSTKSZ + HANDLER_ROOM).next_multiple_of(page);
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
    // SAFETY: the stack is mapped, large enough, used by nobody else and never unmapped.
    unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) };
    Ok(())
}

/// Writes all of `bytes` to standard error, as far as it takes them.
pub(crate) fn write_stderr(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: `bytes` is a live, readable range of that length.
        let written = unsafe { libc::write(libc::STDERR_FILENO, bytes.as_ptr().cast::<c_void>(), bytes.len()) };
        match usize::try_from(written) {
            Ok(written @ 1..) => bytes = &bytes[written..],
            _ if errno() == libc::EINTR => {}
            _ => return,
        }
    }
}

/// Ends the process at once, without exit handlers.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Ends the process with SIGABRT, for a core dump.
pub(crate) fn raise_abort() -> ! {
    // SAFETY: `abort` has no preconditions.
    unsafe { libc::abort() }
}

/// Has the C allocator give free memory back; there is no such call here.
pub(crate) fn trim_allocator() {}

/// Children of `fork` are not marked here.
pub(crate) fn at_fork(_child: fn()) {}

/// Calls a function that does not return; what is in the registers matters only where stacks are looked at.
pub(crate) fn call_with_clean_registers(entry: extern "C" fn(*mut c_void) -> !, argument: *mut c_void) -> ! {
    entry(argument)
}
