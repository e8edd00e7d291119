//! Tasks of async code: a proxy is a G that stands for them, wherever the runtime knows a waiter by its G.
//!
//! *Why here.* Floor 5: the other side of [`foreign`](super::foreign). Whoever readies a proxy wakes the tasks that have left a waker with it; so
//! sockets, timers and queues need not know of wakers.
//!
//! A task that waits for a future of this runtime is mostly a goroutine in `block_on`, whose waker is known (`proc::waker`) and given on the spot.
//! Any other waker is user code, which does not run inside of the runtime (X2): a goroutine of its own calls it.
//!
//! A waker that was called stays in its slot: it is the same one that comes back, as a rule, and need not be cloned again.
//!
//! Nobody tells when a future is dropped that has left a waker, unless a `block_on` or a task of this runtime has ended with it (WK3 of `proc::waker`). So
//! when all slots are taken, all tasks are woken: those that still wait come back, and the others have made room. If the slots are soon all taken
//! again, there will be more of them: tasks that stay do not wake each other for ever. "Soon" gets longer each time, for tasks that need long to come
//! back. What is kept of those that are gone is what has left in so short a time.
//!
//! Where a task needs more than to be woken, a G with a [`Hook`] takes the place of the proxy: whoever readies it calls the hook.
//!
//! *Invariants.* PX1. A G with the flag PROXY has its wakers in `extra` from the making of the proxy to its end; it has no coroutine, and its status
//! stays dead. With HOOK it has its [`Hook`] there. Before its end the owner has taken it back from where others find it, and waited for those that have found it. PX2. A slot is armed from
//! the moment when its task is told to wait until its waker is called: once. Another one takes it only when nobody waits by that waker.
//!
//! *Locks.* `slots`, after a lock of rank 1 and before the scheduler's.
//!
//! *Go:* none.

use core::mem;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::Ordering;
use core::task::Waker;

use crate::base::lock::Lock;
use crate::gmp::GPtr;
use crate::gmp::g::flag;
use crate::gmp::timers::Timer;
use crate::netpoll::edges::Edges;
use crate::os::{self, race};
use crate::proc::waker::Unparker;
use crate::proc::{Entered, enter, newproc, timer};

/// Slots of every proxy.
const FIRST: usize = 4;
/// Tasks that were woken to make room are expected back within this time at first, and at last; ns.
const SOON: i64 = 10_000_000;
const LATE: i64 = 160_000_000;

/// Has a waker called in user code; the caller is inside, or on g0. The floor that starts goroutines gives it.
pub(crate) type CallWaker = fn(Waker);

/// The right to a proxy; see [`Proxy::new`].
pub(crate) struct Proxy(GPtr);

/// What hangs on the G.
struct Wakers {
    call: CallWaker,
    /// What has to know that the wakers are about to be called.
    origin: Option<&'static Edges>,
    slots: Lock<Slots>,
}

#[derive(Default)]
struct Slots {
    first: [Slot; FIRST],
    more: Vec<Slot>,
    /// When all were woken to make room the last time, and how long it may take until they are back.
    cleared: i64,
    patience: i64,
}

#[derive(Default)]
struct Slot {
    waker: Option<Waker>,
    armed: bool,
}

/// What [`place`] may need of what is made in user mode.
#[derive(Default)]
struct Spare {
    clone: Option<Waker>,
    room: Vec<Slot>,
}

/// What it lacks: a clone of the waker, or room for so many slots behind the first ones.
enum Lack {
    Clone,
    Room(usize),
}

impl Proxy {
    /// A proxy that nobody knows. Allocates: for user mode.
    pub(crate) fn new(call: CallWaker, origin: Option<&'static Edges>) -> Proxy {
        let wakers = Box::new(Wakers { call, origin, slots: Lock::default() });
        let inside = enter();
        let gp = newproc::gfget(inside.p());
        gp.flags.store(flag::SYSTEM | flag::THREAD | flag::PROXY, Ordering::Relaxed);
        gp.extra.store(Box::into_raw(wakers).cast(), Ordering::Relaxed);
        drop(inside);
        Proxy(gp)
    }

    /// The G.
    pub(crate) fn gp(&self) -> GPtr {
        self.0
    }

    /// Leaves the waker of a task that is about to wait. `publish` lets the proxy be found, unless what is waited for has come: then the answer is
    /// false, and the waker is not called for this wait; for another wait it may be. For user mode.
    pub(crate) fn watch(&self, waker: &Waker, publish: impl FnOnce(&Entered) -> bool) -> bool {
        watch(self.0, waker, publish)
    }
}

impl Proxy {
    /// Has the tasks called at a time of the monotonic clock, ns. The timer is not armed.
    pub(crate) fn arm(&self, inside: &Entered, when: i64) {
        timer::arm(inside, &self.0.timer, when, time_up);
    }

    /// Takes that back. After the return the time does nothing any more.
    pub(crate) fn disarm(&self) {
        let _inside = enter();
        self.0.timer.cancel();
    }
}

