//! Into the runtime and out of it; parking a goroutine and making it ready.
//!
//! *Why here.* Floor 5: the way in and out that every blocking operation uses.
//!
//! *Invariants.* C1-C4, X1, X2. K1. After any suspension the M is read again: the goroutine may be on another thread.
//! K2. A goroutine that is unwinding keeps its thread for itself while it is suspended, because the panic count is the thread's: not even
//! goroutines that are wired to it run there, which would find themselves panicking and poison the mutexes that they unlock. K3. So does one that
//! has lost its P and waits for another: it may hold a lock that is not ours, in which one that ran there would block for good.
//!
//! *Locks.* None.
//!
//! *Go:* `gopark`, `goready`, `entersyscall`/`exitsyscall` (as `in_syscall`, `enter` and `regain`), `entersyscallblock` (as
//! `without_p`).

use core::marker::PhantomData;
use core::panic::Location;
use core::sync::atomic::Ordering;

use crate::base::env::{self, TlsGuard};
use crate::base::throw::{print_facts, throw};
use crate::coro::switch;
use crate::gmp::affinity;
use crate::gmp::claim::{FORKED, LOST, PREEMPT};
use crate::gmp::g::{Park, ParkCommit, flag};
use crate::gmp::{GPtr, MPtr, PPtr, SCHED, Switch, WaitReason, m};
use crate::os::race;
use crate::proc::{foreign, queue, wake, wire};

/// Proof that the caller is inside the runtime: a goroutine that owns a P, or a foreign thread. Dropping it leaves.
///
/// It belongs to the goroutine, not to the thread: after a park it stands for the new one.
#[derive(Debug)]
pub(crate) struct Entered(PhantomData<*mut ()>);

/// Enters the runtime from user code. Gets a P back if it was taken; does not yield.
#[inline(always)]
pub(crate) fn enter() -> Entered {
    let mp = m::current().unwrap_or_else(foreign::attach);
    race::enter();
    let bits = mp.claim.enter();
    if bits & !PREEMPT != 0 {
        attend(mp, false);
    }
    Entered(PhantomData)
}

/// Enters the runtime for an operation that may park anyhow: a spent time slice is honoured here.
#[inline(always)]
pub(crate) fn enter_preemptible() -> Entered {
    let mp = m::current().unwrap_or_else(foreign::attach);
    race::enter();
    if mp.claim.enter() != 0 {
        attend(mp, true);
    }
    Entered(PhantomData)
}

impl Entered {
    /// The thread, as of now (K1).
    #[inline(always)]
    pub(crate) fn m(&self) -> MPtr {
        // SAFETY: `enter` has found or made an M for this thread, and it is never taken away from a running thread.
        unsafe { m::current().unwrap_unchecked() }
    }

    /// The goroutine, or what stands for the foreign thread.
    #[inline(always)]
    pub(crate) fn g(&self) -> GPtr {
        // SAFETY: user code runs only on goroutines and on foreign threads, whose `curg` is set.
        unsafe { self.m().curg().unwrap_unchecked() }
    }

    /// The P; None on a foreign thread.
    #[inline(always)]
    pub(crate) fn p(&self) -> Option<PPtr> {
        self.m().p()
    }

    /// Adopts the state of being inside, where another function entered.
    ///
    /// The caller is inside already, and will leave by dropping the result.
    pub(crate) fn adopt() -> Entered {
        Entered(PhantomData)
    }
}

impl Drop for Entered {
    #[inline(always)]
    fn drop(&mut self) {
        self.m().claim.leave();
        race::leave();
    }
}

#[cold]
#[inline(never)]
fn attend(mp: MPtr, may_yield: bool) {
    let _hidden = race::hidden();
    let bits = mp.claim.settle();
    if bits & FORKED != 0 {
        print_facts(format_args!("a forked child may only exec or exit"));
        throw("runtime operation in a forked child");
    }
    if bits & LOST != 0 {
        mp.claim.clear(LOST);
        regain(mp);
    }
    if may_yield && bits & PREEMPT != 0 && !mp.foreign {
        let mp = Entered::adopt_m();
        mp.claim.clear(PREEMPT);
        stop(mp, Switch::Preempted);
    }
}

impl Entered {
    fn adopt_m() -> MPtr {
        core::mem::ManuallyDrop::new(Entered::adopt()).m()
    }
}

/// A goroutine without a P wants to go on: an idle P, or the queue. Wired meanwhile, so that the operation that it is about to do
/// never changes the thread in its middle; and alone on the thread, lest another goroutine blocks it while this one is queued.
fn regain(mp: MPtr) {
    if mp.computing.swap(false, Ordering::Relaxed) {
        SCHED.computing.fetch_sub(1, Ordering::Relaxed);
    }
    if wake::acquire_idle_p(mp) {
        return;
    }
    let gp = Entered(PhantomData);
    let gp = core::mem::ManuallyDrop::new(gp).g();
    wire::dedicate(mp, gp);
    stop(mp, Switch::LostP);
    wire::undedicate(mp, gp);
}

/// Suspends the running goroutine, which is not about to park, until the scheduler resumes it.
fn stop(mp: MPtr, switch: Switch) {
    mp.said.switch.set(switch);
    suspend();
}

