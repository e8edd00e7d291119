//! What address sanitizer has to be told of stacks that come and go.
//!
//! **What.** Built with `--cfg goruntime_asan` and `-Zsanitizer=address` (`scripts/asan.sh` does it) these names are calls into the sanitizer's
//! runtime; otherwise they are nothing. The switches themselves are announced by corosensei, whose feature `sanitizer` the same `cfg` turns on in
//! `Cargo.toml`.
//!
//! | moment                                          | what the sanitizer is told                                   |
//! |-------------------------------------------------|--------------------------------------------------------------|
//! | a goroutine gets a stack                        | [`adopt`]: it may be used, and what is allocated may be known there only |
//! | the goroutine has ended                         | [`retire`]: who still points there is wrong, and what is only known there is lost |
//! | a mapping of stacks goes back to the system     | [`renew`]: what comes there next is none of ours             |
//! | a mapping is made that is never given back      | [`keep`]: what is allocated may be known there only          |
//! | a thread that will run goroutines starts        | [`keep`], of its own stack: the sanitizer looks only at the one that it is on |
//! | the affinity guard looks at a suspended stack   | nothing: it reads around the checks, by `peek`               |
//!
//! A goroutine that is stopped for good keeps its frames and what they guard; its stack is never used again. One that unwinds needs nothing:
//! the sanitizer forgets the frames above a panic before it is raised.
//!
//! **Why here.** Floor 0: conditional compilation.
//!
//! **Invariants.**
//! - AS1. What is retired is adopted or renewed before anybody uses it, the system included.
//! - AS2. What is adopted or kept can be read, but for what is not mapped yet: the sanitizer searches it for pointers when the process ends, and would
//!   meet the guard of a stack.
//!
//! **Locks.** None.
//!
//! **Go:** `asan.go`, `asan0.go`.

#[cfg(goruntime_asan)]
mod on;
#[cfg(goruntime_asan)]
pub(crate) use on::*;

#[cfg(not(goruntime_asan))]
mod off;
#[cfg(not(goruntime_asan))]
pub(crate) use off::*;
