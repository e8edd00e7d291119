//! What does an empty Rust program cost, from fork to the end of wait?

fn main() {}
