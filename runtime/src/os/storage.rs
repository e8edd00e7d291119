//! Where a thread has its thread-local values.
//!
//! **What.** The answer of [`thread_storage`], which Linux knows on x86-64 and aarch64, and the functions of all other systems, which know nothing.
//!
//! **Why here.** Floor 0: conditional compilation.
//!
//! **Invariants.** None of its own.
//!
//! **Locks.** None.
//!
//! **Go:** none.

use core::ops::Range;

/// Where the calling thread has its thread-local values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ThreadStorage {
    /// Those of the module that this crate is part of: of the program, as a rule, without those of the C library.
    pub(crate) own: Range<usize>,
    /// All of them.
    pub(crate) values: Range<usize>,
    /// The same, and the control block of the thread.
    pub(crate) all: Range<usize>,
    /// The thread pointer.
    pub(crate) pointer: usize,
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod unknown {
    use core::ops::Range;

    use super::ThreadStorage;

    /// Not known here.
    pub(crate) fn thread_storage() -> Option<ThreadStorage> {
        None
    }

    /// Not needed where there is no storage to compare with.
    pub(crate) fn for_each_image(_found: impl FnMut(Range<usize>)) {}
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub(crate) use unknown::{for_each_image, thread_storage};