/// Suspends the running goroutine, which has said why, until the scheduler resumes it.
#[inline(always)]
fn suspend() {
    let inside = core::mem::ManuallyDrop::new(Entered::adopt());
    let (mp, gp) = (inside.m(), inside.g());
    // The affinity guard looks at the frames by it.
    debug_assert!(gp.home.load(Ordering::Relaxed) == mp.as_ptr(), "a goroutine suspends away from home");
    let depth = mp.claim.depth();
    gp.frames.store((&raw const depth).cast_mut().cast(), Ordering::Relaxed);
    gp.fiber.parking();
    let unwinding = std::thread::panicking();
    if unwinding {
        wire::dedicate(mp, gp);
    }
    // SAFETY: the yielder is the running goroutine's own: `curg` is the goroutine whose stack we are on, and callers have turned
    // foreign threads away.
    unsafe { switch::suspend(gp.yielder(), ()) };
    let mut mp = inside.m();
    while let Some(look) = mp.look.get() {
        look();
        // SAFETY: as above. In traceback mode the goroutine goes back to waiting (TC1).
        unsafe { switch::suspend(gp.yielder(), ()) };
        mp = inside.m();
    }
    mp.claim.set_depth(depth);
    gp.fiber.resumed();
    if unwinding {
        wire::undedicate(mp, gp);
    }
}

/// Parks the caller until somebody readies it. `commit` is the last step, after which it can be readied; see [`ParkCommit`].
///
/// Not inlined: it would keep the operations that may park, and mostly do not, from being inlined.
#[inline(never)]
pub(crate) fn gopark(inside: &Entered, reason: WaitReason, commit: ParkCommit, arg: *mut ()) {
    if inside.g().has(flag::THREAD) {
        return foreign::park(inside, reason, commit, arg);
    }
    inside.m().said.say_park(inside.g(), Park { commit, arg, reason });
    suspend();
}

/// Parks the running goroutine without its stack. Its first function returns at once, and `entry` is called on another stack when somebody has readied
/// the goroutine; until then it is, for the scheduler, like one that has not started.
///
/// # Safety
///
/// - The caller is the goroutine's first function, and `entry` may be called once with the G, on any thread.
pub(crate) unsafe fn park_without_stack(inside: Entered, entry: unsafe fn(GPtr), park: Park) {
    let (mp, gp) = (inside.m(), inside.g());
    gp.entry.set(Some(entry));
    gp.set(flag::STACKLESS);
    mp.said.say_park(gp, park);
    core::mem::forget(inside);
}

/// Lets the other runnable goroutines of this P go first.
pub(crate) fn goyield(inside: &Entered) {
    if inside.g().has(flag::THREAD) {
        return std::thread::yield_now();
    }
    stop(inside.m(), Switch::Yield);
}

/// As if the time slice had been used up: to the tail of the global queue.
pub(crate) fn gosched_global(inside: &Entered) {
    if inside.g().has(flag::THREAD) {
        return std::thread::yield_now();
    }
    stop(inside.m(), Switch::Preempted);
}

/// Makes a parked goroutine runnable. The caller is inside (a goroutine, g0 or sysmon) and is the only one who may ready it.
#[inline]
pub(crate) fn goready(gp: GPtr) {
    if gp.has(flag::THREAD) {
        return foreign::ready(gp);
    }
    gp.fiber.readied();
    let _hidden = race::hidden();
    if !gp.status.waiting_to_runnable() {
        throw("bad g status in goready");
    }
    match m::current().and_then(|mp| mp.p()) {
        Some(pp) => {
            queue::runqput(pp, gp, true);
            wake::wakep();
        }
        None => queue::inject(gp),
    }
}

/// Raises a goexit again that user code had caught: called first by every public operation that may park.
#[inline(always)]
pub(crate) fn check_goexit() {
    if cfg!(debug_assertions) && env::tls_guard() != TlsGuard::Off {
        affinity::wipe_dead_stack();
    }
    if has_flag(flag::GOEXIT) {
        raise_goexit_again();
    }
}

/// Whether the caller has called goexit, and user code may have caught that.
pub(crate) fn is_in_goexit() -> bool {
    has_flag(flag::GOEXIT)
}

/// Whether what unwinds the caller, who is being unwound, is a goexit and no panic.
pub(crate) fn is_goexit_unwinding() -> bool {
    has_flag(flag::GOEXIT_UNWINDS)
}

/// Does not enter: a thread that the runtime does not know has no goexit.
#[inline(always)]
fn has_flag(flag: u32) -> bool {
    m::current().and_then(|mp| mp.curg()).is_some_and(|gp| gp.has(flag))
}

#[cold]
fn raise_goexit_again() {
    let gp = enter().g();
    if !std::thread::panicking() && !gp.has(flag::UNINTERRUPTIBLE) {
        gp.set(flag::GOEXIT_UNWINDS);
        std::panic::resume_unwind(Box::new(GoexitPayload));
    }
}

/// What a goexit unwinds with.
pub(crate) struct GoexitPayload;

/// Runs `f` in user code that will block: the P goes to another thread at once, and another one is got back afterwards.
pub(crate) fn without_p<R>(f: impl FnOnce() -> R) -> R {
    {
        let inside = enter();
        let mp = inside.m();
        if mp.p().is_some() {
            mp.claim.set_lost();
            wake::handoffp(wake::releasep(mp));
        }
    }
    let value = f();
    drop(enter());
    value
}

/// Runs `f`, one or a few system calls that mostly return at once. The P stays where it is, as in Go, and is retaken by sysmon if the thread
/// sleeps in the kernel: the announcement costs about a nanosecond. A slice that is used up is given up before, and a P that was lost is got
/// back afterwards, so that a goroutine that does nothing but such calls still runs only with a P.
#[inline]
pub(crate) fn in_syscall<R>(f: impl FnOnce() -> R) -> R {
    check_goexit();
    drop(enter_preemptible());
    let value = f();
    drop(enter());
    value
}

/// Records the public operation that is about to park, for dumps.
#[inline(always)]
pub(crate) fn note_place(inside: &Entered, at: &'static Location<'static>) {
    inside.g().set_blocked(at);
}
