//! `Select`: a list of operations that is made while the program runs.
//!
//! *Why here.* Floor 7, over `search`.
//!
//! *Invariants.* DY1. A received value is in the `Place` of the `SelectedOperation` from the choice to `recv`; it never leaves the thread of the
//! choice otherwise, not even to be dropped, because its type may not be `Send`.
//!
//! *Locks.* Those of the channels.
//!
//! *Go:* `reflect.Select`.

use core::alloc::Layout;
use core::fmt;
use core::mem::MaybeUninit;
use core::panic::Location;
use core::ptr::null_mut;
use core::time::Duration;
use std::thread::panicking;
use std::time::Instant;

use crate::channel::error::{
    ReadyTimeoutError, RecvError, SelectTimeoutError, SendError, TryReadyError, TrySelectError,
};
use crate::channel::patience::Patience;
use crate::channel::select::operation::Operation;
use crate::channel::select::place::Place;
use crate::channel::select::search::{Case, Found, Mode, Outcome, Scratch, Search};
use crate::channel::select::{Chosen, finish_send, is_on, wait};
use crate::channel::{Receiver, Sender};

/// Up to so many operations a wait needs no allocation.
const FEW: usize = 8;

/// A list of send and receive operations, of which one is to be done, or is to be known to be ready.
///
/// The macro [`select!`](crate::select!) is shorter where the operations are known beforehand. Here they are numbered in the order in which they
/// are added; [`Select::select`] waits until one of them can be done, and gives back which: it is then done by [`SelectedOperation::send`] or
/// [`SelectedOperation::recv`]. Of several that can be done a random one is chosen.
///
/// Alternatively, [`Select::ready`] waits for an operation to become ready and leaves it to the caller to try it, who may come too late.
///
/// # Examples
///
/// ```
/// use goruntime::channel::{Receiver, Select, unbounded};
///
/// /// Receives from any of them.
/// fn recv_any<T>(receivers: &[Receiver<T>]) -> Option<T> {
///     let mut select = Select::new();
///     for receiver in receivers {
///         select.recv(receiver);
///     }
///     let operation = select.select();
///     let index = operation.index();
///     operation.recv(&receivers[index]).ok()
/// }
///
/// let (tx, rx) = unbounded();
/// let (_idle, other) = unbounded();
/// tx.send(7).unwrap();
/// assert_eq!(recv_any(&[other, rx]), Some(7));
/// ```
#[doc(alias = "reflect.Select")]
#[derive(Clone)]
pub struct Select<'a> {
    cases: Vec<Case<'a>>,
    /// The next operation's number.
    next: usize,
    /// A place that fits all received values.
    place: Layout,
    is_biased: bool,
}

// SAFETY: what moves are shared references to handles, on which only selects are done, and unused pointers. A value of a type that is not Send
// may be received on another thread, but there it can only be forgotten (DY1): getting at it takes a reference to its receiver, which is
// not Sync then.
unsafe impl Send for Select<'_> {}
// SAFETY: a shared `Select` can only be cloned, and a clone is as good as a moved one.
unsafe impl Sync for Select<'_> {}

