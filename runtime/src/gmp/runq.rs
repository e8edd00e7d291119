//! The local run queue of a P: a ring with one producer and many consumers, and the `runnext` slot in front of it.
//!
//! *Why here.* Floor 3: a queue of pointers with total operations. Whom to steal from, when to look at a victim's `runnext`
//! and where an overflow goes is decided in `proc`. Generic over the item, so that the loom models can run it with numbers.
//!
//! | word      | written by                                    | meaning                                             |
//! |-----------|-----------------------------------------------|-----------------------------------------------------|
//! | `head`    | the owner and stealers, by CAS, only upwards  | the next index to take; `head % SIZE` is its slot   |
//! | `tail`    | the owner, plain store                        | one past the last filled index                      |
//! | `runnext` | filled by the owner, emptied by anybody's CAS | what runs next and inherits the time slice, or null |
//! | a slot    | the owner, plain store                        | an item if its index is in `head..tail`, else stale |
//!
//! *Invariants.* R1. Only the thread that owns the P fills: it alone writes `tail`, the slots and a `runnext` that is not null; a
//! change of owner orders what the one has done before what the next does (C3). R2. A slot whose index is in `head..tail` holds an item, not null. R3. A slot is
//! overwritten only after the owner has seen, with Acquire, that `head` has passed it; what a stealer reads before a Release CAS of
//! `head` that succeeds is therefore never from after it. R4. An item belongs to whoever moved
//! `head` past it or took it out of `runnext`; a copy made before a CAS that fails is worth nothing. R5. All-zero memory is an
//! empty queue. The indices wrap around at 2^32; a stealer would have to sleep through that many items to be fooled.
//!
//! *Locks.* None. A put followed by a look at the count of spinning Ms, and a decrement of that count followed by a look at the
//! queues, need a full barrier of the caller in between: nothing here is sequentially consistent.
//!
//! *Go:* `runqput`, `runqputslow`, `runqget`, `runqgrab`, `runqsteal`, `runqempty` of proc.go.

use core::array;
use core::ptr::{self, NonNull};

use crate::base::shim::{AtomicPtr, AtomicU32, Ordering, RUNQ_SIZE, hint_spin};

/// The ring's size as an index.
const SIZE: u32 = RUNQ_SIZE as u32;
/// What leaves a full ring at once: its older half and the item that found no room.
const OVERFLOW: usize = RUNQ_SIZE / 2 + 1;

const _: () = assert!(RUNQ_SIZE.is_power_of_two() && RUNQ_SIZE >= 2, "indices wrap around at 2^32");

/// The queue; the owner is the thread whose M has the P. `repr(C)`: the three words that every operation looks at come first.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct RunQueue<T> {
    head: AtomicU32,
    tail: AtomicU32,
    runnext: AtomicPtr<T>,
    ring: [AtomicPtr<T>; RUNQ_SIZE],
}

/// What came out of a full ring, oldest first, to be linked onto the global queue. Whoever holds it owns the items.
#[must_use]
#[derive(Debug)]
pub(crate) struct Overflow<T> {
    items: [*mut T; OVERFLOW],
    next: usize,
}

impl<T> Iterator for Overflow<T> {
    type Item = NonNull<T>;

    fn next(&mut self) -> Option<NonNull<T>> {
        let item = self.items.get(self.next)?;
        self.next += 1;
        NonNull::new(*item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = OVERFLOW - self.next;
        (left, Some(left))
    }
}

impl<T> ExactSizeIterator for Overflow<T> {}

impl<T> RunQueue<T> {
    /// An empty queue; the same as all-zero memory (R5).
    pub(crate) fn new() -> RunQueue<T> {
        RunQueue {
            head: AtomicU32::new(0),
            tail: AtomicU32::new(0),
            runnext: AtomicPtr::new(ptr::null_mut()),
            ring: array::from_fn(|_| AtomicPtr::new(ptr::null_mut())),
        }
    }

    /// Queues `item`: as `runnext` if `next` (what stood there goes to the tail), else at the tail.
    ///
    /// Returns the item that found the ring full, which the caller passes to [`overflow`](Self::overflow) out of line: its
    /// kilobyte of items has no place in the frame of a goroutine that only readies another one.
    ///
    /// # Safety
    /// - The caller owns the queue (R1) and `item`.
    /// - `item` stays valid until somebody has taken it out.
    #[inline]
    #[must_use]
    pub(crate) unsafe fn put(&self, item: NonNull<T>, next: bool) -> Option<NonNull<T>> {
        let mut item = item;
        if next {
            // Only the owner fills `runnext`, so that an empty one stays empty until this store, and no CAS is needed.
            // Release, here and in the swap: pairs with the Acquire in `steal_next`.
            if self.runnext.load(Ordering::Relaxed).is_null() {
                self.runnext.store(item.as_ptr(), Ordering::Release);
                return None;
            }
            item = NonNull::new(self.runnext.swap(item.as_ptr(), Ordering::Release))?;
        }
        if self.push(item) { None } else { Some(item) }
    }

