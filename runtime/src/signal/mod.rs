//! Signals: listening for them through channels and contexts, in Go's way.
//!
//! A goroutine (or a plain thread) that wants to know about a signal gives [`notify`] the sender of a channel. From then on the signal has none of the effects below;
//! it is sent into the channel instead, without waiting: if the channel has no room, the signal is dropped. So a channel for one kind of signal
//! wants room for one. Signals that come faster than they are delivered are one, as everywhere in Unix. [`stop`] ends it for a channel,
//! [`reset`] for a signal; then the signal does again what it did before. [`notify_context`] makes a context that ends with a signal.
//!
//! ```
//! use goruntime::signal::{self, Signal};
//! use goruntime::channel;
//!
//! goruntime::run(|| {
//!     let (tx, rx) = channel::bounded(1);
//!     signal::notify(&tx, &[Signal::HUP])?;
//!     signal::raise(Signal::HUP)?;
//!     assert_eq!(rx.recv(), Ok(Signal::HUP));
//!     signal::stop(&tx);
//!     Ok::<(), goruntime::signal::SignalError>(())
//! }).unwrap();
//! ```
//!
//! The receiver is a channel as any other: `for signal in &rx`, `select!`, `recv_ctx`.
//!
//! # What signals do that nobody listens for
//!
//! | signal | with `#[goruntime::main]` | without: library mode |
//! |---|---|---|
//! | `HUP` `INT` `TERM` | the process dies by it; `HUP` and `INT` stay ignored if they were at the start (`nohup`). The first process of a container, which no signal kills, exits with 129, 130 or 143 | the program's affair |
//! | `QUIT` | every goroutine is listed, exit status 2; also if it was ignored at the start | the same, unless the program handles it |
//! | `ILL` `TRAP` `FPE` `SEGV` `BUS` `SYS` `STKFLT`, sent by a process | every goroutine is listed, exit status 2 | the program's affair |
//! | the same, caused by an instruction | the process dies by it, as in every Rust program; a stack overflow is reported | the program's affair |
//! | `ABRT` | the process dies by it: it is what `abort` does, and what leaves a core dump | the program's affair |
//! | `PIPE` | see below | ignored, by std |
//! | `TSTP` `TTIN` `TTOU` `CONT` | what the system does: stop and go on | the program's affair |
//! | `USR1` `USR2` `ALRM` `IO` `PWR` `XCPU` `XFSZ` `VTALRM` `PROF`, real-time signals | nothing | the program's affair |
//! | `CHLD` `URG` `WINCH` | nothing; no handler is installed | nothing |
//!
//! A program that has a handler for one of them when the runtime starts keeps it. The differences to Go are `ABRT`, and faults of the
//! program's own instructions: a Rust program with such a fault is broken, and does not get a panic.
//!
//! **`PIPE`.** A write to the standard output or to standard error that nobody will read ends the process by `SIGPIPE`, as in `prog | head`; a write to
//! any other descriptor returns an error of kind `BrokenPipe`, and a `PIPE` that another process sends has no effect. On Linux on x86-64 that holds for whoever
//! writes: `println!`, `std::io::stdout()`, C libraries. Elsewhere the kernel does not tell where the write was: there `println!`, `print!`, `eprintln!`
//! and `eprint!` end the process so, in the place of std's panic, and whoever uses `std::io::stdout()` gets the error. A program that listens
//! for `PIPE`, or ignores it, gets the error everywhere, and with `println!` std's panic.
//!
//! # Which threads, which processes
//!
//! A handler runs on any thread of the process that the kernel picks; no thread of the runtime blocks signals. It does nothing but set a bit and wake
//! the runtime's caretaker thread, which has a goroutine deliver, also while every processor is busy. Handlers run on signal stacks of their own and have
//! interrupted system calls restarted; those that are never restarted (sleeps, polls) are repeated by this crate and by std.
//!
//! Children that are started with `std::process` or `exec` have no handlers, no blocked signals, and what was ignored by [`ignore`] ignored, as in
//! Go. [`ignore`] never really ignores `CHLD`, so that children can be waited for, and a program with the attribute that was started with
//! `CHLD` ignored has the default. In a library that is the program's affair, and as with std nobody can wait for children while it is ignored.
//!
//! While anybody listens, no deadlock is reported: a signal may come.
//!
//! The handler itself is that of the crate `signal-hook-registry`: what other crates register there (`signal-hook`, tokio), and a
//! handler that was there before, are called as well. One restriction: [`stop`], [`reset`] and [`ignore`] put back what was in force before the first use of the
//! signal here, where that was the default or to ignore it; another crate that has registered for the same signal *later* then gets it no more.
//!
//! Unix only.

// *Why here.* Floor 8: it sends to channels and ends contexts. The words that handlers touch are `sigqueue`'s, on floor 1.
//
// *Invariants.* SQ1-SQ3 of `sigqueue`, HD1-HD3 of `defaults`, SN1-SN3 of `table`. *Locks.* See `table`. *Go:* package os/signal.

mod context;
pub(crate) mod defaults;
mod name;
mod table;

use crate::channel::Sender;
use crate::os::signals as os;

pub use self::context::{SignalReceived, StopHandle, notify_context};
pub use self::name::{Signal, SignalError};

use self::table::{Target, table};

