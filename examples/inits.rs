//! Init functions of two crates, in an order that the program states.
//!
//! Crate, file and line decide, so `inits` goes before `storage`; but `connect` waits for `storage::open`, and that for
//! `storage::configure`. Prints the five lines
//! `inits::announce`, `storage::configure`, `storage::open`, `inits::connect: store in memory`, `main`.

#[goruntime::init]
fn announce() {
    println!("inits::announce");
}

#[goruntime::init(after = [storage::open])]
fn connect() {
    println!("inits::connect: {}", storage::store().unwrap_or("too early"));
}

#[goruntime::main]
fn main() {
    println!("main");
}
