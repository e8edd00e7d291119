//! Every argument, as a literal, a constant expression or a path.
#![deny(warnings)]

const PROCS: usize = 2;
const KIB: usize = 1024;

const fn bytes<const LARGE: bool, const SMALL: bool>(kib: usize) -> usize {
    if LARGE && !SMALL { kib * KIB * KIB } else { kib * KIB }
}

#[goruntime::main(
    max_procs = PROCS,
    main_stack_size = { bytes::<true, false>(1) },
    stack_size = 0x4_0000_usize,
    migrate = false,
    crate = ::goruntime,
)]
fn main() {}
