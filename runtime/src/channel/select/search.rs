//! Finding the case of a select that is done, and waiting for one.
//!
//! *Why here.* Floor 7: the body of every select, of the macros and of `Select`, and of `Select::ready`.
//!
//! First a look: the cases are visited in random order, each with its own channel's lock, and without it where the channel looks idle. Whatever is
//! found was ready at that moment, so choosing it is right, and the other channels are not touched. Only when nothing is found does the
//! select of Go begin: all channels are locked in the order of their addresses, so that two selects cannot block each other; the cases are tried
//! once more, which decides that none is ready at one moment; then a sudog is queued for each, and the park frees the locks. Whoever changes
//! `gp.selected` has chosen the case, and the others are taken off their queues.
//!
//! A default without a wait needs the locks only with two cases or more: what one look finds idle was idle at that moment.
//!
//! *Invariants.* SE1. A case that is not chosen has had no effect. SE2. The frame of a parked select ends only after it has taken each of its channels'
//! locks, except the one of the case that was chosen, which the chooser took: so its commit, which frees them one by one, is through with
//! the frame. SE3. Time limits are exact in this sense: after the time is up all cases are tried once more, together.
//!
//! *Locks.* Those of the channels, in the order of their addresses, each once.
//!
//! *Go:* `selectgo`, `sellock`, `selunlock`, `selparkcommit` of select.go.

use core::cell::Cell;
use core::mem::MaybeUninit;
use core::panic::Location;

use crate::channel::buffer::Spent;
use crate::channel::patience::{Limit, Patience};
use crate::channel::promise::Right;
use crate::channel::select::operation::{Attempt, Operation};
use crate::gmp::{GPtr, WaitReason};
use crate::os;
use crate::proc::park::note_place;
use crate::proc::{Entered, gopark};
use crate::sync::spin::SpinLock;
use crate::sync::sudog::{self, Ended, Kind, Partner, Sudog};

/// Steps of a shuffle that 64 random bits are good for.
const STEPS_PER_RANDOM: usize = 8;

/// What a select is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// To do an operation.
    Do,
    /// To learn which operation could be done.
    Watch,
}

/// One case of a select.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) operation: &'a dyn Operation,
    /// Where a received value goes.
    pub(crate) elem: *mut (),
    /// The case's number for the user.
    pub(crate) index: usize,
}

impl Case<'_> {
    fn is_at(&self, lock: *const SpinLock) -> bool {
        core::ptr::eq(self.operation.lock(), lock)
    }
}

/// What the chosen case has come to.
pub(crate) enum Outcome {
    /// The value is in its place.
    Received,
    /// There is nothing to be received any more.
    Closed,
    /// A value may be sent.
    MaySend(Right),
    /// An operation would not wait.
    Ready,
}

/// The case that was chosen, and its outcome; and what is to be dropped outside of the runtime.
pub(crate) type Found<'a> = (Case<'a>, Outcome, Option<Box<dyn Spent + 'a>>);

/// What a wait needs of memory: one of each for each case.
pub(crate) struct Scratch<'s> {
    pub(crate) sudogs: &'s mut [MaybeUninit<Sudog>],
    /// The numbers of the cases, to be sorted by their channels.
    pub(crate) order: &'s mut [u32],
}

/// A select that has begun.
pub(crate) struct Search<'s, 'a> {
    pub(crate) cases: &'s mut [Case<'a>],
    pub(crate) mode: Mode,
    /// Of several cases that are ready, the first one is chosen.
    pub(crate) is_biased: bool,
    pub(crate) at: &'static Location<'static>,
    /// When a clock was first looked at (see `Clock::take`).
    since: Cell<i64>,
    /// The case that got a promise which was broken: it goes to the head of the line (CH2).
    let_down: Cell<Option<usize>>,
}

