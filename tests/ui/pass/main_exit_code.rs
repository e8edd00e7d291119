//! A status as return value.
#![deny(warnings)]

use std::process::ExitCode;

#[goruntime::main]
fn main() -> ExitCode {
    ExitCode::SUCCESS
}
