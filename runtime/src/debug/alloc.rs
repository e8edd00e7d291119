//! An allocator that counts what one goroutine allocates, so that the lines of `GODEBUG=inittrace=1` are as complete as Go's.
//!
//! *Why here.* Floor 8: the program decides to install it; `rt0` reads the counts. Rust has one allocator a program, which is
//! the program's to choose, so a library cannot count without being asked to.
//!
//! *Invariants.* AL1. Counting never allocates: it may only read the thread's word and atomics. AL2. The counts are written by the
//! goroutine in `COUNTED` alone, and read by it after it has stopped counting.
//!
//! *Locks.* None.
//!
//! *Go:* `inittrace` of `runtime/malloc.go` (`trackInitAlloc`-like counts of `mallocgc`).

use core::alloc::{GlobalAlloc, Layout};
use core::hint::black_box;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::alloc::System;

use crate::gmp::{G, m};
use crate::task::extra;

/// The goroutine whose allocations are counted, null for none.
static COUNTED: AtomicPtr<G> = AtomicPtr::new(null_mut());
/// An allocation has come by here while there was something to count.
static INSTALLED: AtomicBool = AtomicBool::new(false);
static BYTES: AtomicU64 = AtomicU64::new(0);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// A global allocator that passes everything on to `A`, and counts the allocations of init functions for `GODEBUG=inittrace=1`.
///
/// Go's lines of that name end in `.. bytes, .. allocs`. A Rust library cannot know these numbers unless the program installs an allocator
/// that counts: with this one the lines are Go's, without it they end after the time. It counts only while a traced init function runs, and
/// only what the goroutine of the init function allocates; at all other times it costs one load of a word that never changes.
///
/// Bytes are those that were asked for. Growing a block counts as one allocation of its new size; what is freed is not subtracted, as in Go.
///
/// # Examples
///
/// ```
/// use goruntime::debug::CountingAllocator;
///
/// #[global_allocator]
/// static ALLOCATOR: CountingAllocator = CountingAllocator::new();
///
/// #[goruntime::init]
/// fn tables() {
///     // With GODEBUG=inittrace=1: `init .. ms clock, 4096 bytes, 1 allocs`.
///     std::hint::black_box(vec![1_u8; 4096]);
/// }
///
/// assert_eq!(goruntime::run(|| vec![1; 3].len()), 3);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct CountingAllocator<A = System>(A);

impl CountingAllocator {
    /// Counts and allocates from the system, as programs do that choose no allocator.
    pub const fn new() -> CountingAllocator {
        CountingAllocator(System)
    }
}

impl<A> CountingAllocator<A> {
    /// Counts and allocates from `allocator`.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::debug::CountingAllocator;
    /// use std::alloc::System;
    ///
    /// #[global_allocator]
    /// static ALLOCATOR: CountingAllocator<System> = CountingAllocator::with(System);
    ///
    /// assert_eq!(String::from("works").len(), 5);
    /// ```
    pub const fn with(allocator: A) -> CountingAllocator<A> {
        CountingAllocator(allocator)
    }
}

/// Counts an allocation, if it is one of the goroutine that is counted (AL1).
#[inline(always)]
fn note(bytes: usize) {
    let counted = COUNTED.load(Ordering::Relaxed);
    if !counted.is_null() {
        count(counted, bytes);
    }
}

#[cold]
fn count(counted: *mut G, bytes: usize) {
    INSTALLED.store(true, Ordering::Relaxed);
    if m::current().and_then(|mp| mp.curg()).is_some_and(|gp| gp.as_ptr() == counted) {
        BYTES.fetch_add(bytes as u64, Ordering::Relaxed);
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call goes on to `A` with its arguments unchanged, and `A` keeps the contract; counting neither allocates nor unwinds (AL1).
unsafe impl<A: GlobalAlloc> GlobalAlloc for CountingAllocator<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promise is that of the same function of `A`.
        unsafe { self.0.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: as in `alloc`.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: as in `alloc`; the block is from `A`, because all blocks are.
        unsafe { self.0.realloc(block, layout, size) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as in `realloc`.
        unsafe { self.0.dealloc(block, layout) }
    }
}

/// Counts the allocations of the calling goroutine from here on.
pub(crate) fn start_counting() {
    COUNTED.store(extra::current_g().as_ptr(), Ordering::Relaxed);
    // An init function that allocates nothing is to have its zeros, too: an allocation tells whether there is a counter.
    drop(black_box(Box::new(0_u8)));
    BYTES.store(0, Ordering::Relaxed);
    ALLOCATIONS.store(0, Ordering::Relaxed);
}

/// Stops counting; bytes and allocations, if the program has installed a [`CountingAllocator`].
pub(crate) fn stop_counting() -> Option<(u64, u64)> {
    COUNTED.store(null_mut(), Ordering::Relaxed);
    let counts = (BYTES.load(Ordering::Relaxed), ALLOCATIONS.load(Ordering::Relaxed));
    INSTALLED.load(Ordering::Relaxed).then_some(counts)
}
