//! A thread: one of ours, which runs the scheduler on its own stack (g0), or a foreign one that uses the runtime.
//!
//! *Why here.* Floor 3: data; starting, parking and waking threads is `proc::mstart` and `proc::wake`.
//!
//! *Invariants.* M1. An M is never freed or retired: goroutines may have it as home. M2. Cells are touched by the M's own thread only,
//! except `link`, `parked`, `nextp`, `inbox` and `put_off`, which are the scheduler lock's; while it is parked, whoever has that lock may read
//! the others. M3. The TLS word of a thread is its M or null.
//! M4. `p` is null or the P whose `m` is this M (C3).
//!
//! *Locks.* None of its own.
//!
//! *Go:* `m` of runtime2.go.

use core::cell::Cell;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, Ordering};

use crate::base::list::Linked;
use crate::base::note::Note;
use crate::base::rand::Rand;
use crate::base::throw::{print_facts, throw};
use crate::base::{lock::Lock, tls};
use crate::gmp::affinity::{Counters, Storage};
use crate::gmp::claim::Claim;
use crate::gmp::g::Said;
use crate::gmp::{G, GList, GPtr, MList, MPtr, P, PPtr};
use crate::os::{self, asan};

/// A thread as the scheduler sees it.
#[repr(C)]
pub(crate) struct M {
    /// Inside or outside, and what wants its attention: a cache line of its own.
    pub(crate) claim: Claim,
    /// The P it owns (C3, M4).
    p: AtomicPtr<P>,
    /// The goroutine it runs, null on g0. For a foreign thread: the G that stands for it.
    curg: AtomicPtr<G>,
    /// Small number, in creation order; m0 is 0.
    pub(crate) id: u32,
    /// Not a thread of the runtime: it parks by sleeping and never owns a P.
    pub(crate) foreign: bool,
    /// Stands for the thread's own stack.
    pub(crate) g0: Cell<Option<GPtr>>,
    /// Bounds of the thread's own stack, low and high.
    pub(crate) stack: Cell<(usize, usize)>,
    /// Address of the thread's TLS word, for the self-check.
    pub(crate) tls_slot: Cell<*mut *mut ()>,
    /// Kernel thread id; 0 until the thread runs.
    pub(crate) tid: AtomicU32,
    /// Clock id of the thread's CPU time, for sysmon.
    pub(crate) cpu_clock: AtomicI32,
    /// Descriptor of `/proc/self/task/TID/stat`, -1 without one that is kept.
    pub(crate) stat_fd: AtomicI32,
    /// Counted among the spinning Ms.
    pub(crate) spinning: AtomicBool,
    /// In `stopm` or dedicated and waiting (scheduler lock).
    pub(crate) parked: AtomicBool,
    /// On the list of idle Ms (scheduler lock).
    pub(crate) idle_listed: Cell<bool>,
    /// The P that whoever wakes it hands over (scheduler lock, then the note).
    pub(crate) nextp: Cell<Option<PPtr>>,
    /// Wired goroutines that wait for this thread (scheduler lock).
    pub(crate) inbox: Cell<GList>,
    /// Hint that `inbox` is not empty, so that the scheduler loop looks without the lock.
    pub(crate) has_mail: AtomicBool,
    /// What the goroutine said that has just stopped here.
    pub(crate) said: Said,
    /// Traceback mode: what the goroutine that is resumed next is to call instead of going on (`proc::traceback`).
    pub(crate) look: Cell<Option<fn()>>,
    /// Next idle M (scheduler lock).
    link: Cell<Option<MPtr>>,
    /// What it sleeps on.
    pub(crate) note: Note,
    /// The goroutine that has this thread for itself.
    pub(crate) locked_g: AtomicPtr<G>,
    /// Nesting of `lock_os_thread` by the user.
    pub(crate) locked_external: Cell<u32>,
    /// Nesting of locks by the runtime itself.
    pub(crate) locked_internal: Cell<u32>,
    /// The goroutine that is suspended here and shares the thread with nobody until it goes on: it unwinds, or it has lost its P (K2, K3 of
    /// `proc::park`).
    pub(crate) sole: Cell<Option<GPtr>>,
    /// What came for this thread meanwhile, and what is only kept here, while a goroutine has the thread for itself (scheduler lock).
    pub(crate) put_off: Cell<GList>,
    /// Hint that `put_off` is not empty.
    pub(crate) has_put_off: AtomicBool,
    /// A goroutine ended while it had the thread locked: it runs only goroutines wired to it.
    pub(crate) tainted: Cell<bool>,
    /// Where the thread has its thread-local values (AG1).
    pub(crate) storage: Cell<Storage>,
    /// What the affinity guard has done here.
    pub(crate) guard: Counters,
    /// Random numbers for stealing.
    pub(crate) rand: Cell<Rand>,
    /// Next in `ALL`.
    all_link: AtomicPtr<M>,
    /// Start function for threads with a special job (sysmon).
    pub(crate) start: Cell<Option<fn() -> !>>,
    /// Its P was taken because its goroutine computes, and it has not come back yet.
    pub(crate) computing: AtomicBool,
    /// CPU time of the thread when sysmon last looked whether it still computes; sysmon's alone.
    pub(crate) computed: Cell<i64>,
}

