//! Programs that run out of stack.
//!
//! Why here: driven by `tests/overflow.rs`.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `testprog` `StackOverflow`.

use std::hint::black_box;

use goruntime::{Builder, go, spawn, thread};

use crate::Program::{Body, Plain};
use crate::Table;

pub(crate) const PROGRAMS: Table = &[
    ("overflow_go", Body(overflow_go)),
    ("overflow_main", Body(|| _ = sink(0))),
    ("overflow_small_stack", Body(overflow_small_stack)),
    ("overflow_big_frame", Body(overflow_big_frame)),
    ("overflow_not", Body(overflow_not)),
    ("overflow_std_thread", Body(overflow_std_thread)),
    ("main_stack_of_the_attribute", Plain(sized::main)),
    ("stack_too_small_in_attribute", Plain(too_small::main)),
];

/// The sum of what is on the stack; ends far beyond any stack.
#[inline(never)]
fn sink(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    if depth == u64::MAX {
        return 0;
    }
    sink(depth + 1).wrapping_add(frame.iter().sum())
}

/// The same with an end; takes at least 128 bytes a level.
#[inline(never)]
fn dive(levels: u64) -> u64 {
    let frame = black_box([levels; 16]);
    if levels == 0 { 0 } else { dive(levels - 1).wrapping_add(frame[3]) }
}

#[inline(never)]
fn big_frame() -> u8 {
    let frame = black_box([1_u8; 400 << 10]);
    frame[black_box(7)]
}

fn overflow_go() {
    go(|| {
        sink(0);
    });
    loop {
        thread::park();
    }
}

fn overflow_small_stack() {
    let small = Builder::new().stack_size(32 << 10).spawn(|| sink(0)).unwrap();
    drop(small.join());
}

fn overflow_big_frame() {
    drop(spawn(big_frame).join());
}

/// Half of the default stack, all of it one after the other, and a larger one on demand.
fn overflow_not() {
    println!("{}", spawn(|| dive(300)).join().unwrap());
    let large = Builder::new().stack_size(64 << 20).spawn(|| dive(50_000)).unwrap();
    println!("{}", large.join().unwrap());
}

fn overflow_std_thread() {
    drop(std::thread::spawn(|| sink(0)).join());
}

mod sized {
    #[goruntime::main(main_stack_size = 256 << 20, stack_size = 64 << 20)]
    pub(super) fn main() {
        // More than the defaults of eight megabytes and a quarter of one.
        println!("{}", super::dive(200_000));
        println!("{}", goruntime::spawn(|| super::dive(50_000)).join().unwrap());
    }
}

mod too_small {
    #[goruntime::main(stack_size = 1)]
    pub(super) fn main() {}
}
