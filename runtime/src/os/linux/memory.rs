//! Linux memory: reserving, growing, discarding and guarding address space.
//!
//! **What.** Anonymous private mappings, page discarding one by one and vectored, and the two kinds of guard: the
//! marker in the page tables (Linux 6.13, no mapping of its own) and `mprotect` (one more mapping each).
//!
//! **Why here.** Floor 0. Which ranges are stacks or slabs is floor 2's business.
//!
//! **Invariants.**
//! - ME1. Vectored advice goes through `process_madvise` on `PIDFD_SELF`, which names the calling thread's own
//!   process. A pidfd kept open would name the parent after a fork.
//! - ME2. A kernel that refuses vectored advice once is not asked again: the loop does the same work.
//! - ME3. Guard markers count as supported only if a guarded page was seen to refuse access. User-mode emulators
//!   accept unknown advice and ignore it.
//!
//! **Locks.** None; the probe results are atomics that every thread would compute alike.
//!
//! **Go:** `mem_linux.go`.

use core::ffi::c_void;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicU8, Ordering};

use super::{errno, page_size};
use crate::os::{Fault, attempt};

/// `MADV_GUARD_INSTALL` of `asm-generic/mman-common.h`, Linux 6.13.
const MADV_GUARD_INSTALL: i32 = 102;
/// `PIDFD_SELF` (`PIDFD_SELF_THREAD`) of `linux/fcntl.h`, Linux 6.14.
const PIDFD_SELF: i32 = -10000;
/// Ranges per vectored call. The kernel takes 1024; this many fit a small stack frame.
const BATCH: usize = 64;

/// A question to the kernel whose answer does not change: not asked yet, yes, or no.
struct Probe(AtomicU8);

impl Probe {
    const UNKNOWN: u8 = 0;
    const YES: u8 = 1;
    const NO: u8 = 2;

    const fn new() -> Self {
        Self(AtomicU8::new(Self::UNKNOWN))
    }

    /// Returns the known answer.
    fn answer(&self) -> Option<bool> {
        // Relaxed: the answer stands for itself, and every thread would find the same one.
        match self.0.load(Ordering::Relaxed) {
            Self::UNKNOWN => None,
            answer => Some(answer == Self::YES),
        }
    }

    /// Records the answer unless there is one, and returns what holds: of an answer that others go by there is one only.
    fn settle(&self, yes: bool) -> bool {
        let answer = if yes { Self::YES } else { Self::NO };
        // Relaxed: see `answer`.
        match self.0.compare_exchange(Self::UNKNOWN, answer, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => yes,
            Err(first) => first == Self::YES,
        }
    }

    /// Records the answer and returns it.
    fn record(&self, yes: bool) -> bool {
        // Relaxed: see `answer`.
        self.0.store(if yes { Self::YES } else { Self::NO }, Ordering::Relaxed);
        yes
    }
}

/// Maps `len` bytes of zeroed, private, readable and writable memory that costs nothing until it is touched.
///
/// # Errors
///
/// The errno of `mmap`; `ENOMEM` also when the number of mappings is at its limit.
pub(crate) fn reserve(len: usize) -> Result<NonNull<u8>, i32> {
    attempt(Fault::Map)?;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a null hint without MAP_FIXED never replaces an existing mapping.
    let mapping = unsafe { libc::mmap(ptr::null_mut(), len, protection, flags, -1, 0) };
    if mapping == libc::MAP_FAILED {
        return Err(errno());
    }
    NonNull::new(mapping.cast::<u8>()).ok_or(libc::ENOMEM)
}

/// Unmaps a range.
///
/// # Safety
///
/// - `ptr` and `len` describe whole pages of mappings obtained from [`reserve`] or [`grow`].
/// - Nothing refers to them any more.
pub(crate) unsafe fn release(ptr: NonNull<u8>, len: usize) {
    if attempt(Fault::Unmap).is_err() {
        return;
    }
    // SAFETY: the caller gives up whole pages of ours that nothing refers to. An error leaves them mapped, which
    // wastes address space and harms nobody.
    unsafe { libc::munmap(ptr.as_ptr().cast::<c_void>(), len) };
}

