//! Control of the runtime: yields, threads, sizes, the end.
//!
//! # Examples
//!
//! ```
//! use goruntime::{runtime, spawn};
//!
//! goruntime::run(|| {
//!     let before = runtime::num_goroutine();
//!     let sum = spawn(|| {
//!         // What takes long and cannot park says so, and others have the processor at once.
//!         runtime::blocking(|| (1..=100).sum::<i32>())
//!     });
//!     assert!(runtime::gomaxprocs() >= 1 && runtime::num_goroutine() >= before);
//!     assert_eq!(sum.join().unwrap(), 5050);
//! });
//! ```

// *Why here.* Floor 8.
//
// *Invariants.* W1, W2 of `proc::wire`.
//
// *Locks.* None.
//
// *Go:* package runtime.

use core::fmt;
use core::marker::PhantomData;
use core::panic::Location;
use core::sync::atomic::Ordering;

use crate::bgsweep;
use crate::coro;
use crate::gmp::g::flag;
use crate::gmp::{GPtr, SCHED, WaitReason};
use crate::os;
use crate::proc::park::{check_goexit, note_place};
use crate::proc::{boot, enter, enter_preemptible, gopark, newproc, park, timer, wire};
use crate::sync::pool_sweep::sweep_pools;
use crate::sysmon;
use crate::task::goexit as exits;

pub mod exit;
mod guard;

pub use self::exit::{at_exit, exit};
pub use self::guard::{GuardReasons, GuardStats, guard_stats};

/// Lets other runnable goroutines go first: the caller goes to the tail of its processor's queue.
///
/// # Blocking
///
/// Returns when the goroutine is scheduled again; at once if nothing else is runnable. On a plain thread it is `std::thread::yield_now`.
///
/// # Examples
///
/// ```
/// goruntime::run(|| goruntime::runtime::yield_now());
/// ```
#[inline]
pub fn yield_now() {
    check_goexit();
    let inside = enter_preemptible();
    park::goyield(&inside);
}

/// Ends the calling goroutine, after running its destructors.
///
/// It unwinds like a panic, but is none: nothing is printed, and a joiner gets [`crate::Goexit`]. Code that catches it (`catch_unwind`) only
/// delays it: the next operation that may park goes on with it. Called by the main goroutine it leaves the program running until
/// another goroutine calls [`exit()`], or until none is left, which is reported as a deadlock, as in Go.
///
/// In a program that is built with `panic = "abort"` nothing unwinds: the goroutine stops where it is, its destructors do not run, and its stack is
/// not used again. A joiner gets [`crate::Goexit`] as well; a [`scope`](crate::scope) or [`run`](crate::run) that waits for it waits for ever.
///
/// # Panics
///
/// On a thread that is not a goroutine.
pub fn goexit() -> ! {
    exits::goexit()
}

/// Number of goroutines that exist, the runtime's own left out.
///
/// # Examples
///
/// ```
/// assert!(goruntime::run(goruntime::runtime::num_goroutine) >= 1);
/// ```
pub fn num_goroutine() -> usize {
    newproc::goroutine_count() as usize
}

/// The id of the calling goroutine; 0 on a plain thread. Ids are never reused; the main goroutine's is 1.
pub fn goid() -> u64 {
    let gp = enter().g();
    if gp.has(flag::THREAD) { 0 } else { gp.goid() }
}

/// Number of processors: how many goroutines can run at once.
pub fn gomaxprocs() -> usize {
    drop(enter());
    SCHED.procs.load(Ordering::Relaxed) as usize
}

/// Number of CPUs that the process may use, as of its start.
pub fn num_cpu() -> usize {
    drop(enter());
    boot::ncpu() as usize
}

/// Changes the number of processors and returns the previous one. From then on it no longer follows the machine's limits.
///
/// # Blocking
///
/// Parks until the world has been stopped and started again.
///
/// # Panics
///
/// If `count` is 0. Above 1024 it is lowered to 1024.
#[track_caller]
pub fn set_gomaxprocs(count: usize) -> usize {
    assert!(count > 0, "set_gomaxprocs: 0 processors asked for; expected at least 1");
    boot::set_custom_procs(true);
    resize(u32::try_from(count).unwrap_or(u32::MAX), Location::caller())
}

