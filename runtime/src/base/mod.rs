//! Base: what every floor above needs and no platform provides.
//!
//! **What.** The crash path (`throw`), the lock and the note that block whole threads, the one thread-local word,
//! random numbers, an intrusive list, the settings from the environment, a vector outside the allocator, and the
//! seam for loom (`shim`).
//!
//! **Why here.** Floor 1: it imports `crate::os` only. Nothing here knows a goroutine; what blocks here blocks the
//! thread.
//!
//! **Invariants.** Each file numbers its own.
//!
//! **Locks.** `base::lock` is where the runtime's locks come from; it holds none itself.
//!
//! **Go:** `panic.go`, `lock_futex.go`, `runtime1.go`, `rand.go`.

pub(crate) mod env;
pub(crate) mod list;
pub(crate) mod lock;
pub(crate) mod mapvec;
pub(crate) mod note;
pub(crate) mod rand;
pub(crate) mod shim;
pub(crate) mod throw;
pub(crate) mod tls;