/// Changes the size of a mapping, moving it if its place is too small; new bytes read as zero.
///
/// # Errors
///
/// The errno of `mremap`; the old mapping is then as it was.
///
/// # Safety
///
/// - `ptr` and `old` describe one whole mapping obtained from [`reserve`] or [`grow`].
/// - Nothing refers into it: on success it may have moved.
pub(crate) unsafe fn grow(ptr: NonNull<u8>, old: usize, new: usize) -> Result<NonNull<u8>, i32> {
    attempt(Fault::Map)?;
    // SAFETY: the caller owns the whole mapping and has no references into it; MAYMOVE never hits other mappings.
    let mapping = unsafe { libc::mremap(ptr.as_ptr().cast::<c_void>(), old, new, libc::MREMAP_MAYMOVE) };
    if mapping == libc::MAP_FAILED {
        return Err(errno());
    }
    NonNull::new(mapping.cast::<u8>()).ok_or(libc::ENOMEM)
}

/// Gives advice about one range.
///
/// # Safety
///
/// The range consists of whole pages of ours, and the caller has the right to what the advice does to them.
unsafe fn advise(ptr: NonNull<u8>, len: usize, advice: i32) -> Result<(), i32> {
    attempt(Fault::Advise)?;
    // SAFETY: the caller owns the pages and wants the effect of `advice` on them.
    match unsafe { libc::madvise(ptr.as_ptr().cast::<c_void>(), len, advice) } {
        0 => Ok(()),
        _ => Err(errno()),
    }
}

/// Asks the kernel not to back the range with huge pages; a kernel without them ignores it.
///
/// # Safety
///
/// `ptr` and `len` describe whole pages obtained from [`reserve`].
pub(crate) unsafe fn no_huge_pages(ptr: NonNull<u8>, len: usize) {
    // SAFETY: the caller owns the pages; the advice changes no contents.
    let _ = unsafe { advise(ptr, len, libc::MADV_NOHUGEPAGE) };
}

/// Gives the memory of a range back; it reads as zero afterwards, except for pages that are locked in memory.
///
/// # Safety
///
/// - `ptr` and `len` describe whole pages obtained from [`reserve`].
/// - Nobody needs their contents.
#[cfg(test)]
unsafe fn discard(ptr: NonNull<u8>, len: usize) {
    // SAFETY: the caller owns the pages and gives up their contents. Locked pages refuse and keep theirs.
    let _ = unsafe { advise(ptr, len, libc::MADV_DONTNEED) };
}

/// Gives the memory of many ranges `(address, length)` back, in few system calls where the kernel allows it; returns how many of them it refused.
///
/// # Safety
///
/// Each range satisfies the conditions of [`discard`].
pub(crate) unsafe fn discard_many(ranges: &[(usize, usize)]) -> usize {
    // SAFETY: the caller vouches for each range as for `discard`.
    unsafe { advise_many(ranges, libc::MADV_DONTNEED) }
}

/// Reports whether guard markers exist here; asked of the kernel once.
pub(crate) fn guard_pages_supported() -> bool {
    static GUARDS: Probe = Probe::new();
    GUARDS.answer().unwrap_or_else(|| GUARDS.settle(probe_guards()))
}

/// Installs a guard on a page of its own and sees whether the kernel refuses to write there (ME3).
fn probe_guards() -> bool {
    let page = page_size();
    let Ok(ptr) = reserve(page) else { return false };
    // SAFETY: the page was mapped above and holds nothing.
    let accepted = unsafe { advise(ptr, page, MADV_GUARD_INSTALL) }.is_ok();
    // SAFETY: `getcpu` writes four bytes to its first argument through the kernel's checked copy, which reports EFAULT
    // for a guarded page; otherwise it writes into the page mapped above.
    let written = unsafe { libc::syscall(libc::SYS_getcpu, ptr.as_ptr(), ptr::null_mut::<u8>(), 0) };
    let refused = written == -1 && errno() == libc::EFAULT;
    // SAFETY: the page was mapped above and nothing refers to it.
    unsafe { release(ptr, page) };
    accepted && refused
}

/// Makes every access to the range fault, without a mapping of its own; `false` if the kernel refuses.
///
/// Markers survive [`discard_many`] and vanish with [`release`].
///
/// # Safety
///
/// - `ptr` and `len` describe whole pages obtained from [`reserve`].
/// - Nobody needs their contents.
#[cfg(test)]
unsafe fn guard_install(ptr: NonNull<u8>, len: usize) -> bool {
    // SAFETY: the caller owns the pages, gives up their contents and wants them to fault.
    unsafe { advise(ptr, len, MADV_GUARD_INSTALL) }.is_ok()
}

