//! How long a send, a receive or a select may wait.
//!
//! *Why here.* Floor 7, shared by `transfer` and `select`.
//!
//! *Invariants.* None.
//!
//! *Locks.* None.
//!
//! *Go:* none; there a time limit is a case of a select.

use core::time::Duration;
use std::time::Instant;

use crate::os;
use crate::proc::park::check_goexit;
use crate::proc::{Entered, enter, enter_preemptible};
use crate::sync::cancel::{Bounds, Cancel};
use crate::sync::sudog;

/// How long an operation may wait.
#[derive(Clone, Copy)]
pub(super) enum Patience<'a> {
    /// Not at all.
    None,
    /// For a while.
    For(Duration),
    /// Until a point in time.
    Until(Instant),
    /// Until a time of the monotonic clock, ns.
    At(i64),
    /// For as long as it takes.
    Endless,
    /// Until something else ends.
    Within(&'a Cancel),
}

/// What remains of a patience when the operation has to wait.
#[derive(Clone, Copy)]
pub(super) enum Limit<'a> {
    /// It may not wait.
    Passed,
    /// Time of the monotonic clock, ns.
    At(i64),
    /// It may wait for good.
    Never,
    /// Something else may end it.
    Within(&'a Cancel),
}

impl<'a> Limit<'a> {
    /// The time limit, if there is one that has not passed.
    pub(super) fn until(self) -> Option<i64> {
        match self {
            Limit::At(when) => Some(when),
            Limit::Passed | Limit::Never | Limit::Within(_) => None,
        }
    }

    /// The limit as a patience, for another try.
    pub(super) fn patience(self) -> Patience<'a> {
        match self {
            Limit::Passed => Patience::None,
            Limit::At(when) => Patience::At(when),
            Limit::Never => Patience::Endless,
            Limit::Within(cancel) => Patience::Within(cancel),
        }
    }

    /// The limit as the bounds of a wait; None if there may be none.
    pub(super) fn bounds(self) -> Option<Bounds<'a>> {
        match self {
            Limit::Passed => None,
            Limit::At(when) => Some(Bounds { when: Some(when), cancel: None }),
            Limit::Never => Some(Bounds::default()),
            Limit::Within(cancel) => Some(Bounds { when: None, cancel: Some(cancel) }),
        }
    }
}

impl<'a> Patience<'a> {
    pub(super) fn limit(self) -> Limit<'a> {
        let wait = match self {
            Patience::None => return Limit::Passed,
            Patience::Endless => return Limit::Never,
            Patience::Within(cancel) => return Limit::Within(cancel),
            Patience::At(when) if when <= os::nanotime() => return Limit::Passed,
            Patience::At(when) => return Limit::At(when),
            Patience::For(wait) => wait,
            Patience::Until(deadline) => deadline.saturating_duration_since(Instant::now()),
        };
        if wait.is_zero() {
            return Limit::Passed;
        }
        sudog::deadline(wait).map_or(Limit::Never, Limit::At)
    }

    /// Into the runtime, for an operation of this kind.
    #[inline(always)]
    pub(super) fn enter(self) -> Entered {
        if matches!(self, Patience::None) {
            return enter();
        }
        check_goexit();
        enter_preemptible()
    }
}
