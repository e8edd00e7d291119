//! The status word of a goroutine: who owns its stack, and the edges between the states.
//!
//! *Why here.* Floor 3: one atomic word with total transitions; which edge to take is decided in `proc`.
//!
//! | state      | who owns the stack        | on which list                              | may become                |
//! |------------|---------------------------|--------------------------------------------|---------------------------|
//! | `Dead` (0) | nobody (there may be none) | a free list, or held by its handle         | Runnable                  |
//! | `Runnable` | whoever dequeues it       | a run queue, an inbox or nowhere yet       | Running                   |
//! | `Running`  | the goroutine             | none (`m.curg`)                            | Runnable, Waiting, Dead   |
//! | `Waiting`  | whoever readies it        | what it waits for (channel queue, heap...) | Runnable                  |
//! | + `SCAN`   | the dumper, for a while   | as without                                 | the same without SCAN     |
//!
//! *Invariants.* S1. Exactly one thread is responsible for a goroutine that is not Waiting; it alone changes the word, with plain
//! stores. S2. Out of Waiting the word changes only by compare-and-swap, because the readier and the dumper may meet. S3. A readier
//! that meets SCAN waits until the dumper has put it back.
//!
//! *Locks.* None.
//!
//! *Go:* `casgstatus` and the status constants of runtime2.go.

use crate::base::shim::{AtomicU32, Ordering, backoff};

/// Bit that the dumper sets while it borrows a waiting goroutine's stack.
const SCAN: u32 = 0x1000;

/// The states; the numbers are Go's where Go has the state, except that a dead goroutine is all zero here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum State {
    Dead = 0,
    Runnable = 1,
    Running = 2,
    Waiting = 4,
}

/// The word itself.
pub(crate) struct GStatus(AtomicU32);

impl GStatus {
    /// The word of a goroutine that does not exist yet; the same as all-zero memory.
    #[allow(dead_code, reason = "the models make one; in a G it is all-zero memory")]
    pub(crate) fn new() -> GStatus {
        GStatus(AtomicU32::new(State::Dead as u32))
    }

    /// The state without the scan bit; stale by the time it is looked at, unless the caller owns the goroutine.
    pub(crate) fn load(&self) -> State {
        // Acquire: pairs with the Release of the edge that was seen.
        match self.0.load(Ordering::Acquire) & !SCAN {
            0 => State::Dead,
            1 => State::Runnable,
            2 => State::Running,
            _ => State::Waiting,
        }
    }

    /// Spawned: nobody else knows the goroutine yet (S1).
    #[inline(always)]
    pub(crate) fn dead_to_runnable(&self) {
        self.edge(State::Dead, State::Runnable);
    }

    /// Dequeued by the M that will resume it (S1).
    #[inline(always)]
    pub(crate) fn runnable_to_running(&self) {
        self.edge(State::Runnable, State::Running);
    }

    /// Yielded, preempted or without a P; its M will queue it (S1).
    #[inline(always)]
    pub(crate) fn running_to_runnable(&self) {
        self.edge(State::Running, State::Runnable);
    }

    /// Parked: from here on whoever finds it may ready it. Its stack pointer was saved before.
    #[inline(always)]
    pub(crate) fn running_to_waiting(&self) {
        self.edge(State::Running, State::Waiting);
    }

    /// Ended; its stack is free (S1).
    #[inline(always)]
    pub(crate) fn running_to_dead(&self) {
        self.edge(State::Running, State::Dead);
    }

    /// Readied. The caller is the only one who may ready it for this wait; returns false when it was not waiting, which is a broken
    /// invariant of the caller.
    #[inline(always)]
    #[must_use]
    pub(crate) fn waiting_to_runnable(&self) -> bool {
        // AcqRel: Acquire pairs with the Release in `edge` (the saved stack), Release with the next Acquire of the word.
        let swapped =
            self.0.compare_exchange(State::Waiting as u32, State::Runnable as u32, Ordering::AcqRel, Ordering::Relaxed);
        swapped.is_ok() || self.waiting_to_runnable_slow()
    }

    #[cold]
    fn waiting_to_runnable_slow(&self) -> bool {
        let mut rounds = 0u32;
        loop {
            // AcqRel: as in `waiting_to_runnable`.
            match self.0.compare_exchange(
                State::Waiting as u32,
                State::Runnable as u32,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(seen) if seen == State::Waiting as u32 | SCAN => backoff(&mut rounds),
                Err(_) => return false,
            }
        }
    }

    /// The dumper borrows a waiting goroutine; false when it is not waiting (any more).
    #[must_use]
    pub(crate) fn try_scan(&self) -> bool {
        // Acquire: pairs with the Release in `edge`: the dumper will resume the saved stack.
        self.0
            .compare_exchange(State::Waiting as u32, State::Waiting as u32 | SCAN, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// The dumper gives it back (S3).
    pub(crate) fn end_scan(&self) {
        // Release: pairs with the Acquire in `waiting_to_runnable`: the readier sees the stack as the dumper left it.
        self.0.store(State::Waiting as u32, Ordering::Release);
    }

    #[inline(always)]
    fn edge(&self, from: State, to: State) {
        debug_assert_eq!(self.0.load(Ordering::Relaxed), from as u32, "illegal edge to {to:?}");
        // Release: pairs with the Acquire of whoever takes the goroutine over by this word.
        self.0.store(to as u32, Ordering::Release);
    }
}