/// Installs guard markers on many ranges `(address, length)`; `false` if one of them was refused.
///
/// # Safety
///
/// - Each range describes whole pages obtained from [`reserve`].
/// - Nobody needs their contents.
pub(crate) unsafe fn guard_install_many(ranges: &[(usize, usize)]) -> bool {
    // SAFETY: the caller vouches for each range as for `guard_install`.
    unsafe { advise_many(ranges, MADV_GUARD_INSTALL) == 0 }
}

/// Makes every access to the range fault by taking its protection away; splits the mapping.
///
/// # Errors
///
/// The errno of `mprotect`; `ENOMEM` when the number of mappings is at its limit.
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

/// Has the C allocator give free memory back to the system, where it has a call for that.
pub(crate) fn trim_allocator() {
    #[cfg(target_env = "gnu")]
    // SAFETY: glibc's `malloc_trim` takes a number and locks its arenas itself.
    unsafe {
        libc::malloc_trim(0)
    };
}

/// Gives one advice about many ranges; returns how many of them were refused.
///
/// # Safety
///
/// As for [`advise`], for each range.
unsafe fn advise_many(ranges: &[(usize, usize)], advice: i32) -> usize {
    static VECTORED: Probe = Probe::new();
    let mut refused = 0;
    for batch in ranges.chunks(BATCH) {
        let mut rest = batch;
        if batch.len() > 1 && VECTORED.answer() != Some(false) {
            // SAFETY: the caller vouches for each range.
            match unsafe { advise_vector(batch, advice) } {
                Ok(advised) => {
                    VECTORED.record(true);
                    rest = &batch[advised..];
                }
                Err(libc::ENOMEM | libc::EAGAIN | libc::EINTR) => {}
                Err(_) => {
                    VECTORED.record(false);
                }
            }
        }
        for &(address, len) in rest {
            let ptr = ptr::with_exposed_provenance_mut::<u8>(address);
            // SAFETY: the caller vouches for each range.
            let advised = NonNull::new(ptr).is_some_and(|ptr| unsafe { advise(ptr, len, advice) }.is_ok());
            refused += usize::from(!advised);
        }
    }
    refused
}

