//! Where Gs come from: slabs of all-zero memory, a central list of dead ones, and pages that were given back to the system.
//!
//! *Why here.* Floor 3: memory of the nouns; when to sweep is decided in `bgsweep`.
//!
//! *Invariants.* A1. A slab is never unmapped (G1). A2. A dead G is in exactly one place: a P's free list, the central list, or a page in
//! `empty_pages`, where it is as `discard` leaves it: all-zero, or as it was. A3. Only pages whose every G is dead and on the central list are discarded. A4. A
//! page is one of the system's: it discards no less at a time.
//!
//! *Locks.* `CENTRAL`, a leaf.
//!
//! *Go:* `gfget`, `gfput`, `malg`; Go never gives a G's memory back.

use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use crate::base::lock::Lock;
use crate::base::mapvec::MapVec;
use crate::base::throw::{print_facts, throw};
use crate::gmp::{G, GList, GPtr};
use crate::os::{self, asan};

const SLAB_BYTES: usize = 1 << 20;
const SLAB_GS: usize = SLAB_BYTES / size_of::<G>();
/// Enough for 128 million goroutines.
const MAX_SLABS: usize = 32 << 10;
/// Gs that move between a P and the central list at a time.
pub(crate) const BATCH: usize = 32;

static SLABS: [AtomicPtr<G>; MAX_SLABS] = [const { AtomicPtr::new(null_mut()) }; MAX_SLABS];
static SLAB_COUNT: AtomicUsize = AtomicUsize::new(0);

/// How slabs are cut into pages (A4).
#[derive(Clone, Copy)]
struct Pages {
    bytes: usize,
}

impl Pages {
    fn of_system() -> Pages {
        Pages { bytes: os::page_size() }
    }

    /// Gs in a page.
    fn gs(self) -> usize {
        self.bytes / size_of::<G>()
    }

    /// Pages in a slab.
    fn in_slab(self) -> usize {
        SLAB_BYTES / self.bytes
    }

    /// The slab of a page, and the page's place in it.
    fn place(self, page: u32) -> (usize, usize) {
        (page as usize / self.in_slab(), page as usize % self.in_slab())
    }
}

struct Central {
    free: GList,
    /// Gs of the newest slab that were handed out.
    used: usize,
    /// Page numbers (slab number times pages in a slab, plus the page's place) whose memory is with the system.
    empty_pages: MapVec<u32>,
}

static CENTRAL: Lock<Central> = Lock::new(Central { free: GList::new(), used: SLAB_GS, empty_pages: MapVec::new() });

/// Moves up to [`BATCH`] dead Gs to `to`, making new ones if there are none.
#[cold]
pub(crate) fn refill(to: &mut GList) {
    let mut central = CENTRAL.lock();
    for _ in 0..BATCH {
        let Some(gp) = central.free.pop_front() else { break };
        to.push_front(gp);
    }
    if !to.is_empty() {
        return;
    }
    if let Some(page) = central.empty_pages.pop() {
        let pages = Pages::of_system();
        let (slab, place) = pages.place(page);
        add(to, SLABS[slab].load(Ordering::Relaxed), place * pages.gs(), pages.gs());
        return;
    }
    if central.used == SLAB_GS {
        add_slab();
        central.used = 0;
    }
    let slab = SLABS[SLAB_COUNT.load(Ordering::Relaxed) - 1].load(Ordering::Relaxed);
    add(to, slab, central.used, BATCH);
    central.used += BATCH;
}

fn add(to: &mut GList, slab: *mut G, first: usize, count: usize) {
    // Pushed to the front in descending order, so that they are handed out in address order.
    for index in (first..first + count).rev() {
        // SAFETY: the index is below SLAB_GS, so the address is within the slab, which is never unmapped (A1).
        let gp = unsafe { NonNull::new_unchecked(slab.add(index)) };
        to.push_front(GPtr::new(gp));
    }
}

fn add_slab() {
    let count = SLAB_COUNT.load(Ordering::Relaxed);
    if count == MAX_SLABS {
        throw("too many goroutines");
    }
    let memory = match os::reserve(SLAB_BYTES) {
        Ok(memory) => memory,
        Err(errno) => {
            print_facts(format_args!("cannot make more goroutines (errno={errno})"));
            throw("out of memory");
        }
    };
    asan::keep(memory.addr().get()..memory.addr().get() + SLAB_BYTES);
    SLABS[count].store(memory.as_ptr().cast(), Ordering::Relaxed);
    // Release: pairs with the Acquire in `for_each`.
    SLAB_COUNT.store(count + 1, Ordering::Release);
}

/// Takes back `count` Gs of a P's list, or all.
pub(crate) fn give_back(from: &mut GList, count: usize) {
    let mut batch = GList::new();
    for _ in 0..count {
        let Some(gp) = from.pop_front() else { break };
        batch.push_back(gp);
    }
    CENTRAL.lock().free.append(&mut batch);
}

/// Takes back one G.
pub(crate) fn give_back_one(gp: GPtr) {
    CENTRAL.lock().free.push_front(gp);
}

