//! Programs of several goroutines: workers, which do what the bytes say, and receivers, which take all that is sent.
//!
//! Why here: a part of `programs`. What a worker can do is in `acts`.
//!
//! *Invariants*
//! - CC1. Every channel has a receiver until it is disconnected, and it is disconnected when all workers are done: no worker sends in vain, no receiver waits
//!   for ever.
//! - CC2. Nobody waits for a channel with a lock or a permit in hand, and a second lock is a later one: nobody waits in a circle.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use goruntime::channel::{Receiver, RecvTimeoutError, Select, Sender, TryRecvError, bounded, unbounded};
use goruntime::runtime::yield_now;
use goruntime::sync::WaitGroup;
use goruntime::{JoinHandle, spawn};

use super::acts::{Act, Ends, Shared, Worker};
use super::journal::{self, Journal, Message};

/// Most steps of a worker.
const LONGEST: usize = 40;

/// How a receiver receives.
#[derive(Clone, Copy)]
enum Style {
    Plain,
    Iterator,
    Trying,
    Limited,
    /// From all channels at once.
    Selecting,
}

/// Says that a worker is done, also if it panicked.
struct Done(WaitGroup);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.done();
    }
}

/// Runs the program that the bytes choose.
pub(super) fn run(bytes: &mut Unstructured<'_>) -> Result<()> {
    let capacities: Vec<_> = (0..bytes.int_in_range(1..=3)?).map(|_| capacity(bytes)).collect::<Result<_>>()?;
    let receivers = receivers(bytes, capacities.len())?;
    let (permits, closes) = (bytes.int_in_range(1..=4)?, bytes.arbitrary()?);
    let scripts = scripts(bytes, capacities.len())?;

    let (senders, sources): (Vec<Sender<Message>>, Vec<Receiver<Message>>) =
        capacities.iter().map(|cap| cap.map_or_else(unbounded, bounded)).unzip();
    let (shared, group) = (Arc::new(Shared::new(capacities, permits)), WaitGroup::new());
    let taking = receivers.into_iter().map(|(style, channel)| {
        let (shared, sources) = (Arc::clone(&shared), sources.clone());
        spawn(move || receive(style, channel, &sources, &shared))
    });
    let mut handles: Vec<JoinHandle<Journal>> = taking.collect();
    for (number, script) in scripts.into_iter().enumerate() {
        group.add(1);
        let (done, shared) = (Done(group.clone()), Arc::clone(&shared));
        let ends = Ends { senders: senders.clone(), receivers: sources.clone() };
        handles.push(spawn(move || {
            let _done = done;
            Worker::new(number, ends, shared).run(&script)
        }));
    }
    if closes {
        group.wait();
        senders.iter().enumerate().for_each(|(channel, sender)| shared.close(channel, sender));
    }
    drop(senders);
    let joined = handles.into_iter().map(|handle| handle.join().unwrap_or_else(|payload| resume_unwind(payload)));
    let journals: Vec<_> = joined.collect();
    assert!(group.wait_timeout(Duration::ZERO), "everybody is done");
    assert!(sources.iter().all(|source| source.try_recv() == Err(TryRecvError::Disconnected)), "something is left");
    journal::check(&journals);
    shared.check();
    Ok(())
}

fn capacity(bytes: &mut Unstructured<'_>) -> Result<Option<usize>> {
    bytes.choose(&[Some(0), Some(1), Some(2), Some(5), None]).copied()
}

/// One for each channel (CC1), and some more.
fn receivers(bytes: &mut Unstructured<'_>, channels: usize) -> Result<Vec<(Style, usize)>> {
    use Style::{Iterator, Limited, Plain, Selecting, Trying};
    let more = bytes.int_in_range(0..=2)?;
    let styles = [Plain, Iterator, Trying, Limited, Selecting];
    (0..channels + more)
        .map(|number| {
            let channel = if number < channels { number } else { bytes.choose_index(channels)? };
            Ok((*bytes.choose(&styles)?, channel))
        })
        .collect()
}

fn scripts(bytes: &mut Unstructured<'_>, channels: usize) -> Result<Vec<Vec<Act>>> {
    let mut scripts: Vec<Vec<Act>> = (0..bytes.int_in_range(1..=5)?).map(|_| Vec::new()).collect();
    let count = scripts.len();
    // Turn by turn, so that bytes that run out leave nobody without work.
    'all: for _ in 0..LONGEST {
        for script in &mut scripts {
            if bytes.is_empty() {
                break 'all;
            }
            script.push(Act::choose(bytes, channels, count)?);
        }
    }
    Ok(scripts)
}

/// Takes until nothing can come any more.
fn receive(style: Style, channel: usize, sources: &[Receiver<Message>], shared: &Shared) -> Journal {
    let (mut journal, source) = (Journal::default(), &sources[channel]);
    match style {
        Style::Plain => {
            while let Ok(message) = source.recv() {
                journal.received(channel, message);
                shared.look(channel, source);
            }
        }
        Style::Iterator => source.iter().for_each(|message| journal.received(channel, message)),
        Style::Trying => loop {
            match source.try_recv() {
                Ok(message) => journal.received(channel, message),
                Err(TryRecvError::Empty) => yield_now(),
                Err(TryRecvError::Disconnected) => break,
            }
        },
        Style::Limited => loop {
            match source.recv_timeout(Duration::from_micros(50)) {
                Ok(message) => journal.received(channel, message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        },
        Style::Selecting => receive_from_all(sources, &mut journal),
    }
    assert!(source.recv().is_err(), "a channel that has ended goes on");
    journal
}

fn receive_from_all(sources: &[Receiver<Message>], journal: &mut Journal) {
    let mut open: Vec<usize> = (0..sources.len()).collect();
    while !open.is_empty() {
        let mut select = Select::new();
        open.iter().for_each(|&channel| _ = select.recv(&sources[channel]));
        let operation = select.select();
        let chosen = operation.index();
        let channel = open[chosen];
        match operation.recv(&sources[channel]) {
            Ok(message) => journal.received(channel, message),
            Err(_) => _ = open.remove(chosen),
        }
    }
}
