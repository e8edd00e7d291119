//! Choosing among several sends and receives.
//!
//! *Why here.* Floor 7, above `transfer`: `search` chooses, `operation` is what it chooses from, `dynamic` is `Select`. This file is what the macros
//! `select!` and `select_biased!` expand to: safe to call whatever the expansion, because it cannot be hidden from others.
//!
//! The parser is a procedural macro (`macros/src/select`), because the errors of `macro_rules` point at the whole invocation; the two macros are
//! thin `macro_rules` around it, which know the path of this crate.
//!
//! *Invariants.* SE1-SE3, OP1, DY1, PC1 in those files. AR1. An arm makes one case (`used`), and a case, which cannot be copied, is in one select, so the
//! place of the arm is filled at most once and emptied at most once.
//!
//! *Locks.* Those of the channels.
//!
//! *Go:* select.go, and what the compiler makes of a select statement (walk/select.go).

mod dynamic;
mod macros;
pub(super) mod operation;
mod place;
mod search;

pub use self::dynamic::{Select, SelectedOperation};
pub use self::macros::{select, select_biased};

use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use core::panic::Location;
use core::time::Duration;

use self::search::{Case as SearchCase, Found, Mode, Outcome, Scratch, Search};
use crate::channel::error::{RecvError, SendError};
use crate::channel::half::Half;
use crate::channel::patience::Patience;
use crate::channel::{Receiver, Sender};
use crate::proc::Entered;

/// A case of a select, for the macros. It is in one select only, because the place of its value is filled once (AR1):
///
/// ```compile_fail,E0382
/// use goruntime::__private::{RecvArm, run};
///
/// let (_tx, rx) = goruntime::channel::unbounded::<String>();
/// let arm = RecvArm::new(&rx);
/// let case = arm.case(0);
/// run([case], true);
/// run([case], true);
/// ```
#[allow(missing_debug_implementations, reason = "for the macros only")]
pub struct Case<'a>(SearchCase<'a>);

/// What a select has come to, to be finished by the arm of its case. Dropping it gives back the right to send that it stands for.
#[allow(missing_debug_implementations, reason = "for the macros only")]
pub struct Chosen<'a> {
    /// None if nothing was chosen, or the case is finished.
    found: Option<(SearchCase<'a>, Outcome)>,
}

impl<'a> Chosen<'a> {
    /// What is left over is dropped here: the caller is outside of the runtime.
    fn new(found: Option<Found<'a>>) -> Chosen<'a> {
        Chosen { found: found.map(|(case, outcome, _spent)| (case, outcome)) }
    }

    /// The number of the case.
    pub fn index(&self) -> Option<usize> {
        self.found.as_ref().map(|(case, _)| case.index)
    }

    /// Nothing was chosen. Takes the borrows of the cases away.
    pub fn nothing(self) {}

    /// The outcome, if it is one of a case that `is_right`.
    fn take_if(&mut self, is_right: impl FnOnce(&SearchCase<'a>) -> bool) -> Option<Outcome> {
        self.found.take_if(|(case, _)| is_right(case)).map(|(_, outcome)| outcome)
    }
}

impl Drop for Chosen<'_> {
    fn drop(&mut self) {
        if let Some((case, Outcome::MaySend(right))) = self.found.take() {
            case.operation.withdraw(right);
        }
    }
}

/// Whether it is a case on the channel of this handle.
fn is_on<T, const SENDER: bool>(case: &SearchCase<'_>, half: &Half<T, SENDER>) -> bool {
    core::ptr::eq(case.operation.lock(), half.raw_lock())
}

/// Sends by the right that was got, which is one for the channel of `sender`.
#[track_caller]
fn finish_send<T>(outcome: Option<Outcome>, sender: &Sender<T>, value: T) -> Result<(), SendError<T>> {
    let Some(Outcome::MaySend(right)) = outcome else { panic!("passed a sender that wasn't selected") };
    sender.half.fulfil(right, value, Location::caller()).map_err(SendError)
}

/// A case `recv`, with the place for the value.
#[allow(missing_debug_implementations, reason = "for the macros only")]
pub struct RecvArm<'a, T> {
    receiver: &'a Receiver<T>,
    place: UnsafeCell<MaybeUninit<T>>,
    used: Cell<bool>,
}

