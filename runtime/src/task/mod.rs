//! Goroutines as the user meets them: `go`, `spawn`, scopes, join handles, locals, panics and their ends.
//!
//! *Why here.* Floor 8: closures, results and names on top of `proc`, which knows only words in a slot.
//!
//! *Invariants.* J1. The `join` word is the only arbiter of who drops the result and who recycles the G (see `join`). J2. User code (closures,
//! `Drop`, hooks) runs only outside of the runtime.
//!
//! *Locks.* None.
//!
//! *Go:* `go`, `panic`, `Goexit`; the rest mirrors `std::thread`.

pub(crate) mod extra;
pub(crate) mod finish;
pub(crate) mod goexit;
pub(crate) mod join;
mod join_task;
pub(crate) mod local;
pub(crate) mod panics;
pub(crate) mod run;
pub(crate) mod scope;
pub(crate) mod slot;
pub(crate) mod spawn;
pub(crate) mod wake;

pub use self::goexit::Goexit;
pub use self::join::JoinHandle;
pub use self::local::LocalKey;
pub use self::run::run;
pub use self::scope::{Scope, ScopedJoinHandle, scope};
pub use self::spawn::{Builder, go, spawn};
