//! Arguments that `#[goruntime::init]` refuses.

#[goruntime::init(before = [second])]
fn unknown() {}

#[goruntime::init(after = [second], after = [second])]
fn duplicate() {}

#[goruntime::init(after = second)]
fn no_list() {}

#[goruntime::init(after = (second))]
fn parentheses() {}

#[goruntime::init(after = ["second", second(), 3, <u8 as Into<u8>>::into])]
fn no_paths() {}

#[goruntime::init(after, crate = true)]
fn no_value() {}

// The hidden type of a refused function is there, or `after` would be a second error.
#[goruntime::init(after = [unknown, duplicate, no_list])]
fn second() {}

fn main() {}
