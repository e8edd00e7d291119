//! All slabs of stacks, behind one lock.
//!
//! **What.** The pool hands stacks out in batches and takes them back. Each class has a shelf of rows; a slab hangs on
//! the row that tells how full it is, and stacks are taken from the fullest, so that slabs run empty and can be
//! unmapped: that is the only way to get the page tables of guard markers back.
//!
//! ```text
//! row 0       nearly full, taken from first
//! ...
//! row 7       nearly empty
//! row 8       wholly free: `sweep` unmaps what hangs here for one sweep
//! (no row)    no free slot, or retired and about to be unmapped
//! ```
//!
//! **Why here (floor 2).** Above `slab`, which is one mapping; below `cache`, which is one P.
//!
//! **Invariants.**
//! - CP1. A header with `start != 0` hangs on exactly the row that its free count asks for; a header with `start == 0`
//!   is in the list of vacant headers or in the hands of a thread that unmaps its slab.
//! - CP2. No system call and no allocation happens under the lock: slots that need a guard, and slabs that need
//!   unmapping, are taken out of sight first and worked on by one thread without it.
//! - CP3. Headers are never moved or unmapped, so an index stays good for ever.
//!
//! **Locks.** `POOL` protects all headers, rows and totals; it is a leaf.
//!
//! **Go:** stackpool and stackLarge in stack.go.

use std::ptr::NonNull;

use super::error::StackError;
use super::guard::{self, BATCH};
use super::ranges::{self, MAX_SLABS};
use super::slab::{NIL, Slab, SlotSet};
use super::stack::{Place, Stack, StackClass};
use crate::base::lock::Lock;
use crate::os;

/// The row of slabs that are wholly free.
const IDLE_ROW: usize = 8;
const ROWS: usize = IDLE_ROW + 1;
/// The `row` of a slab that hangs on none.
const NO_ROW: u8 = u8::MAX;

pub(super) static POOL: Lock<Pool> = Lock::new(Pool::new());

/// How many stacks there are, and what they occupy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StackStats {
    /// Mappings that hold stacks.
    pub(crate) slabs: usize,
    /// Slots in all slabs, whether a stack was ever made of them or not.
    pub(crate) stacks_total: usize,
    /// Slots that are neither in use nor in a cache.
    pub(crate) stacks_free: usize,
    /// Address space of all slabs.
    pub(crate) bytes_reserved: usize,
}

/// The slabs and where they hang.
#[derive(Debug)]
pub(super) struct Pool {
    /// `MAX_SLABS` headers; the first `opened` have been written.
    headers: Option<NonNull<Slab>>,
    opened: u32,
    /// First header whose slab is unmapped.
    vacant: u32,
    shelves: [[u32; ROWS]; StackClass::COUNT],
    /// How many slabs each class has.
    slab_counts: [u32; StackClass::COUNT],
    stats: StackStats,
}

// SAFETY: `headers` points into a mapping that belongs to the pool alone and is never unmapped (CP3), so it can go
// with the pool to another thread. All access goes through `&mut Pool`, which the lock around it synchronises.
unsafe impl Send for Pool {}

/// What `Pool::claim` found.
enum Claim {
    /// At least one stack was handed over.
    Handed,
    /// These slots are now the caller's, and need a guard first.
    Bare(Bare),
    /// The class has no free slot.
    Nothing,
}

/// Slots of one slab that are taken and have no guard yet.
struct Bare {
    slab: u32,
    start: usize,
    class: StackClass,
    slots: SlotSet,
}

/// Hands between one and `want` stacks of a class to `give`; `want` is at most [`BATCH`].
///
/// `give` may run with the pool locked, and may only store the stack.
pub(super) fn take(class: StackClass, want: usize, mut give: impl FnMut(Stack)) -> Result<(), StackError> {
    loop {
        let claim = POOL.lock().claim(class, want, &mut give);
        match claim {
            Claim::Handed => return Ok(()),
            Claim::Bare(bare) => return guard_and_give(bare, want, give),
            Claim::Nothing => add_slab(class)?,
        }
    }
}

/// Puts the slot of a stack that is being dropped back.
pub(super) fn put(place: Place) {
    POOL.lock().put(place);
}

/// Puts many stacks back with one locking.
pub(super) fn put_all(stacks: impl Iterator<Item = Stack>) {
    let mut pool = POOL.lock();
    for stack in stacks {
        let (_, place) = stack.into_words();
        pool.put(place);
    }
}

/// How many stacks there are right now.
pub(crate) fn stats() -> StackStats {
    POOL.lock().stats
}

