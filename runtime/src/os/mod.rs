//! Operating system: everything that is asked of the kernel, under one set of names.
//!
//! **What.** A ladder that picks one implementation and re-exports its free functions as `crate::os::NAME`. Each
//! implementation exports exactly the same names; nothing is generic over them, so there is no trait. Functions
//! return plain numbers (errno values, byte counts), because floor 0 has no vocabulary of its own.
//!
//! **Why here.** Floor 0: it imports nothing of this crate. The throw of floor 1 prints through it, so nothing here
//! can throw; what cannot go on aborts.
//!
//! **Invariants.**
//! - OS1. A function that may be called in a signal handler or a crash (`write_stderr`, `exit_now`, `raise_abort`,
//!   `futex_wake`, `nanotime`, `thread_id`) neither allocates nor takes a lock (Linux; elsewhere as far as the
//!   platform permits, see the file).
//! - OS2. "Not supported" is an honest value: `false`, `None`, `-1`, `ENOSYS`. Callers decide by the value at run
//!   time, never by `cfg`.
//! - OS3. Memory from `reserve` reads as zero until it is written, and again after `discard` where the system
//!   discards at once.
//!
//! **Locks.** None on Linux. The fallbacks keep a parking table of their own (`parking.rs`), a leaf.
//!
//! **Go:** `os_linux.go`, `mem_linux.go`, `sys_linux_*.s`, `internal/runtime/cgroup`.

pub(crate) mod asan;
mod peek;
pub(crate) mod race;
mod storage;

pub(crate) use peek::peek;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub(crate) use storage::{for_each_image, thread_storage};

/// Log2 of the factor by which stacks are larger than what was asked for: what sanitizers take.
pub(crate) const MORE_STACK: u8 = race::MORE_STACK + asan::MORE_STACK;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(not(target_os = "linux"))]
mod parking;

#[cfg(all(unix, not(target_os = "linux")))]
mod unix;
#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) use unix::*;

#[cfg(unix)]
mod files;
#[cfg(unix)]
pub(crate) use files::*;

#[cfg(unix)]
mod processes;
#[cfg(unix)]
pub(crate) use processes::*;

#[cfg(unix)]
mod sockets;
#[cfg(unix)]
pub(crate) use sockets::*;

#[cfg(unix)]
pub(crate) mod signals;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::*;

mod fault;
pub(crate) use fault::*;

#[cfg(not(any(unix, windows)))]
compile_error!("goruntime supports Linux, other Unix systems and Windows");

#[cfg(not(target_pointer_width = "64"))]
compile_error!("goruntime needs 64-bit addresses: it reserves stacks by the hundred thousand");

/// Asks the CPU to fetch the cache line at an address, which may be anything.
#[inline(always)]
pub(crate) fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch has no effect but on the cache, whatever the address.
    unsafe {
        core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
