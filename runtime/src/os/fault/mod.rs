//! Failures of the system, to order and at random: what happens rarely is to be tested, too.
//!
//! **What.** A place that asks the kernel for something asks here first whether that is to fail, and with which error. Unit tests order single
//! failures (`to_order`); programs that are built with the feature `faults` get them at random (`at_random`), as `GODEBUG=faults` says. In
//! every other build the answer is a constant, and the question costs nothing.
//!
//! What follows from a failure is up to those who ask:
//!
//! | what fails | what follows |
//! |---|---|
//! | memory for a stack, and its guard | `cannot start goroutine N`, fatal error `out of stacks` |
//! | memory for goroutines, threads, signal stacks, sockets, timers | fatal error `out of memory` |
//! | a guard by marker | a guard by protection, which takes a mapping |
//! | giving memory back | it stays, is counted, and is tried again by the next sweep |
//! | unmapping | it stays mapped |
//! | a thread | twenty tries in a fifth of a second, then `failed to create new OS thread`, fatal error `newosproc` |
//! | making the poller | an error of the operation that was to wait; the next one tries again |
//! | the poller's timer | the poller's own time limit, which is rounded up to milliseconds |
//! | watching a socket | an error of the operation that was to wait; the next one tries again |
//! | waiting, by a signal | another look around |
//! | a descriptor for a process | a thread that waits for it |
//! | accepting | an error after a pause |
//! | a pipe, a child | an error |
//! | looking at a thread | it counts as busy, and its processor is taken a little later |
//!
//! **Why here.** Floor 0: beside the calls that it makes fail.
//!
//! **Invariants.**
//! - FA1. Orders belong to the process: a test that gives one runs in a process of its own (`in_own_process`).
//! - FA2. A call that is to fail is not made, so that nothing has happened, as the kernel has it.
//!
//! **Locks.** None.
//!
//! **Go:** none.

#[cfg(all(unix, any(test, feature = "faults")))]
mod at_random;
#[cfg(all(unix, test))]
mod to_order;

#[cfg(all(unix, any(test, feature = "faults")))]
pub(crate) use at_random::{injected, order_at_random};
#[cfg(all(unix, test))]
pub(crate) use to_order::{in_own_process, let_fail};

/// What can be made to fail.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "some calls are Linux's alone, most are Unix's"))]
pub(crate) enum Fault {
    /// Mapping memory, and making a mapping larger.
    Map,
    /// Unmapping.
    Unmap,
    /// Taking the protection of pages away.
    Protect,
    /// Giving pages back, and marking them as guards.
    Advise,
    /// Starting a thread.
    Thread,
    /// Making the poller, or one of its descriptors.
    Poller,
    /// Telling the poller of a socket.
    Register,
    /// Waiting in the poller, or looking at it.
    Wait,
    /// Making or setting the poller's timer.
    Timer,
    /// Accepting a connection, for want of a descriptor in the whole system.
    Accept,
    /// Opening a file for a purpose of the runtime's own.
    Open,
    /// Making a pipe.
    Pipe,
    /// Making a child process.
    Child,
    /// Making a descriptor for a child process.
    Process,
}

/// The names of kinds of failures in `GODEBUG=faults`; a set of them has a bit for each, in this order.
pub(crate) const FAULT_KINDS: [&str; 5] = ["mmap", "madvise", "thread", "epoll", "fd"];

#[cfg(all(unix, any(test, feature = "faults")))]
impl Fault {
    /// How many there are.
    const COUNT: usize = Fault::Process as usize + 1;

    /// The place of its kind in [`FAULT_KINDS`].
    fn kind(self) -> usize {
        match self {
            Fault::Map | Fault::Unmap | Fault::Protect => 0,
            Fault::Advise => 1,
            Fault::Thread => 2,
            Fault::Poller | Fault::Register | Fault::Wait | Fault::Timer => 3,
            Fault::Accept | Fault::Open | Fault::Pipe | Fault::Child | Fault::Process => 4,
        }
    }

    /// How many calls the longest shortage is good for: more than anybody tries for a thread; of those which end in longer and longer pauses not so many.
    fn longest(self) -> u64 {
        if matches!(self, Fault::Accept) { 4 } else { 64 }
    }

    /// The errors that the kernel has for it, the likeliest first.
    fn errors(self) -> &'static [i32] {
        match self {
            Fault::Map | Fault::Unmap | Fault::Protect => &[libc::ENOMEM],
            Fault::Advise => &[libc::EAGAIN, libc::ENOMEM, libc::EINVAL],
            Fault::Thread => &[libc::EAGAIN],
            Fault::Poller | Fault::Timer => &[libc::EMFILE, libc::ENFILE, libc::ENOMEM],
            Fault::Register => &[libc::ENOSPC, libc::ENOMEM],
            Fault::Wait => &[libc::EINTR],
            Fault::Accept => &[libc::ENFILE, libc::EMFILE, libc::ENOBUFS, libc::ENOMEM],
            Fault::Open | Fault::Pipe => &[libc::EMFILE, libc::ENFILE],
            Fault::Child => &[libc::EAGAIN, libc::EMFILE, libc::ENOMEM],
            Fault::Process => &[libc::EMFILE, libc::ENFILE, libc::ENOMEM],
        }
    }
}

/// Asks whether the next call of this kind is to fail (FA2).
///
/// # Errors
///
/// The error number that the call is to fail with.
#[cfg(not(all(unix, any(test, feature = "faults"))))]
#[inline(always)]
pub(crate) fn attempt(_: Fault) -> Result<(), i32> {
    Ok(())
}

/// The same where it may be.
#[cfg(all(unix, any(test, feature = "faults")))]
pub(crate) fn attempt(fault: Fault) -> Result<(), i32> {
    #[cfg(test)]
    to_order::attempt(fault)?;
    at_random::attempt(fault)
}

/// Takes the order of failures at random; false where there are none.
#[cfg(not(all(unix, any(test, feature = "faults"))))]
pub(crate) fn order_at_random(_seed: u64, _one_in: u64, _kinds: u32) -> bool {
    false
}

/// How many calls have failed at random so far.
#[cfg(not(all(unix, any(test, feature = "faults"))))]
pub(crate) fn injected() -> u64 {
    0
}