/// Installs guards, hands over what was asked for and puts the rest back as ready.
fn guard_and_give(bare: Bare, want: usize, mut give: impl FnMut(Stack)) -> Result<(), StackError> {
    // SAFETY: the slots are in a live slab, taken by this thread (SL3), and no stack was made of them yet.
    let (guarded, errno) = unsafe { guard::install(bare.start, bare.class, &bare.slots) };
    let mut surplus = guarded;
    for _ in 0..want {
        let Some(slot) = surplus.pop() else { break };
        // SAFETY: `bare` names a live slab, because a slab with taken slots is not unmapped; the slot is taken by
        // this thread (SL3), got its guard just now, and left `surplus`, so it comes here once.
        give(unsafe { Stack::from_slot(bare.start, bare.class, bare.slab, slot, false) });
    }
    let unguarded = bare.slots.without(&guarded);
    POOL.lock().settle(bare.slab, &guarded, &surplus.or(&unguarded));
    if guarded.is_empty() { Err(StackError::from_errno(errno)) } else { Ok(()) }
}

/// Maps a new slab and hangs it up.
#[cold]
fn add_slab(class: StackClass) -> Result<(), StackError> {
    ensure_headers()?;
    let len = class.slab_bytes();
    let start = os::reserve(len).map_err(StackError::from_errno)?;
    // SAFETY: the mapping was made just now and is this thread's.
    unsafe { os::no_huge_pages(start, len) };
    if POOL.lock().open(start.as_ptr() as usize, class) {
        return Ok(());
    }
    // SAFETY: `open` refused it, so nobody else knows the mapping.
    unsafe { os::release(start, len) };
    Err(StackError::too_many_slabs())
}

/// Reserves the address space of the headers once.
fn ensure_headers() -> Result<(), StackError> {
    if POOL.lock().headers.is_some() {
        return Ok(());
    }
    let len = MAX_SLABS * size_of::<Slab>();
    let headers = os::reserve(len).map_err(StackError::from_errno)?;
    // SAFETY: the mapping was made just now and is this thread's.
    unsafe { os::no_huge_pages(headers, len) };
    let mut pool = POOL.lock();
    if pool.headers.is_none() {
        pool.headers = Some(headers.cast());
        return Ok(());
    }
    drop(pool);
    // SAFETY: another thread was faster, so nobody knows this mapping.
    unsafe { os::release(headers, len) };
    Ok(())
}

impl Pool {
    const fn new() -> Self {
        Self {
            headers: None,
            opened: 0,
            vacant: NIL,
            shelves: [[NIL; ROWS]; StackClass::COUNT],
            slab_counts: [0; StackClass::COUNT],
            stats: StackStats { slabs: 0, stacks_total: 0, stacks_free: 0, bytes_reserved: 0 },
        }
    }

    /// How many headers were ever opened.
    pub(super) fn opened(&self) -> u32 {
        self.opened
    }

    /// The header at `index`, which has been opened.
    pub(super) fn slab(&mut self, index: u32) -> &mut Slab {
        assert!(index < self.opened, "slab {index} of {} does not exist", self.opened);
        // SAFETY: the first `opened` headers have been written, `index` is below, and the mapping stays (CP3).
        // `&mut self` makes this the only reference into the table.
        unsafe { self.header(index).as_mut() }
    }

    /// Where the header at `index` lies, opened or not.
    fn header(&self, index: u32) -> NonNull<Slab> {
        let headers = self.headers.expect("headers are reserved before the first slab is opened");
        debug_assert!((index as usize) < MAX_SLABS, "slab {index} lies behind the table");
        // SAFETY: the table has MAX_SLABS headers, and indices are given out by `open` below that bound.
        unsafe { headers.add(index as usize) }
    }

    /// Hands ready stacks over, or takes slots that have to be guarded.
    fn claim(&mut self, class: StackClass, want: usize, give: &mut impl FnMut(Stack)) -> Claim {
        debug_assert!((1..=BATCH).contains(&want), "{want} stacks are wanted at once");
        let mut handed = 0;
        while handed < want
            && let Some(index) = self.fullest(class)
        {
            let count = self.claim_ready(index, want - handed, give);
            handed += count;
            if count == 0 {
                break;
            }
        }
        if handed > 0 {
            return Claim::Handed;
        }
        let Some(index) = self.fullest(class) else { return Claim::Nothing };
        // A stack of a large class is rarely followed by another.
        let batch = if class.bytes() > StackClass::DEFAULT.bytes() { want } else { BATCH };
        let slab = self.slab(index);
        let start = slab.start;
        let slots = slab.take_bare(batch);
        self.stats.stacks_free -= slots.len();
        self.rehang(index);
        Claim::Bare(Bare { slab: index, start, class, slots })
    }

    /// Hands up to `want` ready stacks of one slab over and returns how many it had.
    fn claim_ready(&mut self, index: u32, want: usize, give: &mut impl FnMut(Stack)) -> usize {
        let slab = self.slab(index);
        let (start, class) = (slab.start, slab.class());
        let mut count = 0;
        while count < want
            && let Some((slot, is_used)) = slab.take_ready()
        {
            // SAFETY: the slab is live because it hangs on a row (CP1); the slot is guarded (SL1) and was taken just
            // now, so there is no other owner (SL3).
            give(unsafe { Stack::from_slot(start, class, index, slot, is_used) });
            count += 1;
        }
        self.stats.stacks_free -= count;
        self.rehang(index);
        count
    }

