//! Channels, and a model of them that does one thing after the other.
//!
//! Why here: shared by the random programs of `select`'s tests and those of `tests/fuzz`. One goroutine does everything, so nobody ever waits and
//! the model can tell the result of each operation; of a select it can tell which results are right.
//!
//! *Invariants*
//! - MD1. Each value is a number that is used once, so that a value that is lost, doubled or reordered shows.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use std::collections::VecDeque;
use std::time::Duration;

use goruntime::channel::{
    Receiver, RecvError, RecvTimeoutError, Select, SendError, SendTimeoutError, Sender, TryRecvError, TrySendError,
    bounded, never, select, select_biased, unbounded,
};

/// A side of one of the channels.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Side {
    Send(usize),
    Recv(usize),
}

/// A step of a program.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    TrySend(usize),
    TryRecv(usize),
    SendTimeout(usize),
    RecvTimeout(usize),
    Close(usize),
    DropSender(usize),
    Look(usize),
    /// `select!` with two receives, a send and a default.
    Macro {
        receives: [usize; 2],
        send: usize,
        biased: bool,
        limit: bool,
    },
    /// `Select` of any operations.
    List {
        sides: Vec<Side>,
        biased: bool,
    },
    /// `Select::try_ready`, then the operation.
    Ready(Vec<Side>),
}

/// The channels.
pub(crate) const CAPACITIES: [Option<usize>; 6] = [Some(0), Some(1), Some(2), Some(5), None, None];

/// A channel of the model.
#[derive(Debug, Default)]
struct Modelled {
    values: VecDeque<u64>,
    cap: Option<usize>,
    closed: bool,
}

impl Modelled {
    fn is_ready(&self, is_send: bool) -> bool {
        self.closed
            || if is_send { self.cap.is_none_or(|cap| self.values.len() < cap) } else { !self.values.is_empty() }
    }

    /// A send that does not wait: None if it would.
    fn send(&mut self, value: u64) -> Option<Result<(), SendError<u64>>> {
        if self.closed {
            return Some(Err(SendError(value)));
        }
        self.is_ready(true).then(|| {
            self.values.push_back(value);
            Ok(())
        })
    }

    /// A receive that does not wait: None if it would.
    fn recv(&mut self) -> Option<Result<u64, RecvError>> {
        self.is_ready(false).then(|| self.values.pop_front().ok_or(RecvError))
    }
}

/// The channels and their model.
#[derive(Debug)]
pub(crate) struct World {
    channels: Vec<(Option<Sender<u64>>, Receiver<u64>)>,
    model: Vec<Modelled>,
    next: u64,
    /// Takes the place of a sender that was dropped.
    nobody: Sender<u64>,
}

impl World {
    /// Channels of all the [`CAPACITIES`].
    pub(crate) fn new() -> World {
        let open = |cap: Option<usize>| cap.map_or_else(unbounded, bounded);
        let channels = CAPACITIES.into_iter().map(open).map(|(tx, rx)| (Some(tx), rx)).collect();
        let model = CAPACITIES.into_iter().map(|cap| Modelled { cap, ..Modelled::default() }).collect();
        World { channels, model, next: 0, nobody: bounded(0).0 }
    }