    /// Second half of [`put`](Self::put) for an item that found the ring full: takes the older half of the ring out, with `item` as
    /// the youngest. Returns `None` if stealers have made room meanwhile: then `item` is in the ring.
    ///
    /// # Safety
    /// As for `put`.
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn overflow(&self, item: NonNull<T>) -> Option<Overflow<T>> {
        let mut items = [ptr::null_mut(); OVERFLOW];
        items[OVERFLOW - 1] = item.as_ptr();
        while !self.push(item) {
            let head = self.head.load(Ordering::Relaxed);
            if self.tail.load(Ordering::Relaxed).wrapping_sub(head) != SIZE {
                // A stealer came between `push` and this load.
                continue;
            }
            for offset in 0..SIZE / 2 {
                items[offset as usize] = self.slot(head.wrapping_add(offset)).load(Ordering::Relaxed);
            }
            if self.advance_own_head(head, SIZE / 2) {
                return Some(Overflow { items, next: 0 });
            }
        }
        None
    }

    /// Appends items while there is room, visible to stealers all at once; the rest stays in the iterator.
    ///
    /// # Safety
    /// As for `put`, for each item.
    pub(crate) unsafe fn put_batch(&self, items: &mut impl Iterator<Item = NonNull<T>>) {
        let tail = self.tail.load(Ordering::Relaxed);
        let mut end = tail;
        for _ in 0..self.room(tail) {
            let Some(item) = items.next() else { break };
            self.slot(end).store(item.as_ptr(), Ordering::Relaxed);
            end = end.wrapping_add(1);
        }
        if end != tail {
            // Release: pairs with the Acquire of `tail` in `steal_into`.
            self.tail.store(end, Ordering::Release);
        }
    }

    /// Takes the next item; true with it if it was `runnext` and inherits the time slice.
    ///
    /// # Safety
    /// - The caller owns the queue (R1).
    #[inline]
    pub(crate) unsafe fn get(&self) -> Option<(NonNull<T>, bool)> {
        if let Some(next) = NonNull::new(self.runnext.load(Ordering::Relaxed)) {
            // A failure means stolen: nobody else fills it, so there is nothing to retry.
            // Release: pairs with the Acquire of `runnext` in `is_empty`.
            let taken =
                self.runnext.compare_exchange(next.as_ptr(), ptr::null_mut(), Ordering::Release, Ordering::Relaxed);
            if taken.is_ok() {
                return Some((next, true));
            }
        }
        let tail = self.tail.load(Ordering::Relaxed);
        loop {
            // Relaxed: the owner wrote the slots itself, and `push` looks with Acquire before it reuses any.
            let head = self.head.load(Ordering::Relaxed);
            if head == tail {
                return None;
            }
            let item = self.slot(head).load(Ordering::Relaxed);
            if self.advance_own_head(head, 1) {
                return NonNull::new(item).map(|item| (item, false));
            }
        }
    }

    /// Moves the older half of the victim's ring, rounded up, into this one, except for the last item of it, which is returned to be
    /// run at once. Takes less if this ring has not so much room. Does not look at the victim's `runnext`.
    ///
    /// # Safety
    /// - The caller owns this queue (R1); the victim may be anybody's, but not this one.
    pub(crate) unsafe fn steal_into(&self, victim: &RunQueue<T>) -> Option<NonNull<T>> {
        debug_assert!(!ptr::eq(self, victim), "a queue steals from itself");
        let tail = self.tail.load(Ordering::Relaxed);
        // The stolen items are written before it is known whether they are ours, so the room is looked up before (R3).
        let room = self.room(tail);
        loop {
            let head = victim.head.load(Ordering::Relaxed);
            // Acquire: pairs with the Release of `tail` in `push` and its like: the slots below it, and what they point to, are seen.
            let length = victim.tail.load(Ordering::Acquire).wrapping_sub(head);
            if length == 0 {
                return None;
            }
            if length > SIZE {
                // The two loads are from different moments.
                hint_spin();
                continue;
            }
            let rest = (length - length / 2 - 1).min(room);
            for offset in 0..rest {
                let item = victim.slot(head.wrapping_add(offset)).load(Ordering::Relaxed);
                self.slot(tail.wrapping_add(offset)).store(item, Ordering::Relaxed);
            }
            let last = victim.slot(head.wrapping_add(rest)).load(Ordering::Relaxed);
            // Release: pairs with the Acquire of `head` in `room`: the owner overwrites the slots only after they were read (R3).
            let end = head.wrapping_add(rest + 1);
            if victim.head.compare_exchange(head, end, Ordering::Release, Ordering::Relaxed).is_err() {
                continue;
            }
            if rest > 0 {
                // Release: as in `push`; it passes on what the victim published.
                self.tail.store(tail.wrapping_add(rest), Ordering::Release);
            }
            return NonNull::new(last);
        }
    }