/// Advises up to [`BATCH`] ranges in one call and returns how many of them are done.
///
/// # Safety
///
/// As for [`advise`], for each range.
unsafe fn advise_vector(ranges: &[(usize, usize)], advice: i32) -> Result<usize, i32> {
    attempt(Fault::Advise)?;
    let empty = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };
    let mut vector = [empty; BATCH];
    for (entry, &(address, len)) in vector.iter_mut().zip(ranges) {
        entry.iov_base = ptr::with_exposed_provenance_mut(address);
        entry.iov_len = len;
    }
    // SAFETY: `vector` holds `ranges.len()` entries, at most BATCH, which the caller vouches for; PIDFD_SELF is this
    // process (ME1).
    let bytes =
        unsafe { libc::syscall(libc::SYS_process_madvise, PIDFD_SELF, vector.as_ptr(), ranges.len(), advice, 0) };
    let Ok(mut bytes) = usize::try_from(bytes) else { return Err(errno()) };
    // The kernel stops at the first range it refuses and reports the bytes before it.
    let done = ranges.iter().take_while(|&&(_, len)| {
        let whole = bytes >= len;
        bytes = bytes.saturating_sub(len);
        whole
    });
    Ok(done.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks the kernel whether it can write to an address, without touching it from here.
    fn is_writable(address: NonNull<u8>) -> bool {
        // SAFETY: `getcpu` writes four bytes through a checked copy, into memory that the test owns.
        unsafe { libc::syscall(libc::SYS_getcpu, address.as_ptr(), ptr::null_mut::<u8>(), 0) == 0 }
    }

    /// A mapping of some pages, filled with ones.
    fn filled(pages: usize) -> (NonNull<u8>, usize) {
        let len = pages * page_size();
        let ptr = reserve(len).expect("memory for a test");
        // SAFETY: the mapping is `len` bytes long.
        unsafe { ptr.write_bytes(1, len) };
        (ptr, len)
    }

    /// The bytes of a mapping.
    fn bytes<'a>(ptr: NonNull<u8>, len: usize) -> &'a [u8] {
        // SAFETY: the tests pass live mappings, which they do not change while they look.
        unsafe { core::slice::from_raw_parts(ptr.as_ptr(), len) }
    }

    /// The first byte of a page.
    fn page_at(ptr: NonNull<u8>, index: usize) -> NonNull<u8> {
        // SAFETY: the tests stay inside their mappings.
        unsafe { ptr.add(index * page_size()) }
    }

    /// The second and the last page of a mapping of four as ranges.
    fn second_and_last(ptr: NonNull<u8>) -> [(usize, usize); 2] {
        [1, 3].map(|index| (page_at(ptr, index).as_ptr().expose_provenance(), page_size()))
    }

    #[test]
    fn reserve_reports_an_impossible_length() {
        assert_eq!(reserve(usize::MAX / 2), Err(libc::ENOMEM));
        assert_eq!(reserve(0), Err(libc::EINVAL));
    }

    #[test]
    fn grow_keeps_the_old_bytes_and_adds_zeroes() {
        let (ptr, len) = filled(2);
        // SAFETY: the whole mapping, without references into it.
        let ptr = unsafe { grow(ptr, len, 64 * len) }.expect("memory for a test");
        assert!(bytes(ptr, len).iter().all(|&byte| byte == 1));
        assert!(bytes(ptr, 64 * len)[len..].iter().all(|&byte| byte == 0));
        // SAFETY: the whole mapping, not used again.
        unsafe { release(ptr, 64 * len) };
    }

    #[test]
    fn discard_zeroes_its_pages_and_no_others() {
        let (ptr, len) = filled(3);
        // SAFETY: the page belongs to the test.
        unsafe { discard(page_at(ptr, 1), page_size()) };
        let sums: Vec<usize> =
            bytes(ptr, len).chunks(page_size()).map(|page| page.iter().map(|&byte| byte as usize).sum()).collect();
        assert_eq!(sums, [page_size(), 0, page_size()]);
        // SAFETY: the whole mapping, not used again.
        unsafe { release(ptr, len) };
    }

    #[test]
    fn discard_many_zeroes_every_second_page_of_more_than_one_batch() {
        let (ptr, len) = filled(4 * BATCH + 6);
        let ranges: Vec<(usize, usize)> = (0..len / page_size())
            .step_by(2)
            .map(|index| (page_at(ptr, index).as_ptr().expose_provenance(), page_size()))
            .collect();
        // SAFETY: the pages belong to the test.
        assert_eq!(unsafe { discard_many(&ranges) }, 0);
        for (index, page) in bytes(ptr, len).chunks(page_size()).enumerate() {
            assert!(page.iter().all(|&byte| usize::from(byte) == index % 2), "page {index}");
        }
        // SAFETY: the whole mapping, not used again.
        unsafe { release(ptr, len) };
    }

    #[test]
    fn guard_markers_refuse_access_and_survive_discard() {
        if !guard_pages_supported() {
            return;
        }
        let (ptr, len) = filled(4);
        // SAFETY: the pages belong to the test.
        assert!(unsafe { guard_install(ptr, page_size()) });
        // SAFETY: as above.
        assert!(unsafe { guard_install_many(&second_and_last(ptr)) });
        // SAFETY: as above.
        unsafe { discard(ptr, len) };
        assert_eq!([0, 1, 2, 3].map(|index| is_writable(page_at(ptr, index))), [false, false, true, false]);
        // SAFETY: the whole mapping, not used again.
        unsafe { release(ptr, len) };
    }

    #[test]
    fn vectored_advice_that_is_refused_is_reported_and_the_rest_is_done() {
        let (ptr, len) = filled(4);
        let mut ranges = second_and_last(ptr).to_vec();
        ranges.insert(1, (page_at(ptr, 1).addr().get() + 1, page_size()));
        // SAFETY: the aligned pages belong to the test; the kernel refuses the unaligned one.
        assert_eq!(unsafe { advise_many(&ranges, libc::MADV_DONTNEED) }, 1);
        assert_eq!([0, 1, 2, 3].map(|index| bytes(ptr, len)[index * page_size()]), [1, 0, 1, 0]);
        // SAFETY: the whole mapping, not used again.
        unsafe { release(ptr, len) };
    }

    #[test]
    fn guard_protect_refuses_access() {
        let (ptr, len) = filled(2);
        // SAFETY: the page belongs to the test.
        assert_eq!(unsafe { guard_protect(ptr, page_size()) }, Ok(()));
        assert_eq!([0, 1].map(|index| is_writable(page_at(ptr, index))), [false, true]);
        // SAFETY: the whole mapping, not used again.
        unsafe { release(ptr, len) };
    }
}