/// Has signals sent into a channel when they come; all that can be caught, if none are named.
///
/// The channel may be one that gets signals already: then it gets these as well. Several channels may get the same signal. A signal for which a
/// channel has no room is dropped for that channel. The registration keeps the channel open until [`stop`].
///
/// # Blocking
///
/// Waits for other calls of this module, and for handlers that run at this moment: never for long.
///
/// # Errors
///
/// If one of the signals cannot be caught; then nothing has changed.
///
/// # Examples
///
/// ```
/// use goruntime::channel;
/// use goruntime::signal::{self, Signal};
///
/// goruntime::run(|| {
///     let (tx, rx) = channel::bounded(2);
///     signal::notify(&tx, &[Signal::USR1])?;
///     signal::notify(&tx, &[Signal::USR2])?;
///     signal::raise(Signal::USR1)?;
///     assert_eq!(rx.recv(), Ok(Signal::USR1));
///     signal::raise(Signal::USR2)?;
///     assert_eq!(rx.recv(), Ok(Signal::USR2));
///     let error = signal::notify(&tx, &[Signal::KILL]).unwrap_err();
///     assert!(error.to_string().starts_with("SIGKILL cannot be caught"));
///     Ok::<(), goruntime::signal::SignalError>(())
/// }).unwrap();
/// ```
#[doc(alias = "Notify")]
pub fn notify(channel: &Sender<Signal>, signals: &[Signal]) -> Result<(), SignalError> {
    let wants = Signal::set(signals)?;
    table().add(Target::Channel(channel.clone()), wants)
}

/// Ends what [`notify`] has begun, for all signals of a channel. When it returns no more of them follow, and all that came before have been sent.
///
/// A signal that no other channel or context gets does again what it did before. A channel that gets no signals is left alone.
///
/// # Blocking
///
/// As [`notify`].
///
/// # Examples
///
/// ```
/// use goruntime::channel::{self, RecvError};
/// use goruntime::signal::{self, Signal};
///
/// goruntime::run(|| {
///     let (tx, rx) = channel::bounded(1);
///     signal::notify(&tx, &[Signal::WINCH])?;
///     signal::raise(Signal::WINCH)?;
///     signal::stop(&tx);
///     drop(tx);
///     // Raised before the stop, so it is there; and nobody else holds the channel.
///     assert_eq!((rx.recv(), rx.recv()), (Ok(Signal::WINCH), Err(RecvError)));
///     Ok::<(), goruntime::signal::SignalError>(())
/// }).unwrap();
/// ```
#[doc(alias = "Stop")]
pub fn stop(channel: &Sender<Signal>) {
    let is_it = |target: &Target| matches!(target, Target::Channel(sender) if sender.same_channel(channel));
    let (target, fired) = table().remove(is_it);
    fired.carry_out();
    drop(target);
}

/// Has signals do again what they did before anybody listened for them or ignored them; all, if none are named.
///
/// Channels and contexts get them no more; what came before has been sent when it returns. Unlike Go's, it takes an [`ignore`] back as well.
///
/// # Blocking
///
/// As [`notify`].
///
/// # Errors
///
/// If one of the signals cannot be caught; then nothing has changed.
///
/// # Examples
///
/// Dying by a signal in the end, as whoever sent it expects:
///
/// ```no_run
/// use goruntime::signal::{self, Signal};
///
/// # fn clean_up() {}
/// fn terminate() -> Result<(), signal::SignalError> {
///     clean_up();
///     signal::reset(&[Signal::TERM])?;
///     signal::raise(Signal::TERM)
/// }
/// ```
#[doc(alias = "Reset")]
pub fn reset(signals: &[Signal]) -> Result<(), SignalError> {
    let mask = Signal::set(signals)?;
    let mut table = table();
    let (targets, fired) = table.remove_signals(mask);
    table.reset(mask);
    drop(table);
    fired.carry_out();
    drop(targets);
    Ok(())
}

/// Has signals ignored, until somebody listens for them; all that can be caught, if none are named.
///
/// Channels and contexts get them no more; what came before has been sent when it returns. Children inherit it, except for `CHLD`.
///
/// # Blocking
///
/// As [`notify`].
///
/// # Errors
///
/// If one of the signals cannot be caught; then nothing has changed.
///
/// # Examples
///
/// ```
/// use goruntime::signal::{self, Signal};
///
/// signal::ignore(&[Signal::USR1])?;
/// assert!(signal::is_ignored(Signal::USR1));
/// signal::raise(Signal::USR1)?;
/// signal::reset(&[Signal::USR1])?;
/// assert!(!signal::is_ignored(Signal::USR1));
/// # Ok::<(), goruntime::signal::SignalError>(())
/// ```
#[doc(alias = "Ignore")]
pub fn ignore(signals: &[Signal]) -> Result<(), SignalError> {
    let mask = Signal::set(signals)?;
    let mut table = table();
    let result = table.ignore(mask);
    let (targets, fired) = table.remove_signals(mask);
    drop(table);
    fired.carry_out();
    drop(targets);
    result
}

/// Whether a signal is ignored, by [`ignore`] or since the start of the program.
///
/// # Blocking
///
/// As [`notify`].
#[doc(alias = "Ignored")]
pub fn is_ignored(signal: Signal) -> bool {
    table().is_ignored(signal)
}

/// Raises a signal in this program, as the C function does: the calling thread handles it before this returns.
///
/// So what the signal does has been done: the program has ended, or the signal is on its way to the channels, also if they are stopped right
/// afterwards.
///
/// # Errors
///
/// If the system refuses, which it does in a sandbox at most.
///
/// # Examples
///
/// ```
/// use goruntime::signal::{self, Signal};
///
/// signal::ignore(&[Signal::TERM])?;
/// signal::raise(Signal::TERM)?;
/// # Ok::<(), signal::SignalError>(())
/// ```
pub fn raise(signal: Signal) -> Result<(), SignalError> {
    os::raise(signal.as_raw()).map_err(|error| SignalError::system(signal, error))
}