/// Sets the most threads that the runtime may have, 10,000 at first, and returns the previous number. Beyond it the program ends with
/// `thread exhaustion`.
///
/// # Panics
///
/// If `count` is 0.
#[track_caller]
pub fn set_max_threads(count: usize) -> usize {
    assert!(count > 0, "set_max_threads: 0 threads asked for; expected at least 1");
    let inside = enter();
    let mut shared = SCHED.lock.lock();
    let before = shared.max_mcount;
    shared.max_mcount = u32::try_from(count).unwrap_or(u32::MAX);
    drop(shared);
    drop(inside);
    before as usize
}

/// What the updater goroutine does.
pub(crate) fn update_procs(count: u32) {
    resize(count, Location::caller());
}

fn resize(count: u32, at: &'static Location<'static>) -> usize {
    fn commit(gp: GPtr, count: *mut ()) -> bool {
        gp.selected.store(0, Ordering::Relaxed);
        sysmon::request_resize(gp, count.addr() as u32)
    }
    let inside = enter();
    note_place(&inside, at);
    loop {
        gopark(&inside, WaitReason::StopTheWorld, commit, core::ptr::without_provenance_mut(count as usize));
        let before = inside.g().selected.load(Ordering::Relaxed);
        if before != 0 {
            return before as usize;
        }
        // Another change was under way.
        park::goyield(&inside);
    }
}

/// Ties the goroutine to its thread, and the thread to it: it runs nothing else until as many [`unlock_os_thread`] have followed.
///
/// For code that needs a thread of its own: GUI main threads, C libraries with thread state. A switch to or from such a goroutine costs two
/// thread switches. If the goroutine ends while it holds the lock, the thread is never used for anything else. With `migrate = false` goroutines that live
/// on the thread since before still run there: they have no other.
///
/// # Blocking
///
/// A goroutine that is on a thread which another one has locked, as it may be after it was pinned there, goes on on another thread first.
///
/// # Panics
///
/// `LockOSThread nesting overflow` beyond 32767 levels.
#[track_caller]
pub fn lock_os_thread() {
    let inside = enter();
    while wire::is_anothers(inside.m(), inside.g()) {
        park::gosched_global(&inside);
    }
    let (mp, gp) = (inside.m(), inside.g());
    let locked = gp.has(flag::THREAD) || wire::lock_thread(mp, gp);
    drop(inside);
    assert!(locked, "LockOSThread nesting overflow");
}

/// Undoes one [`lock_os_thread`]; does nothing if there is none.
pub fn unlock_os_thread() {
    let inside = enter();
    if !inside.g().has(flag::THREAD) {
        wire::unlock_thread(inside.m(), inside.g());
    }
}

/// Keeps the goroutine on its thread while the guard lives; others may still run there. See [`pin`].
#[must_use = "the goroutine is pinned only while the guard lives"]
pub struct PinGuard {
    /// A guard that another goroutine finds in a thread-local value undoes nothing of that one's.
    goroutine: u64,
    not_send: PhantomData<*mut ()>,
}

/// Keeps the calling goroutine on its thread until the guard is dropped.
///
/// For stretches that hold thread-local state across operations that may park. Other goroutines still run on the thread meanwhile. A goroutine
/// that is suspended while it unwinds keeps even pinned ones off its thread until it goes on, so a destructor that runs because of a panic must
/// not wait for a goroutine that is pinned to the same thread.
///
/// # Examples
///
/// ```
/// let same = goruntime::run(|| {
///     let _pinned = goruntime::runtime::pin();
///     let before = std::thread::current().id();
///     for _ in 0..100 {
///         goruntime::runtime::yield_now();
///     }
///     before == std::thread::current().id()
/// });
/// assert!(same);
/// ```
///
/// The guard belongs to the goroutine that has made it:
///
/// ```compile_fail,E0277
/// let guard = goruntime::runtime::pin();
/// goruntime::go(move || drop(guard));
/// ```
pub fn pin() -> PinGuard {
    let inside = enter();
    if !inside.g().has(flag::THREAD) {
        inside.g().wire(inside.m());
    }
    PinGuard { goroutine: inside.g().goid(), not_send: PhantomData }
}

impl Drop for PinGuard {
    fn drop(&mut self) {
        let inside = enter();
        if !inside.g().has(flag::THREAD) && inside.g().goid() == self.goroutine {
            inside.g().unwire();
        }
    }
}

impl fmt::Debug for PinGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinGuard")
    }
}

