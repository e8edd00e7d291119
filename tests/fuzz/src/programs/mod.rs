//! Placeholder head.
/// x
pub fn programs(_: &[u8]) {}