    fn value(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn sender(&self, channel: usize) -> Option<Sender<u64>> {
        self.channels[channel].0.clone()
    }

    /// Of a side whose sender is gone, nothing can be said.
    fn exists(&self, side: Side) -> bool {
        match side {
            Side::Send(channel) => self.channels[channel].0.is_some(),
            Side::Recv(_) => true,
        }
    }

    fn is_ready(&self, side: Side) -> bool {
        match side {
            Side::Send(channel) => self.model[channel].is_ready(true),
            Side::Recv(channel) => self.model[channel].is_ready(false),
        }
    }

    /// Does a step, and compares.
    ///
    /// # Panics
    ///
    /// If something else happens than in the model.
    pub(crate) fn step(&mut self, step: Step) {
        match step {
            Step::TrySend(channel) | Step::SendTimeout(channel) => {
                let (value, Some(tx)) = (self.value(), self.sender(channel)) else { return };
                let expected = self.model[channel].send(value);
                if let Step::TrySend(_) = step {
                    let result = tx.try_send(value);
                    assert_eq!(
                        result,
                        expected.map_or(Err(TrySendError::Full(value)), |sent| sent.map_err(Into::into))
                    );
                } else {
                    let result = tx.send_timeout(value, Duration::ZERO);
                    assert_eq!(
                        result,
                        expected.map_or(Err(SendTimeoutError::Timeout(value)), |sent| sent.map_err(Into::into))
                    );
                }
            }
            Step::TryRecv(channel) => {
                let expected = self.model[channel].recv();
                let result = self.channels[channel].1.try_recv();
                assert_eq!(result, expected.map_or(Err(TryRecvError::Empty), |value| value.map_err(Into::into)));
            }
            Step::RecvTimeout(channel) => {
                let expected = self.model[channel].recv();
                let result = self.channels[channel].1.recv_timeout(Duration::ZERO);
                assert_eq!(result, expected.map_or(Err(RecvTimeoutError::Timeout), |value| value.map_err(Into::into)));
            }
            Step::Close(channel) => {
                // A second close panics, and is tested elsewhere.
                if !std::mem::replace(&mut self.model[channel].closed, true) {
                    self.channels[channel].1.close();
                }
            }
            Step::DropSender(channel) => {
                self.channels[channel].0 = None;
                self.model[channel].closed = true;
            }
            Step::Look(channel) => self.look(channel),
            Step::Macro { receives, send, biased, limit } => self.select(receives, send, biased, limit),
            Step::List { sides, biased } => self.list(&sides, biased),
            Step::Ready(sides) => self.ready(&sides),
        }
    }

    fn look(&self, channel: usize) {
        let ((_, rx), model) = (&self.channels[channel], &self.model[channel]);
        assert_eq!((rx.len(), rx.is_empty(), rx.capacity()), (model.values.len(), model.values.is_empty(), model.cap));
        assert_eq!(rx.is_full(), Some(model.values.len()) == model.cap);
    }

    fn select(&mut self, [a, b]: [usize; 2], send: usize, biased: bool, limit: bool) {
        let (value, sender) = (self.value(), self.sender(send));
        let sides = [Some(Side::Recv(a)), Some(Side::Recv(b)), sender.as_ref().map(|_| Side::Send(send))];
        let ready: Vec<_> = sides.iter().map(|side| side.is_some_and(|side| self.is_ready(side))).collect();
        // A rendezvous whose receiver nobody holds would be closed.
        let (idle, _held) = if sender.is_some() {
            (self.nobody.clone(), None)
        } else {
            let (tx, rx) = bounded(0);
            (tx, Some(rx))
        };
        let (tx, first, second) = (sender.unwrap_or(idle), &self.channels[a].1, &self.channels[b].1);
        let (chosen, outcome) = match (biased, limit) {
            (false, false) => select! {
                recv(first) -> value => (Some(0), Ok(value)),
                recv(second) -> value => (Some(1), Ok(value)),
                send(tx, value) -> sent => (Some(2), Err(sent)),
                default => (None, Ok(Err(RecvError))),
            },
            (false, true) => select! {
                default(Duration::ZERO) => (None, Ok(Err(RecvError))),
                recv(first) -> value => (Some(0), Ok(value)),
                recv(second) -> value => (Some(1), Ok(value)),
                send(tx, value) -> sent => (Some(2), Err(sent)),
            },
            (true, _) => select_biased! {
                recv(first) -> value => (Some(0), Ok(value)),
                recv(second) -> value => (Some(1), Ok(value)),
                send(tx, value) -> sent => (Some(2), Err(sent)),
                recv(never::<u64>()) -> value => (Some(3), Ok(value)),
                default => (None, Ok(Err(RecvError))),
            },
        };
        assert_chosen(&ready, chosen, biased);
        let Some(chosen) = chosen else { return };
        match outcome {
            Ok(received) => assert_eq!(self.model[[a, b][chosen]].recv(), Some(received)),
            Err(sent) => assert_eq!(self.model[send].send(value), Some(sent)),
        }
    }

    fn list(&mut self, sides: &[Side], biased: bool) {
        let sides: Vec<_> = sides.iter().copied().filter(|&side| self.exists(side)).collect();
        let ready: Vec<_> = sides.iter().map(|&side| self.is_ready(side)).collect();
        let (value, channels) = (self.value(), &self.channels);
        let mut select = if biased { Select::new_biased() } else { Select::new() };
        for &side in &sides {
            match side {
                Side::Send(channel) => select.send(channels[channel].0.as_ref().expect("it exists")),
                Side::Recv(channel) => select.recv(&channels[channel].1),
            };
        }
        let operation = select.try_select().ok();
        let chosen = operation.as_ref().map(|operation| operation.index());
        assert_chosen(&ready, chosen, biased);
        let Some(operation) = operation else { return };
        match sides[operation.index()] {
            Side::Send(channel) => {
                let sent = operation.send(channels[channel].0.as_ref().expect("it exists"), value);
                assert_eq!(self.model[channel].send(value), Some(sent));
            }
            Side::Recv(channel) => {
                let received = operation.recv(&channels[channel].1);
                assert_eq!(self.model[channel].recv(), Some(received));
            }
        }
    }

    fn ready(&mut self, sides: &[Side]) {
        let sides: Vec<_> = sides.iter().copied().filter(|&side| self.exists(side)).collect();
        let ready: Vec<_> = sides.iter().map(|&side| self.is_ready(side)).collect();
        let mut select = Select::new();
        for &side in &sides {
            match side {
                Side::Send(channel) => select.send(self.channels[channel].0.as_ref().expect("it exists")),
                Side::Recv(channel) => select.recv(&self.channels[channel].1),
            };
        }
        assert_chosen(&ready, select.try_ready().ok(), false);
    }

    /// What is left comes out in order.
    pub(crate) fn end(mut self) {
        for (channel, model) in self.model.iter_mut().enumerate() {
            assert!(
                self.channels[channel].1.try_iter().eq(model.values.drain(..)),
                "what is left of channel {channel}"
            );
        }
    }
}

/// A case that is ready was chosen, and none only if none is; the first, if biased.
#[track_caller]
fn assert_chosen(ready: &[bool], chosen: Option<usize>, biased: bool) {
    let first = ready.iter().position(|&ready| ready);
    match chosen {
        None => assert_eq!(first, None, "a case was ready"),
        Some(chosen) => assert!(ready[chosen] && (!biased || first == Some(chosen)), "{ready:?}, chosen {chosen}"),
    }
}
