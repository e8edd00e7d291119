//! Timers: a four-way heap per P, with lazy cancellation.
//!
//! *Why here.* Floor 3: data under one lock; running what is due is `proc::timer`.
//!
//! A heap entry holds a due time of its own. Cancelling or postponing changes only the timer; its entry stays and is looked at again when
//! it comes to the top: dropped, pushed back to the later time, or fired. Advancing adds a second entry. `Timer::entries` counts them, so
//! that the memory of the timer is not reused while the heap still knows its address.
//!
//! *Invariants.* T1. A timer's fields are under the lock of the heap that `heap` names; `heap` changes only under that lock and only while
//! it has no entries, or with all its entries (a P that stops). T2. An armed timer has an entry that is due no later than `when`.
//! T3. `min_when` is the time of the top entry, 0 when there is none. T4. FIRING says that a callback has begun that has not called `fired`. A timer
//! that is armed in that time can fire twice at once, and the first `fired` speaks for both. So a goroutine's timer is armed only after its `cancel`
//! has returned, or by what its callback has readied after `fired`; and a descriptor's callback calls `fired` first, so that nobody waits for it, and
//! takes an expiry for no more than a hint (PD4 of `netpoll::polldesc`).
//!
//! *Locks.* One per heap, rank 3; callbacks run without it.
//!
//! *Go:* time.go; the lazy entries are its `modified` and `zombie` states in another dress.

use core::cell::Cell;
use core::ptr::NonNull;

use crate::base::lock::Lock;
use crate::base::mapvec::MapVec;
use crate::base::shim::{AtomicI64, AtomicPtr, AtomicU32, AtomicUsize, Ordering, backoff};
use crate::base::throw::throw;

/// What happens when a timer is due: on g0, without locks; must not panic.
pub(crate) type TimerCallback = fn(NonNull<Timer>, i64);

/// Bits of `Timer::state`.
const ARMED: u32 = 1;
const FIRING: u32 = 2;
/// The owner is gone: whoever drops the last entry frees the memory.
const ABANDONED: u32 = 4;
/// One heap entry.
const ENTRY: u32 = 8;

/// Time of an entry that is to go at once.
const HASTENED: i64 = 1;

/// One timer; all-zero is a valid unarmed one, and the default.
#[derive(Default)]
#[repr(C)]
pub(crate) struct Timer {
    /// When it is due, ns of the monotonic clock (T1).
    when: Cell<i64>,
    /// The heap that holds its entries (T1).
    heap: AtomicPtr<TimerHeap>,
    /// ARMED | FIRING | ABANDONED, and the number of heap entries in the upper bits.
    state: AtomicU32,
    /// Counts armings, so that an expiry can be told from the next one.
    pub(crate) seq: AtomicU32,
    /// What to do (T1).
    callback: Cell<Option<TimerCallback>>,
}

#[derive(Clone, Copy)]
struct Entry {
    when: i64,
    timer: NonNull<Timer>,
}

/// The timers of one P.
pub(crate) struct TimerHeap {
    entries: Lock<MapVec<Entry>>,
    min_when: AtomicI64,
    /// Entries whose timer is not armed, roughly.
    stale: AtomicUsize,
}

// SAFETY: entries hold addresses of timers whose fields are under this heap's lock (T1).
unsafe impl Send for TimerHeap {}
// SAFETY: as for Send; all access goes through the lock or atomics.
unsafe impl Sync for TimerHeap {}

/// A timer that was taken off a heap because it is due, and must be fired.
#[must_use]
pub(crate) struct Due {
    timer: NonNull<Timer>,
    callback: TimerCallback,
}

impl Due {
    /// Runs the callback.
    pub(crate) fn fire(self, now: i64) {
        (self.callback)(self.timer, now);
    }
}

impl Timer {
    /// The owner lets go of an unarmed timer. True: no heap knows its address, so the memory is free. False: whoever takes the last
    /// entry off its heap gets it as [`Top::Released`] (G3).
    #[inline(always)]
    pub(crate) fn abandon(&self) -> bool {
        // Acquire: pairs with the changes in `pop_due` and `fired`: what the heap has done to the timer is done.
        if self.state.load(Ordering::Acquire) == 0 {
            return true;
        }
        // AcqRel: pairs with the same in `pop_due`: exactly one of the two sees the other's bit.
        if self.state.fetch_or(ABANDONED, Ordering::AcqRel) >= ENTRY {
            return false;
        }
        self.reset();
        true
    }

    /// Makes the memory of a released timer a valid unarmed timer again.
    pub(crate) fn reset(&self) {
        self.state.store(0, Ordering::Relaxed);
    }

