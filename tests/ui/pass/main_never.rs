//! A `main` that does not return.
#![deny(warnings)]

#[goruntime::main]
fn main() -> ! {
    std::process::exit(0)
}
