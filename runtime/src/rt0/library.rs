//! Library mode: the runtime starts on the first use from a plain thread of a program whose `main` is its own.
//!
//! *Why here.* Floor 9; `proc::foreign` calls it through the hook `LIBRARY_START`.
//!
//! *Invariants.* RT0, BT1. LB1. The caller returns only when the inits have run.
//!
//! *Locks.* The `Once`.
//!
//! *Go:* c-archive and c-shared builds.

use core::sync::atomic::Ordering;
use std::sync::Once;

use linkme::distributed_slice;

use crate::base::note::Note;
use crate::base::throw::set_crash_hook;
use crate::bgsweep;
use crate::debug::{dump, schedtrace};
use crate::gmp::SCHED;
use crate::gmp::g::flag;
use crate::os;
use crate::proc::foreign::LIBRARY_START;
use crate::proc::{boot, mstart, wake};
use crate::rt0::{init_runner, start};
use crate::runtime;
use crate::sysmon;

static STARTED: Note = Note::new();
static ONCE: Once = Once::new();

#[distributed_slice(LIBRARY_START)]
static START: fn() = ensure_started;

/// Starts the runtime unless it runs. A second thread that comes meanwhile waits.
fn ensure_started() {
    if boot::is_program() {
        return;
    }
    ONCE.call_once(|| {
        if !boot::claim_start() {
            // The program's own `main` is starting it, on another thread.
            return;
        }
        boot::begin();
        boot::check();
        boot::osinit();
        boot::schedinit(None, None);
        set_crash_hook(dump::on_crash);
        sysmon::set_tracer(schedtrace::print_line);
        let mut shared = SCHED.lock.lock();
        let first = shared.pidle_get();
        mstart::newm(shared, first, false, Some(first_thread));
        STARTED.sleep();
    });
}

/// The first thread of the runtime: like m0, but not the process's.
fn first_thread() -> ! {
    let Some(mp) = crate::gmp::m::current() else { os::raise_abort() };
    {
        let mut shared = SCHED.lock.lock();
        shared.nm += 1;
    }
    mp.set_curg(mp.g0.get());
    if let Some(pp) = mp.nextp.take() {
        wake::acquirep(mp, pp);
    }
    // Here, because the thread that starts the runtime may be panicking: then it must not change the panic hook.
    start::install_handlers();
    // Not one of the user's goroutines: it is gone when the first of those begins.
    start::start_with(library_main, 256 << 10, "library", flag::MAIN | flag::SYSTEM);
    mp.set_curg(None);
    mstart::run_goroutines(mp)
}

fn library_main() {
    // Release: pairs with whoever looks whether the runtime has started.
    SCHED.main_started.store(true, Ordering::Release);
    sysmon::start();
    bgsweep::start_force_helper();
    bgsweep::enable();
    bgsweep::start_updater(runtime::update_procs);
    init_runner::run_all();
    STARTED.wake();
}
