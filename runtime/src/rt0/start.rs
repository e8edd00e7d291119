//! `rt0_go` and goroutine 1 of a program with `#[goruntime::main]`.
//!
//! *Why here.* Floor 9.
//!
//! *Invariants.* RT0, RT1, BT1.
//!
//! *Locks.* None.
//!
//! *Go:* `rt0_go`, `runtime.main`.

use core::panic::Location;
use core::sync::atomic::Ordering;
use std::process::{ExitCode, Termination};

use crate::base::throw::{fatal, print, set_crash_hook, throw};
use crate::base::tls;
use crate::bgsweep;
use crate::coro::{self, StackClass};
use crate::debug::{dump, handlers, held, schedtrace};
use crate::gmp::g::flag;
use crate::gmp::join_word::NO_HANDLE;
use crate::gmp::{M, MPtr, SCHED};
use crate::os;
use crate::proc::deadlock::{self, Policy};
use crate::proc::newproc::{Spec, newproc};
use crate::proc::{Entered, boot, chaos, enter, foreign, keep, mstart, park, wire};
use crate::rt0::init_runner;
use crate::runtime;
use crate::sysmon;
use crate::task::extra::Extra;
use crate::task::finish::entry_go;
use crate::task::panics;
use crate::task::slot::pack;

/// What `#[goruntime::main(..)]` asked for.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct MainOptions {
    /// GOMAXPROCS, unless the environment says otherwise.
    pub max_procs: Option<usize>,
    /// Stack of goroutine 1, bytes.
    pub main_stack_size: Option<usize>,
    /// Stack of the others, bytes.
    pub stack_size: Option<usize>,
    /// Whether goroutines may change threads.
    pub migrate: bool,
}

/// How often main's return yields to goroutines that are dying of a panic.
const PANIC_GRACE: u32 = 1_000;
/// How long it waits in between for those that run and only need their threads to get a CPU, ns: each time, and altogether.
const GRACE_NAP: i64 = 50_000;
const GRACE_NAPS: i64 = 100_000_000;
/// What the TLS self-check stores.
const TLS_MARK: usize = 0x123;

/// Entry of the program: what the attribute's `main` calls. Never returns; the process ends with the status of the user's `main`.
#[doc(hidden)]
pub fn start<R: Termination + 'static>(options: MainOptions, main: fn() -> R) -> ! {
    rt0_go(options, Box::new(move || status_of(main().report())))
}

/// What goroutine 1 runs in the end: the user's `main`, returning the exit status.
type Body = Box<dyn FnOnce() -> i32 + Send>;

#[inline(never)]
fn rt0_go(options: MainOptions, body: Body) -> ! {
    if !boot::claim_start() {
        // A `main` with the attribute is a function that may be called; a second m0 or sysmon would take what belongs to the first.
        fatal("main called while the runtime runs");
    }
    boot::begin();
    boot::trace("rt0_go");
    let m0 = M::create(0, false, chaos::seed(0));
    check_tls(m0);
    mstart::minit(m0);
    m0.set_curg(m0.g0.get());
    boot::check();
    boot::trace("check");
    std::env::args_os().for_each(drop);
    boot::trace("args");
    boot::osinit();
    boot::trace("osinit");
    let procs = apply(options);
    boot::schedinit(Some(m0), procs);
    boot::trace("schedinit");
    set_crash_hook(dump::on_crash);
    sysmon::set_tracer(schedtrace::print_line);
    install_handlers();
    deadlock::set_policy(Policy::Report);
    new_main(body);
    boot::trace("newproc");
    m0.set_curg(None);
    boot::trace("mstart");
    mstart::mstart(m0)
}

/// Step 8 of Go's `rt0_go`: what is stored through the TLS accessor must be found in the slot that the M points to.
fn check_tls(m0: MPtr) {
    m0.tls_slot.set(tls::slot_address());
    tls::set(core::ptr::without_provenance_mut(TLS_MARK));
    // SAFETY: the slot is this thread's own word.
    if unsafe { *m0.tls_slot.get() }.addr() != TLS_MARK || tls::get().addr() != TLS_MARK {
        os::raise_abort();
    }
    tls::set(m0.as_ptr().cast());
}

/// Checks and applies the attribute's options; returns the processors asked for.
fn apply(options: MainOptions) -> Option<u32> {
    let refuse = |text: String| -> ! {
        print(format_args!("goruntime: {text}\n"));
        os::exit_now(2)
    };
    let class = |name: &str, bytes: usize| match StackClass::for_size(bytes) {
        Ok(class) => class,
        Err(error) => refuse(format!("`{name}` of #[goruntime::main]: {error}")),
    };
    let default = options.stack_size.map(|bytes| class("stack_size", bytes));
    let main = options.main_stack_size.map(|bytes| class("main_stack_size", bytes).bytes());
    boot::set_stack_sizes(default, main);
    boot::set_migrate(options.migrate);
    if options.max_procs == Some(0) {
        refuse("`max_procs` of #[goruntime::main] is 0; expected at least 1".to_owned());
    }
    options.max_procs.map(|count| u32::try_from(count).unwrap_or(u32::MAX))
}