    /// Arms the timer for `when` on `heap`, or on the heap that still has an entry of it. An armed timer is moved.
    pub(crate) fn arm(&self, heap: &TimerHeap, when: i64, callback: TimerCallback) -> Armed {
        loop {
            // Acquire: pairs with the Release stores of `heap` here and in `move_all`.
            let known = self.heap.load(Ordering::Acquire);
            // SAFETY: heaps are parts of Ps, which are never freed (G1).
            let target = unsafe { known.as_ref() }.unwrap_or(heap);
            let mut entries = target.entries.lock();
            if self.heap.load(Ordering::Relaxed) != known {
                continue;
            }
            let state = self.state.load(Ordering::Relaxed);
            if state < ENTRY && !core::ptr::eq(target, heap) {
                // No entries: it may move to the caller's heap.
                // Release: pairs with the Acquire above.
                self.heap.store(core::ptr::null_mut(), Ordering::Release);
                continue;
            }
            self.heap.store(core::ptr::from_ref(target).cast_mut(), Ordering::Release);
            let queued_early_enough = state >= ENTRY && self.when.get() <= when;
            self.when.set(when);
            self.callback.set(Some(callback));
            self.seq.store(self.seq.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
            if queued_early_enough {
                if state & ARMED == 0 {
                    target.stale.store(target.stale.load(Ordering::Relaxed).saturating_sub(1), Ordering::Relaxed);
                }
                self.set_state(state, state | ARMED);
                return Armed { earliest_changed: false };
            }
            if state >= ENTRY && state & ARMED != 0 {
                target.stale.fetch_add(1, Ordering::Relaxed);
            }
            let Some(one_more) = (state | ARMED).checked_add(ENTRY) else { throw("too many entries of a timer") };
            self.set_state(state, one_more);
            let earliest_changed = target.push(&mut entries, Entry { when, timer: NonNull::from(self) });
            return Armed { earliest_changed };
        }
    }

    /// Disarms the timer. True if that prevented its expiry; false if it was not armed or has fired. When it is being fired at this
    /// moment, waits for the callback's end, so that after the return nothing of this arming can still happen.
    pub(crate) fn cancel(&self) -> bool {
        loop {
            let known = self.heap.load(Ordering::Acquire);
            // SAFETY: heaps are parts of Ps, which are never freed (G1).
            let Some(heap) = (unsafe { known.as_ref() }) else { return false };
            let mut entries = heap.entries.lock();
            if self.heap.load(Ordering::Relaxed) != known {
                continue;
            }
            let state = self.state.load(Ordering::Relaxed);
            if state & ARMED != 0 {
                self.set_state(state, state & !ARMED);
                heap.stale.fetch_add(1, Ordering::Relaxed);
                heap.hasten_stale(&mut entries);
                return true;
            }
            drop(entries);
            let mut rounds = 0u32;
            // Acquire: pairs with the Release in `fired`.
            while self.state.load(Ordering::Acquire) & FIRING != 0 {
                backoff(&mut rounds);
            }
            return false;
        }
    }

    /// Changes the word under the heap's lock. While a callback runs, `fired` may clear its bit at any moment: a plain store would set it again for
    /// good.
    #[inline(always)]
    fn set_state(&self, seen: u32, wanted: u32) {
        if seen & FIRING == 0 {
            self.state.store(wanted, Ordering::Relaxed);
        } else {
            self.state.fetch_add(wanted.wrapping_sub(seen), Ordering::Relaxed);
        }
    }

    /// Whether a callback runs (T4).
    pub(crate) fn is_firing(&self) -> bool {
        self.state.load(Ordering::Relaxed) & FIRING != 0
    }

    /// Ends the firing; the last thing a callback that can be cancelled does with the timer.
    pub(crate) fn fired(&self) {
        // Release: pairs with the Acquire in `cancel`.
        self.state.fetch_and(!FIRING, Ordering::Release);
    }
}

/// What arming did to the heap.
#[must_use]
pub(crate) struct Armed {
    /// The heap's earliest time is an earlier one now, as far as a sleeping poller knows: it may have to be told.
    pub(crate) earliest_changed: bool,
}

/// What came to the top of a heap.
pub(crate) enum Top {
    /// Fire it.
    Due(Due),
    /// Its owner had abandoned it and this was its last entry: the memory is free.
    Released(NonNull<Timer>),
    /// Nothing is due.
    Nothing,
}

impl TimerHeap {
    /// An empty heap.
    pub(crate) const fn new() -> TimerHeap {
        TimerHeap { entries: Lock::new(MapVec::new()), min_when: AtomicI64::new(0), stale: AtomicUsize::new(0) }
    }

    /// When the earliest entry is due; 0 when there is none. It may be one that will turn out cancelled.
    #[inline(always)]
    pub(crate) fn min_when(&self) -> i64 {
        // SeqCst: the idle path looks at all heaps after it gave up its P, arming stores before it looks for a sleeping poller.
        self.min_when.load(Ordering::SeqCst)
    }