/// Calls `visit` for every G ever handed out; dead ones included.
pub(crate) fn for_each(mut visit: impl FnMut(GPtr)) {
    // Acquire: pairs with the Release in `add_slab`.
    for slab in &SLABS[..SLAB_COUNT.load(Ordering::Acquire)] {
        let slab = slab.load(Ordering::Relaxed);
        for index in 0..SLAB_GS {
            // SAFETY: within the slab, which is never unmapped (A1).
            visit(GPtr::new(unsafe { NonNull::new_unchecked(slab.add(index)) }));
        }
    }
}

/// Bytes of address space that Gs occupy, and how many of them are with the system.
pub(crate) fn memory() -> (usize, usize) {
    let slabs = SLAB_COUNT.load(Ordering::Relaxed) * SLAB_BYTES;
    (slabs, CENTRAL.lock().empty_pages.len() * os::page_size())
}

/// In a sweep's count of the dead Gs of a page: the page is going to be discarded.
const EMPTIED: u16 = u16::MAX;

/// Gives the memory of whole pages of dead Gs back to the system, except about `keep` Gs; returns the bytes.
pub(crate) fn sweep(keep: usize) -> usize {
    let mut free = GList::new();
    {
        let mut central = CENTRAL.lock();
        if central.free.len() <= keep + BATCH {
            return 0;
        }
        free.append(&mut central.free);
    }
    let geometry = Pages::of_system();
    let page_count = SLAB_COUNT.load(Ordering::Relaxed) * geometry.in_slab();
    let bases = SlabIndex::new();
    let mut dead_in_page = MapVec::new();
    for _ in 0..page_count {
        dead_in_page.push(0u16);
    }
    let mut all = GList::new();
    while let Some(gp) = free.pop_front() {
        dead_in_page[bases.page_of(gp, geometry)] += 1;
        all.push_back(gp);
    }
    let mut kept = GList::new();
    let mut pages = MapVec::new();
    while let Some(gp) = all.pop_front() {
        let page = bases.page_of(gp, geometry);
        let dead = &mut dead_in_page[page];
        if usize::from(*dead) < geometry.gs() || *dead != EMPTIED && kept.len() < keep {
            // A page with one kept G is kept whole: mark it as never full.
            *dead = 0;
            kept.push_back(gp);
        } else if *dead != EMPTIED {
            *dead = EMPTIED;
            pages.push(page as u32);
        }
    }
    CENTRAL.lock().free.append(&mut kept);
    discard(&mut pages)
}

/// Pages that the system would not take back. They count as empty all the same: what is on them are dead Gs, whatever is left of those.
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// Pages that the system would not take back so far.
pub(crate) fn refused() -> u64 {
    REFUSED.load(Ordering::Relaxed)
}

/// Gives the pages to the system, then records them as empty (A2, A3).
fn discard(pages: &mut MapVec<u32>) -> usize {
    let geometry = Pages::of_system();
    let mut bytes = pages.len() * geometry.bytes;
    let mut ranges = [(0usize, 0usize); 256];
    while !pages.is_empty() {
        let mut count = 0;
        let mut taken = [0u32; 256];
        while count < ranges.len() {
            let Some(page) = pages.pop() else { break };
            let (slab, place) = geometry.place(page);
            let start = SLABS[slab].load(Ordering::Relaxed).expose_provenance();
            ranges[count] = (start + place * geometry.bytes, geometry.bytes);
            taken[count] = page;
            count += 1;
        }
        // SAFETY: these are whole pages of the system in slabs (A4); every G on them is dead and on no list (A3), and is a valid dead G whether
        // its memory becomes zero (G2) or stays as it is.
        let refused = unsafe { os::discard_many(&ranges[..count]) };
        bytes -= refused * geometry.bytes;
        REFUSED.fetch_add(refused as u64, Ordering::Relaxed);
        let mut central = CENTRAL.lock();
        for &page in &taken[..count] {
            central.empty_pages.push(page);
        }
    }
    bytes
}

/// Slab numbers by address, for one sweep.
struct SlabIndex(MapVec<(usize, u32)>);

impl SlabIndex {
    fn new() -> SlabIndex {
        let mut bases = MapVec::new();
        // Acquire: pairs with the Release in `add_slab`.
        for (number, slab) in SLABS[..SLAB_COUNT.load(Ordering::Acquire)].iter().enumerate() {
            bases.push((slab.load(Ordering::Relaxed) as usize, number as u32));
        }
        bases.sort_unstable();
        SlabIndex(bases)
    }

    fn page_of(&self, gp: GPtr, geometry: Pages) -> usize {
        let address = gp.as_ptr() as usize;
        let bases: &[(usize, u32)] = &self.0;
        let (base, number) = bases[bases.partition_point(|&(base, _)| base <= address) - 1];
        number as usize * geometry.in_slab() + (address - base) / geometry.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gs_are_discarded_in_whole_pages_of_every_system() {
        for bytes in [4 << 10, 16 << 10, 64 << 10] {
            let pages = Pages { bytes };
            assert_eq!((pages.gs() * size_of::<G>(), pages.in_slab() * bytes), (bytes, SLAB_BYTES));
            assert!(pages.gs() < usize::from(EMPTIED), "the Gs of a page can be counted");
            assert_eq!(pages.place(pages.in_slab() as u32 + 1), (1, 1));
        }
        assert_eq!(Pages::of_system().bytes % os::page_size(), 0);
    }
}