impl<'a> Select<'a> {
    /// An empty list.
    pub fn new() -> Select<'a> {
        Select { cases: Vec::with_capacity(4), next: 0, place: Layout::new::<()>(), is_biased: false }
    }

    /// An empty list whose first operation is chosen when several can be done.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::channel::{Select, unbounded};
    ///
    /// let (tx, rx) = unbounded();
    /// tx.send(()).unwrap();
    /// let mut select = Select::new_biased();
    /// let (receive, send) = (select.recv(&rx), select.send(&tx));
    /// assert_eq!(select.ready(), receive);
    /// select.remove(receive);
    /// assert_eq!(select.ready(), send);
    /// ```
    pub fn new_biased() -> Select<'a> {
        Select { is_biased: true, ..Select::new() }
    }

    /// Adds a send; returns its number.
    pub fn send<T>(&mut self, sender: &'a Sender<T>) -> usize {
        self.add(sender)
    }

    /// Adds a receive; returns its number.
    pub fn recv<T>(&mut self, receiver: &'a Receiver<T>) -> usize {
        self.add(receiver)
    }

    fn add(&mut self, operation: &'a dyn Operation) -> usize {
        let (index, place) = (self.next, operation.place());
        let (size, align) = (self.place.size().max(place.size()), self.place.align().max(place.align()));
        self.place = Layout::from_size_align(size, align).expect("values of the two types fit in memory one at a time");
        self.next += 1;
        self.cases.push(Case { operation, elem: null_mut(), index });
        index
    }

    /// Takes an operation off the list; the numbers of the others stay.
    ///
    /// # Panics
    ///
    /// If there is no operation with this number, or no longer.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::channel::{Select, unbounded};
    ///
    /// let ((tx, rx), (_idle, other)) = (unbounded::<i32>(), unbounded::<i32>());
    /// drop(tx);
    /// let mut select = Select::new();
    /// let (ended, _) = (select.recv(&rx), select.recv(&other));
    /// assert_eq!(select.ready(), ended);
    /// select.remove(ended);
    /// assert!(select.try_ready().is_err());
    /// ```
    #[track_caller]
    pub fn remove(&mut self, index: usize) {
        assert!(index < self.next, "index out of bounds; {index} >= {}", self.next);
        let place = self.cases.iter().position(|case| case.index == index);
        self.cases.remove(place.expect("no operation with this index"));
    }

    /// Chooses an operation that can be done now.
    ///
    /// # Blocking
    ///
    /// Only to receive from another select, which is evaluating its message for this one; see [`Receiver::try_recv`].
    ///
    /// # Errors
    ///
    /// [`TrySelectError`] if there is none.
    #[track_caller]
    pub fn try_select(&mut self) -> Result<SelectedOperation<'a>, TrySelectError> {
        self.choose(Patience::None).ok_or(TrySelectError)
    }

    /// Waits until one of the operations can be done, and chooses it.
    ///
    /// # Blocking
    ///
    /// Parks the goroutine (or the plain thread) until then.
    ///
    /// # Panics
    ///
    /// If there is no operation in the list.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::channel::{Select, bounded};
    /// use goruntime::go;
    ///
    /// goruntime::run(|| {
    ///     let ((tx1, rx1), (tx2, rx2)) = (bounded(0), bounded(0));
    ///     go(move || tx1.send(1).unwrap());
    ///     go(move || assert_eq!(rx2.recv(), Ok(2)));
    ///     let mut select = Select::new();
    ///     let receive = select.recv(&rx1);
    ///     let send = select.send(&tx2);
    ///     for _ in 0..2 {
    ///         let operation = select.select();
    ///         match operation.index() {
    ///             index if index == receive => {
    ///                 assert_eq!(operation.recv(&rx1), Ok(1));
    ///                 select.remove(receive);
    ///             }
    ///             _ => {
    ///                 assert_eq!(operation.send(&tx2, 2), Ok(()));
    ///                 select.remove(send);
    ///             }
    ///         }
    ///     }
    /// });
    /// ```
    #[track_caller]
    pub fn select(&mut self) -> SelectedOperation<'a> {
        self.check();
        self.choose(Patience::Endless).expect("there is no time limit")
    }

    /// As [`Select::select`], for at most `timeout`.
    ///
    /// # Blocking
    ///
    /// As [`Select::select`], and until the time is up; beyond that as [`Select::try_select`].
    ///
    /// # Errors
    ///
    /// [`SelectTimeoutError`] if the time was up first.
    #[track_caller]
    pub fn select_timeout(&mut self, timeout: Duration) -> Result<SelectedOperation<'a>, SelectTimeoutError> {
        match Instant::now().checked_add(timeout) {
            Some(deadline) => self.select_deadline(deadline),
            None => Ok(self.select()),
        }
    }

    /// As [`Select::select`], at most until `deadline`.
    ///
    /// # Blocking
    ///
    /// As [`Select::select`], and until the deadline has passed; beyond that as [`Select::try_select`].
    ///
    /// # Errors
    ///
    /// [`SelectTimeoutError`] if the deadline passed first.
    #[track_caller]
    pub fn select_deadline(&mut self, deadline: Instant) -> Result<SelectedOperation<'a>, SelectTimeoutError> {
        self.choose(Patience::Until(deadline)).ok_or(SelectTimeoutError)
    }

    /// Finds an operation that could be done now; returns its number.
    ///
    /// # Errors
    ///
    /// [`TryReadyError`] if there is none.
    #[track_caller]
    pub fn try_ready(&mut self) -> Result<usize, TryReadyError> {
        self.watch(Patience::None).ok_or(TryReadyError)
    }

    /// Waits until one of the operations could be done, and returns its number. When the caller then tries it, somebody else may have been
    /// faster.
    ///
    /// # Blocking
    ///
    /// Parks the goroutine (or the plain thread) until then.
    ///
    /// # Panics
    ///
    /// If there is no operation in the list.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::channel::{Select, bounded};
    ///
    /// let ((tx, rx), (_idle, other)) = (bounded(1), bounded::<i32>(1));
    /// tx.send("here").unwrap();
    /// let mut select = Select::new();
    /// select.recv(&other);
    /// let ready = select.recv(&rx);
    /// assert_eq!(select.ready(), ready);
    /// assert_eq!(rx.try_recv(), Ok("here"));
    /// ```
    #[track_caller]
    pub fn ready(&mut self) -> usize {
        self.check();
        self.watch(Patience::Endless).expect("there is no time limit")
    }

    /// As [`Select::ready`], for at most `timeout`.
    ///
    /// # Blocking
    ///
    /// As [`Select::ready`], and until the time is up.
    ///
    /// # Errors
    ///
    /// [`ReadyTimeoutError`] if the time was up first.
    #[track_caller]
    pub fn ready_timeout(&mut self, timeout: Duration) -> Result<usize, ReadyTimeoutError> {
        match Instant::now().checked_add(timeout) {
            Some(deadline) => self.ready_deadline(deadline),
            None => Ok(self.ready()),
        }
    }

    /// As [`Select::ready`], at most until `deadline`.
    ///
    /// # Blocking
    ///
    /// As [`Select::ready`], and until the deadline has passed.
    ///
    /// # Errors
    ///
    /// [`ReadyTimeoutError`] if the deadline passed first.
    #[track_caller]
    pub fn ready_deadline(&mut self, deadline: Instant) -> Result<usize, ReadyTimeoutError> {
        self.watch(Patience::Until(deadline)).ok_or(ReadyTimeoutError)
    }

    #[track_caller]
    fn check(&self) {
        assert!(!self.cases.is_empty(), "no operations have been added to `Select`");
    }

    #[track_caller]
    fn choose(&mut self, patience: Patience) -> Option<SelectedOperation<'a>> {
        let mut place = Place::new(self.place);
        let elem = place.address();
        for case in &mut self.cases {
            case.elem = elem;
        }
        let found = self.search(patience, Mode::Do)?;
        Some(SelectedOperation { index: found.0.index, chosen: Chosen::new(Some(found)), place })
    }

    #[track_caller]
    fn watch(&mut self, patience: Patience) -> Option<usize> {
        self.search(patience, Mode::Watch).map(|(case, ..)| case.index)
    }

    #[track_caller]
    fn search(&mut self, patience: Patience, mode: Mode) -> Option<Found<'a>> {
        let (count, is_biased) = (self.cases.len(), self.is_biased);
        let mut search = Search::new(&mut self.cases, mode, is_biased, Location::caller());
        let inside = patience.enter();
        let found = search.look(&inside);
        if found.is_some() || count <= 1 && matches!(patience, Patience::None) {
            return found;
        }
        if count <= FEW {
            return wait::<FEW>(&mut search, &inside, patience);
        }
        // Nothing is allocated inside of the runtime.
        drop(inside);
        let mut sudogs: Vec<_> = (0..count).map(|_| MaybeUninit::uninit()).collect();
        let mut order = vec![0; count];
        let inside = patience.enter();
        search.wait(&inside, patience, &mut Scratch { sudogs: &mut sudogs, order: &mut order })
    }
}

