//! What the workers of a concurrent program do.
//!
//! Why here: a part of `programs`.
//!
//! *Invariants*: CC2 of `concurrent`.
//!
//! *Locks*: those of [`Shared`], which are what is tested.
//!
//! *Go:* none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arbitrary::{Result, Unstructured};
use goruntime::channel::{Receiver, Select, Sender, after, select, select_biased};
use goruntime::context::{CancelFunc, Context, background, with_cancel, with_timeout};
use goruntime::runtime::yield_now;
use goruntime::sync::{Condvar, Mutex, Once, RwLock, Semaphore};
use goruntime::time::{after_func, sleep, sleep_ctx};

use super::journal::{Journal, Message};

/// A step of a worker. Numbers of microseconds are short.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    Send { channel: usize, how: u8, micros: u8 },
    Receive { channel: usize, how: u8, micros: u8 },
    Both { to: usize, from: usize, how: u8, micros: u8 },
    Close(usize),
    Lock { first: usize, both: bool, pause: u8 },
    Share { write: bool, pause: u8 },
    Acquire { permits: usize, how: u8, pause: u8 },
    Notify { all: bool },
    Await(u8),
    Once,
    Call { micros: u8, pause: u8 },
    Time { how: u8, micros: u8 },
    Cancel,
    Pause(u8),
}

impl Act {
    /// The next one that the bytes say.
    pub(super) fn choose(bytes: &mut Unstructured<'_>, channels: usize, workers: usize) -> Result<Act> {
        let kind = bytes.int_in_range(0..=31)?;
        let (channel, other) = (bytes.choose_index(channels)?, bytes.choose_index(channels)?);
        let (how, small): (u8, u8) = (bytes.int_in_range(0..=7)?, bytes.arbitrary()?);
        Ok(match kind {
            0..=9 => Act::Send { channel, how, micros: small },
            10..=13 => Act::Receive { channel, how, micros: small },
            14..=17 => Act::Both { to: channel, from: other, how, micros: small },
            18 | 19 => Act::Lock { first: usize::from(how % 2), both: how > 5, pause: small },
            20 | 21 => Act::Share { write: how > 4, pause: small },
            22 | 23 => Act::Acquire { permits: 1 + usize::from(how / 2), how, pause: small },
            24 => Act::Notify { all: how > 3 },
            25 => Act::Await(small),
            26 => Act::Once,
            27 => Act::Call { micros: small, pause: how },
            28 | 29 => Act::Time { how, micros: small },
            // Not too often: what is closed stays so.
            30 if usize::from(small) % (4 * workers) == 0 => Act::Close(channel),
            30 if how == 7 => Act::Cancel,
            _ => Act::Pause(how),
        })
    }
}

/// What the goroutines of a program have in common, but for the ends of channels.
pub(super) struct Shared {
    capacities: Vec<Option<usize>>,
    closed: Vec<AtomicBool>,
    /// Each guards two numbers that are the same whenever it is free.
    mutexes: [Mutex<(u64, u64)>; 2],
    rwlock: RwLock<(u64, u64)>,
    semaphore: Semaphore,
    permits: usize,
    /// Permits that somebody has.
    taken: AtomicUsize,
    news: (Mutex<u64>, Condvar),
    once: Once,
    ran: AtomicUsize,
    /// Calls of timers that are still to be explained: neither stopped nor made.
    calls: Arc<AtomicUsize>,
    context: Context,
    cancel: CancelFunc,
}

impl Shared {
    pub(super) fn new(capacities: Vec<Option<usize>>, permits: usize) -> Shared {
        let (context, cancel) = with_cancel(&background());
        Shared {
            closed: capacities.iter().map(|_| AtomicBool::new(false)).collect(),
            capacities,
            mutexes: Default::default(),
            rwlock: RwLock::default(),
            semaphore: Semaphore::new(permits),
            permits,
            taken: AtomicUsize::new(0),
            news: (Mutex::new(0), Condvar::new()),
            once: Once::new(),
            ran: AtomicUsize::new(0),
            calls: Arc::default(),
            context,
            cancel,
        }
    }

    /// Closes a channel, unless that has been done.
    pub(super) fn close(&self, channel: usize, sender: &Sender<Message>) {
        if !self.closed[channel].swap(true, Ordering::Relaxed) {
            sender.close();
        }
    }

    /// No more messages are in a channel than fit.
    pub(super) fn look(&self, channel: usize, receiver: &Receiver<Message>) {
        let (length, capacity) = (receiver.len(), self.capacities[channel]);
        assert_eq!(receiver.capacity(), capacity);
        assert!(capacity.is_none_or(|capacity| length <= capacity), "{length} messages in {capacity:?} places");
    }

