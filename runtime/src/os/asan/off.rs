//! No address sanitizer: nothing, by the names of `on`, which describes them.
//!
//! **Why here.** Floor 0.
//!
//! **Invariants.** None.
//!
//! **Locks.** None.
//!
//! **Go:** `asan0.go`.

use core::ops::Range;

/// Stacks are as large as they were asked for.
pub(crate) const MORE_STACK: u8 = 0;

/// There is nobody to tell.
pub(crate) const IS_ON: bool = false;

#[inline(always)]
pub(crate) fn adopt(_: Range<usize>) {}

#[inline(always)]
pub(crate) fn keep(_: Range<usize>) {}

#[inline(always)]
pub(crate) fn retire(_: Range<usize>) {}

#[inline(always)]
pub(crate) fn renew(_: Range<usize>) {}