fn time_up(timer: NonNull<Timer>, _now: i64) {
    ready(timer::goroutine_of(timer));
    // SAFETY: the timer is part of a G, which is never freed. Last, since the proxy may end after it (PX1).
    unsafe { timer.as_ref() }.fired();
}

/// As [`Proxy::watch`], for a proxy that has no owner and does not end.
pub(crate) fn watch(gp: GPtr, waker: &Waker, publish: impl FnOnce(&Entered) -> bool) -> bool {
    race::hand_over(waker.data());
    let mut spare = Spare::default();
    loop {
        let inside = enter();
        let wakers = wakers(gp);
        let mut slots = wakers.slots.lock();
        let (index, replaced) = match place(&mut slots, waker, &mut spare, wakers.call, os::nanotime) {
            Ok(placed) => placed,
            Err(lack) => {
                drop(slots);
                drop(inside);
                match lack {
                    // User code.
                    Lack::Clone => spare.clone = Some(waker.clone()),
                    Lack::Room(count) => spare.room = Vec::with_capacity(count),
                }
                continue;
            }
        };
        let slot = slots.at(index);
        // Another future of the same task may be waiting by this waker already: then it goes on waiting, whatever becomes of this one.
        let waits = mem::replace(&mut slot.armed, true);
        let published = publish(&inside);
        slot.armed = published || waits;
        drop(slots);
        drop(inside);
        drop(replaced);
        return published;
    }
}

/// The slot for a waker: its own, or a free one, which takes the clone and gives what it had.
fn place(
    slots: &mut Slots,
    waker: &Waker,
    spare: &mut Spare,
    call: CallWaker,
    clock: impl FnOnce() -> i64,
) -> Result<(usize, Option<Waker>), Lack> {
    let known = slots.iter().position(|slot| slot.waker.as_ref().is_some_and(|known| known.will_wake(waker)));
    if let Some(index) = known {
        return Ok((index, None));
    }
    if spare.clone.is_none() {
        return Err(Lack::Clone);
    }
    let free = slots.iter().position(Slot::is_free);
    let index = match free {
        Some(free) => free,
        None => slots.make_room(&mut spare.room, call, clock())?,
    };
    let slot = slots.at(index);
    slot.armed = false;
    Ok((index, mem::replace(&mut slot.waker, spare.clone.take())))
}

impl Slot {
    /// Whether nobody waits by it.
    fn is_free(&self) -> bool {
        !self.armed || self.waker.as_ref().and_then(Unparker::of).is_some_and(Unparker::is_over)
    }
}

impl Slots {
    fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.first.iter().chain(&self.more)
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.first.iter_mut().chain(&mut self.more)
    }

    fn at(&mut self, index: usize) -> &mut Slot {
        match index.checked_sub(FIRST) {
            Some(index) => &mut self.more[index],
            None => &mut self.first[index],
        }
    }

    /// Wakes all, or makes twice as many in the room for that, to which the later ones are moved. Gives one that is free.
    fn make_room(&mut self, room: &mut Vec<Slot>, call: CallWaker, now: i64) -> Result<usize, Lack> {
        if now - self.cleared >= self.patience {
            self.cleared = now;
            self.patience = (2 * self.patience).clamp(SOON, LATE);
            self.call_all(call);
            return Ok(0);
        }
        let count = FIRST + self.more.len();
        let wanted = 2 * count - FIRST;
        if room.capacity() < wanted {
            return Err(Lack::Room(wanted));
        }
        room.append(&mut self.more);
        room.resize_with(wanted, Slot::default);
        mem::swap(room, &mut self.more);
        Ok(count)
    }

    /// Calls the wakers that are armed.
    fn call_all(&mut self, call: CallWaker) {
        for slot in self.iter_mut().filter(|slot| slot.armed) {
            slot.armed = false;
            match slot.waker.as_ref().and_then(Unparker::of) {
                Some(unparker) => unparker.give(),
                None => slot.waker.take().into_iter().for_each(call),
            }
        }
    }
}

fn wakers(gp: GPtr) -> &'static Wakers {
    // SAFETY: the callers hold a proxy, or have found one that cannot end before they are done (PX1); none keeps the reference.
    unsafe { &*gp.extra.load(Ordering::Relaxed).cast::<Wakers>() }
}

/// What readying a G does that has it in its `extra`.
pub(crate) struct Hook {
    /// Called with the hook, which lives at least until somebody has learned of this call; inside, or on g0.
    pub(crate) ready: unsafe fn(*const Hook),
}

/// A G for a hook, which nobody knows. For user mode.
pub(crate) fn hooked() -> GPtr {
    let inside = enter();
    let gp = newproc::gfget(inside.p());
    gp.flags.store(flag::SYSTEM | flag::THREAD | flag::PROXY | flag::HOOK, Ordering::Relaxed);
    gp
}

/// Takes back a G for a hook, which nobody knows any more. For user mode.
pub(crate) fn unhook(gp: GPtr) {
    let inside = enter();
    gp.extra.store(null_mut(), Ordering::Relaxed);
    newproc::recycle(inside.p(), gp);
}