    /// What stands in `runnext`, to be given to `steal_next` after a pause; not to be looked into.
    pub(crate) fn peek_next(&self) -> Option<NonNull<T>> {
        NonNull::new(self.runnext.load(Ordering::Relaxed))
    }

    /// Takes `expected` out of `runnext` if it still stands there (or again: the caller compares the schedtick). True makes the
    /// caller its owner.
    #[must_use]
    pub(crate) fn steal_next(&self, expected: NonNull<T>) -> bool {
        // Acquire: pairs with the Release in `put`.
        self.runnext.compare_exchange(expected.as_ptr(), ptr::null_mut(), Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// The item that stands `ahead` places behind the oldest, as a hint: it may be gone by the time it is looked at.
    #[inline(always)]
    pub(crate) fn hint_ahead(&self, ahead: u32) -> Option<NonNull<T>> {
        let place = self.head.load(Ordering::Relaxed).wrapping_add(ahead);
        if self.tail.load(Ordering::Relaxed).wrapping_sub(place).wrapping_sub(1) >= SIZE {
            return None;
        }
        NonNull::new(self.slot(place).load(Ordering::Relaxed))
    }

    /// Whether the queue was empty at some moment of the call. An item that a `put` has taken out of `runnext` and not yet put into the ring
    /// does not count: the put's own look at the spinning Ms comes after it.
    ///
    /// `runnext` can move into the ring between two looks, so that an empty ring and an empty `runnext` seen one after the other
    /// prove nothing unless `tail` has stood still.
    pub(crate) fn is_empty(&self) -> bool {
        loop {
            // Acquire, three times: the loads happen in this order. That of `runnext` pairs with the Release in `get`.
            let head = self.head.load(Ordering::Acquire);
            let tail = self.tail.load(Ordering::Acquire);
            let next = self.runnext.load(Ordering::Acquire);
            if tail == self.tail.load(Ordering::Relaxed) {
                return head == tail && next.is_null();
            }
            hint_spin();
        }
    }

    /// How many items there are, `runnext` included; a snapshot for traces.
    pub(crate) fn len(&self) -> usize {
        let head = self.head.load(Ordering::Acquire);
        let ring = self.tail.load(Ordering::Relaxed).wrapping_sub(head).min(SIZE);
        ring as usize + usize::from(self.peek_next().is_some())
    }

    /// Appends to the ring; false if it is full. Owner only (R1).
    #[inline]
    fn push(&self, item: NonNull<T>) -> bool {
        let tail = self.tail.load(Ordering::Relaxed);
        if self.room(tail) == 0 {
            return false;
        }
        self.slot(tail).store(item.as_ptr(), Ordering::Relaxed);
        // Release: pairs with the Acquire of `tail` in `steal_into`.
        self.tail.store(tail.wrapping_add(1), Ordering::Release);
        true
    }

    /// The free slots behind `tail`. Owner only (R1): stealers may only make it more.
    #[inline]
    fn room(&self, tail: u32) -> u32 {
        // Acquire: pairs with the Release of `head` in `steal_into` (R3).
        SIZE - tail.wrapping_sub(self.head.load(Ordering::Acquire))
    }

    /// The owner's way to take items. Relaxed, because whom R3 protects is the owner itself; a stealer's Release passes through.
    #[inline]
    fn advance_own_head(&self, head: u32, count: u32) -> bool {
        self.head.compare_exchange(head, head.wrapping_add(count), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    #[inline]
    fn slot(&self, index: u32) -> &AtomicPtr<T> {
        &self.ring[index as usize % RUNQ_SIZE]
    }
}