    /// Records new guards and puts back those of the slots that nobody took.
    fn settle(&mut self, index: u32, guarded: &SlotSet, back: &SlotSet) {
        self.slab(index).mark_guarded(guarded);
        self.put_clean(index, back);
    }

    /// Puts one guarded slot back.
    fn put(&mut self, place: Place) {
        self.slab(place.slab()).put(place.slot(), place.is_used());
        self.stats.stacks_free += 1;
        self.rehang(place.slab());
    }

    /// Puts slots back that hold no pages.
    pub(super) fn put_clean(&mut self, index: u32, slots: &SlotSet) {
        self.slab(index).put_clean(slots);
        self.stats.stacks_free += slots.len();
        self.rehang(index);
    }

    /// Puts slots back that hold pages.
    pub(super) fn put_used(&mut self, index: u32, slots: &SlotSet) {
        self.slab(index).put_used(slots);
        self.stats.stacks_free += slots.len();
        self.rehang(index);
    }

    /// Takes the slots of a slab that are free and hold pages, for discarding them.
    pub(super) fn take_used(&mut self, index: u32) -> SlotSet {
        let taken = self.slab(index).take_used();
        self.stats.stacks_free -= taken.len();
        self.rehang(index);
        taken
    }

    /// Is the stack's slab nearly empty, with another slab of its class to serve instead?
    pub(super) fn is_sparse(&mut self, stack: &Stack) -> bool {
        let slab = self.slab(stack.place().slab());
        let class = slab.class();
        slab.taken_count() <= class.slots() / 8 && self.slab_counts[class.index()] > 1
    }

    /// The class's slab with the fewest free slots, but at least one.
    fn fullest(&self, class: StackClass) -> Option<u32> {
        self.shelves[class.index()].iter().copied().find(|&head| head != NIL)
    }

    /// Gives a new mapping a header and hangs it up; false if all headers are taken.
    fn open(&mut self, start: usize, class: StackClass) -> bool {
        let index = if self.vacant != NIL {
            let index = self.vacant;
            self.vacant = self.slab(index).next;
            index
        } else if (self.opened as usize) < MAX_SLABS {
            self.opened += 1;
            self.opened - 1
        } else {
            return false;
        };
        // SAFETY: the place lies in the table, and no list knows this header, so nothing refers to what is
        // overwritten.
        unsafe { self.header(index).write(Slab::open(start, class, NO_ROW)) };
        ranges::publish(index, start, class);
        self.slab_counts[class.index()] += 1;
        self.stats.slabs += 1;
        self.stats.stacks_total += class.slots();
        self.stats.stacks_free += class.slots();
        self.stats.bytes_reserved += class.slab_bytes();
        self.rehang(index);
        true
    }

    /// Takes a wholly free slab out of sight; returns its mapping, which the caller unmaps.
    pub(super) fn retire(&mut self, index: u32) -> (usize, usize) {
        self.unhang(index);
        let slab = self.slab(index);
        debug_assert!(slab.is_idle(), "slab {index} is retired with stacks in use");
        let (start, class) = (slab.start, slab.class());
        slab.start = 0;
        ranges::withdraw(index);
        self.slab_counts[class.index()] -= 1;
        self.stats.slabs -= 1;
        self.stats.stacks_total -= class.slots();
        self.stats.stacks_free -= class.slots();
        self.stats.bytes_reserved -= class.slab_bytes();
        (start, class.slab_bytes())
    }

    /// Makes the header of an unmapped slab available again.
    pub(super) fn vacate(&mut self, index: u32) {
        self.slab(index).next = self.vacant;
        self.vacant = index;
    }

    /// Moves a slab to the row that its free count asks for (CP1).
    fn rehang(&mut self, index: u32) {
        let slab = self.slab(index);
        let row = row_of(slab);
        if slab.row == row {
            return;
        }
        let class = slab.class().index();
        self.unhang(index);
        if row == NO_ROW {
            return;
        }
        let head = std::mem::replace(&mut self.shelves[class][usize::from(row)], index);
        let slab = self.slab(index);
        (slab.row, slab.prev, slab.next) = (row, NIL, head);
        if head != NIL {
            self.slab(head).prev = index;
        }
    }

    /// Takes a slab off its row, if it hangs on one.
    fn unhang(&mut self, index: u32) {
        let slab = self.slab(index);
        if slab.row == NO_ROW {
            return;
        }
        let (row, class) = (usize::from(slab.row), slab.class().index());
        let (prev, next) = (slab.prev, slab.next);
        slab.row = NO_ROW;
        match prev {
            NIL => self.shelves[class][row] = next,
            _ => self.slab(prev).next = next,
        }
        if next != NIL {
            self.slab(next).prev = prev;
        }
    }
}

/// The row for a slab with this many free slots.
fn row_of(slab: &Slab) -> u8 {
    let (free, slots) = (slab.free_count(), slab.class().slots());
    if free == 0 {
        NO_ROW
    } else if free == slots {
        IDLE_ROW as u8
    } else {
        ((free - 1) * IDLE_ROW / slots) as u8
    }
}