impl<'s, 'a> Search<'s, 'a> {
    /// A select of these cases.
    #[inline(always)]
    pub(crate) fn new(
        cases: &'s mut [Case<'a>],
        mode: Mode,
        is_biased: bool,
        at: &'static Location<'static>,
    ) -> Search<'s, 'a> {
        Search { cases, mode, is_biased, at, since: Cell::new(0), let_down: Cell::new(None) }
    }

    /// Looks at the cases one after the other, in random order unless biased.
    #[inline]
    pub(crate) fn look(&mut self, inside: &Entered) -> Option<Found<'a>> {
        let count = self.cases.len();
        let mut random = 0;
        for place in 0..count {
            if !self.is_biased && place + 1 < count {
                if place % STEPS_PER_RANDOM == 0 {
                    random = inside.m().random();
                }
                // The high half is the number, the low half what is left of the randomness.
                let product = u128::from(random) * (count - place) as u128;
                random = product as u64;
                self.cases.swap(place, place + (product >> 64) as usize);
            }
            let case = self.cases[place];
            // A single case may be decided by this look.
            let is_idle = if count == 1 { case.operation.is_surely_idle() } else { case.operation.looks_idle() };
            if is_idle {
                continue;
            }
            if let Some(found) = self.try_alone(inside, case) {
                return Some(found);
            }
        }
        None
    }

    /// Tries one case, with the lock of its channel only. After a broken promise it tries again: another sender may have been waiting all the time.
    #[inline]
    fn try_alone(&self, inside: &Entered, case: Case<'a>) -> Option<Found<'a>> {
        let lock = case.operation.lock();
        loop {
            lock.lock();
            let attempt = self.attempt(&case);
            // SAFETY: locked above.
            unsafe { SpinLock::unlock(lock) };
            let was_idle = matches!(attempt, Attempt::Idle);
            let found = self.conclude(inside, case, attempt);
            if was_idle || found.is_some() {
                return found;
            }
        }
    }

    /// Tries one case; its channel is locked.
    #[inline]
    fn attempt(&self, case: &Case<'a>) -> Attempt<'a> {
        match self.mode {
            // SAFETY: the callers hold the lock, and the place is empty: it is filled once, by the case that is chosen.
            Mode::Do => unsafe { case.operation.attempt(case.elem, &self.since) },
            // SAFETY: the callers hold the lock.
            Mode::Watch if unsafe { case.operation.is_ready() } => Attempt::Ready,
            Mode::Watch => Attempt::Idle,
        }
    }

    /// After the unlock: does what remains to be done. None: the case was idle, or is to be tried again because a promise was broken.
    #[inline]
    fn conclude(&self, inside: &Entered, case: Case<'a>, attempt: Attempt<'a>) -> Option<Found<'a>> {
        match attempt {
            Attempt::Idle => None,
            Attempt::Received(sender, spent) => {
                if let Some(sender) = sender {
                    sender.wake(true);
                }
                Some((case, Outcome::Received, spent))
            }
            Attempt::Promised(promise) => {
                note_place(inside, self.at);
                if !sudog::await_promise(inside, promise, case.elem, WaitReason::Select) {
                    self.let_down.set(Some(case.index));
                    return None;
                }
                Some((case, Outcome::Received, None))
            }
            Attempt::Closed => Some((case, Outcome::Closed, None)),
            Attempt::MaySend(right) => Some((case, Outcome::MaySend(right), None)),
            Attempt::Ready => Some((case, Outcome::Ready, None)),
        }
    }

    /// Waits until a case can be chosen; None if there was none in time.
    pub(crate) fn wait(
        &mut self,
        inside: &Entered,
        patience: Patience,
        scratch: &mut Scratch<'_>,
    ) -> Option<Found<'a>> {
        let limit = patience.limit();
        for (place, number) in scratch.order.iter_mut().enumerate() {
            *number = place as u32;
        }
        let address = |&number: &u32| core::ptr::from_ref(self.cases[number as usize].operation.lock()).addr();
        scratch.order.sort_unstable_by_key(address);
        loop {
            self.each_lock(scratch.order, |lock, _| lock.lock());
            let tried = self.cases.iter().find_map(|case| match self.attempt(case) {
                Attempt::Idle => None,
                attempt => Some((*case, attempt)),
            });
            if let Some((case, attempt)) = tried {
                self.unlock_all(scratch.order);
                if let Some(found) = self.conclude(inside, case, attempt) {
                    return Some(found);
                }
                continue;
            }
            let Some(until) = self.until(limit) else {
                self.unlock_all(scratch.order);
                return None;
            };
            if let Some((case, outcome)) = self.park(inside, until, scratch) {
                return Some((case, outcome, None));
            }
        }
    }

    /// How long to sleep: up to the limit or until the first clock is due; None if the limit has passed.
    fn until(&self, limit: Limit) -> Option<Option<i64>> {
        match limit {
            Limit::Passed => return None,
            Limit::At(when) if when <= os::nanotime() => return None,
            // No select waits within something else: a context is a case of it.
            _ => {}
        }
        let clocks = self.cases.iter().filter_map(|case| case.operation.due());
        Some(clocks.chain(limit.until()).min())
    }

    /// Queues a sudog for each case, whose channels are all locked, and parks. None: nothing was chosen, and nothing is queued any more.
    fn park(&self, inside: &Entered, until: Option<i64>, scratch: &mut Scratch<'_>) -> Option<(Case<'a>, Outcome)> {
        let (gp, partner) = (inside.g(), Partner::new(None));
        sudog::expect_claim(gp);
        let let_down = self.let_down.take();
        for (place, (case, sudog)) in self.cases.iter().zip(scratch.sudogs.iter_mut()).enumerate() {
            let (kind, elem) = match (self.mode, case.operation.kind()) {
                (Mode::Watch, _) => (Kind::Watch, core::ptr::null_mut()),
                (Mode::Do, Kind::Promise) => (Kind::Promise, (&raw const partner).cast_mut().cast()),
                (Mode::Do, kind) => (kind, case.elem),
            };
            let sg = sudog.write(Sudog::for_case(gp, kind, elem, place as u32 + 1));
            let (queue, in_front) = (case.operation.queue(), let_down == Some(case.index));
            // SAFETY: the channel is locked, and `sg` stays in the scratch until it has left the queue: `leave` sees to that.
            unsafe { if in_front { queue.push_front(sg) } else { queue.push_back(sg) } };
        }
        note_place(inside, self.at);
        let idle = self.cases.is_empty() && until.is_none();
        let reason = if idle { WaitReason::SelectNoCases } else { WaitReason::Select };
        let parked = Parked { cases: self.cases, order: scratch.order, until };
        gopark(inside, reason, Parked::commit, (&raw const parked).cast_mut().cast());
        let claimed = if until.is_some() { sudog::claimed_in_time(gp) } else { Some(sudog::claimed(gp)) };
        self.leave(claimed, scratch);
        let chosen = claimed? as usize - 1;
        // SAFETY: one was written for each case before the park.
        let sg = unsafe { scratch.sudogs[chosen].assume_init_ref() };
        let case = self.cases[chosen];
        let outcome = match (sg.ended(), self.mode, case.operation.kind()) {
            (Ended::Again, ..) => {
                self.let_down.set(Some(case.index));
                return None;
            }
            // What a watcher was told may be over, so it looks again.
            (_, Mode::Watch, _) => return None,
            (Ended::Closed, _, Kind::Promise) => Outcome::MaySend(Right::Closed),
            (Ended::Closed, ..) => Outcome::Closed,
            (Ended::Done, _, Kind::Promise) => Outcome::MaySend(partner.take().map_or(Right::Room, Right::Hand)),
            (Ended::Done, ..) => Outcome::Received,
        };
        Some((case, outcome))
    }

    /// Takes what is still queued off the queues (SE1, SE2).
    fn leave(&self, claimed: Option<u32>, scratch: &Scratch<'_>) {
        let is_chosen = |number: u32| claimed == Some(number + 1);
        self.each_lock(scratch.order, |lock, numbers| {
            if let [number] = *numbers
                && is_chosen(number)
            {
                return;
            }
            lock.lock();
            for &number in numbers.iter().filter(|&&number| !is_chosen(number)) {
                // SAFETY: one was written for each case before the park.
                let sg = unsafe { scratch.sudogs[number as usize].assume_init_ref() };
                // SAFETY: the channel is locked, and `sg` was queued there and nowhere else.
                unsafe { self.cases[number as usize].operation.queue().remove(sg) };
            }
            // SAFETY: locked above.
            unsafe { SpinLock::unlock(lock) };
        });
    }

    fn unlock_all(&self, order: &[u32]) {
        // SAFETY: the callers have locked them all.
        self.each_lock(order, |lock, _| unsafe { SpinLock::unlock(lock) });
    }

    /// Calls `work` for each channel in the order of their addresses, with the numbers of its cases.
    fn each_lock(&self, order: &[u32], mut work: impl FnMut(&SpinLock, &[u32])) {
        let is_same = |a: &u32, b: &u32| self.cases[*a as usize].is_at(self.cases[*b as usize].operation.lock());
        for numbers in order.chunk_by(is_same) {
            work(self.cases[numbers[0] as usize].operation.lock(), numbers);
        }
    }
}

/// What the commit of a park needs; on the frame of the parked goroutine.
struct Parked<'s, 'a> {
    cases: &'s [Case<'a>],
    order: &'s [u32],
    until: Option<i64>,
}

impl Parked<'_, '_> {
    /// Arms the time limit and frees the locks. Once the first is free the goroutine may be chosen and run, but its frame stays until it has
    /// had the last one (SE2).
    fn commit(gp: GPtr, parked: *mut ()) -> bool {
        // SAFETY: the goroutine parks with its `Parked` as the argument, and nobody can ready it before this arms the time limit or frees a lock.
        let Parked { cases, order, until } = unsafe { parked.cast::<Parked<'_, '_>>().read() };
        let mut rest = order.iter().map(|&number| core::ptr::from_ref(cases[number as usize].operation.lock()));
        let mut held = rest.next();
        if let Some(when) = until {
            sudog::arm_on_g0(gp, when);
        }
        while let Some(lock) = held {
            // The next one is looked up before this one is free: then the frame may die, if this was the last (SE2).
            held = rest.find(|&next| next != lock);
            // SAFETY: the goroutine has locked each channel once, and nothing else unlocks it.
            unsafe { SpinLock::unlock(lock) };
        }
        true
    }
}