impl<'a, T> RecvArm<'a, T> {
    /// The arm of a receiver.
    #[inline(always)]
    pub fn new(receiver: &'a Receiver<T>) -> RecvArm<'a, T> {
        RecvArm { receiver, place: UnsafeCell::new(MaybeUninit::uninit()), used: Cell::new(false) }
    }

    /// Makes the case, once.
    #[inline(always)]
    pub fn case(&self, index: usize) -> Case<'_> {
        assert!(!self.used.replace(true), "an arm serves one select");
        Case(SearchCase { operation: self.receiver, elem: self.place.get().cast(), index })
    }

    /// What was received.
    #[inline(always)]
    pub fn finish(&self, mut chosen: Chosen<'_>) -> Result<T, RecvError> {
        let place = self.place.get().cast();
        match chosen.take_if(|case| core::ptr::eq(case.elem, place) && is_on(case, &self.receiver.half)) {
            // SAFETY: the one select that this arm was in has put a value there (AR1), and `chosen`, which says so, is gone after this.
            Some(Outcome::Received) => Ok(unsafe { (*self.place.get()).assume_init_read() }),
            Some(Outcome::Closed) => Err(RecvError),
            _ => unreachable!("an arm is finished only if its case was chosen"),
        }
    }
}

/// A case `send`.
#[allow(missing_debug_implementations, reason = "for the macros only")]
pub struct SendArm<'a, T> {
    sender: &'a Sender<T>,
}

impl<'a, T> SendArm<'a, T> {
    /// The arm of a sender.
    #[inline(always)]
    pub fn new(sender: &'a Sender<T>) -> SendArm<'a, T> {
        SendArm { sender }
    }

    /// Makes the case.
    #[inline(always)]
    pub fn case(&self, index: usize) -> Case<'_> {
        Case(SearchCase { operation: self.sender, elem: core::ptr::null_mut(), index })
    }

    /// Sends the message. If its evaluation panics, the right to send is given back by the drop of `chosen`.
    #[inline(always)]
    #[track_caller]
    pub fn finish(&self, mut chosen: Chosen<'_>, value: T) -> Result<(), SendError<T>> {
        finish_send(chosen.take_if(|case| is_on(case, &self.sender.half)), self.sender, value)
    }
}

/// `select!` without a default.
#[inline(always)]
#[track_caller]
pub fn run<'a, const N: usize>(cases: [Case<'a>; N], is_biased: bool) -> Chosen<'a> {
    choose(cases, is_biased, Patience::Endless)
}

/// `select!` with a default without a time limit.
#[inline(always)]
#[track_caller]
pub fn run_now<'a, const N: usize>(cases: [Case<'a>; N], is_biased: bool) -> Chosen<'a> {
    choose(cases, is_biased, Patience::None)
}

/// `select!` with a default with a time limit.
#[inline(always)]
#[track_caller]
pub fn run_for<'a, const N: usize>(cases: [Case<'a>; N], is_biased: bool, limit: Duration) -> Chosen<'a> {
    choose(cases, is_biased, Patience::For(limit))
}

/// `select! {}`.
#[track_caller]
pub fn block() -> ! {
    run::<0>([], true);
    unreachable!("a select without cases has chosen one");
}

#[inline]
#[track_caller]
fn choose<'a, const N: usize>(cases: [Case<'a>; N], is_biased: bool, patience: Patience) -> Chosen<'a> {
    let mut cases = cases.map(|case| case.0);
    let inside = patience.enter();
    let mut search = Search::new(&mut cases, Mode::Do, is_biased, Location::caller());
    let mut found = search.look(&inside);
    // One look at one channel decides that nothing is ready; several looks do not, for each is of its own moment.
    if found.is_none() && (N > 1 || !matches!(patience, Patience::None)) {
        found = wait::<N>(&mut search, &inside, patience);
    }
    drop(inside);
    Chosen::new(found)
}

/// Waits, with scratch for `N` cases on the stack.
#[cold]
#[inline(never)]
fn wait<'a, const N: usize>(search: &mut Search<'_, 'a>, inside: &Entered, patience: Patience) -> Option<Found<'a>> {
    let (mut sudogs, mut order) = ([const { MaybeUninit::uninit() }; N], [0; N]);
    let cases = search.cases.len();
    search.wait(inside, patience, &mut Scratch { sudogs: &mut sudogs[..cases], order: &mut order[..cases] })
}
