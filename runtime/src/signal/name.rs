//! The signals: numbers, names, and Go's words for them.
//!
//! *Why here.* Floor 8, with the rest of the module.
//!
//! *Invariants.* NA1. A [`Signal`] is a number from 1 to the system's last.
//!
//! *Locks.* None.
//!
//! *Go:* `syscall.Signal`, `os.Signal`.

use core::fmt;
use std::io;

use crate::os::signals as os;
use crate::sigqueue::{Mask, bit};

/// A signal, by its number.
///
/// It shows itself in Go's words (`interrupt`, `terminated`), for debugging by its name (`SIGINT`). What has no name is `signal 35`.
///
/// # Examples
///
/// ```
/// use goruntime::signal::Signal;
///
/// assert_eq!(Signal::TERM.to_string(), "terminated");
/// assert_eq!(format!("{:?}", Signal::INT), "SIGINT");
/// assert_eq!(Signal::from_raw(2)?, Signal::INT);
/// assert_eq!(Signal::HUP.as_raw(), 1);
/// # Ok::<(), goruntime::signal::SignalError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(i32);

/// Constants and the table of names.
macro_rules! signals {
    ($($(#[$doc:meta])* $name:ident = $number:ident, $text:literal;)*) => {
        impl Signal {
            $($(#[$doc])* pub const $name: Signal = Signal(libc::$number);)*
        }

        /// Number, name and meaning.
        const NAMES: &[(i32, &str, &str)] = &[$((libc::$number, stringify!($number), $text),)*];
    };
}

signals! {
    /// The terminal is gone.
    HUP = SIGHUP, "hangup";
    /// Ctrl-C.
    #[doc(alias = "Interrupt")]
    INT = SIGINT, "interrupt";
    /// Ctrl-\\: a dump of all goroutines, unless somebody listens for it.
    QUIT = SIGQUIT, "quit";
    /// An instruction that does not exist. Cannot be listened for.
    ILL = SIGILL, "illegal instruction";
    /// A breakpoint.
    TRAP = SIGTRAP, "trace/breakpoint trap";
    /// What `abort` raises.
    ABRT = SIGABRT, "aborted";
    /// An address without memory behind it. Cannot be listened for.
    BUS = SIGBUS, "bus error";
    /// A division that the processor refuses. Cannot be listened for.
    FPE = SIGFPE, "floating point exception";
    /// Ends the process. Cannot be listened for.
    #[doc(alias = "Kill")]
    KILL = SIGKILL, "killed";
    /// Whatever the program makes of it.
    USR1 = SIGUSR1, "user defined signal 1";
    /// An address that is not the program's. Cannot be listened for.
    SEGV = SIGSEGV, "segmentation fault";
    /// Whatever the program makes of it.
    USR2 = SIGUSR2, "user defined signal 2";
    /// A write that nobody will read.
    PIPE = SIGPIPE, "broken pipe";
    /// A timer of the process.
    ALRM = SIGALRM, "alarm clock";
    /// The polite way to end a process.
    TERM = SIGTERM, "terminated";
    /// A child has ended or stopped.
    CHLD = SIGCHLD, "child exited";
    /// The process goes on after a stop.
    CONT = SIGCONT, "continued";
    /// Stops the process. Cannot be listened for.
    STOP = SIGSTOP, "stopped (signal)";
    /// Ctrl-Z.
    TSTP = SIGTSTP, "stopped";
    /// A background process reads from the terminal.
    TTIN = SIGTTIN, "stopped (tty input)";
    /// A background process writes to the terminal.
    TTOU = SIGTTOU, "stopped (tty output)";
    /// Urgent data on a socket.
    URG = SIGURG, "urgent I/O condition";
    /// The limit of CPU time.
    XCPU = SIGXCPU, "CPU time limit exceeded";
    /// The limit of file sizes.
    XFSZ = SIGXFSZ, "file size limit exceeded";
    /// A timer of the process's CPU time.
    VTALRM = SIGVTALRM, "virtual timer expired";
    /// A timer for profilers.
    PROF = SIGPROF, "profiling timer expired";
    /// The terminal has another size.
    WINCH = SIGWINCH, "window changed";
    /// A descriptor is ready.
    IO = SIGIO, "I/O possible";
    /// A system call that does not exist.
    SYS = SIGSYS, "bad system call";
}

/// What the system or the processor does to the program, and what nobody may catch.
const UNCATCHABLE: Mask = Signal::KILL.bit()
    | Signal::STOP.bit()
    | Signal::ILL.bit()
    | Signal::FPE.bit()
    | Signal::SEGV.bit()
    | Signal::BUS.bit();

impl Signal {
    /// The signal with a number, as in `kill -l`.
    ///
    /// # Errors
    ///
    /// If no signal has that number.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::signal::Signal;
    ///
    /// assert!(Signal::from_raw(15).is_ok());
    /// assert!(Signal::from_raw(999).unwrap_err().to_string().starts_with("999 is not a signal; expected 1 to "));
    /// ```
    pub fn from_raw(number: i32) -> Result<Signal, SignalError> {
        if (1..=os::last_signal()).contains(&number) {
            Ok(Signal(number))
        } else {
            Err(SignalError(Reason::Unknown(number)))
        }
    }

    /// The signal with a number that is known to be one (NA1).
    pub(super) const fn known(number: i32) -> Signal {
        Signal(number)
    }

    /// The number.
    pub const fn as_raw(self) -> i32 {
        self.0
    }

    /// The name, as `SIGINT`; `None` for the numbers that have none, which are those for real-time signals.
    pub fn name(self) -> Option<&'static str> {
        self.entry().map(|entry| entry.1)
    }

    fn entry(self) -> Option<&'static (i32, &'static str, &'static str)> {
        NAMES.iter().chain(os::MORE_NAMES).find(|entry| entry.0 == self.0)
    }

    /// Its place in a set.
    pub(super) const fn bit(self) -> Mask {
        bit(self.0)
    }

    /// Every signal that can be listened for.
    pub(super) fn all() -> Mask {
        (1..=os::last_signal())
            .map(Signal)
            .filter(|&signal| is_accepted(signal))
            .fold(0, |mask, signal| mask | signal.bit())
    }

    /// The set of some signals; of all for none.
    pub(super) fn set(signals: &[Signal]) -> Result<Mask, SignalError> {
        if signals.is_empty() {
            return Ok(Signal::all());
        }
        signals.iter().try_fold(0, |mask, &signal| {
            if is_accepted(signal) { Ok(mask | signal.bit()) } else { Err(SignalError(Reason::Uncatchable(signal))) }
        })
    }
}

fn is_accepted(signal: Signal) -> bool {
    signal.bit() & UNCATCHABLE == 0 && !os::is_reserved(signal.0)
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry() {
            Some(entry) => f.pad(entry.2),
            None => f.pad(&format!("signal {}", self.0)),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => f.pad(&format!("Signal({})", self.0)),
        }
    }
}

impl TryFrom<i32> for Signal {
    type Error = SignalError;

    /// As [`Signal::from_raw`].
    fn try_from(number: i32) -> Result<Signal, SignalError> {
        Signal::from_raw(number)
    }
}

impl From<Signal> for i32 {
    fn from(signal: Signal) -> i32 {
        signal.0
    }
}

/// Why a signal cannot be listened for, or is none.
///
/// `?` turns it into an [`io::Error`] as well.
#[derive(Debug)]
pub struct SignalError(Reason);

#[derive(Debug)]
enum Reason {
    Unknown(i32),
    Uncatchable(Signal),
    /// Something has the handler that is not to be disturbed.
    Taken(Signal),
    System(Signal, io::Error),
}

impl SignalError {
    pub(super) fn taken(signal: Signal) -> SignalError {
        SignalError(Reason::Taken(signal))
    }

    pub(super) fn system(signal: Signal, error: io::Error) -> SignalError {
        SignalError(Reason::System(signal, error))
    }
}

impl fmt::Display for SignalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::Unknown(number) => write!(f, "{number} is not a signal; expected 1 to {}", os::last_signal()),
            Reason::Uncatchable(signal) => write!(
                f,
                "{signal:?} cannot be caught; expected a signal other than SIGKILL, SIGSTOP, SIGILL, SIGFPE, SIGSEGV, SIGBUS and those that \
                 the C library keeps for itself"
            ),
            Reason::Taken(signal) => {
                write!(
                    f,
                    "the handler of {signal:?} was replaced by another part of the program, past signal-hook-registry"
                )
            }
            Reason::System(signal, error) => write!(f, "{signal:?}: {error}"),
        }
    }
}

