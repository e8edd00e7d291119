//! Placeholder head.
/// x
pub fn attributes(_: &[u8]) {}
