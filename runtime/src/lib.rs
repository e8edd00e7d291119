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
//! # Is `go` sound?
//!
//! Not for every safe crate, and no runtime with stacks of its own can be: the compiler takes it for granted that a function stays on its thread and
//! that nobody else runs there meanwhile, and a goroutine that waits may go on on another thread, while others run on the first. What a program
//! would meet without help are values of a `thread_local!`. `go` is a safe function all the same, because that is the model; this is what is done about
//! it, and what is left to you.
//!
//! **What is protected.** A goroutine that unwinds keeps its thread for itself, so that the panic count is right. A goroutine that is about to change
//! threads is looked at by the *affinity guard*, and goes back to its thread if one of the words on its stack
//!
//! * points into the thread-local storage of that thread: a borrow of a `thread_local!`, or an address that the compiler has kept, as it does in
//!   libraries even between two calls of `HashMap::new`;
//! * is a handle that is stored there as well: `rand::rng()`, the guard of a pinned crossbeam-epoch collector;
//! * is the lock of standard output or standard error, which that thread owns.
//!
//! It is at work on Linux on x86-64 and aarch64; elsewhere there is none. It looks only when a goroutine would change threads: one that does not pays
//! nothing. It is advice: words that were left behind look like any others, and a thread may be blocked in a lock that the goroutine holds, so that
//! one whose thread has not come for it within 10 to 20 ms goes on elsewhere. [`runtime::guard_stats`] counts both. `GODEBUG=tlsguard=0` turns it off,
//! `tlsguard=log`, which is the default in debug builds, prints where a goroutine was kept, once for each place, and `tlsguard=strict` never
//! lets go: for tests of the guard only, as a program hangs if a goroutine that unwinds, and has its thread for itself, waits for one that is kept there.
//!
//! **What remains.**
//!
//! * In optimised programs a value without a destructor is addressed as an offset from the thread register, with link-time optimisation in their
//!   libraries, too. Nothing on the stack shows that it is borrowed: over a wait the borrow silently becomes that of the new thread's value. Debug builds
//!   report it.
//! * Thread-local state that nests like a stack (scoped thread-locals, the entered spans of tracing) is mixed up by two goroutines that nest on one
//!   thread, moved or not.
//! * Thread-local values of libraries that are loaded at run time are not looked at, nor more than the innermost 256 KiB of a stack.
//!
//! **What to use instead.** Nothing borrowed from a `thread_local!`, and no handle on it, is to be held over an operation that can park. What belongs to
//! a goroutine is a [`goroutine_local!`], which may be borrowed over anything:
//!
//! ```
//! use std::cell::Cell;
//!
//! goruntime::goroutine_local! {
//!     static REQUESTS: Cell<u32> = Cell::new(0);
//! }
//!
//! goruntime::run(|| {
//!     REQUESTS.with(|requests| {
//!         requests.set(requests.get() + 1);
//!         goruntime::runtime::yield_now();
//!         assert_eq!(requests.get(), 1);
//!     });
//! });
//! ```
//!
//! A stretch of code that must not change threads is [pinned](runtime::pin), which lets others run on the thread in between:
//!
//! ```
//! use std::cell::Cell;
//!
//! thread_local! {
//!     static BUFFER: Cell<u32> = const { Cell::new(0) };
//! }
//!
//! goruntime::run(|| {
//!     let _pinned = goruntime::runtime::pin();
//!     BUFFER.with(|buffer| {
//!         buffer.set(7);
//!         goruntime::runtime::yield_now();
//!         assert_eq!(buffer.get(), 7);
//!     });
//! });
//! ```
//!
//! State that nests wants the thread [for itself](runtime::lock_os_thread):
//!
//! ```
//! use std::cell::RefCell;
//!
//! thread_local! {
//!     static ENTERED: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
//! }
//!
//! goruntime::scope(|s| {
//!     for span in 0..4 {
//!         s.spawn(move || {
//!             goruntime::runtime::lock_os_thread();
//!             ENTERED.with_borrow_mut(|entered| entered.push(span));
//!             goruntime::runtime::yield_now();
//!             assert_eq!(ENTERED.with_borrow_mut(Vec::pop), Some(span));
//!             goruntime::runtime::unlock_os_thread();
//!         });
//!     }
//! });
//! ```
//!
//! And a program that wants no migration at all says so; then a goroutine stays on the thread of its first run, and one that waits behind a
//! neighbour that blocks cannot be helped:
//!
//! ```
//! #[goruntime::main(migrate = false)]
//! fn main() {
//!     let here = std::thread::current().id();
//!     goruntime::runtime::yield_now();
//!     assert_eq!(std::thread::current().id(), here);
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