/// Memory for Ms that was not used yet: address and bytes left. Own mappings, because an M can be made where nothing may be allocated.
static ROOM: Lock<(usize, usize)> = Lock::new((0, 0));
const ROOM_BYTES: usize = 64 << 10;

fn allocate() -> NonNull<M> {
    let size = size_of::<M>().next_multiple_of(align_of::<M>());
    let mut room = ROOM.lock();
    if room.1 < size {
        let memory = match os::reserve(ROOM_BYTES) {
            Ok(memory) => memory,
            Err(errno) => {
                print_facts(format_args!("cannot make the record of a thread (errno={errno})"));
                throw("out of memory");
            }
        };
        *room = (memory.as_ptr().expose_provenance(), ROOM_BYTES);
        asan::keep(room.0..room.0 + ROOM_BYTES);
    }
    let place = core::ptr::with_exposed_provenance_mut::<M>(room.0);
    *room = (room.0 + size, room.1 - size);
    let Some(place) = NonNull::new(place) else { throw("a mapping at address zero") };
    place
}

/// Head of the list of all Ms, newest first.
static ALL: AtomicPtr<M> = AtomicPtr::new(null_mut());
/// Foreign Ms whose thread has ended, for the next foreign thread.
static FOREIGN_FREE: Lock<MList> = Lock::new(MList::new());

impl M {
    /// Makes an M and puts it on the list of all. It stays there for good (M1).
    pub(crate) fn create(id: u32, foreign: bool, seed: u64) -> MPtr {
        let m = M {
            claim: Claim::new(),
            p: AtomicPtr::new(null_mut()),
            curg: AtomicPtr::new(null_mut()),
            id,
            foreign,
            g0: Cell::new(None),
            stack: Cell::new((0, 0)),
            tls_slot: Cell::new(null_mut()),
            tid: AtomicU32::new(0),
            cpu_clock: AtomicI32::new(0),
            stat_fd: AtomicI32::new(-1),
            spinning: AtomicBool::new(false),
            parked: AtomicBool::new(false),
            idle_listed: Cell::new(false),
            nextp: Cell::new(None),
            inbox: Cell::new(GList::new()),
            has_mail: AtomicBool::new(false),
            said: Said::new(),
            look: Cell::new(None),
            link: Cell::new(None),
            note: Note::new(),
            locked_g: AtomicPtr::new(null_mut()),
            locked_external: Cell::new(0),
            locked_internal: Cell::new(0),
            sole: Cell::new(None),
            put_off: Cell::new(GList::new()),
            has_put_off: AtomicBool::new(false),
            tainted: Cell::new(false),
            storage: Cell::new(Storage::default()),
            guard: Counters::new(),
            rand: Cell::new(Rand::new(seed)),
            all_link: AtomicPtr::new(null_mut()),
            start: Cell::new(None),
            computing: AtomicBool::new(false),
            computed: Cell::new(-1),
        };
        let place = allocate();
        // SAFETY: `allocate` gives memory of this size and alignment that nobody else knows and that is never unmapped.
        unsafe { place.write(m) };
        let mp = MPtr::new(place);
        let mut head = ALL.load(Ordering::Relaxed);
        loop {
            mp.all_link.store(head, Ordering::Relaxed);
            // Release: pairs with the Acquire in `all`: whoever finds the M finds it initialised.
            match ALL.compare_exchange_weak(head, mp.as_ptr(), Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return mp,
                Err(seen) => head = seen,
            }
        }
    }

