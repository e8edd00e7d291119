//! What does `#[goruntime::main]` add to an empty program?

#[goruntime::main]
fn main() {}
