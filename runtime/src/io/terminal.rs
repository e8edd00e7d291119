//! Whether a stream is a terminal.
//!
//! *Why here.* Floor 8; std's trait is sealed.
//!
//! *Invariants.* None. *Locks.* None. *Go:* `term.IsTerminal`.

use std::io;

mod sealed {
    /// For std's types and those of this crate.
    pub trait Sealed {}

    impl<T: std::io::IsTerminal> Sealed for T {}
}

/// `std::io::IsTerminal` for std's types and those of this crate.
///
/// # Examples
///
/// ```
/// use goruntime::fs::File;
/// use goruntime::io::IsTerminal;
///
/// fn width(out: &impl IsTerminal) -> usize {
///     if out.is_terminal() { 80 } else { usize::MAX }
/// }
///
/// assert_eq!(width(&File::open("/dev/null").unwrap()), usize::MAX);
/// assert_eq!(width(&std::fs::File::open("/dev/null").unwrap()), usize::MAX);
/// ```
pub trait IsTerminal: sealed::Sealed {
    /// Whether it is a terminal.
    fn is_terminal(&self) -> bool;
}

impl<T: io::IsTerminal> IsTerminal for T {
    fn is_terminal(&self) -> bool {
        io::IsTerminal::is_terminal(self)
    }
}

/// For types that have a descriptor.
macro_rules! by_descriptor {
    ($($name:ty),*) => {$(
        impl sealed::Sealed for $name {}

        impl IsTerminal for $name {
            fn is_terminal(&self) -> bool {
                io::IsTerminal::is_terminal(&std::os::fd::AsFd::as_fd(self))
            }
        }
    )*};
}

by_descriptor!(crate::fs::File, super::Stdin, super::StdinLock<'_>, super::Stdout, super::StdoutLock<'_>);
by_descriptor!(super::Stderr, super::StderrLock<'_>);
