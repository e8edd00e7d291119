//! What the runtime does about signals that nobody listens for: `signal::defaults`, where there are signals.
//!
//! *Why here.* Floor 8: the seam between the start, the panic hook and a module that Unix has alone.
//!
//! *Invariants.* None. *Locks.* None.
//!
//! *Go:* `initsig`.

#[cfg(unix)]
pub(crate) use crate::signal::defaults::{fault_was_sent, install, look_at_panic};

/// There are none here.
#[cfg(not(unix))]
mod none {
    pub(crate) fn install() {}

    pub(crate) fn look_at_panic(_info: &std::panic::PanicHookInfo<'_>) {}

    pub(crate) fn fault_was_sent(_signal: i32) -> bool {
        false
    }
}
#[cfg(not(unix))]
pub(crate) use none::{fault_was_sent, install, look_at_panic};
