//! What can go wrong with stacks, in words.
//!
//! **What.** [`StackError`] (the system refuses) and [`StackSizeError`] (the caller asks for an impossible size). Both
//! are small plain values, so that a `Result<Stack, StackError>` is no larger than the stack.
//!
//! **Why here (floor 2).** The texts name stack classes and guards, which only this floor knows.
//!
//! **Invariants.** None.
//!
//! **Locks.** None.
//!
//! **Go:** the `throw` texts of stackalloc; a goroutine start that fails there ends the program.

use std::fmt;

use super::stack::StackClass;
use crate::os;

/// The sysctl that bounds the number of mappings of a process.
const MAP_LIMIT_PATH: &str = "/proc/sys/vm/max_map_count";

/// The system did not give memory or a guard for a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StackError {
    reason: Reason,
    errno: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// A mapping could not be made or split.
    System,
    /// All slab headers are in use.
    TooManySlabs,
}

impl StackError {
    /// A system call failed with `errno`.
    pub(super) fn from_errno(errno: i32) -> Self {
        Self { reason: Reason::System, errno }
    }

    /// The table of slabs is full.
    pub(super) fn too_many_slabs() -> Self {
        Self { reason: Reason::TooManySlabs, errno: 0 }
    }

    /// Is the number of mappings what stopped it?
    ///
    /// With guard markers a slab is one mapping, and the limit is out of reach. Without them each guard splits a
    /// mapping in two, and the kernel answers `ENOMEM` when the count is reached.
    fn is_map_limit(&self) -> bool {
        self.reason == Reason::System && self.errno == libc::ENOMEM && !os::guard_pages_supported()
    }
}

impl fmt::Display for StackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.reason == Reason::TooManySlabs {
            return f.write_str("no more goroutine stacks: the table of stack slabs is full");
        }
        if self.is_map_limit()
            && let Ok(limit) = std::fs::read_to_string(MAP_LIMIT_PATH)
        {
            return write!(
                f,
                "no more goroutine stacks: each guard page needs memory mappings and vm.max_map_count is {}; raise it \
                 with `sysctl -w vm.max_map_count=...`, or use Linux 6.13 or newer, whose guards need none",
                limit.trim_end(),
            );
        }
        write!(f, "out of memory for goroutine stacks: {} (errno {})", ErrnoText(self.errno), self.errno)
    }
}

impl std::error::Error for StackError {}

/// The system's text for an error number, without the number that std adds to it.
struct ErrnoText(i32);

impl fmt::Display for ErrnoText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = std::io::Error::from_raw_os_error(self.0).to_string();
        f.write_str(text.split(" (os error").next().unwrap_or(&text))
    }
}

/// A stack size that no class has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StackSizeError {
    /// What the caller asked for.
    pub(super) bytes: usize,
}

impl fmt::Display for StackSizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "stack size of {} bytes is out of range; accepted are {} to {} bytes",
            self.bytes,
            StackClass::smallest().bytes(),
            StackClass::LARGEST.bytes(),
        )
    }
}

impl std::error::Error for StackSizeError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coro::Stack;

    #[test]
    fn size_error_says_what_was_given_and_what_is_accepted() {
        let text = StackSizeError { bytes: 17 }.to_string();
        let smallest = StackClass::smallest().bytes();
        assert_eq!(
            text,
            format!("stack size of 17 bytes is out of range; accepted are {smallest} to 1073741824 bytes")
        );
    }

    #[test]
    fn system_error_names_the_errno() {
        let text = StackError::from_errno(libc::EAGAIN).to_string();
        assert!(text.starts_with("out of memory for goroutine stacks: "), "{text}");
        assert!(text.ends_with(&format!("(errno {})", libc::EAGAIN)), "{text}");
        assert!(!text.contains("os error"), "{text}");
    }

    #[test]
    fn a_result_of_a_stack_is_as_small_as_the_stack() {
        assert_eq!(size_of::<Result<Stack, StackError>>(), size_of::<Stack>());
    }
}
