//! Go's programming model for Rust: write plain blocking code, run a million of them.
//!
//! ```
//! use goruntime::{channel, go};
//!
//! #[goruntime::main]
//! fn main() {
//!     let (tx, rx) = channel::bounded(0);
//!     for id in 0..3 {
//!         let tx = tx.clone();
//!         go(move || tx.send(id).unwrap());
//!     }
//!     drop(tx);
//!     let mut ids: Vec<i32> = rx.iter().collect();
//!     ids.sort();
//!     assert_eq!(ids, [0, 1, 2]);
//! }
//! ```
//!
//! # The floors
//!
//! A file imports only its own floor or lower ones (`tests/tidy.rs` checks it):
//!
//! ```text
//! 9  rt0                            from the first instruction to goroutine 1, and the exit; library mode
//! 8  task runtime thread debug      spawn and join, control, the mirror of std::thread, looking inside
//! 8  time context net future        what may start goroutines on the way, and what sleeps: timers, deadlines, sockets, futures
//! 8  io fs process                  streams, files and child processes
//! 8  signal                         what comes from outside, into channels and contexts
//! 7  channel sync                   what blocks a goroutine
//! 6  sysmon bgsweep                 the caretakers
//! 5  proc                           the verbs of the scheduler
//! 4  netpoll                        from the readiness of sockets to the goroutines that wait
//! 3  gmp                            its nouns: G, M, P
//! 2  coro                           stacks and the switch
//! 1  base sigqueue                  throw, locks, the TLS word, lists; what signal handlers leave behind
//! 0  os                             the operating system
//! ```
//!
//! Three upward hooks: the crash dump (`base::throw`), the start of library mode (`proc::foreign`), the callback of a timer
//! (`gmp::timers`); and two printers, which are data for those who call them: of trace lines (`sysmon`), of what the guard has seen (`proc::keep`).

extern crate self as goruntime;

mod base;
mod bgsweep;
mod coro;
mod gmp;
#[cfg_attr(not(unix), allow(dead_code, reason = "it waits for sockets, which are for Unix only"))]
mod netpoll;
#[path = "os/mod.rs"]
mod platform;
#[cfg_attr(not(unix), allow(dead_code, reason = "so do some of its functions"))]
mod proc;
mod rt0;
#[cfg_attr(not(unix), allow(dead_code, reason = "there are no signals elsewhere"))]
mod sigqueue;
#[cfg_attr(not(unix), allow(dead_code, reason = "signals ask it for something"))]
mod sysmon;
mod task;

pub mod channel;
pub mod context;
pub mod debug;
#[cfg(unix)]
pub mod fs;
pub mod future;
#[cfg(unix)]
pub mod io;
#[cfg(unix)]
pub mod net;
#[cfg(unix)]
pub mod process;
pub mod runtime;
#[cfg(unix)]
pub mod signal;
pub mod sync;
pub mod thread;
pub mod time;

/// What exists on one family of systems only, as in `std::os`.
pub mod os {
    pub(crate) use crate::platform::*;

    /// Unix.
    #[cfg(unix)]
    pub mod unix {
        /// What files have beyond [`fs`](crate::fs): the traits are std's own.
        pub mod fs {
            pub use crate::fs::unix::{chown, fchown, lchown, symlink};
            pub use std::os::unix::fs::{
                DirBuilderExt, DirEntryExt, FileExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, chroot,
            };
        }

        /// What processes have beyond [`process`](crate::process).
        pub mod process {
            pub use crate::process::CommandExt;
            pub use std::os::unix::process::{ExitStatusExt, parent_id};
        }

        /// Sockets that have paths instead of addresses.
        pub mod net {
            pub use crate::net::unix::{Incoming, SocketAddr, UnixDatagram, UnixListener, UnixStream};
        }
    }
}

pub use goruntime_macros::{init, main, test};
pub use task::{Builder, Goexit, JoinHandle, LocalKey, Scope, ScopedJoinHandle, go, run, scope, spawn};

/// Starts a goroutine that evaluates an expression: `go!(work(1))` is `go(move || { work(1); })`.
///
/// # Examples
///
/// ```
/// goruntime::run(|| {
///     let (tx, rx) = goruntime::channel::bounded(1);
///     goruntime::go!(tx.send(7).unwrap());
///     assert_eq!(rx.recv(), Ok(7));
/// });
/// ```
#[macro_export]
macro_rules! go {
    ($work:expr) => {
        $crate::go(move || {
            let _ = $work;
        })
    };
}

#[doc(hidden)]
pub mod __private {
    pub use crate::channel::select::{RecvArm, SendArm, block, run, run_for, run_now};
    pub use crate::rt0::inits::{INITS, Init, InitId, InitReturn, InitTask, not_an_init};
    pub use crate::rt0::{MainOptions, start};
    pub use crate::task::run::{computing_threads, others_wait, set_time_slices, test};
    pub use goruntime_macros::select_cases;
    pub use linkme;
}
