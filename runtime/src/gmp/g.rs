//! A goroutine: 256 bytes that hold everything about it but its stack.
//!
//! *Why here.* Floor 3: data; the verbs are `proc::newproc`, `proc::execute`, `proc::park`.
//!
//! *Invariants.* G2. All-zero memory is a valid dead G. G3. A G is recycled when its goroutine has ended *and* its handle is gone *and*
//! no timer heap has an entry for it. G4. Cells are touched only by whoever owns the goroutine by its status (S1). G5. A coroutine
//! that has not finished is never dropped, unwound by force or recycled: others may borrow from its stack.
//!
//! *Locks.* None; `timer` is under its heap's lock.
//!
//! *Go:* `g` of runtime2.go.

use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use core::panic::Location;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering};

use crate::base::list::Linked;
use crate::coro::switch::{Coro, Yielder};
use crate::gmp::affinity::Why;
use crate::gmp::join_word::JoinWord;
use crate::gmp::permit::Permit;
use crate::gmp::status::GStatus;
use crate::gmp::timers::Timer;
use crate::gmp::{GPtr, M, MPtr, WaitReason};
use crate::os::race::Fiber;

/// Words of the inline slot: a closure before the start, the result after the end.
pub(crate) const SLOT_WORDS: usize = 5;

/// What a goroutine says to the scheduler when it stops running: the whole vocabulary between the two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Switch {
    /// `yield_now`: to the tail of the local queue.
    Yield,
    /// The time slice is used up: to the tail of the global queue.
    Preempted,
    /// Waits for something, as the rest of [`Said`] tells; its commit runs on g0 after the goroutine's stack is saved.
    Park,
    /// Its P was taken while it ran user code and no other was idle.
    LostP,
}

/// Where a [`Switch`] stands, in the M, while the stacks are switched. A cell for each part: a copy of the whole would be loaded with other widths
/// than it was stored with, and such a load waits until every store before it has reached the cache, on a cold stack some hundred cycles.
pub(crate) struct Said {
    pub(crate) switch: Cell<Switch>,
    commit: Cell<ParkCommit>,
    arg: Cell<*mut ()>,
}

impl Said {
    pub(crate) fn new() -> Self {
        let never: ParkCommit = |_, _| false;
        Said { switch: Cell::new(Switch::Yield), commit: Cell::new(never), arg: Cell::new(core::ptr::null_mut()) }
    }

    /// The running goroutine `gp` is about to park.
    #[inline(always)]
    pub(crate) fn say_park(&self, gp: GPtr, park: Park) {
        gp.wait_reason.store(park.reason as u8, Ordering::Relaxed);
        self.switch.set(Switch::Park);
        self.commit.set(park.commit);
        self.arg.set(park.arg);
    }

    /// The last step of the park of `gp`, on g0.
    #[inline(always)]
    pub(crate) fn commit_park(&self, gp: GPtr) -> bool {
        (self.commit.get())(gp, self.arg.get())
    }
}

/// How a park is completed on g0.
#[derive(Clone, Copy)]
pub(crate) struct Park {
    /// Last step of the park; may release the lock under which the goroutine was queued.
    pub(crate) commit: ParkCommit,
    /// Handed to `commit`.
    pub(crate) arg: *mut (),
    /// Shown by dumps.
    pub(crate) reason: WaitReason,
}

/// The last step of a park, run on g0 when the goroutine's status is Waiting.
///
/// It may release the lock that the goroutine took before it parked; it must not touch the goroutine's stack after that, must not
/// panic, and when it returns true the goroutine may already be running elsewhere. Returning false undoes the park.
pub(crate) type ParkCommit = fn(GPtr, *mut ()) -> bool;

/// The coroutine type of every goroutine.
pub(crate) type GCoro = Coro<()>;

/// Bits of `G::flags`.
pub(crate) mod flag {
    /// Started by the runtime for itself: not counted, not shown, no reason to keep the process alive.
    pub(crate) const SYSTEM: u32 = 1;
    /// Stands for a foreign thread or an M's g0: it has no coroutine.
    pub(crate) const THREAD: u32 = 2;
    /// Somebody joins it, so a panic is theirs; without it a panic ends the program.
    pub(crate) const JOINED: u32 = 4;
    /// It has called `goexit`, which goes on at its next park if it was caught.
    pub(crate) const GOEXIT: u32 = 8;
    /// What unwinds it, if anything does, is its goexit: no panic has come since that was raised.
    pub(crate) const GOEXIT_UNWINDS: u32 = 1024;
    /// Inside a wait that goexit must not interrupt (a scope, a join guard).
    pub(crate) const UNINTERRUPTIBLE: u32 = 16;
    /// Goroutine 1.
    pub(crate) const MAIN: u32 = 64;
    /// Its handle is waited for by a thread inside `run`, whose wait is ours.
    pub(crate) const RUN: u32 = 128;
    /// Somebody waits for its end before what it borrows goes away: it must not count as ended as long as anything that it has started may run.
    pub(crate) const BORROWS: u32 = 512;
    /// Stands for tasks of async code, which it wakes when it is readied; with THREAD.
    pub(crate) const PROXY: u32 = 2048;
    /// Has a hook that is called when it is readied; with PROXY.
    pub(crate) const HOOK: u32 = 4096;
    /// Its first function is returning because it is going to wait without a stack, not because it has ended.
    pub(crate) const STACKLESS: u32 = 8192;
    /// It is inside a deferred reaction to a panic (unwinding), counted by the panic grace.
    pub(crate) const PANICKING: u32 = 256;
    /// Why the affinity guard keeps it in the inbox that it is in: a number of [`Why`](crate::gmp::affinity::Why).
    pub(crate) const KEPT: u32 = 3 << KEPT_SHIFT;
    pub(super) const KEPT_SHIFT: u32 = 16;
    /// How often sysmon has met it there, at most three times.
    pub(crate) const KEPT_ROUNDS: u32 = 3 << KEPT_ROUNDS_SHIFT;
    pub(super) const KEPT_ROUNDS_SHIFT: u32 = 18;
}

