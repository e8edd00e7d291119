//! `select!` and `select_biased!`.
//!
//! *Why here.* Floor 7: they know the path of this crate and add it to what they were given; all else is `select_cases!` of the macro crate.
//!
//! *Invariants.* None.
//!
//! *Locks.* None.
//!
//! *Go:* the select statement.

/// Waits until one of several sends and receives can be done, does it, and evaluates its expression.
///
/// ```text
/// select! {
///     recv(receiver) -> result => expression,         result: Result<T, RecvError>
///     send(sender, message) -> result => expression,  result: Result<(), SendError<T>>
///     default => expression,                          if nothing can be done now
///     default(duration) => expression,                if nothing could be done in this time
/// }
/// ```
///
/// There may be any number of `recv` and `send` cases, several on one channel too, and at most one `default`. Receivers, senders, messages and the
/// duration are expressions; `result` is a pattern. The comma after a block may be left out. If several cases can be done, a random one of
/// them is chosen; [`select_biased!`](crate::select_biased!) chooses the first. A case on a disconnected channel can be done: its result is an error.
///
/// Receivers and senders are evaluated once, in the order in which they stand, then the duration. A message is evaluated when its case is chosen, so
/// that a case that is not chosen has had no effect; meanwhile the receiver may be waiting for it. (In Go it is evaluated before the choice.) The
/// operands are borrowed until then, so a message cannot borrow mutably what they borrow, nor move it.
///
/// The syntax and the meaning are those of `crossbeam_channel::select!`. In addition, `select! {}` waits for ever, as in Go.
///
/// # Blocking
///
/// Parks the goroutine (or the plain thread) until a case can be done or the time of the `default` is up; a `default` without a time does not
/// wait. A select that receives from another one also waits, whatever its `default`, until that has evaluated its message.
///
/// # Examples
///
/// ```
/// use goruntime::channel::{after, bounded, unbounded};
/// use goruntime::{go, select};
/// use goruntime::time::Duration;
///
/// goruntime::run(|| {
///     let ((numbers, rx), (stop, stopped)) = (bounded(0), unbounded::<()>());
///     go(move || {
///         let mut next = 0;
///         loop {
///             select! {
///                 send(numbers, next) -> sent => {
///                     sent.unwrap();
///                     next += 1;
///                 }
///                 recv(stopped) -> _ => return,
///             }
///         }
///     });
///     assert!(rx.iter().take(3).eq(0..3));
///     drop(stop);
///     let last = select! {
///         recv(rx) -> end => end,
///         recv(after(Duration::from_secs(60))) -> _ => panic!("too late"),
///     };
///     assert!(last.is_err());
/// });
/// ```
#[macro_export]
macro_rules! select {
    ($($cases:tt)*) => {
        $crate::__private::select_cases! { ($crate) random $($cases)* }
    };
}

/// As [`select!`](crate::select!), but if several cases can be done, the first of them is chosen.
///
/// # Examples
///
/// ```
/// use goruntime::channel::unbounded;
/// use goruntime::select_biased;
///
/// let ((urgent, first), (usual, second)) = (unbounded(), unbounded());
/// usual.send("usual").unwrap();
/// urgent.send("urgent").unwrap();
/// let order: Vec<_> = (0..2)
///     .map(|_| {
///         select_biased! {
///             recv(first) -> message => message.unwrap(),
///             recv(second) -> message => message.unwrap(),
///         }
///     })
///     .collect();
/// assert_eq!(order, ["urgent", "usual"]);
/// ```
#[macro_export]
macro_rules! select_biased {
    ($($cases:tt)*) => {
        $crate::__private::select_cases! { ($crate) biased $($cases)* }
    };
}

pub use {select, select_biased};
