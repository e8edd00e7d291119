//! A typed coroutine on one of our stacks.
//!
//! **What.** [`Coro`] runs `entry(argument, yielder)` on a stack. [`Coro::resume`] goes there, [`suspend`] comes back
//! with a value. The body is one closure of two words for all goroutines, so the switch is compiled once.
//!
//! **Why here (floor 2).** It joins `Stack` with the switch of `corosensei`, and is all that the floors above see of
//! either.
//!
//! **Invariants.**
//! - CO1. `entry` does not unwind: it catches every panic. `resume` then never unwinds into the scheduler.
//! - CO2. A coroutine that has started and not returned is never dropped: corosensei would resume it with an unwinding
//!   payload, while others may borrow from frames on its stack. `ManuallyDrop` keeps that from happening even by
//!   accident: a dropped `Coro` leaks its stack.
//! - CO3. The yielder lies on the coroutine's stack and is used only by code that runs on that stack.
//! - CO4. While a coroutine is suspended, the lowest address on its stack that corosensei's handle has is the saved stack pointer: the others are
//!   the stack's base and where the pointer was before the first resume. The low end of the slot, which it has in builds for address sanitizer, is in
//!   the guard.
//!
//! **Locks.** None.
//!
//! **Go:** gogo, mcall and gosave in asm_*.s; `on_parent_stack` is systemstack.

use std::fmt;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ops::Range;
use std::ptr;

use corosensei::{Coroutine, CoroutineResult};

use super::stack::{Stack, StackClass};
use crate::os::{asan, race};

/// The coroutine's handle on itself, for [`suspend`] and [`on_parent_stack`].
pub(crate) type Yielder<Y> = corosensei::Yielder<(), Y>;

/// The first function on a stack: gets the argument of [`Coro::new`] and the yielder.
pub(crate) type Entry<Y> = unsafe fn(*mut (), *const Yielder<Y>);

/// A function that runs on a stack of its own and stops in between to say a `Y`.
pub(crate) struct Coro<Y: 'static> {
    inner: ManuallyDrop<Coroutine<(), Y, (), Stack>>,
}

impl<Y: 'static> Coro<Y> {
    /// Prepares `entry(argument, yielder)` on the stack. Nothing runs before the first [`Self::resume`].
    ///
    /// # Safety
    ///
    /// - `entry` may be called once with `argument`, on any thread that resumes the coroutine;
    /// - it does not unwind (CO1).
    #[inline]
    pub(crate) unsafe fn new(mut stack: Stack, entry: Entry<Y>, argument: *mut ()) -> Self {
        stack.mark_used();
        race::renew(stack.range());
        if asan::IS_ON {
            asan::adopt(stack.usable());
        }
        let body = move |yielder: &Yielder<Y>, ()| {
            // SAFETY: the caller of `new` allows this one call, and a coroutine's body runs once.
            unsafe { entry(argument, yielder) }
        };
        Self { inner: ManuallyDrop::new(Coroutine::with_stack(stack, body)) }
    }

    /// Goes on where it stopped, until it says the next value; `None` when `entry` has returned.
    ///
    /// # Panics
    ///
    /// Panics if `entry` has returned before.
    #[inline]
    pub(crate) fn resume(&mut self) -> Option<Y> {
        match self.inner.resume(()) {
            CoroutineResult::Yield(said) => Some(said),
            CoroutineResult::Return(()) => None,
        }
    }

    /// Has `entry` returned?
    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        self.inner.done()
    }

    /// What a suspended coroutine uses of its stack, up to `yielder`: the frames, and below them the registers that the switch has saved. `None`
    /// if that cannot be told.
    ///
    /// corosensei keeps the saved stack pointer to itself; it is found by its value (CO4).
    #[inline]
    pub(crate) fn suspended_frames(&self, yielder: *const Yielder<Y>, class: StackClass) -> Option<Range<usize>> {
        let top = yielder.addr();
        let limit = top.saturating_sub(class.bytes() - class.guard_bytes());
        let handle = ptr::from_ref(&self.inner).cast::<MaybeUninit<usize>>();
        let mut low = top;
        for index in 0..size_of::<Self>() / size_of::<usize>() {
            // SAFETY: a word of a live value, aligned, because the handle has pointers in it; it may be padding, which `MaybeUninit` allows.
            let word = unsafe { handle.add(index).read_volatile() };
            // SAFETY: the fields are pointers and words of the same size; padding would be some stale word in memory, and is compared only.
            let word = unsafe { word.assume_init() };
            if word < low && word >= limit {
                low = word;
            }
        }
        (low < top).then_some(low..top)
    }

    /// The stack, for the next coroutine.
    ///
    /// # Panics
    ///
    /// Panics if `entry` has not returned.
    #[inline]
    pub(crate) fn into_stack(self) -> Stack {
        assert!(self.is_done(), "the stack of a coroutine that has not returned is taken");
        let stack = ManuallyDrop::into_inner(self.inner).into_stack();
        if asan::IS_ON {
            asan::retire(stack.usable());
        }
        stack
    }
}