impl std::error::Error for SignalError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Reason::System(_, error) => Some(error),
            _ => None,
        }
    }
}

impl From<SignalError> for io::Error {
    fn from(error: SignalError) -> io::Error {
        let kind = match &error.0 {
            Reason::Unknown(_) | Reason::Uncatchable(_) => io::ErrorKind::InvalidInput,
            Reason::Taken(_) => io::ErrorKind::ResourceBusy,
            Reason::System(_, error) => error.kind(),
        };
        io::Error::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_gos() {
        let words = [
            (1, "hangup"),
            (2, "interrupt"),
            (3, "quit"),
            (4, "illegal instruction"),
            (5, "trace/breakpoint trap"),
            (6, "aborted"),
            (8, "floating point exception"),
            (9, "killed"),
            (11, "segmentation fault"),
            (13, "broken pipe"),
            (14, "alarm clock"),
            (15, "terminated"),
        ];
        for (number, word) in words {
            assert_eq!(Signal::from_raw(number).expect("a signal").to_string(), word);
        }
        assert_eq!(
            (Signal::BUS.to_string(), Signal::USR2.to_string()),
            ("bus error".into(), "user defined signal 2".into())
        );
        assert_eq!(format!("[{:>10}] [{:<8?}]", Signal::INT, Signal::INT), "[ interrupt] [SIGINT  ]");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn every_number_of_linux_up_to_31_has_a_name_of_its_own() {
        let mut names: Vec<_> = (1..=31).map(|number| Signal(number).name().expect("a name")).collect();
        assert!(names.iter().all(|name| name.starts_with("SIG")));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 31);
        assert_eq!((Signal(16).name(), Signal(30).name(), Signal(29)), (Some("SIGSTKFLT"), Some("SIGPWR"), Signal::IO));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn real_time_signals_have_numbers_only() {
        let signal = Signal::from_raw(35).expect("a signal");
        assert_eq!(
            (signal.name(), signal.to_string(), format!("{signal:?}")),
            (None, "signal 35".into(), "Signal(35)".into())
        );
        assert!(Signal::set(&[signal]).is_ok());
    }

    #[test]
    fn numbers_that_are_no_signals_are_refused() {
        for number in [0, -1, 999, os::last_signal() + 1, i32::MIN, i32::MAX] {
            let error = Signal::try_from(number).expect_err("no signal");
            assert_eq!(error.to_string(), format!("{number} is not a signal; expected 1 to {}", os::last_signal()));
            assert_eq!(io::Error::from(error).kind(), io::ErrorKind::InvalidInput);
        }
        assert_eq!(i32::from(Signal::from_raw(os::last_signal()).expect("the last")), os::last_signal());
    }

    #[test]
    fn what_cannot_be_caught_is_refused_by_name() {
        for signal in [Signal::KILL, Signal::STOP, Signal::ILL, Signal::FPE, Signal::SEGV, Signal::BUS] {
            let text = Signal::set(&[Signal::INT, signal]).expect_err("not to be caught").to_string();
            assert!(
                text.starts_with(&format!("{signal:?} cannot be caught; expected a signal other than SIGKILL, ")),
                "{text}"
            );
        }
        if cfg!(target_os = "linux") {
            for number in [32, 33] {
                assert!(Signal::set(&[Signal(number)]).is_err(), "{number} is the C library's");
            }
        }
    }

    #[test]
    fn none_means_all_that_can_be_caught() {
        let all = Signal::set(&[]).expect("all");
        assert_eq!(all & UNCATCHABLE, 0);
        for signal in [Signal::HUP, Signal::INT, Signal::TERM, Signal::USR1, Signal::CHLD, Signal::WINCH, Signal::ABRT]
        {
            assert_ne!(all & signal.bit(), 0, "{signal:?}");
        }
        if cfg!(target_os = "linux") {
            assert_eq!(all.count_ones(), 64 - 6 - 2);
        }
    }
}
