//! `#[goruntime::test]` leaves nothing behind in a build without tests, as `#[test]` does.
#![deny(warnings)]

#[cfg(test)]
use std::num::ParseIntError;

#[goruntime::test]
fn unit() {}

#[goruntime::test(crate = "::goruntime")]
#[should_panic(expected = "x")]
fn result() -> Result<(), ParseIntError> {
    "x".parse::<u8>().map(drop)
}

#[ignore = "takes long"]
#[goruntime::test()]
fn status() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}

fn main() {}