impl<Y: 'static> fmt::Debug for Coro<Y> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coro").field("is_done", &self.is_done()).finish_non_exhaustive()
    }
}

/// Stops the running coroutine with `said`, which its `resume` returns; returns when it is resumed.
///
/// # Safety
///
/// - `yielder` is what `entry` was given, and the caller runs on that coroutine's stack (CO3).
#[inline]
pub(crate) unsafe fn suspend<Y: 'static>(yielder: *const Yielder<Y>, said: Y) {
    // SAFETY: the yielder lies at the top of the stack that this code runs on (CO3), so it is alive.
    unsafe { &*yielder }.suspend(said);
}

/// Runs `f` on the stack of whoever resumed this coroutine, and returns its value.
///
/// For what needs more stack than a goroutine may have left, above all symbolizing a backtrace. A panic of `f` comes
/// out of this call.
///
/// # Safety
///
/// - `yielder` is what `entry` was given, and the caller runs on that coroutine's stack (CO3);
/// - `f` uses neither the yielder nor anything that suspends.
pub(crate) unsafe fn on_parent_stack<Y: 'static, F, R>(yielder: *const Yielder<Y>, f: F) -> R
where
    F: FnOnce() -> R,
{
    let f = SameThread(f);
    // The frames of `f` are where those of the scheduler are.
    let _blind = race::blind();
    // SAFETY: the yielder lies at the top of the stack that this code runs on (CO3), so it is alive.
    unsafe { &*yielder }.on_parent_stack(move || f.call())
}

/// A closure that changes stacks, but not threads.
struct SameThread<F>(F);

// SAFETY: corosensei asks for Send only to keep the yielder out of the closure, which the caller of `on_parent_stack`
// promises. The closure moves to another stack of the same thread and runs before the call returns, so nothing needs
// synchronising.
unsafe impl<F> Send for SameThread<F> {}

