//! Coroutine stacks and the switch between them.
//!
//! **What.** The floor that turns address space into guarded, reusable stacks and runs code on them:
//!
//! ```text
//! stack     Stack and StackClass: the ownership of one slot, and the geometry of its class
//! error     what can go wrong, in words
//! slab      one mapping that holds up to 256 slots of a class, and its book-keeping
//! guard     makes the low end of a slot fault
//! pool      all slabs, behind one lock: take, put, statistics
//! sweep     gives memory of free stacks, and free slabs, back to the system
//! cache     StackCache: the stacks a P keeps at hand
//! ranges    lock-free question "which slot is this address in"
//! overflow  the SIGSEGV handler that recognises a guard
//! switch    Coro: a typed coroutine on such a stack
//! ```
//!
//! **Why here (floor 2).** It needs mappings (`os`) and a lock (`base`), and is needed by whatever owns a goroutine.
//! It knows no G, M or P.
//!
//! **Invariants.** They are numbered in the file that keeps them: ST1-ST3 in `stack`, SL1-SL4 in `slab`, CP1-CP3 in `pool`,
//! RA1-RA2 in `ranges`, OV1-OV2 in `overflow`, CO1-CO3 in `switch`.
//!
//! **Locks.** One, `pool::POOL`. It is a leaf: nothing is locked, mapped, unmapped, advised or allocated while it is
//! held.
//!
//! **Go:** runtime/stack.go and the stack part of malloc.go. Go copies and grows its stacks; these reserve address
//! space once and let the page tables grow.

mod cache;
mod error;
mod guard;
pub(crate) mod overflow;
mod pool;
mod ranges;
mod slab;
mod stack;
mod sweep;
pub(crate) mod switch;
#[cfg(all(test, target_os = "linux"))]
mod tests;

pub(crate) use cache::StackCache;
pub(crate) use error::StackError;
pub(crate) use pool::stats;
pub(crate) use stack::{Stack, StackClass};
pub(crate) use sweep::{sweep, trim_below_caller};

/// Takes one stack of any class from the central pool.
///
/// The default class is cheaper through a [`StackCache`].
///
/// # Errors
///
/// [`StackError`] if the system gives no more memory or no more guards.
pub(crate) fn allocate(class: StackClass) -> Result<Stack, StackError> {
    let mut taken = None;
    pool::take(class, 1, |stack| taken = Some(stack))?;
    Ok(taken.expect("a successful take hands over at least one stack"))
}

/// Gives a stack of any class back to the central pool.
///
/// Dropping the stack does the same; this names the intent.
pub(crate) fn release(stack: Stack) {
    drop(stack);
}
