//! What the goroutines of a program did with messages, and what has to hold of it.
//!
//! Why here: a part of `programs`: the sequential model of a concurrent program.
//!
//! *Invariants*
//! - JO1. A message is the number of its goroutine and a number that this one uses once.
//!
//! *Locks*: none; each goroutine has a journal of its own, and returns it.
//!
//! *Go:* none.

use std::collections::{BTreeMap, BTreeSet};

/// A message: who made it, and its number there.
pub(super) type Message = (usize, u64);

/// What one goroutine did, by the number of the channel, in its order.
#[derive(Debug, Default)]
pub(super) struct Journal {
    sent: Vec<(usize, Message)>,
    received: Vec<(usize, Message)>,
}

impl Journal {
    /// A send that returned `Ok`.
    pub(super) fn sent(&mut self, channel: usize, message: Message) {
        self.sent.push((channel, message));
    }

    /// A receive that returned the message. Those of one sender come in order, if one receives them.
    pub(super) fn received(&mut self, channel: usize, message: Message) {
        self.received.push((channel, message));
    }

    /// Whether what was received came in order.
    fn check_order(&self) {
        let mut last = BTreeMap::new();
        for &(channel, (sender, number)) in &self.received {
            let before = last.insert((channel, sender), number);
            assert!(
                before.is_none_or(|before| before < number),
                "channel {channel}, sender {sender}: {number} came after {before:?}"
            );
        }
    }
}

/// What was sent was received, once, from the same channel; and nothing else.
pub(super) fn check(journals: &[Journal]) {
    journals.iter().for_each(Journal::check_order);
    let sent: BTreeSet<_> = journals.iter().flat_map(|journal| &journal.sent).collect();
    let received: Vec<_> = journals.iter().flat_map(|journal| &journal.received).collect();
    let distinct: BTreeSet<_> = received.iter().copied().collect();
    assert_eq!(distinct.len(), received.len(), "something was received twice: {received:?}");
    assert_eq!(sent, distinct, "what was sent, and what was received");
}
