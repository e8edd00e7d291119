//! Threads: making them, and what they do first.
//!
//! *Why here.* Floor 5.
//!
//! *Invariants.* M1-M3. H1. The number of threads of the runtime never exceeds `max_mcount`.
//!
//! *Locks.* `SCHED.lock` for numbers.
//!
//! *Go:* `newm`, `newosproc`, `mstart`, `mstart1`, `minit`, `checkmcount`.

use core::ffi::c_void;
use core::ptr::null_mut;
use core::sync::atomic::Ordering;
use core::time::Duration;

use crate::base::lock::LockGuard;
use crate::base::throw::{print_facts, throw};
use crate::base::tls;
use crate::gmp::affinity;
use crate::gmp::g::flag;
use crate::gmp::sched::Shared;
use crate::gmp::{M, MPtr, PPtr};
use crate::os::{self, asan, race};
use crate::proc::{OnG0, chaos, execute, newproc, wake};

/// Stack of a thread: the scheduler runs on it, and the symbolizing of backtraces.
const THREAD_STACK: usize = (256 << 10) << os::MORE_STACK;
/// How many times a thread is tried for when there are too many: Go's number, as are the pauses in between, of as many milliseconds as there were
/// tries.
const TRIES: u64 = 20;
/// Timer slack of our threads, ns: short sleeps are to be short.
const TIMER_SLACK: u64 = 1_000;

/// Starts a thread that begins with `pp`, or with a job of its own.
pub(crate) fn newm(mut shared: LockGuard<'_, Shared>, pp: Option<PPtr>, spinning: bool, job: Option<fn() -> !>) {
    let id = shared.next_mid;
    shared.next_mid += 1;
    let have = shared.nm;
    if job.is_none() {
        shared.nm += 1;
        check_mcount(&shared);
    }
    drop(shared);
    let mp = M::create(id, false, chaos::seed(id));
    mp.nextp.set(pp);
    mp.spinning.store(spinning, Ordering::Relaxed);
    mp.start.set(job);
    let mut tries = 0;
    while let Err(errno) = os::spawn_thread(thread_main, mp.as_ptr().cast(), THREAD_STACK) {
        tries += 1;
        if errno != libc::EAGAIN || tries == TRIES {
            no_thread(have, errno);
        }
        // Threads of others may end.
        std::thread::sleep(Duration::from_millis(tries));
    }
}

/// Throws when there are more threads than allowed.
fn check_mcount(shared: &Shared) {
    if shared.nm > shared.max_mcount {
        print_facts(format_args!("program exceeds {}-thread limit", shared.max_mcount));
        throw("thread exhaustion");
    }
}

#[cold]
fn no_thread(have: u32, errno: i32) -> ! {
    print_facts(format_args!("failed to create new OS thread (have {have} already; errno={errno})"));
    if errno == libc::EAGAIN {
        print_facts(format_args!("may need to increase max user processes (ulimit -u)"));
    }
    throw("newosproc");
}

extern "C" fn thread_main(argument: *mut c_void) -> *mut c_void {
    let Some(mp) = MPtr::from_raw(argument.cast()) else { throw("thread without an M") };
    tls::set(mp.as_ptr().cast());
    os::set_thread_name("goruntime-m");
    mstart(mp)
}

/// Enters the scheduler on the calling thread, whose M is `mp`.
pub(crate) fn mstart(mp: MPtr) -> ! {
    race::hide_thread();
    minit(mp);
    if let Some(job) = mp.start.take() {
        job();
    }
    if let Some(pp) = mp.nextp.take() {
        wake::acquirep(mp, pp);
    }
    run_goroutines(mp)
}

/// Runs goroutines for ever on the calling thread, whose M is `mp`.
pub(crate) fn run_goroutines(mp: MPtr) -> ! {
    extern "C" fn schedule(mp: *mut c_void) -> ! {
        let Some(mp) = MPtr::from_raw(mp.cast()) else { throw("a scheduler without an M") };
        execute::schedule(&OnG0::assume(), mp)
    }
    os::call_with_clean_registers(schedule, mp.as_ptr().cast())
}

/// Bounds of the stack of a thread that `newm` started, to a page or so: asking the C library would allocate, and with that make a malloc arena
/// for every thread.
fn own_stack_bounds() -> (usize, usize) {
    let here = 0u8;
    let high = (&raw const here).addr().next_multiple_of(os::page_size());
    (high - THREAD_STACK, high)
}

/// Threads that keep their `stat` file open: a bound, because descriptors are the program's, and it may have no more than a thousand. Of
/// the others sysmon opens it for each look.
const KEPT_STATS: u32 = 64;

/// What every thread of the runtime sets up for itself.
pub(crate) fn minit(mp: MPtr) {
    mp.tls_slot.set(tls::slot_address());
    mp.stack.set(if mp.id == 0 { os::stack_bounds() } else { own_stack_bounds() });
    if asan::IS_ON {
        // While a goroutine runs here the sanitizer takes that one's stack for the thread's. To the byte: behind the lowest is a guard (AS2).
        let (low, high) = os::stack_bounds();
        asan::keep(low..high);
    }
    mp.tid.store(os::thread_id(), Ordering::Relaxed);
    mp.cpu_clock.store(os::thread_cpu_clock(), Ordering::Relaxed);
    // Release: pairs with the Acquire in sysmon: whoever sees the descriptor sees the rest.
    mp.stat_fd.store(if mp.id < KEPT_STATS { os::open_thread_stat(os::thread_id()) } else { -1 }, Ordering::Release);
    os::set_timer_slack(TIMER_SLACK);
    if let Err(errno) = os::install_signal_stack(mp.id == 0) {
        print_facts(format_args!("cannot make the signal stack of a thread (errno={errno})"));
        throw("out of memory");
    }
    affinity::record(mp);
    if mp.g0.get().is_none() {
        let g0 = newproc::gfget(None);
        g0.flags.store(flag::SYSTEM | flag::THREAD, Ordering::Relaxed);
        g0.home.store(mp.as_ptr(), Ordering::Relaxed);
        g0.status.dead_to_runnable();
        g0.status.runnable_to_running();
        mp.g0.set(Some(g0));
    }
}

/// Forgets the M of the calling thread, when the process leaves: TLS destructors see a foreign thread.
pub(crate) fn forget_current() {
    tls::set(null_mut());
}
