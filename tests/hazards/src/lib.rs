//! What a library does that was written for threads: the functions that hold thread-local state while a goroutine waits.
//!
//! Why here: the compiler addresses thread-local values in libraries differently from those in programs, so these have to be in another crate than
//! `main.rs`, and behind functions that are not inlined into it.
//!
//! *Invariants*
//! - HZ1. Every value that a function returns tells whether the state was wrong; nothing is read that would not be
//!   there without the hazard.
//!
//! *Locks*: none.
//!
//! *Go:* none.

pub mod elsewhere;

use std::cell::RefCell;
use std::collections::hash_map::RandomState;
use std::mem;

/// The system's number of the calling thread. That of std comes with a counted handle, which would stay behind on the stack.
#[inline(never)]
pub fn thread_id() -> u32 {
    // SAFETY: has no preconditions.
    let id = unsafe { libc::gettid() };
    id.cast_unsigned()
}

/// The keys of a `RandomState`: two words, one of which is the same for all states that a thread makes.
fn keys(state: RandomState) -> [u64; 2] {
    const { assert!(size_of::<RandomState>() == 16) };
    // SAFETY: `RandomState` consists of two u64, in some order.
    unsafe { mem::transmute(state) }
}

/// Makes a hasher before and after the wait; true if the second was made from the keys of the thread that the first was made on, and only of that.
#[inline(never)]
pub fn hashers_are_wrong(wait: fn()) -> bool {
    let first = RandomState::new();
    let before = thread_id();
    wait();
    let second = RandomState::new();
    let (first, second) = (keys(first), keys(second));
    before != thread_id() && first.iter().zip(second).any(|(&first, second)| first == second)
}

/// Knows on which thread it was made, and has a destructor.
struct Marked(u32);

impl Drop for Marked {
    fn drop(&mut self) {
        // No thread that runs goroutines ends, so that the destructor runs only where a plain thread has used the value.
        assert_eq!(self.0, thread_id());
    }
}

thread_local! {
    static MARKED: Marked = Marked(thread_id());
    static PLAIN: u32 = thread_id();
    static CONSTANT: RefCell<Option<u32>> = const { RefCell::new(None) };
}

/// Uses a value with a destructor before and after the wait; true if it was another thread's then.
#[inline(never)]
pub fn value_with_destructor_is_wrong(wait: fn()) -> bool {
    let before = MARKED.with(|marked| marked.0);
    assert_eq!(before, thread_id());
    wait();
    MARKED.with(|marked| marked.0) != thread_id()
}

/// Uses a value without a destructor before and after the wait; true if it was another thread's then.
#[inline(never)]
pub fn plain_value_is_wrong(wait: fn()) -> bool {
    let before = PLAIN.with(|id| *id);
    assert_eq!(before, thread_id());
    wait();
    PLAIN.with(|id| *id) != thread_id()
}

/// Holds a reference to a constant cell over the wait, writing before and reading after it; true if something else is read.
#[inline(never)]
pub fn constant_cell_is_wrong(wait: fn()) -> bool {
    CONSTANT.with(|cell| {
        let me = Some(thread_id());
        *cell.borrow_mut() = me;
        wait();
        cell.take() != me
    })
}
