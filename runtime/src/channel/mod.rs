//! Channels: values from goroutine to goroutine, with the interface of `crossbeam-channel` and the behaviour of Go.
//!
//! A channel has a buffer of a fixed size ([`bounded`]), of any size ([`unbounded`]), or none (`bounded(0)`): then a send waits for its receiver.
//! Values come out in the order they went in, and whoever waits is served in the order of coming. A value for a receiver that waits is put
//! into its hands directly.
//!
//! A channel ends when all handles of one side are dropped, or by [`Sender::close`]. Receivers then get what is left.
//!
//! Everything here works on goroutines and on plain threads alike; the two may share a channel.
//!
//! # Examples
//!
//! ```
//! use goruntime::{channel, go};
//!
//! goruntime::run(|| {
//!     let (jobs, queue) = channel::bounded(4);
//!     let (results, finished) = channel::unbounded();
//!     for _ in 0..3 {
//!         let (queue, results) = (queue.clone(), results.clone());
//!         go(move || {
//!             for job in queue {
//!                 results.send(job * job).unwrap();
//!             }
//!         });
//!     }
//!     drop(results);
//!     (1..=3).for_each(|job| jobs.send(job).unwrap());
//!     drop(jobs);
//!     assert_eq!(finished.iter().sum::<i32>(), 14);
//! });
//! ```

// *Why here.* Floor 7: what blocks a goroutine. A handle (`sender`, `receiver`, `iter`) is a share (`half`) of a channel (`hchan`), which holds values
// (`buffer`) and waiters (`sync::sudog`); `transfer` moves a value (for as long as `patience` says), `promise` the right to send one, `clock` makes values of the time; `select` chooses; `tasks` waits for async code, with a `ticket`.
//
// *Invariants.* CH1-CH5, BU1-BU4, SU1-SU5, HA1, HA2, TR1, PR1, CK1, CK2, TI1-TI4, TA1, SE1-SE3, OP1, AR1, DY1, PC1 in those files. *Locks.* The channel's. *Go:* chan.go.

mod buffer;
pub(crate) mod clock;
mod error;
mod half;
mod hchan;
mod iter;
mod patience;
mod promise;
mod receiver;
pub(crate) mod select;
mod sender;
pub(crate) mod tasks;
mod ticket;
mod transfer;

pub use self::error::{
    ReadyTimeoutError, RecvError, RecvTimeoutError, SelectTimeoutError, SendError, SendTimeoutError, TryReadyError,
    TryRecvError, TrySelectError, TrySendError,
};
pub use self::iter::{IntoIter, Iter, TryIter};
pub use self::receiver::Receiver;
pub use self::select::{Select, SelectedOperation, select, select_biased};
pub use self::sender::Sender;

use std::time::{Duration, Instant};

use self::clock::Clock;
use self::half::{lone_receiver, pair};
use self::hchan::Hchan;

/// Makes a channel with room for `cap` values; with 0, a send waits until a receiver takes the value.
///
/// The buffer is allocated at once; sending and receiving allocate nothing.
///
/// # Panics
///
/// `makechan: size out of range` if that many values cannot be in memory.
///
/// # Examples
///
/// ```
/// let (tx, rx) = goruntime::channel::bounded(2);
/// tx.send("a").unwrap();
/// tx.send("b").unwrap();
/// assert!(tx.is_full());
/// assert_eq!(rx.recv(), Ok("a"));
/// ```
#[doc(alias = "makechan")]
#[track_caller]
pub fn bounded<T>(cap: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = pair(Hchan::bounded(cap));
    (Sender { half: sender }, Receiver { half: receiver })
}

/// Makes a channel without bounds: a send never waits.
///
/// # Examples
///
/// ```
/// let (tx, rx) = goruntime::channel::unbounded();
/// (0..1000).for_each(|i| tx.send(i).unwrap());
/// assert_eq!(rx.len(), 1000);
/// ```
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = pair(Hchan::unbounded());
    (Sender { half: sender }, Receiver { half: receiver })
}

/// Makes a receiver that never gets anything and is never disconnected, as Go's nil channel: for a place where there may be a channel or not.
///
/// # Examples
///
/// ```
/// use goruntime::channel::{TryRecvError, never};
///
/// assert_eq!(never::<i32>().try_recv(), Err(TryRecvError::Empty));
/// ```
#[doc(alias = "nil")]
pub fn never<T>() -> Receiver<T> {
    Receiver { half: lone_receiver(Hchan::never()) }
}

/// Makes a receiver that gets one value, the time, when `duration` has passed.
///
/// The channel has room for the one value and is never disconnected: after it nothing comes any more. It needs no timer of its own, so dropping
/// the receiver before leaves nothing behind. A time that is too far away never comes.
///
/// # Examples
///
/// ```
/// use goruntime::channel::{after, bounded};
/// use goruntime::select;
/// use goruntime::time::{Duration, Instant};
///
/// let (_tx, rx) = bounded::<i32>(0);
/// let begun = Instant::now();
/// select! {
///     recv(rx) -> _ => unreachable!("nobody sends"),
///     recv(after(Duration::from_millis(2))) -> when => assert!(when.unwrap() >= begun + Duration::from_millis(2)),
/// }
/// ```
#[doc(alias = "time.After")]
pub fn after(duration: Duration) -> Receiver<Instant> {
    Instant::now().checked_add(duration).map_or_else(never, at)
}

/// Makes a receiver that gets one value, `when`, as soon as that has passed; as [`after`].
///
/// # Examples
///
/// ```
/// use goruntime::channel::{TryRecvError, at};
/// use goruntime::time::{Duration, Instant};
///
/// let when = Instant::now() + Duration::from_millis(2);
/// let rx = at(when);
/// assert_eq!(rx.recv(), Ok(when));
/// assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
/// ```
pub fn at(when: Instant) -> Receiver<Instant> {
    Clock::once(when).map_or_else(never, on_clock)
}

/// Makes a receiver that gets the time at intervals of `duration`, the first one from now.
///
/// The channel has room for one value and is never disconnected. A receiver that is late finds one value, and the next one an interval after it
/// came: what it has missed is left out. It needs no timer of its own, so dropping the receiver leaves nothing behind.
///
/// # Examples
///
/// ```
/// use goruntime::channel::tick;
/// use goruntime::time::{Duration, Instant};
///
/// let begun = Instant::now();
/// let ticker = tick(Duration::from_millis(1));
/// let ticks: Vec<Instant> = ticker.iter().take(3).collect();
/// assert!(ticks[0] >= begun + Duration::from_millis(1));
/// assert!(ticks[2] >= ticks[1] + Duration::from_millis(1));
/// ```
#[doc(alias = "time.Tick")]
pub fn tick(duration: Duration) -> Receiver<Instant> {
    Clock::periodic(duration).map_or_else(never, on_clock)
}

fn on_clock(clock: Clock<Instant>) -> Receiver<Instant> {
    Receiver { half: lone_receiver(Hchan::clocked(clock)) }
}