    /// Entries in the heap.
    pub(crate) fn len(&self) -> usize {
        self.entries.lock().len()
    }

    /// Whether any entry stands for a timer that will fire, and is not a leftover of a cancelled one.
    pub(crate) fn has_armed(&self) -> bool {
        let entries = self.entries.lock();
        // SAFETY: as in `pop_due`.
        entries.iter().any(|entry| unsafe { entry.timer.as_ref() }.state.load(Ordering::Relaxed) & ARMED != 0)
    }

    /// Takes the next thing that is due by `now` off the heap.
    pub(crate) fn pop_due(&self, now: i64) -> Top {
        let mut entries = self.entries.lock();
        loop {
            if entries.is_empty() || entries[0].when > now {
                return Top::Nothing;
            }
            let entry = entries[0];
            // SAFETY: a timer's memory is not reused while it has an entry (`abandon`, G3).
            let timer = unsafe { entry.timer.as_ref() };
            let state = timer.state.load(Ordering::Relaxed);
            if state & ARMED != 0 && timer.when.get() > entry.when {
                // Postponed. The entry is kept even if there are others, which may be due too late (T2).
                entries[0].when = timer.when.get();
                sift_down(&mut entries, 0);
                self.publish(&entries);
                continue;
            }
            self.remove_top(&mut entries);
            if state >= 2 * ENTRY {
                // Whatever entries remain are due at some later time that nobody knows (T2).
                timer.when.set(i64::MAX);
            }
            if state & ARMED != 0 {
                timer.state.store((state - ENTRY) & !ARMED | FIRING, Ordering::Relaxed);
                let callback = timer.callback.get().expect("an armed timer has a callback");
                return Top::Due(Due { timer: entry.timer, callback });
            }
            self.stale.store(self.stale.load(Ordering::Relaxed).saturating_sub(1), Ordering::Relaxed);
            // AcqRel: pairs with the same in `abandon`. A read-modify-write, because `fired` clears its bit without the lock.
            let left = timer.state.fetch_sub(ENTRY, Ordering::AcqRel) - ENTRY;
            if left == ABANDONED {
                return Top::Released(entry.timer);
            }
        }
    }

    /// Moves all entries to `to`, when the P of this heap stops.
    pub(crate) fn move_all(&self, to: &TimerHeap) {
        let mut from = self.entries.lock();
        let mut target = to.entries.lock();
        while let Some(entry) = from.pop() {
            // SAFETY: as in `pop_due`.
            let timer = unsafe { entry.timer.as_ref() };
            // Release: pairs with the Acquire in `arm` and `cancel`, which look again under the lock.
            timer.heap.store(core::ptr::from_ref(to).cast_mut(), Ordering::Release);
            to.push(&mut target, entry);
        }
        self.publish(&from);
    }

    /// When over a quarter of the heap is stale, makes the stale entries due at once, so that they go.
    fn hasten_stale(&self, entries: &mut MapVec<Entry>) {
        if self.stale.load(Ordering::Relaxed) <= entries.len() / 4 + 64 {
            return;
        }
        self.stale.store(0, Ordering::Relaxed);
        for entry in entries.iter_mut() {
            // SAFETY: as in `pop_due`.
            if unsafe { entry.timer.as_ref() }.state.load(Ordering::Relaxed) & ARMED == 0 {
                entry.when = HASTENED;
            }
        }
        for place in (0..entries.len() / ARITY + 1).rev() {
            if place < entries.len() {
                sift_down(entries, place);
            }
        }
        self.publish(entries);
    }

    /// True: a poller has to be told. It has not been told of hastened entries, so whoever comes behind them is the earliest that it may not know.
    fn push(&self, entries: &mut MapVec<Entry>, entry: Entry) -> bool {
        entries.push(entry);
        let last = entries.len() - 1;
        let place = sift_up(entries, last);
        if place == 0 {
            self.publish(entries);
        }
        place == 0 || entries[0].when == HASTENED
    }

    fn remove_top(&self, entries: &mut MapVec<Entry>) {
        let last = entries.pop().expect("the heap has a top");
        if !entries.is_empty() {
            entries[0] = last;
            sift_down(entries, 0);
        }
        self.publish(entries);
    }

