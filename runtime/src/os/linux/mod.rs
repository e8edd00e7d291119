//! Linux: clocks, seeds, the futex, membarrier, output and exit.
//!
//! **What.** The calls that fit no narrower subject; memory, threads, signal stacks and cgroups have their own
//! files and are re-exported here, so that the rest of the crate sees flat names.
//!
//! **Why here.** Floor 0. Only `libc` and `num_cpus` are used.
//!
//! **Invariants.**
//! - LX1. `errno` is read straight after the call that set it, in the same function, with no call in between: a
//!   goroutine may be on another thread afterwards.
//! - LX2. All futexes are process-private.
//!
//! **Locks.** None.
//!
//! **Go:** `os_linux.go`, `vdso_linux.go`.

mod cgroup;
mod memory;
mod signal;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod storage;
mod thread;
mod timer;

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

pub(crate) use cgroup::{affinity_count, cgroup_cpu_limit};
pub(crate) use memory::{
    discard_many, grow, guard_install_many, guard_pages_supported, guard_protect, no_huge_pages, release, reserve,
    trim_allocator,
};
pub(crate) use signal::install_signal_stack;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) use storage::{for_each_image, thread_storage};
pub(crate) use thread::{
    at_fork, at_thread_exit, call_with_clean_registers, cpu_relax, open_thread_stat, set_thread_name, set_timer_slack,
    spawn_thread, stack_bounds, thread_count, thread_cpu_clock, thread_cpu_time, thread_id, thread_is_on_cpu,
    thread_is_on_cpu_by_id, yield_cpu,
};
pub(crate) use timer::{set_timer_descriptor, timer_descriptor};

/// Nanoseconds in a second.
const NANOS_PER_SEC: i64 = 1_000_000_000;

/// `MEMBARRIER_CMD_PRIVATE_EXPEDITED` of `linux/membarrier.h`.
const MEMBARRIER_PRIVATE_EXPEDITED: i32 = 1 << 3;
/// `MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED` of `linux/membarrier.h`.
const MEMBARRIER_REGISTER_PRIVATE_EXPEDITED: i32 = 1 << 4;

/// Returns the calling thread's errno (LX1).
#[inline]
fn errno() -> i32 {
    // SAFETY: `__errno_location` returns the address of the calling thread's errno, which is valid while it runs.
    unsafe { *libc::__errno_location() }
}

/// Returns the page size in bytes.
#[inline]
pub(crate) fn page_size() -> usize {
    static PAGE: AtomicUsize = AtomicUsize::new(0);
    // Relaxed: every thread computes the same number.
    match PAGE.load(Ordering::Relaxed) {
        0 => {
            // SAFETY: `sysconf` has no preconditions.
            let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
            PAGE.store(bytes, Ordering::Relaxed);
            bytes
        }
        bytes => bytes,
    }
}

/// Returns the size of the smallest transparent huge page.
///
/// It is what one page-table page maps: on x86-64 and aarch64 a table is one page of eight-byte entries, so the
/// number follows from the page size without reading `/sys` (4 KiB: 2 MiB, 16 KiB: 32 MiB, 64 KiB: 512 MiB).
pub(crate) fn huge_page_size() -> usize {
    let page = page_size();
    page / size_of::<u64>() * page
}

/// Returns the number of CPUs that the process may run on: its affinity mask, or what `num_cpus` finds if that cannot be read.
///
/// `num_cpus` on its own would also apply the cgroup quota, without Go's minimum of two, and takes 70 µs of the start for that.
pub(crate) fn cpu_count() -> u32 {
    match affinity_count() {
        0 => u32::try_from(num_cpus::get()).unwrap_or(u32::MAX).max(1),
        count => count,
    }
}

/// Reads a clock; `None` if the kernel does not know it.
#[inline]
fn read_clock(clock: libc::clockid_t) -> Option<i64> {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a live, writable timespec.
    let failed = unsafe { libc::clock_gettime(clock, &raw mut now) };
    (failed == 0).then(|| now.tv_sec * NANOS_PER_SEC + now.tv_nsec)
}

/// Returns the monotonic clock in nanoseconds, read in the vDSO.
#[inline]
pub(crate) fn nanotime() -> i64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a live, writable timespec. CLOCK_MONOTONIC exists on every Linux, so the call cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec * NANOS_PER_SEC + now.tv_nsec
}

/// Returns a seed that differs from call to call and from run to run; not for secrets.
///
/// The kernel hands 16 random bytes to every process (`AT_RANDOM`). The C library uses the first eight for its
/// stack protector, so only the others enter here, and only mixed.
pub(crate) fn random_seed() -> u64 {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    // SAFETY: `getauxval` has no preconditions.
    let bytes = unsafe { libc::getauxval(libc::AT_RANDOM) } as *const u8;
    let kernel = if bytes.is_null() {
        0
    } else {
        // SAFETY: a non-null AT_RANDOM is the address of 16 bytes that the kernel put on the initial stack, and that
        // live as long as the process. Bytes 8..16 are read without an alignment claim.
        unsafe { ptr::read_unaligned(bytes.add(8).cast::<u64>()) }
    };
    // Relaxed: a counter.
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let mut seed = kernel ^ (nanotime() as u64).rotate_left(32);
    seed = seed.wrapping_add(call.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    seed ^ (seed >> 31)
}

/// Reports whether the process runs with raised privileges (set-user-ID and the like).
pub(crate) fn is_secure() -> bool {
    // SAFETY: `getauxval` has no preconditions.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Converts nanoseconds to a timespec; negative counts as zero.
fn timespec(ns: i64) -> libc::timespec {
    let ns = ns.max(0);
    libc::timespec { tv_sec: ns / NANOS_PER_SEC, tv_nsec: ns % NANOS_PER_SEC }
}

/// Sleeps while `word` holds `expected`, at most `timeout` nanoseconds; `false` means that the time ran out.
///
/// `true` says nothing about `word`: it may be a wake, a signal, or a value that was different at the start.
/// The caller loops.
pub(crate) fn futex_wait(word: &AtomicU32, expected: u32, timeout: Option<i64>) -> bool {
    let limit = timeout.map(timespec);
    let limit: *const libc::timespec = limit.as_ref().map_or(ptr::null(), |limit| &raw const *limit);
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: `word` is a live, aligned u32; `limit` is null or points to the timespec above, which outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, expected, limit) };
    result == 0 || errno() != libc::ETIMEDOUT
}

