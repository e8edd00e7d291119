//! What a race detector has to be told: which goroutine runs, and what orders goroutines.
//!
//! **What.** Names for the moments that thread sanitizer cannot see by itself. Built with `--cfg goruntime_tsan` and
//! `-Zsanitizer=thread` (`scripts/race.sh` does it) they are calls into its runtime, otherwise nothing: every type is
//! empty and every function is inlined to no instruction.
//!
//! Go's detector is the model. A goroutine is a *fiber*, a thread in the eyes of the sanitizer, so that two goroutines that
//! share a thread are as unordered as two threads. What orders them is what the documentation promises and nothing else:
//!
//! | edge                                          | how the sanitizer sees it                                      |
//! |-----------------------------------------------|----------------------------------------------------------------|
//! | `go`, `spawn` before the goroutine            | the spawner creates the fiber                                  |
//! | channels, locks, `WaitGroup`, `join`, ...     | by the atomics of the object, as between threads               |
//! | readying a parked goroutine before its return | [`Fiber::readied`] and [`Fiber::resumed`]                      |
//! | sockets, pipes                                | the sanitizer's own interceptors                               |
//! | queues, stealing, timers, hand-off of a P     | not at all, lest they hide the races of the program            |
//!
//! So the scheduler's threads are blind and deaf ([`hide_thread`]), a goroutine inside of the runtime is blind ([`enter`]), and
//! deaf as well where it touches the scheduler ([`hidden`]). With `GODEBUG=raceruntime=1` nothing is hidden and every switch orders:
//! then the sanitizer examines the runtime itself, and the program only as far as threads go.
//!
//! **Why here.** Floor 0: conditional compilation, and used by every floor above.
//!
//! **Invariants.**
//! - RD1. A thread boards a fiber only after the last one has left it: a commit, which runs aboard, may still be busy when
//!   another thread resumes the goroutine.
//! - RD2. Whoever ends the process is on a fiber that hides nothing, as the sanitizer insists.
//! - RD3. No function of an instrumented build calls `board` or `leave` but inlined: the sanitizer keeps a stack of calls for each
//!   fiber, and a function has to end on the fiber where it began.
//!
//! **Locks.** None.
//!
//! **Go:** `race.go`, `race_amd64.s`.

#[cfg(goruntime_tsan)]
mod tsan;
#[cfg(goruntime_tsan)]
pub(crate) use tsan::*;

#[cfg(not(goruntime_tsan))]
mod off;
#[cfg(not(goruntime_tsan))]
pub(crate) use off::*;
