//! The plainest program.
#![deny(warnings)]

#[goruntime::main]
fn main() {}