/// What every kind of start installs once.
pub(super) fn install_handlers() {
    coro::overflow::install(report_overflow, handlers::fault_was_sent);
    panics::install_hook();
    handlers::install();
    keep::set_reporter(held::report);
    os::at_fork(foreign::mark_forked_child);
}

/// Goroutine 1, runnable, in P0's runnext.
fn new_main(body: Body) {
    let main = move || runtime_main(body);
    start_with(main, boot::main_stack_bytes(), "main", flag::MAIN);
}

/// Starts the runtime's first goroutine.
pub(super) fn start_with<F: FnOnce() + Send + 'static>(main: F, stack_bytes: usize, name: &str, flags: u32) {
    let class = StackClass::for_size(stack_bytes)
        .map_or(0, |class| if class == StackClass::DEFAULT { 0 } else { class.log2() });
    let words = pack(main);
    let spec = Spec {
        entry: entry_go::<F>,
        flags,
        join: NO_HANDLE,
        stack_class: class,
        extra: Extra { name: Some(name.into()), ..Extra::default() }.into_raw(),
        creator: || "",
        created_at: Location::caller(),
    };
    let inside = core::mem::ManuallyDrop::new(Entered::adopt());
    // SAFETY: the words are what `entry_go::<F>` takes.
    unsafe { newproc(&inside, &spec, &words) };
}

/// Go's `runtime.main`, in Go's order.
#[inline(never)]
fn runtime_main(body: Body) {
    boot::trace("runtime_main");
    sysmon::start();
    boot::trace("sysmon");
    let tie = tie_to_main_thread();
    boot::trace("lock_os_thread");
    let start = os::nanotime();
    if start == 0 {
        throw("nanotime returning zero");
    }
    boot::trace("runtime_inits");
    bgsweep::start_force_helper();
    bgsweep::enable();
    boot::trace("gcenable");
    bgsweep::start_updater(runtime::update_procs);
    boot::trace("updater");
    SCHED.main_started.store(true, Ordering::Relaxed);
    tie.dedicate();
    init_runner::run_all();
    boot::trace("inits");
    drop(tie);
    boot::trace("main");
    let status = body();
    boot::trace("exit");
    panic_grace();
    runtime::exit(status)
}

/// Ties goroutine 1 to the main thread until the inits have run. While there is nothing but the runtime's own goroutines the thread is not theirs
/// alone: they start on it, where a thread of their own would have to be made first. The inits have it for themselves.
fn tie_to_main_thread() -> Tie {
    let inside = enter();
    let mp = inside.m();
    if mp.id != 0 {
        throw("runtime_main not on m0");
    }
    inside.g().wire(mp);
    Tie
}

/// Unties when the inits have run, or when one has ended goroutine 1.
struct Tie;

impl Tie {
    /// From here on the main thread is goroutine 1's alone.
    fn dedicate(&self) {
        let inside = enter();
        if !wire::lock_thread(inside.m(), inside.g()) {
            throw("the first lock of the main thread overflows");
        }
        inside.g().unwire();
    }
}

impl Drop for Tie {
    fn drop(&mut self) {
        let inside = enter();
        wire::unlock_thread(inside.m(), inside.g());
    }
}

/// A goroutine that is dying of a panic gets a chance to say so before main's return ends everything. Go yields; here the dying one may have
/// a thread for itself (K2 of `proc::park`), so that yields alone are over before a busy machine has run that thread.
fn panic_grace() {
    panics::over(crate::task::extra::current_g());
    let until = os::nanotime() + GRACE_NAPS;
    for _ in 0..PANIC_GRACE {
        // SeqCst: pairs with the count in `panics::note`; in doubt one round more.
        if panics::UNWINDING.load(Ordering::SeqCst) == 0 {
            break;
        }
        let inside = enter();
        park::gosched_global(&inside);
        drop(inside);
        if panics::is_anybody_dying() && os::nanotime() < until {
            bgsweep::pause(GRACE_NAP);
        }
    }
    while panics::PRINTING.load(Ordering::SeqCst) != 0 {
        std::thread::park();
    }
}

/// The number in an exit code, which std keeps to itself: its debug text ends in it.
fn status_of(code: ExitCode) -> i32 {
    let text = format!("{code:?}");
    let digits: String = text.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(i32::from(code != ExitCode::SUCCESS))
}

/// The fault was on a guard page of a goroutine's stack.
fn report_overflow(_fault: usize, low: usize, high: usize, sp: usize) -> ! {
    let gp = crate::gmp::m::current().and_then(|mp| mp.curg());
    let (id, limit) = (gp.map_or(0, |gp| gp.goid()), high - low);
    print(format_args!("runtime: goroutine stack exceeds {limit}-byte limit\n"));
    print(format_args!("runtime: sp={sp:#x} stack=[{low:#x}, {high:#x}]\n"));
    print(format_args!("fatal error: stack overflow\n\nruntime stack:\n\ngoroutine {id} [running]:\n"));
    os::exit_now(2)
}