    /// What holds when everybody is done. Waits for calls of timers.
    pub(super) fn check(&self) {
        for mutex in &self.mutexes {
            let pair = mutex.try_lock().expect("nobody has it");
            assert_eq!(pair.0, pair.1);
        }
        let pair = self.rwlock.try_write().expect("nobody has it");
        assert_eq!(pair.0, pair.1);
        assert_eq!((self.semaphore.available(), self.taken.load(Ordering::Relaxed)), (self.permits, 0));
        assert!(self.ran.load(Ordering::Relaxed) <= 1);
        while self.calls.load(Ordering::Relaxed) > 0 {
            yield_now();
        }
    }
}

/// The ends of all channels.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) senders: Vec<Sender<Message>>,
    pub(super) receivers: Vec<Receiver<Message>>,
}

/// A worker.
pub(super) struct Worker {
    number: usize,
    next: u64,
    ends: Ends,
    shared: Arc<Shared>,
    journal: Journal,
}

impl Worker {
    pub(super) fn new(number: usize, ends: Ends, shared: Arc<Shared>) -> Worker {
        Worker { number, next: 0, ends, shared, journal: Journal::default() }
    }

    /// Does one act after the other, and tells what became of messages.
    pub(super) fn run(mut self, script: &[Act]) -> Journal {
        for &act in script {
            self.act(act);
        }
        self.journal
    }

    fn act(&mut self, act: Act) {
        let shared = Arc::clone(&self.shared);
        match act {
            Act::Send { channel, how, micros } => self.send(channel, how, limit(micros)),
            Act::Receive { channel, how, micros } => self.receive(channel, how, limit(micros)),
            Act::Both { to, from, how, micros } => self.both(to, from, how, limit(micros)),
            Act::Close(channel) => shared.close(channel, &self.ends.senders[channel]),
            Act::Lock { first, both, pause } => shared.lock(first, both, pause),
            Act::Share { write, pause } => shared.share(write, pause),
            Act::Acquire { permits, how, pause } => shared.acquire(permits, how, pause),
            Act::Notify { all } => shared.notify(all),
            Act::Await(micros) => shared.wait(limit(micros)),
            Act::Once => {
                shared.once.call_once(|| {
                    yield_now();
                    shared.ran.fetch_add(1, Ordering::Relaxed);
                });
                assert_eq!(shared.ran.load(Ordering::Relaxed), 1, "it has returned before the closure has");
            }
            Act::Call { micros, pause: length } => shared.call(limit(micros), length),
            Act::Time { how, micros } => shared.pass_time(how, limit(micros)),
            Act::Cancel => shared.cancel.cancel(),
            Act::Pause(length) => pause(length),
        }
    }

    /// A message that no other is equal to.
    fn message(&mut self) -> Message {
        self.next += 1;
        (self.number, self.next)
    }

    fn send(&mut self, channel: usize, how: u8, limit: Duration) {
        let message = self.message();
        let (sender, context) = (&self.ends.senders[channel], &self.shared.context);
        let back = match how {
            0..=3 => sender.send(message).err().map(|error| error.into_inner()),
            4 => sender.try_send(message).err().map(|error| error.into_inner()),
            5 => sender.send_timeout(message, limit).err().map(|error| error.into_inner()),
            6 => sender.send_ctx(message, context).err().map(|error| error.into_inner()),
            _ => select! {
                send(sender, message) -> sent => sent.err().map(|error| error.into_inner()),
                default(limit) => Some(message),
            },
        };
        match back {
            None => self.journal.sent(channel, message),
            Some(back) => assert_eq!(back, message, "another message came back"),
        }
    }

    fn receive(&mut self, channel: usize, how: u8, limit: Duration) {
        let (receiver, context) = (&self.ends.receivers[channel], &self.shared.context);
        self.shared.look(channel, receiver);
        let received = match how {
            0 | 1 => receiver.try_recv().ok(),
            2 | 3 => receiver.recv_timeout(limit).ok(),
            4 | 5 => {
                let (context, _cancel) = with_timeout(context, limit);
                receiver.recv_ctx(&context).ok()
            }
            6 => select_biased! {
                recv(receiver) -> received => received.ok(),
                recv(after(limit)) -> _ => None,
            },
            _ => select! {
                recv(receiver) -> received => received.ok(),
                default(limit) => None,
            },
        };
        if let Some(message) = received {
            self.journal.received(channel, message);
        }
    }

