//! Contexts that a signal ends.
//!
//! *Why here.* Floor 8, with the rest of the module.
//!
//! *Invariants.* NC1. A registration goes when its [`StopHandle`] does, and not before: after the first signal the others are still kept from having their
//! default effects.
//!
//! *Locks.* Those of `table`.
//!
//! *Go:* `signal.NotifyContext`.

use core::fmt;
use std::error::Error;

use crate::context::{self, CancelCauseFunc, Context};
use crate::signal::name::{Signal, SignalError};
use crate::signal::table::{Target, table};

/// Makes a context that ends with the first of some signals, or with its parent, or when the handle is stopped.
///
/// The context ends as [`Canceled`](crate::context::ContextError::Canceled); its cause is a [`SignalReceived`], which reads `interrupt signal received`. While the
/// handle exists none of the signals has its default effect, also after the first one. For no signals at all it is every one that can be caught.
///
/// # Blocking
///
/// As [`notify`](super::notify()).
///
/// # Errors
///
/// As [`notify`](super::notify()).
///
/// # Examples
///
/// ```
/// use goruntime::context;
/// use goruntime::signal::{self, Signal, SignalReceived};
///
/// goruntime::run(|| {
///     let (ctx, _stop) = signal::notify_context(&context::background(), &[Signal::INT, Signal::TERM])?;
///     signal::raise(Signal::INT)?;
///     assert!(ctx.done().recv().is_err());
///     let cause = ctx.cause().unwrap();
///     assert_eq!(cause.to_string(), "interrupt signal received");
///     assert_eq!(cause.downcast_ref::<SignalReceived>().unwrap().signal(), Signal::INT);
///     Ok::<(), goruntime::signal::SignalError>(())
/// }).unwrap();
/// ```
#[doc(alias = "NotifyContext")]
pub fn notify_context(parent: &Context, signals: &[Signal]) -> Result<(Context, StopHandle), SignalError> {
    let wants = Signal::set(signals)?;
    let (context, cancel) = context::with_cancel_cause(parent);
    let mut table = table();
    let number = table.number();
    table.add(Target::Context(number, cancel.clone()), wants)?;
    drop(table);
    Ok((context, StopHandle { number, cancel }))
}

/// Keeps the signals of a context from having their default effects; see [`notify_context`]. Dropping it is to [`stop`](StopHandle::stop).
#[must_use = "the context ends when this is dropped"]
pub struct StopHandle {
    number: u64,
    cancel: CancelCauseFunc,
}

impl StopHandle {
    /// Ends the context, if no signal has, and has the signals do again what they did before, unless somebody else listens for them.
    ///
    /// A program that is to end on the second signal calls this when the first one has come.
    ///
    /// # Blocking
    ///
    /// As [`stop`](super::stop()).
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for StopHandle {
    fn drop(&mut self) {
        let (target, fired) =
            table().remove(|target| matches!(target, Target::Context(number, _) if *number == self.number));
        fired.carry_out();
        drop(target);
        self.cancel.0.cancel();
    }
}

impl fmt::Debug for StopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StopHandle").finish_non_exhaustive()
    }
}

/// The cause of the end of a context that a signal has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalReceived(Signal);

impl SignalReceived {
    pub(super) fn new(signal: Signal) -> SignalReceived {
        SignalReceived(signal)
    }

    /// The signal.
    pub fn signal(&self) -> Signal {
        self.0
    }
}

impl fmt::Display for SignalReceived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} signal received", self.0)
    }
}

impl Error for SignalReceived {}
