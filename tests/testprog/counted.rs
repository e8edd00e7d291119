//! A program whose allocator counts, so that the lines of inittrace are complete.
//!
//! Why here: an allocator is the whole program's, so this is a binary of its own; driven by `tests/traces.rs`.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `TestInittrace`-like checks; `GO-RUNTIME.md` §2.3.

use std::hint::black_box;

use goruntime::debug::CountingAllocator;
use goruntime::spawn;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

/// Three blocks, of which one grows.
#[goruntime::init]
fn allocates() {
    let mut grows: Vec<u8> = black_box(Vec::with_capacity(1_000));
    grows.reserve_exact(2_000);
    black_box(grows);
    black_box(Box::new([0_u64; 8]));
    black_box(vec![0_u8; 500]);
}

#[goruntime::init(after = [allocates])]
fn allocates_nothing() {}

/// What others allocate meanwhile is not the init function's.
#[goruntime::init(after = [allocates_nothing])]
fn lets_others_allocate() {
    let goroutine = spawn(|| drop(black_box(vec![1_u8; 100_000])));
    goroutine.join().expect("allocating does not panic");
}

#[goruntime::main]
fn main() {
    println!("counted");
}