    /// All Ms, newest first.
    pub(crate) fn all() -> impl Iterator<Item = MPtr> {
        // Acquire: pairs with the Release in `create`.
        let mut next = MPtr::from_raw(ALL.load(Ordering::Acquire));
        core::iter::from_fn(move || {
            let mp = next?;
            next = MPtr::from_raw(mp.all_link.load(Ordering::Relaxed));
            Some(mp)
        })
    }

    /// A foreign M of a thread that has ended, if there is one.
    pub(crate) fn reuse_foreign() -> Option<MPtr> {
        FOREIGN_FREE.lock().pop_front()
    }

    /// Keeps the M of a foreign thread that ends.
    pub(crate) fn retire_foreign(mp: MPtr) {
        debug_assert!(mp.foreign, "our own Ms are never retired (M1)");
        FOREIGN_FREE.lock().push_front(mp);
    }

    /// The P it owns, if any (C3).
    #[inline(always)]
    pub(crate) fn p(&self) -> Option<PPtr> {
        PPtr::from_raw(self.p.load(Ordering::Relaxed))
    }

    /// Changes the owned P; only inside (C3), or by sysmon behind its barrier.
    #[inline(always)]
    pub(crate) fn set_p(&self, pp: Option<PPtr>) {
        self.p.store(pp.map_or(null_mut(), PPtr::as_ptr), Ordering::Relaxed);
    }

    /// The goroutine it runs.
    #[inline(always)]
    pub(crate) fn curg(&self) -> Option<GPtr> {
        GPtr::from_raw(self.curg.load(Ordering::Relaxed))
    }

    /// The same for other threads, which may look into the goroutine: its memory may be new.
    pub(crate) fn curg_from_outside(&self) -> Option<GPtr> {
        // Acquire: pairs with the Release in `set_curg`.
        GPtr::from_raw(self.curg.load(Ordering::Acquire))
    }

    /// Changes the running goroutine; only by the M's thread.
    #[inline(always)]
    pub(crate) fn set_curg(&self, gp: Option<GPtr>) {
        // Release: pairs with the Acquire in `curg_from_outside`.
        self.curg.store(gp.map_or(null_mut(), GPtr::as_ptr), Ordering::Release);
    }

    /// Whether a goroutine has the thread for itself, or left it tainted.
    pub(crate) fn is_dedicated(&self) -> bool {
        self.tainted.get() || self.locked_external.get() > 0 || self.locked_internal.get() > 0
    }

    /// Whether a goroutine in the inbox may run here now. While one is suspended here that shares the thread with nobody, only that one may; one that
    /// is merely kept here gives way to everybody who has the thread for himself (KE2 of `proc::keep`), though not to one who has ended.
    pub(crate) fn may_run(&self, gp: GPtr) -> bool {
        match self.sole.get() {
            Some(sole) => sole == gp,
            None => self.locked_external.get() == 0 || gp.wired_to().is_some() || gp.kept_because().is_none(),
        }
    }

    /// Changes what is put off, and its hint; under the scheduler lock.
    pub(crate) fn set_put_off(&self, list: GList) {
        self.has_put_off.store(!list.is_empty(), Ordering::Relaxed);
        self.put_off.set(list);
    }

    /// 64 random bits.
    #[inline]
    pub(crate) fn random(&self) -> u64 {
        let mut rand = self.rand.replace(Rand::new(0));
        let value = rand.next();
        self.rand.set(rand);
        value
    }

    /// A random number below `n`.
    pub(crate) fn random_below(&self, n: u32) -> u32 {
        let mut rand = self.rand.replace(Rand::new(0));
        let value = rand.below(n);
        self.rand.set(rand);
        value
    }
}

// SAFETY: the two functions read and write one cell that nothing else touches.
unsafe impl Linked for M {
    #[inline(always)]
    unsafe fn next(node: NonNull<M>) -> Option<NonNull<M>> {
        MPtr::new(node).link.get().map(MPtr::non_null)
    }

    #[inline(always)]
    unsafe fn set_next(node: NonNull<M>, next: Option<NonNull<M>>) {
        MPtr::new(node).link.set(next.map(MPtr::new));
    }
}

/// The M of the calling thread; None on a thread that has not used the runtime (M3).
#[inline(always)]
pub(crate) fn current() -> Option<MPtr> {
    MPtr::from_raw(tls::get().cast())
}