/// A goroutine. The fields stand in the order of the moments that touch them, a cache line each: a spawn writes the first two lines, a resume the
/// first and the third.
#[repr(C, align(256))]
pub(crate) struct G {
    /// Who owns the rest (S1).
    pub(crate) status: GStatus,
    /// Bits of [`flag`]; changed by the owner only, read by dumps.
    pub(crate) flags: AtomicU32,
    /// Next in whatever list holds it (G4).
    link: Cell<Option<GPtr>>,
    /// The M it last ran on: null before the first run, and when it may go on on any other.
    pub(crate) home: AtomicPtr<M>,
    /// The only M it may run on, while `wired_count` is above zero.
    wired: AtomicPtr<M>,
    /// How often it was wired, up to [`WIRED_FOR_GOOD`]; the owner's (G4).
    wired_count: Cell<u16>,
    /// Log2 of the stack size, 0 for the default; the owner's (G4).
    pub(crate) stack_class: Cell<u8>,
    /// A `WaitReason`, valid while Waiting.
    pub(crate) wait_reason: AtomicU8,
    /// How often it was resumed; tells the stealer that naps whether the goroutine ran meanwhile.
    pub(crate) resumes: AtomicU32,
    /// Where the goroutine suspends; set when it starts by its owner, and looked at by others as a hint what to fetch (`proc::execute`).
    yielder: AtomicPtr<Yielder<()>>,
    /// Who waits for the end and what became of it: see `gmp::join_word`.
    pub(crate) join: JoinWord,
    /// Unique for the process, never reused; 0 when dead.
    pub(crate) id: AtomicU64,

    /// First frame of the goroutine: takes the closure out of the slot. While it runs, where nothing unwinds: what a goexit leaves behind (G4).
    /// While it waits without a stack: where it goes on.
    pub(crate) entry: Cell<Option<unsafe fn(GPtr)>>,
    /// The closure before the start, the result after the end (G4); a future while it waits without a stack.
    pub(crate) slot: UnsafeCell<[MaybeUninit<usize>; SLOT_WORDS]>,
    /// Goroutine that spawned it.
    pub(crate) parent: Cell<u64>,
    /// The path of the closure it runs, which tells the function that spawned it.
    pub(crate) creator: Cell<Option<fn() -> &'static str>>,

    /// Its stack and saved stack pointer, from the first run to the end, or to a wait without a stack (G4, G5).
    pub(crate) coro: UnsafeCell<MaybeUninit<GCoro>>,
    /// Name and goroutine-locals, if it has any: owned by `task`; null when dead. A proxy's wakers (`proc::proxy`).
    pub(crate) extra: AtomicPtr<()>,
    /// The permit of `thread::park`: see `proc::permit`.
    pub(crate) permit: Permit,
    /// What a readier leaves for the goroutine, e.g. which select case fired.
    pub(crate) selected: AtomicU32,
    /// Where its frames ended when it last stopped; a hint what to fetch (`proc::execute`).
    pub(crate) frames: AtomicPtr<()>,

    /// The one timer of a sleeping or timed wait.
    pub(crate) timer: Timer,
    /// Where it entered the operation that parked it, for dumps.
    pub(crate) blocked_at: AtomicPtr<Location<'static>>,
    /// Where it was spawned.
    pub(crate) created_at: Cell<Option<&'static Location<'static>>>,
    /// What a race detector knows it by; no bytes without one.
    pub(crate) fiber: Fiber,
}

/// So many wires cannot be counted: only leaked guards make them. The goroutine then stays on its thread, which wraps nothing around.
const WIRED_FOR_GOOD: u16 = u16::MAX;

const _: () = assert!(size_of::<G>() == 256 || size_of::<Fiber>() > 0, "a G is one 256-byte line group");