/// Wakes the tasks for which it stands: what readying is for a goroutine. The caller is inside, or on g0.
#[cold]
pub(crate) fn ready(gp: GPtr) {
    if gp.has(flag::HOOK) {
        let hook: *const Hook = gp.extra.load(Ordering::Relaxed).cast();
        // SAFETY: the hook is there from before others could find the G until its call was made (PX1).
        return unsafe { ((*hook).ready)(hook) };
    }
    let wakers = wakers(gp);
    if let Some(origin) = wakers.origin {
        // Before the lock: a task that announces itself from now on is called by the next one, or by this one as well.
        origin.called();
    }
    wakers.slots.lock().call_all(wakers.call);
}

/// Drops what wakers a proxy keeps. Nobody waits by them any more.
pub(crate) fn forget(gp: GPtr) {
    let inside = enter();
    let taken = mem::take(&mut *wakers(gp).slots.lock());
    drop(inside);
    drop(taken);
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let inside = enter();
        let raw = self.0.extra.swap(null_mut(), Ordering::Relaxed);
        newproc::recycle(inside.p(), self.0);
        drop(inside);
        // SAFETY: it came from a box, and nobody finds the proxy any more (PX1). Wakers are dropped outside of the runtime.
        drop(unsafe { Box::from_raw(raw.cast::<Wakers>()) });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;
    use std::task::Wake;

    use super::*;
    use crate::proc::waker::Waking;

    #[derive(Default)]
    struct Calls(AtomicU32);

    impl Wake for Calls {
        fn wake(self: Arc<Calls>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Wakers that are called on the spot, and what has become of them.
    fn tasks(count: usize) -> (Vec<Arc<Calls>>, Vec<Waker>) {
        let calls: Vec<_> = (0..count).map(|_| Arc::new(Calls::default())).collect();
        let wakers = calls.iter().map(|calls| Waker::from(Arc::clone(calls))).collect();
        (calls, wakers)
    }

    #[test]
    fn tasks_that_stay_stop_waking_each_other() {
        const COUNT: usize = 100;
        let (calls, wakers) = tasks(COUNT);
        let proxy = Proxy::new(Waker::wake, None);
        let mut answered = [0; COUNT];
        wakers.iter().for_each(|waker| assert!(proxy.watch(waker, |_| true)));
        // A round that takes long wakes all again, but not every one does.
        for round in 0.. {
            let woken: Vec<_> = (0..COUNT).filter(|&n| calls[n].0.load(Ordering::Relaxed) > answered[n]).collect();
            if woken.is_empty() {
                break;
            }
            assert!(round < 10_000, "they wake each other for ever");
            for n in woken {
                answered[n] = calls[n].0.load(Ordering::Relaxed);
                assert!(proxy.watch(&wakers[n], |_| true));
            }
        }
        // All of them wait.
        let inside = enter();
        ready(proxy.gp());
        drop(inside);
        assert!((0..COUNT).all(|n| calls[n].0.load(Ordering::Relaxed) == answered[n] + 1));
    }

    /// Leaves a waker that nobody comes back for; false if that takes another slot than there are.
    fn leave(slots: &mut Slots, now: i64) -> bool {
        let gone = Waker::from(Arc::new(Calls::default()));
        let mut spare = Spare::default();
        loop {
            match place(slots, &gone, &mut spare, Waker::wake, || now) {
                Ok((index, _)) => break slots.at(index).armed = true,
                Err(Lack::Clone) => spare.clone = Some(gone.clone()),
                Err(Lack::Room(_)) => return false,
            }
        }
        true
    }

    #[test]
    fn tasks_that_are_gone_make_room() {
        let mut slots = Slots::default();
        assert!((1..1_000).all(|turn| leave(&mut slots, turn * LATE / 4)));
        assert!(slots.more.is_empty());
    }

    #[test]
    fn tasks_that_come_back_late_get_room_in_the_end() {
        let mut slots = Slots::default();
        assert!((1..1_000).any(|turn| !leave(&mut slots, turn * LATE / 8)));
    }

    #[test]
    fn a_wait_that_has_ended_leaves_its_slot() {
        let mut slots = Slots::default();
        for _ in 0..1_000 {
            let waking = Waking::new();
            let mut spare = Spare { clone: Some(waking.waker.clone()), ..Spare::default() };
            let placed = place(&mut slots, &waking.waker, &mut spare, |_| panic!("nobody is woken"), || 0);
            let Ok((index, _)) = placed else { panic!("there is no need for more") };
            slots.at(index).armed = true;
        }
    }

    #[test]
    fn a_future_goes_on_waiting_when_another_one_of_its_task_need_not_wait() {
        let calls = Arc::new(Calls::default());
        let waker = Waker::from(Arc::clone(&calls));
        let proxy = Proxy::new(Waker::wake, None);
        let calls_when_ready = || {
            let inside = enter();
            ready(proxy.gp());
            drop(inside);
            calls.0.load(Ordering::Relaxed)
        };
        assert!(proxy.watch(&waker, |_| true));
        assert!(!proxy.watch(&waker, |_| false));
        assert_eq!(calls_when_ready(), 1);
        // Now none of the two waits.
        assert!(!proxy.watch(&waker, |_| false));
        assert_eq!(calls_when_ready(), 1);
    }
}