/// Runs `f`, which will block or compute for long, without a processor: another thread goes on with the other goroutines at once.
///
/// Any blocking call is fine without this: the runtime notices after some ten microseconds. Announcing it saves the noticing.
///
/// # Examples
///
/// ```
/// let text = goruntime::run(|| goruntime::runtime::blocking(|| std::fs::read_to_string("/proc/self/stat")));
/// assert!(text.is_ok());
/// ```
pub fn blocking<R>(f: impl FnOnce() -> R) -> R {
    park::without_p(f)
}

/// Memory and counts of the runtime, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemStats {
    /// Goroutines that exist.
    pub goroutines: usize,
    /// Address space reserved for stacks, bytes.
    pub stack_reserved: usize,
    /// Stacks in that space.
    pub stacks: usize,
    /// Stacks that no goroutine has.
    pub stacks_free: usize,
    /// Memory of goroutine objects, bytes, what was given back left out.
    pub goroutine_objects: usize,
    /// Sweeps so far.
    pub sweeps: u64,
    /// Bytes that sweeps have given back to the system.
    pub swept_bytes: u64,
    /// Stacks and pages of goroutine objects that the system would not take back when a sweep gave them. Their memory stays; what is a stack is given
    /// again by the next sweep.
    pub refused: u64,
}

/// Reads the runtime's memory statistics.
///
/// # Examples
///
/// ```
/// let stats = goruntime::run(goruntime::runtime::mem_stats);
/// assert!(stats.stacks >= 1 && stats.goroutines >= 1);
/// ```
pub fn mem_stats() -> MemStats {
    drop(enter());
    let stacks = coro::stats();
    let (objects, with_system) = timer::g_memory();
    let (sweeps, swept_bytes, refused) = bgsweep::totals();
    MemStats {
        goroutines: num_goroutine(),
        stack_reserved: stacks.bytes_reserved,
        stacks: stacks.stacks_total,
        stacks_free: stacks.stacks_free,
        goroutine_objects: objects - with_system,
        sweeps,
        swept_bytes,
        refused,
    }
}

/// Sweeps now: drops what lay idle in every [`Pool`](crate::sync::Pool) since the sweep before, and gives memory of dead goroutines beyond the usual
/// reserve back to the system. Returns the bytes of the latter.
pub fn sweep() -> usize {
    drop(enter());
    sweep_pools();
    bgsweep::sweep(8 << 10, 16 << 20, false)
}

/// Gives all memory that can be spared back to the system, after dropping what lies in pools.
pub fn free_os_memory() {
    drop(enter());
    for _ in 0..2 {
        sweep_pools();
        bgsweep::sweep(0, 0, true);
    }
    bgsweep::trim_allocator();
}

/// How many calls to the system `GODEBUG=faults` has made fail so far.
///
/// In a program that is built with the feature `faults` of goruntime, for testing what happens when the system refuses something, the setting
/// `GODEBUG=faults=SEED:ONE_IN_N:KINDS` lets one of N calls (of a hundred, without that part) fail at random with an error that the kernel has for it,
/// many of them several times running. The kinds are some of
///
/// | kind | which calls | what the program sees |
/// |---|---|---|
/// | `mmap` | memory for stacks, guards and tables, and unmapping it | nothing, or a fatal error `out of stacks` or `out of memory` |
/// | `madvise` | giving memory back, marking guards | nothing; [`MemStats::refused`] counts |
/// | `thread` | starting threads | nothing, or after twenty tries the fatal error `newosproc` |
/// | `epoll` | making the poller and its timer, watching sockets, waiting | errors of operations that would have to wait |
/// | `fd` | pipes, children, accepting, descriptors of the runtime's own | errors of [`pipe`], [`Command::spawn`] and `accept` |
///
/// joined by `+`; without that part, all of them. An operation that has failed in this way has had no effect and may be tried again. Fatal errors print the
/// error number and end the program with status 2. The seed, a number from 1 on, decides for each call that can fail which ones of its kind do: the first
/// thread, the second one. What is not such a setting ends the program, and so does one in a program without the feature. What the program and its
/// libraries ask the system for themselves does not fail.
///
/// [`pipe`]: crate::io::pipe
/// [`Command::spawn`]: crate::process::Command::spawn
///
/// # Examples
///
/// ```
/// // Nothing was asked for.
/// assert_eq!(goruntime::runtime::injected_faults(), 0);
/// ```
pub fn injected_faults() -> u64 {
    os::injected()
}
