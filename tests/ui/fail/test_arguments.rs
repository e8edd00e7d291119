//! Arguments that `#[goruntime::test]` refuses.

#[goruntime::test(max_procs = 4)]
fn unknown() {}

#[goruntime::test(crate = ::goruntime, crate = ::goruntime)]
fn duplicate() {}

#[goruntime::test(crate = [goruntime])]
fn no_path() {}

fn main() {}