impl G {
    /// Whether `bits` are set.
    #[inline(always)]
    pub(crate) fn has(&self, bits: u32) -> bool {
        self.flags.load(Ordering::Relaxed) & bits != 0
    }

    /// Sets `bits`; only the owner writes, so a load and a store will do.
    #[inline(always)]
    pub(crate) fn set(&self, bits: u32) {
        self.flags.store(self.flags.load(Ordering::Relaxed) | bits, Ordering::Relaxed);
    }

    /// Clears `bits`.
    #[inline(always)]
    pub(crate) fn unset(&self, bits: u32) {
        self.flags.store(self.flags.load(Ordering::Relaxed) & !bits, Ordering::Relaxed);
    }

    /// Where the goroutine suspends; null while it has no stack: before it has started, after its end, and in a wait without one.
    #[inline(always)]
    pub(crate) fn yielder(&self) -> *const Yielder<()> {
        self.yielder.load(Ordering::Relaxed)
    }

    /// The goroutine has got a stack, or given it back.
    #[inline(always)]
    pub(crate) fn set_yielder(&self, yielder: *const Yielder<()>) {
        self.yielder.store(yielder.cast_mut(), Ordering::Relaxed);
    }

    /// The id, for comparisons and dumps.
    #[inline(always)]
    pub(crate) fn goid(&self) -> u64 {
        self.id.load(Ordering::Relaxed)
    }

    /// The owner resumes it.
    #[inline(always)]
    pub(crate) fn count_resume(&self) {
        self.resumes.store(self.resumes.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// The M it must run on, if it is wired.
    #[inline(always)]
    pub(crate) fn wired_to(&self) -> Option<MPtr> {
        MPtr::from_raw(self.wired.load(Ordering::Relaxed))
    }

    /// Whether it has its thread for itself.
    pub(crate) fn has_thread(&self) -> bool {
        self.wired_to().is_some_and(|mp| core::ptr::eq(mp.locked_g.load(Ordering::Relaxed), self))
    }

    /// Wires the running goroutine to `mp`, once more.
    pub(crate) fn wire(&self, mp: MPtr) {
        debug_assert!(self.wired_to().is_none_or(|m| m == mp), "wired to two threads");
        self.wired_count.set(self.wired_count.get().saturating_add(1));
        self.wired.store(mp.as_ptr(), Ordering::Relaxed);
    }

    /// Undoes one `wire`. Without one, as by a guard that another goroutine has left in a thread-local value, it does nothing.
    pub(crate) fn unwire(&self) {
        let count = match self.wired_count.get() {
            0 | WIRED_FOR_GOOD => return,
            count => count - 1,
        };
        self.wired_count.set(count);
        if count == 0 {
            self.wired.store(core::ptr::null_mut(), Ordering::Relaxed);
        }
    }

    /// Forgets all wiring when the goroutine ends.
    pub(crate) fn unwire_all(&self) {
        self.wired_count.set(0);
        self.wired.store(core::ptr::null_mut(), Ordering::Relaxed);
    }

    /// The affinity guard keeps it on its thread.
    pub(crate) fn keep(&self, why: Why) {
        self.unset(flag::KEPT | flag::KEPT_ROUNDS);
        self.set((why as u32) << flag::KEPT_SHIFT);
    }

    /// Why the affinity guard keeps it, if it does.
    pub(crate) fn kept_because(&self) -> Option<Why> {
        Why::from_bits((self.flags.load(Ordering::Relaxed) & flag::KEPT) >> flag::KEPT_SHIFT)
    }

    /// Sysmon has met it in an inbox; returns how often so far, at most three times.
    pub(crate) fn add_kept_round(&self) -> u32 {
        let rounds = (self.flags.load(Ordering::Relaxed) & flag::KEPT_ROUNDS) >> flag::KEPT_ROUNDS_SHIFT;
        let rounds = (rounds + 1).min(3);
        self.unset(flag::KEPT_ROUNDS);
        self.set(rounds << flag::KEPT_ROUNDS_SHIFT);
        rounds
    }

    /// Where it blocks, if that was recorded.
    pub(crate) fn blocked_location(&self) -> Option<&'static Location<'static>> {
        // SAFETY: only addresses of `&'static Location` are stored (see `park`), or null.
        unsafe { self.blocked_at.load(Ordering::Relaxed).as_ref() }
    }

    /// Records where the current operation was called.
    #[inline(always)]
    pub(crate) fn set_blocked(&self, at: &'static Location<'static>) {
        self.blocked_at.store(core::ptr::from_ref(at).cast_mut(), Ordering::Relaxed);
    }
}

// SAFETY: the two functions read and write one cell that nothing else touches.
unsafe impl Linked for G {
    #[inline(always)]
    unsafe fn next(node: NonNull<G>) -> Option<NonNull<G>> {
        GPtr::new(node).link.get().map(GPtr::non_null)
    }

    #[inline(always)]
    unsafe fn set_next(node: NonNull<G>, next: Option<NonNull<G>>) {
        GPtr::new(node).link.set(next.map(GPtr::new));
    }
}
