//! No race detector: nothing, by the names of `tsan`, which describes them.
//!
//! **Why here.** Floor 0.
//!
//! **Invariants.** None.
//!
//! **Locks.** None.
//!
//! **Go:** `race0.go`.

/// It has no thread of its own.
pub(crate) const THREADS: usize = 0;

/// Stacks are as large as they were asked for.
pub(crate) const MORE_STACK: u8 = 0;

/// A goroutine may wait without a stack.
pub(crate) const KEEPS_STACKS: bool = false;

/// What the detector knows a goroutine by.
#[derive(Debug)]
pub(crate) struct Fiber;

/// Who was running before a fiber was boarded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ashore;

/// While it lives, the caller is hidden.
#[derive(Debug)]
pub(crate) struct Hidden;

impl Fiber {
    #[inline(always)]
    pub(crate) fn create(&self, _goid: u64) {}

    #[inline(always)]
    pub(crate) fn destroy(&self) {}

    #[inline(always)]
    pub(crate) fn board(&self) -> Ashore {
        Ashore
    }

    #[inline(always)]
    pub(crate) fn leave(&self, _: Ashore) {}

    #[inline(always)]
    pub(crate) fn parking(&self) {}

    #[inline(always)]
    pub(crate) fn readied(&self) {}

    #[inline(always)]
    pub(crate) fn resumed(&self) {}
}

#[inline(always)]
pub(crate) fn begin(_: bool) {}

#[inline(always)]
pub(crate) fn enter() {}

#[inline(always)]
pub(crate) fn leave() {}

#[inline(always)]
pub(crate) fn hand_over(_: *const ()) {}

#[inline(always)]
pub(crate) fn take_over(_: *const ()) {}

/// While it lives, the caller is blind.
#[derive(Debug)]
pub(crate) struct Blind;

#[inline(always)]
pub(crate) fn blind() -> Blind {
    Blind
}

#[inline(always)]
pub(crate) fn hidden() -> Hidden {
    Hidden
}

#[inline(always)]
pub(crate) fn hide_thread() {}

#[inline(always)]
pub(crate) fn renew(_: std::ops::Range<usize>) {}

#[inline(always)]
pub(crate) fn before_exit() {}
