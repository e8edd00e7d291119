//! Where the tasks that wait for a side of a socket meet the edges that the poller sees.
//!
//! *Why here.* Floor 4: one atomic word with total transitions, beside the word of the one goroutine that waits (`word`). Both may wait at a time,
//! and every edge is for both: who comes too late finds nothing and waits again.
//!
//! A task tries its operation, and if that would block, announces itself. In between an edge may come; so the word counts the edges, and the
//! announcement succeeds only if there was none since before the try.
//!
//! | state     | meaning                                           | may become                                        |
//! |-----------|---------------------------------------------------|---------------------------------------------------|
//! | `IDLE`    | no task waits                                     | a task announces itself: ARMED                    |
//! | `ARMED`   | tasks wait                                        | an edge or an end: CALLING                        |
//! | `CALLING` | the proxy of the tasks is on its way to be readied | it is there: IDLE                                 |
//!
//! *Invariants.* TK1. Who makes CALLING has the proxy readied; until `called` nobody else puts it on a list. TK2. Every edge and every end is a
//! read-modify-write that changes the count. TK3. All-zero memory is a word of which nobody knows; so is one of an earlier life. TK4. What a read
//! has emptied that had seen a count is empty for as long as the count is that: whatever comes after the read is an edge (TK2). An edge of
//! before, which is counted after, costs a try in vain.
//!
//! *Locks.* None. *Go:* none.

use crate::base::shim::{AtomicU32, Ordering};

const IDLE: u32 = 0;
const ARMED: u32 = 1;
const CALLING: u32 = 2;
/// The bits of the state.
const STATE: u32 = 3;
/// One edge or end.
const EDGE: u32 = 4;
/// No count: in one the bits of the state are clear.
const UNKNOWN: u32 = STATE;

/// The word.
#[derive(Debug)]
pub(crate) struct Edges(AtomicU32);

/// The edges that came before a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen(u32);

/// The edges that the last read had seen that has taken all there was (TK4).
#[derive(Debug)]
pub(crate) struct Emptied(AtomicU32);

/// What became of an announcement.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announced {
    /// The next edge calls, and the caller is the first that waits for it.
    First,
    /// The next edge calls, or one that has just come.
    Another,
    /// An edge or an end came since: try again.
    Missed,
}

impl Emptied {
    /// No read was of that kind.
    pub(crate) fn new() -> Emptied {
        Emptied(AtomicU32::new(UNKNOWN))
    }

    /// A read has taken all there was, and had seen these edges; or it has not. The count comes round one day: what it was has to be forgotten.
    #[inline]
    pub(crate) fn note(&self, seen: Option<Seen>) {
        self.0.store(seen.map_or(UNKNOWN, |Seen(edges)| edges), Ordering::Relaxed);
    }

    /// Whether there was no edge since: then there is nothing to read. Whoever believes it has to announce itself with the same `seen`.
    #[inline]
    pub(crate) fn holds(&self, Seen(edges): Seen) -> bool {
        self.0.load(Ordering::Relaxed) == edges
    }
}

impl Edges {
    /// A word of which nobody knows; the same as all-zero memory.
    #[allow(dead_code, reason = "the models make one; in a descriptor it is all-zero memory")]
    pub(crate) fn new() -> Edges {
        Edges(AtomicU32::new(IDLE))
    }

    /// Before an operation is tried.
    #[inline]
    pub(crate) fn seen(&self) -> Seen {
        // Acquire: pairs with the Release in `edge`: the try sees what all edges before have announced.
        Seen(self.0.load(Ordering::Acquire) & !STATE)
    }

    /// After an operation would have blocked.
    pub(crate) fn announce(&self, Seen(edges): Seen) -> Announced {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let (announced, wanted) = match word & STATE {
                _ if word & !STATE != edges => return Announced::Missed,
                IDLE => (Announced::First, word | ARMED),
                _ => (Announced::Another, word),
            };
            // AcqRel: Release gives the waker, which was left before, to the Acquire in `edge`; Acquire as in `seen`.
            match self.0.compare_exchange_weak(word, wanted, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return announced,
                Err(seen) => word = seen,
            }
        }
    }

    /// An edge has come, or the waits are to end. True: the tasks' proxy is the caller's to have readied (TK1).
    #[must_use]
    pub(crate) fn edge(&self) -> bool {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let is_armed = word & STATE == ARMED;
            let wanted = if is_armed { word - ARMED + CALLING } else { word }.wrapping_add(EDGE);
            // AcqRel: Release gives the edge to the Acquires in `seen` and `announce`; Acquire pairs with the Release in `announce`.
            match self.0.compare_exchange_weak(word, wanted, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return is_armed,
                Err(seen) => word = seen,
            }
        }
    }

    /// The proxy is off all lists, and its wakers are about to be called.
    pub(crate) fn called(&self) {
        // AcqRel: a task that finds IDLE comes after, one that has found CALLING has left its waker before: its Release is seen here.
        self.0.fetch_and(!CALLING, Ordering::AcqRel);
    }
}
