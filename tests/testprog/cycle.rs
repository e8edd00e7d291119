//! A program whose init functions wait for each other.
//!
//! Why here: a cycle cannot be chosen by name, so this is a binary of its own; driven by `tests/inits.rs`.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `test/initloop.go`.

#[goruntime::init(after = [second])]
fn first() {}

#[goruntime::init(after = [third])]
fn second() {}

#[goruntime::init(after = [first])]
fn third() {}

#[goruntime::init]
fn free() {
    println!("not reached");
}

#[goruntime::main]
fn main() {
    println!("not reached");
}
