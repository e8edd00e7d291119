//! `?` and early returns leave the body, not the expansion.
#![deny(warnings)]

use std::error::Error;

/// Attributes and documentation stay.
#[goruntime::main()]
#[allow(clippy::unnecessary_wraps)]
pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let number: u8 = "4".parse()?;
    if number == 4 {
        return Ok(());
    }
    Err("not four".into())
}