/// Wakes up to `count` threads that sleep on `word`.
///
/// Only the address is used: if the word's memory has gone meanwhile, the worst case is a spurious wake.
pub(crate) fn futex_wake(word: &AtomicU32, count: u32) {
    let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    let count = count.min(i32::MAX as u32);
    // SAFETY: FUTEX_WAKE looks the address up and does not access it.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, count) };
}

/// Announces that the process will use [`membarrier`]; `false` if the kernel or a sandbox refuses it.
///
/// Cheap (about 2 µs) while the process has one thread; later it waits for an RCU grace period (milliseconds).
pub(crate) fn membarrier_register() -> bool {
    // SAFETY: the command takes no pointers.
    unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0 }
}

/// Executes a full memory barrier on every CPU that runs a thread of this process.
///
/// Only after [`membarrier_register`] returned `true`. A failure then would silently void the caller's ordering
/// argument, so it aborts.
pub(crate) fn membarrier() {
    // SAFETY: the command takes no pointers.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_PRIVATE_EXPEDITED, 0, 0) };
    if result != 0 {
        write_stderr(b"runtime: membarrier failed although it was registered\n");
        raise_abort();
    }
}

/// Writes all of `bytes` to standard error, as far as it takes them.
///
/// Retries after a signal, waits up to a second for a non-blocking descriptor that is full, and gives up on any
/// other error: the callers are crashes and diagnostics, which have nowhere else to complain.
pub(crate) fn write_stderr(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: `bytes` is a live, readable range of that length.
        let written = unsafe { libc::write(libc::STDERR_FILENO, bytes.as_ptr().cast::<c_void>(), bytes.len()) };
        if let Ok(written @ 1..) = usize::try_from(written) {
            bytes = &bytes[written..];
            continue;
        }
        match errno() {
            libc::EINTR => {}
            libc::EAGAIN if stderr_becomes_writable() => {}
            _ => return,
        }
    }
}

/// Waits up to a second until standard error takes bytes again.
fn stderr_becomes_writable() -> bool {
    let mut poll = libc::pollfd { fd: libc::STDERR_FILENO, events: libc::POLLOUT, revents: 0 };
    // SAFETY: `poll` is one live pollfd.
    unsafe { libc::poll(&raw mut poll, 1, 1000) == 1 }
}

/// Ends the process at once, without exit handlers.
pub(crate) fn exit_now(code: i32) -> ! {
    super::race::before_exit();
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Ends the process with SIGABRT, for a core dump.
pub(crate) fn raise_abort() -> ! {
    super::race::before_exit();
    // SAFETY: `abort` has no preconditions.
    unsafe { libc::abort() }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn page_size_divides_the_huge_page_size_of_this_machine() {
        assert!(page_size().is_power_of_two());
        if let Ok(text) = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size") {
            assert_eq!(text.trim().parse(), Ok(huge_page_size()));
        }
    }

    #[test]
    fn nanotime_never_runs_backwards() {
        let times: Vec<i64> = (0..1000).map(|_| nanotime()).collect();
        assert!(times.is_sorted(), "{times:?}");
    }

    #[test]
    fn random_seed_differs_from_call_to_call() {
        let mut seeds: Vec<u64> = (0..1000).map(|_| random_seed()).collect();
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 1000);
    }

    #[test]
    fn futex_wait_returns_at_once_if_the_value_is_another() {
        assert!(futex_wait(&AtomicU32::new(1), 0, None));
    }

    #[test]
    fn futex_wait_reports_that_the_time_ran_out() {
        let (word, start) = (AtomicU32::new(0), nanotime());
        while futex_wait(&word, 0, Some(1_000_000)) {}
        assert!(nanotime() - start >= 1_000_000);
        while futex_wait(&word, 0, Some(-5)) {}
    }

    #[test]
    fn futex_wake_ends_a_wait() {
        let word = Arc::new(AtomicU32::new(0));
        let sleeper = thread::spawn({
            let word = Arc::clone(&word);
            move || {
                while word.load(Ordering::Relaxed) == 0 {
                    futex_wait(&word, 0, None);
                }
            }
        });
        word.store(1, Ordering::Relaxed);
        futex_wake(&word, u32::MAX);
        sleeper.join().expect("the sleeper ends");
    }

    #[test]
    fn membarrier_works_after_it_was_registered() {
        if membarrier_register() {
            membarrier();
        }
    }
}