impl Default for Select<'_> {
    fn default() -> Self {
        Select::new()
    }
}

impl fmt::Debug for Select<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Select { .. }")
    }
}

/// An operation that was chosen, and is to be done by [`send`](SelectedOperation::send) or [`recv`](SelectedOperation::recv).
///
/// Between the choice and the end of the operation somebody on the other side may be waiting for it.
///
/// # Panics
///
/// When it is dropped without being done. It has had no effect then, except that a value that was chosen to be received is lost.
#[must_use]
pub struct SelectedOperation<'a> {
    index: usize,
    chosen: Chosen<'a>,
    /// With the value, if one was received (DY1).
    place: Place,
}

impl SelectedOperation<'_> {
    /// The number that the operation got when it was added.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Does a send.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the value, if the channel is closed or all receivers are gone.
    ///
    /// # Panics
    ///
    /// If it is not this sender that was chosen.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::channel::{Select, SendError, bounded};
    ///
    /// let (tx, rx) = bounded(0);
    /// drop(rx);
    /// let mut select = Select::new();
    /// select.send(&tx);
    /// assert_eq!(select.select().send(&tx, 1), Err(SendError(1)));
    /// ```
    #[track_caller]
    pub fn send<T>(mut self, sender: &Sender<T>, value: T) -> Result<(), SendError<T>> {
        finish_send(self.chosen.take_if(|case| is_of(case, sender) && is_on(case, &sender.half)), sender, value)
    }

    /// Does a receive.
    ///
    /// # Errors
    ///
    /// [`RecvError`] if the channel is empty, and closed or without senders.
    ///
    /// # Panics
    ///
    /// If it is not this receiver that was chosen.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::channel::{Select, unbounded};
    ///
    /// let (tx, rx) = unbounded();
    /// tx.send("a").unwrap();
    /// let mut select = Select::new();
    /// select.recv(&rx);
    /// assert_eq!(select.select().recv(&rx), Ok("a"));
    /// ```
    #[track_caller]
    pub fn recv<T>(mut self, receiver: &Receiver<T>) -> Result<T, RecvError> {
        match self.chosen.take_if(|case| is_of(case, receiver) && is_on(case, &receiver.half)) {
            // SAFETY: the select has received a T from the channel of this receiver into the place, and only this takes it out, once.
            Some(Outcome::Received) => Ok(unsafe { self.place.address().cast::<T>().read() }),
            Some(Outcome::Closed) => Err(RecvError),
            _ => panic!("passed a receiver that wasn't selected"),
        }
    }
}

impl Drop for SelectedOperation<'_> {
    fn drop(&mut self) {
        // The right to send is given back by the drop of the fields. One panic is enough.
        let is_done = self.chosen.index().is_none();
        assert!(is_done || panicking(), "dropped `SelectedOperation` without completing the operation");
    }
}

impl fmt::Debug for SelectedOperation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("SelectedOperation { .. }")
    }
}

/// Whether it is a case of this very handle.
fn is_of<H>(case: &Case<'_>, handle: &H) -> bool {
    core::ptr::addr_eq(case.operation, handle)
}