impl<F: FnOnce() -> R, R> SameThread<F> {
    fn call(self) -> R {
        (self.0)()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;

    use super::*;
    use crate::coro::{StackClass, allocate};

    /// Counts down from the number behind `argument`, saying each value.
    unsafe fn count_down(argument: *mut (), yielder: *const Yielder<[u64; 4]>) {
        // SAFETY: the tests pass a live u64 and do not touch it while the coroutine runs.
        let number = unsafe { &mut *argument.cast::<u64>() };
        while *number > 0 {
            // SAFETY: the yielder is the entry's own, and this is its stack.
            unsafe { suspend(yielder, [*number; 4]) };
            *number -= 1;
        }
    }

    fn counting(number: &mut u64) -> Coro<[u64; 4]> {
        let stack = allocate(StackClass::DEFAULT).expect("a stack");
        // SAFETY: `count_down` takes a pointer to a u64, which outlives the coroutine in every test, and does not
        // panic.
        unsafe { Coro::new(stack, count_down, (&raw mut *number).cast()) }
    }

    #[test]
    fn values_larger_than_a_word_arrive_in_order() {
        let mut number = 3;
        let mut coro = counting(&mut number);
        assert_eq!(coro.resume(), Some([3; 4]));
        assert_eq!(coro.resume(), Some([2; 4]));
        assert_eq!(coro.resume(), Some([1; 4]));
        assert_eq!(coro.resume(), None);
        assert!(coro.is_done());
        coro.into_stack();
    }

    #[test]
    fn the_frames_of_a_suspended_coroutine_begin_at_its_saved_stack_pointer() {
        /// What `entry` has seen: its yielder, and the address of a local of the function that suspends.
        struct Places {
            yielder: usize,
            local: usize,
        }
        unsafe fn entry(argument: *mut (), yielder: *const Yielder<()>) {
            let mut marks = [0xfeed_usize; 3];
            let place = Places { yielder: yielder.expose_provenance(), local: (&raw mut marks).expose_provenance() };
            // SAFETY: the test passes such a place and reads it only while the coroutine is suspended.
            unsafe { argument.cast::<Places>().write(place) };
            // SAFETY: the yielder is the entry's own, and this is its stack.
            unsafe { suspend(yielder, ()) };
            assert_eq!(std::hint::black_box(marks), [0xfeed; 3]);
        }

        for log2 in [18, 20] {
            let class = StackClass::from_log2(log2);
            let stack = allocate(class).expect("a stack");
            let base = stack.high();
            let mut places = Places { yielder: 0, local: 0 };
            // SAFETY: `entry` takes a pointer to such places, runs once and does not panic.
            let mut coro = unsafe { Coro::new(stack, entry, (&raw mut places).cast()) };
            assert_eq!(coro.resume(), Some(()));
            let yielder = ptr::with_exposed_provenance(places.yielder);
            let frames = coro.suspended_frames(yielder, class).expect("it is suspended");
            assert!(frames.contains(&places.local) && frames.start.is_multiple_of(8) && frames.end <= base);
            // The frame of `entry` in a debug build, and that of the switch, but not all of the stack.
            assert!(places.local - frames.start < 2048, "{:x} below {:x}", frames.start, places.local);
            assert!(coro.resume().is_none());
            coro.into_stack();
        }
    }

    #[test]
    fn a_coroutine_may_go_on_in_another_thread() {
        struct Moves(Coro<[u64; 4]>);
        // SAFETY: the coroutine's frames hold a reference to a u64 that only they use, and the join below orders the
        // threads.
        unsafe impl Send for Moves {}

        let mut number = 2;
        let mut coro = Moves(counting(&mut number));
        assert_eq!(coro.0.resume(), Some([2; 4]));
        let resume = move || {
            let mut coro = coro;
            assert_eq!(coro.0.resume(), Some([1; 4]));
            coro
        };
        let mut coro = thread::spawn(resume).join().expect("the thread ends well");
        assert_eq!(coro.0.resume(), None);
        coro.0.into_stack();
    }

    #[test]
    fn the_stack_of_an_unfinished_coroutine_cannot_be_taken() {
        let number = Box::leak(Box::new(1));
        let mut coro = counting(number);
        coro.resume();
        let taken = catch_unwind(AssertUnwindSafe(|| coro.into_stack()));
        assert!(taken.is_err());
        assert_eq!(*number, 1, "the coroutine was neither resumed nor unwound");
    }

    #[test]
    fn parent_stack_code_runs_on_the_parents_stack() {
        unsafe fn entry(argument: *mut (), yielder: *const Yielder<()>) {
            let here = &raw const yielder as usize;
            // SAFETY: the yielder is the entry's own, and the closure only takes an address.
            let there = unsafe {
                on_parent_stack(yielder, || {
                    let local = 0u8;
                    &raw const local as usize
                })
            };
            // SAFETY: the test passes a live array that it reads after the end.
            unsafe { argument.cast::<[usize; 2]>().write([here, there]) };
        }

        let mut seen = [0usize; 2];
        let stack = allocate(StackClass::DEFAULT).expect("a stack");
        let own = stack.usable_low()..stack.high();
        // SAFETY: `entry` takes a pointer to such an array, runs once and does not panic.
        let mut coro = unsafe { Coro::new(stack, entry, (&raw mut seen).cast()) };
        assert!(coro.resume().is_none());
        assert!(own.contains(&seen[0]));
        assert!(!own.contains(&seen[1]));
        coro.into_stack();
    }
}
