//! The steps of the start that belong to the scheduler: self-checks, `osinit`, `schedinit`.
//!
//! *Why here.* Floor 5: `rt0` calls them in Go's order.
//!
//! *Invariants.* BT1. A process starts its runtime once, whoever asks for it (`claim_start`). The order of the steps is `GO-RUNTIME.md` §1.
//!
//! *Locks.* `SCHED.lock`.
//!
//! *Go:* `check`, `args`, `osinit`, `schedinit`.

use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::base::env::{self, DEBUG};
use crate::base::throw::{print, throw};
use crate::coro::StackClass;
use crate::gmp::{MPtr, PPtr, SCHED, barrier};
use crate::os::{self, race};
use crate::proc::{chaos, resize, wake};

static START: AtomicI64 = AtomicI64::new(0);
static NCPU: AtomicU32 = AtomicU32::new(0);
/// GOMAXPROCS was set by somebody: no automatic update.
static CUSTOM_PROCS: AtomicU8 = AtomicU8::new(0);
static DEFAULT_STACK: AtomicU8 = AtomicU8::new(0);
static MAIN_STACK: AtomicUsize = AtomicUsize::new(8 << 20);

/// `migrate = false`: every goroutine stays on the thread of its first run.
static STICKY: AtomicU8 = AtomicU8::new(0);
/// The program has `#[goruntime::main]`.
static PROGRAM: AtomicU8 = AtomicU8::new(0);

/// Whether goroutines may change threads after their first run.
pub(crate) fn set_migrate(migrate: bool) {
    STICKY.store(u8::from(!migrate), Ordering::Relaxed);
}

/// Whether every goroutine stays on the thread of its first run.
#[inline(always)]
pub(crate) fn is_sticky() -> bool {
    STICKY.load(Ordering::Relaxed) != 0
}

/// Whether the program has `#[goruntime::main]`, so that there is nothing to start for a foreign thread.
pub(crate) fn is_program() -> bool {
    PROGRAM.load(Ordering::Relaxed) != 0
}

/// When the process entered the runtime, ns of the monotonic clock.
pub(crate) fn start_time() -> i64 {
    START.load(Ordering::Relaxed)
}

/// Whether the caller is the one who starts the runtime (BT1).
#[must_use]
pub(crate) fn claim_start() -> bool {
    static CLAIMED: AtomicBool = AtomicBool::new(false);
    // Relaxed: who is first is all that counts.
    !CLAIMED.swap(true, Ordering::Relaxed)
}

/// Stamps the start and reads the environment, so that every later step can be traced.
pub(crate) fn begin() {
    START.store(os::nanotime(), Ordering::Relaxed);
    env::init();
    chaos::begin();
    race::begin(DEBUG.raceruntime.is_on());
}

/// Prints a step of the start for `GODEBUG=boottrace=1`.
pub(crate) fn trace(step: &str) {
    if DEBUG.boottrace.is_on() {
        let micros = (os::nanotime() - start_time()) / 1_000;
        print(format_args!("boot {step} @{}.{:03} ms\n", micros / 1_000, micros % 1_000));
    }
}