    /// A select with a send and a receive, perhaps on the same channel.
    fn both(&mut self, to: usize, from: usize, how: u8, limit: Duration) {
        let message = self.message();
        let (sender, receiver) = (&self.ends.senders[to], &self.ends.receivers[from]);
        let (sent, received) = match how {
            0..=2 => select! {
                send(sender, message) -> sent => (sent.is_ok(), None),
                recv(receiver) -> received => (false, received.ok()),
            },
            3 | 4 => select_biased! {
                recv(receiver) -> received => (false, received.ok()),
                send(sender, message) -> sent => (sent.is_ok(), None),
                default(limit) => (false, None),
            },
            _ => {
                let mut select = Select::new();
                let sends = select.send(sender);
                select.recv(receiver);
                match select.select_timeout(limit) {
                    Err(_) => (false, None),
                    Ok(operation) if operation.index() == sends => (operation.send(sender, message).is_ok(), None),
                    Ok(operation) => (false, operation.recv(receiver).ok()),
                }
            }
        };
        if sent {
            self.journal.sent(to, message);
        }
        if let Some(message) = received {
            self.journal.received(from, message);
        }
    }
}

impl Shared {
    fn lock(&self, first: usize, both: bool, length: u8) {
        let mut pair = self.mutexes[first].lock().expect("nobody panics");
        assert_eq!(pair.0, pair.1, "two are inside");
        pair.0 += 1;
        if both && first == 0 {
            self.lock(1, false, length);
        }
        pause(length);
        pair.1 += 1;
    }

    fn share(&self, write: bool, length: u8) {
        if write {
            let mut pair = self.rwlock.write().expect("nobody panics");
            assert_eq!(pair.0, pair.1, "two write");
            pair.0 += 1;
            pause(length);
            pair.1 += 1;
        } else {
            let pair = self.rwlock.read().expect("nobody panics");
            let before = *pair;
            pause(length);
            assert!(*pair == before && before.0 == before.1, "somebody writes");
        }
    }

    fn acquire(&self, wanted: usize, how: u8, length: u8) {
        let wanted = wanted.min(self.permits);
        let permit = match how {
            0..=3 => Some(self.semaphore.acquire_many(wanted)),
            4 => self.semaphore.try_acquire_many(wanted),
            5 => self.semaphore.acquire_many_timeout(wanted, limit(length)),
            _ => self.semaphore.acquire_many_ctx(wanted, &self.context).ok(),
        };
        let Some(permit) = permit else { return };
        let taken = self.taken.fetch_add(wanted, Ordering::Relaxed) + wanted;
        assert!(taken <= self.permits, "{taken} of {} permits are taken", self.permits);
        pause(length);
        self.taken.fetch_sub(wanted, Ordering::Relaxed);
        drop(permit);
    }

    fn notify(&self, all: bool) {
        *self.news.0.lock().expect("nobody panics") += 1;
        if all { self.news.1.notify_all() } else { self.news.1.notify_one() }
    }

    fn wait(&self, limit: Duration) {
        let guard = self.news.0.lock().expect("nobody panics");
        let (known, begun) = (*guard, Instant::now());
        let (guard, said) = self.news.1.wait_timeout_while(guard, limit, |news| *news == known).expect("nobody panics");
        let early = begun.elapsed() < limit;
        assert!(*guard > known || said.timed_out() && !early, "woken without news, after {:?}", begun.elapsed());
    }

    /// A function is called later, or is stopped, but not both.
    fn call(&self, limit: Duration, length: u8) {
        let (calls, begun) = (Arc::clone(&self.calls), Instant::now());
        self.calls.fetch_add(1, Ordering::Relaxed);
        let handle = after_func(limit, move || {
            assert!(begun.elapsed() >= limit, "called early");
            let before = calls.fetch_sub(1, Ordering::Relaxed);
            assert!(before > 0, "called and stopped");
        });
        pause(length);
        if handle.stop() {
            let before = self.calls.fetch_sub(1, Ordering::Relaxed);
            assert!(before > 0, "called and stopped");
        }
    }

    fn pass_time(&self, how: u8, limit: Duration) {
        let begun = Instant::now();
        match how {
            0..=2 => sleep(limit),
            3 | 4 if sleep_ctx(limit, &self.context).is_err() => {
                assert!(self.context.err().is_some(), "nobody has cancelled");
                return;
            }
            3 | 4 => {}
            5 => assert!(after(limit).recv().is_ok_and(|sent| sent >= begun + limit)),
            _ => {
                let (context, _cancel) = with_timeout(&self.context, limit);
                assert!(context.done().recv().is_err());
                if self.context.err().is_some() {
                    return;
                }
            }
        }
        assert!(begun.elapsed() >= limit, "{limit:?} were over after {:?}", begun.elapsed());
    }
}

fn limit(micros: u8) -> Duration {
    Duration::from_micros(u64::from(micros))
}

/// Lets others run, or not.
fn pause(length: u8) {
    match length % 8 {
        0..=2 => {}
        3..=5 => yield_now(),
        6 => sleep(limit(length)),
        _ => goruntime::spawn(yield_now).join().expect("it does not panic"),
    }
}
