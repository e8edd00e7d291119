//! From the process's first instruction of ours to goroutine 1, and from its end to the exit; library mode.
//!
//! *Why here.* Floor 9: knows everything below.
//!
//! ```text
//! main -> start -> rt0_go -> check, args, osinit, schedinit, newproc(runtime_main), mstart
//! runtime_main: sysmon, lock to the main thread, runtime's inits, sweepers, updater, user's inits, unlock, body, exit
//! ```
//!
//! *Invariants.* RT0. Until `runtime_main` has set `main_started`, only m0 exists. RT1. Inits run one after another on goroutine 1, on the
//! main thread.
//!
//! *Locks.* None.
//!
//! *Go:* asm_*.s `rt0_go`, proc.go `main`.

mod init_runner;
pub(crate) mod inits;
mod library;
mod start;

pub use self::start::{MainOptions, start};