/// Proves at run time what the rest takes for granted.
pub(crate) fn check() {
    let word = AtomicU32::new(u32::MAX);
    // SeqCst, here and below: what is checked is that the strongest operations work; nobody else has the words.
    if word.compare_exchange(u32::MAX, u32::MAX - 1, Ordering::SeqCst, Ordering::SeqCst).is_err() {
        throw("cas1");
    }
    if word.compare_exchange(u32::MAX, 1, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
        throw("cas2");
    }
    let bytes = [const { AtomicU8::new(1) }; 4];
    bytes[1].fetch_or(0xf0, Ordering::SeqCst);
    if bytes.each_ref().map(|b| b.load(Ordering::SeqCst)) != [1, 0xf1, 1, 1] {
        throw("atomicor8");
    }
    bytes[1].fetch_and(0x0f, Ordering::SeqCst);
    if bytes.each_ref().map(|b| b.load(Ordering::SeqCst)) != [1, 1, 1, 1] {
        throw("atomicand8");
    }
    let long = AtomicU64::new(42);
    if long.fetch_add(1 << 40, Ordering::SeqCst) != 42 || long.load(Ordering::SeqCst) != (1 << 40) + 42 {
        throw("xadd64 failed");
    }
    let nan = core::hint::black_box(f64::NAN);
    #[allow(clippy::eq_op, reason = "that NaN differs from itself is what is checked")]
    if nan == nan || !(nan != nan) {
        throw("float64nan");
    }
    if !StackClass::DEFAULT.bytes().is_power_of_two() {
        throw("FixedStack is not power-of-2");
    }
}

/// Asks the system: CPUs, pages, the barrier.
pub(crate) fn osinit() {
    NCPU.store(os::cpu_count().max(1), Ordering::Relaxed);
    os::page_size();
    os::huge_page_size();
    barrier::init();
}

/// Number of CPUs that the process may use, as of its start.
pub(crate) fn ncpu() -> u32 {
    NCPU.load(Ordering::Relaxed)
}

/// Go's default: CPUs, lowered by the container's limit, which counts as at least two.
pub(crate) fn default_procs() -> u32 {
    let cpus = match os::affinity_count() {
        0 => ncpu(),
        count => count,
    };
    if cpus <= 2 || DEBUG.containermaxprocs.get() == 0 {
        return cpus;
    }
    match os::cgroup_cpu_limit() {
        Some(limit) => cpus.min((limit.ceil() as u32).max(2)),
        None => cpus,
    }
}

/// Whether GOMAXPROCS follows the machine's limits.
pub(crate) fn procs_are_automatic() -> bool {
    CUSTOM_PROCS.load(Ordering::Relaxed) == 0 && DEBUG.updatemaxprocs.get() != 0
}

/// GOMAXPROCS was set explicitly, or is automatic again.
pub(crate) fn set_custom_procs(custom: bool) {
    CUSTOM_PROCS.store(u8::from(custom), Ordering::Relaxed);
}

/// Sets the sizes of stacks that the program asked for.
pub(crate) fn set_stack_sizes(default: Option<StackClass>, main: Option<usize>) {
    if let Some(class) = default.filter(|&class| class != StackClass::DEFAULT) {
        DEFAULT_STACK.store(class.log2(), Ordering::Relaxed);
    }
    if let Some(bytes) = main {
        MAIN_STACK.store(bytes, Ordering::Relaxed);
    }
}

/// Log2 of the stack size of goroutines that ask for nothing; 0 is the pool's default.
#[inline(always)]
pub(crate) fn default_stack_class() -> u8 {
    DEFAULT_STACK.load(Ordering::Relaxed)
}

/// Stack size of goroutine 1, bytes.
pub(crate) fn main_stack_bytes() -> usize {
    MAIN_STACK.load(Ordering::Relaxed)
}

/// Sets the scheduler up; `m0` gets P0 if there is an m0. `attribute` is what the program asked for.
pub(crate) fn schedinit(m0: Option<MPtr>, attribute: Option<u32>) {
    {
        let mut shared = SCHED.lock.lock();
        shared.max_mcount = 10_000;
        if m0.is_some() {
            shared.nm = 1;
            shared.next_mid = 1;
        }
    }
    let wanted = env::gomaxprocs().or(attribute);
    set_custom_procs(wanted.is_some());
    resize::procresize(wanted.unwrap_or_else(default_procs));
    resize::start_the_world();
    if let Some(mp) = m0 {
        PROGRAM.store(1, Ordering::Relaxed);
        let first: Option<PPtr> = SCHED.lock.lock().pidle_get();
        if let Some(pp) = first {
            wake::acquirep(mp, pp);
        }
    }
}