    fn publish(&self, entries: &MapVec<Entry>) {
        let when = entries.first().map_or(0, |entry| entry.when);
        // SeqCst: see `min_when`.
        self.min_when.store(when, Ordering::SeqCst);
    }
}

const ARITY: usize = 4;

fn sift_up(heap: &mut [Entry], mut place: usize) -> usize {
    let entry = heap[place];
    while place > 0 {
        let parent = (place - 1) / ARITY;
        if heap[parent].when <= entry.when {
            break;
        }
        heap[place] = heap[parent];
        place = parent;
    }
    heap[place] = entry;
    place
}

fn sift_down(heap: &mut [Entry], mut place: usize) {
    let entry = heap[place];
    loop {
        let first = place * ARITY + 1;
        let Some(children) = heap.get(first..heap.len().min(first + ARITY)) else { break };
        let Some((offset, least)) = children.iter().enumerate().min_by_key(|(_, child)| child.when) else { break };
        if least.when >= entry.when {
            break;
        }
        heap[place] = *least;
        place = first + offset;
    }
    heap[place] = entry;
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Far away.
    const LATER: i64 = i64::MAX / 2;

    fn timer() -> &'static Timer {
        Box::leak(Box::default())
    }

    fn arm(timer: &Timer, heap: &TimerHeap, when: i64) -> bool {
        timer
            .arm(heap, when, |timer, _| {
                // SAFETY: the timers of these tests are never freed.
                unsafe { timer.as_ref() }.fired();
            })
            .earliest_changed
    }

    /// A poller that slept until `LATER` slept through a timer that was armed behind hastened entries.
    #[test]
    fn a_timer_behind_hastened_entries_is_told_to_the_poller() {
        let heap: &TimerHeap = Box::leak(Box::new(TimerHeap::new()));
        assert!(arm(timer(), heap, LATER));
        let cancelled: Vec<_> = (1..=200).map(|n| (timer(), LATER + n)).collect();
        for (timer, when) in &cancelled {
            assert!(!arm(timer, heap, *when));
        }
        for (timer, _) in &cancelled {
            assert!(timer.cancel());
        }
        assert_eq!(heap.min_when(), HASTENED);
        assert!(arm(timer(), heap, 1000));
        // Those that were hastened go, and the others are still there.
        assert!(matches!(heap.pop_due(500), Top::Nothing));
        assert_eq!(heap.min_when(), 1000);
        assert!(heap.has_armed());
    }

    #[test]
    fn what_is_left_of_cancelled_timers_is_not_armed() {
        let heap: &TimerHeap = Box::leak(Box::new(TimerHeap::new()));
        let one = timer();
        assert!(arm(one, heap, LATER) && heap.has_armed());
        assert!(one.cancel() && !one.cancel());
        assert!(heap.len() == 1 && !heap.has_armed());
    }

    /// It would be waited for for ever by the next `cancel`.
    #[test]
    fn a_callback_that_ends_while_the_timer_is_armed_anew_is_not_firing() {
        let timer = timer();
        for (seen, wanted) in [(FIRING | ENTRY, (FIRING | ARMED) + 2 * ENTRY), (FIRING | ARMED | ENTRY, FIRING | ENTRY)]
        {
            timer.state.store(seen, Ordering::Relaxed);
            timer.fired();
            timer.set_state(seen, wanted);
            assert_eq!(timer.state.load(Ordering::Relaxed), wanted & !FIRING);
        }
    }

    /// What owners have to know (T4): two callbacks at once, and one `fired` for both.
    #[test]
    fn a_timer_that_is_armed_too_early_fires_twice_at_once() {
        let (timer, heap) = (timer(), TimerHeap::new());
        assert!(arm(timer, &heap, 5));
        let Top::Due(first) = heap.pop_due(5) else { panic!("the timer is due") };
        assert!(timer.is_firing() && arm(timer, &heap, 6));
        let Top::Due(second) = heap.pop_due(6) else { panic!("the timer is due again") };
        first.fire(6);
        assert!(!timer.is_firing() && !timer.cancel());
        second.fire(6);
        // Nothing is left behind that would keep a later `cancel` waiting.
        assert_eq!((timer.state.load(Ordering::Relaxed), heap.min_when()), (0, 0));
    }

    #[test]
    fn a_timer_that_is_armed_while_it_fires_fires_again() {
        let (timer, heap) = (timer(), TimerHeap::new());
        let callback = |timer: NonNull<Timer>, _| {
            // SAFETY: the timers of these tests are never freed.
            unsafe { timer.as_ref() }.fired();
        };
        _ = timer.arm(&heap, 5, callback);
        let Top::Due(first) = heap.pop_due(5) else { panic!("the timer is due") };
        _ = timer.arm(&heap, 7, callback);
        first.fire(5);
        assert!(matches!(heap.pop_due(6), Top::Nothing));
        let Top::Due(second) = heap.pop_due(7) else { panic!("the timer is due again") };
        second.fire(7);
        assert!(!timer.cancel());
        assert_eq!((timer.state.load(Ordering::Relaxed), heap.min_when()), (0, 0));
    }
}
