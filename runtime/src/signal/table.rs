//! Who listens for which signals, and the dispositions that follow from it.
//!
//! *Why here.* Floor 8: it sends to channels and ends contexts.
//!
//! *Invariants.* SN1. A signal is wanted in the queue if and only if an entry wants it. While it is, its handler is in force, unless some other part of
//! the program has replaced it. SN2. What goes is put out of force first and forgotten afterwards (HD3); what comes is wanted first and put in force
//! afterwards. SN3. Signals are taken and delivered under the lock. So when an entry leaves, all that was noted before has been delivered to it, and nothing
//! is afterwards.
//!
//! *Locks.* `TABLE`, which parks; the registry's locks below it. Handles and contexts are dropped, and contexts cancelled, outside.
//!
//! *Go:* os/signal/signal.go (`handlers`, `process`, `Stop`), `sigenable` and `sigdisable`.

use core::panic::Location;
use core::sync::atomic::Ordering;

use crate::bgsweep;
use crate::channel::Sender;
use crate::context::CancelCauseFunc;
use crate::gmp::{SCHED, WaitReason};
use crate::os::signals::{self as os, Disposition};
use crate::proc::{deadlock, enter};
use crate::signal::context::SignalReceived;
use crate::signal::defaults;
use crate::signal::name::{Signal, SignalError};
use crate::sigqueue::{Mask, QUEUE, bit, signals};
use crate::sync::{Mutex, MutexGuard, PoisonError};
use crate::sysmon::{self, DELIVERY};
use crate::task::spawn::go_at;

/// Signals are 1 to 64.
const SIGNALS: usize = Mask::BITS as usize;

static TABLE: Mutex<Table> = Mutex::new(Table::new());

/// See the head.
pub(super) struct Table {
    entries: Vec<Entry>,
    states: [State; SIGNALS],
    next_number: u64,
    has_delivery: bool,
}

struct Entry {
    target: Target,
    wants: Mask,
}

/// What gets signals.
pub(super) enum Target {
    Channel(Sender<Signal>),
    /// A context, with the number of its registration.
    Context(u64, CancelCauseFunc),
}

/// What is in force for a signal.
#[derive(Clone, Copy)]
struct State {
    now: Now,
    /// What was in force when it was first touched.
    home: Option<Disposition>,
    /// The registry's handler, once the signal is registered there.
    caught: Option<Disposition>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Now {
    Home,
    Caught,
    Ignored,
}

/// What is left to do when the lock is free: contexts that end.
#[derive(Default)]
#[must_use]
pub(super) struct Fired(Vec<(CancelCauseFunc, Signal)>);

/// Locks the table.
pub(super) fn table() -> MutexGuard<'static, Table> {
    // In a library this may start the runtime, which runs the program's init functions; they may listen for signals, too.
    drop(enter());
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The goroutine that delivers. It has nothing of its own: whoever removes an entry delivers as well (SN3).
fn deliver_forever() {
    loop {
        DELIVERY.listen(WaitReason::SignalWait);
        let fired = table().deliver();
        fired.carry_out_elsewhere();
    }
}

impl Fired {
    /// By the caller.
    pub(super) fn carry_out(self) {
        for (cancel, signal) in self.0 {
            cancel.cancel(SignalReceived::new(signal));
        }
    }

    /// In goroutines of their own: to end a context may take long, if another end of it is under way, and it drops what users have left there.
    fn carry_out_elsewhere(self) {
        for (cancel, signal) in self.0 {
            let end = move || cancel.cancel(SignalReceived::new(signal));
            go_at(Box::new(end), || "goruntime::signal::notify_context", Location::caller());
        }
    }
}

impl Table {
    const fn new() -> Table {
        let untouched = State { now: Now::Home, home: None, caught: None };
        Table { entries: Vec::new(), states: [untouched; SIGNALS], next_number: 0, has_delivery: false }
    }

    fn state(&mut self, signal: i32) -> &mut State {
        &mut self.states[signal as usize - 1]
    }

    /// A number for a registration of a context.
    pub(super) fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// The signals that some entry wants.
    fn wanted(&self) -> Mask {
        self.entries.iter().fold(0, |mask, entry| mask | entry.wants)
    }

    /// Adds signals to what a target gets.
    pub(super) fn add(&mut self, target: Target, wants: Mask) -> Result<(), SignalError> {
        if !self.has_delivery {
            self.has_delivery = true;
            bgsweep::start_system(deliver_forever, 0);
        }
        let old = self.wanted();
        QUEUE.want(wants);
        if let Err(error) = signals(wants & !old).try_for_each(|signal| self.catch(signal)) {
            self.release(wants & !old);
            return Err(error);
        }
        match self.entries.iter_mut().find(|entry| entry.target.is_same(&target)) {
            Some(entry) => entry.wants |= wants,
            None => {
                self.entries.push(Entry { target, wants });
                // Relaxed: whoever looks does so under the scheduler's lock, when this thread sleeps.
                SCHED.external_wakers.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Ends what a target gets: delivers what has come before, and returns it.
    pub(super) fn remove(&mut self, is_it: impl Fn(&Target) -> bool) -> (Option<Target>, Fired) {
        let Some(at) = self.entries.iter().position(|entry| is_it(&entry.target)) else {
            return (None, Fired::default());
        };
        let others = self.entries.iter().enumerate().filter(|&(index, _)| index != at);
        let still = others.fold(0, |mask, (_, entry)| mask | entry.wants);
        self.release(self.entries[at].wants & !still);
        let fired = self.deliver();
        let entry = self.entries.swap_remove(at);
        one_less();
        (Some(entry.target), fired)
    }

    /// Ends what anybody gets of some signals; targets that get nothing any more are returned.
    pub(super) fn remove_signals(&mut self, mask: Mask) -> (Vec<Target>, Fired) {
        self.release(mask & self.wanted());
        let fired = self.deliver();
        let mut gone = Vec::new();
        for mut entry in std::mem::take(&mut self.entries) {
            entry.wants &= !mask;
            if entry.wants == 0 {
                gone.push(entry.target);
                one_less();
            } else {
                self.entries.push(entry);
            }
        }
        (gone, fired)
    }

    /// Takes what has come and sends it to whoever wants it and has room.
    fn deliver(&mut self) -> Fired {
        let mut fired = Fired::default();
        for signal in signals(QUEUE.take()) {
            for entry in self.entries.iter().filter(|entry| entry.wants & bit(signal) != 0) {
                let signal = Signal::known(signal);
                match &entry.target {
                    // Full or without receivers: dropped, as in Go.
                    Target::Channel(sender) => _ = sender.try_send(signal),
                    Target::Context(_, cancel) => fired.0.push((cancel.clone(), signal)),
                }
            }
        }
        fired
    }

    /// Puts the handler of a wanted signal in force (SN2).
    fn catch(&mut self, signal: i32) -> Result<(), SignalError> {
        let state = self.state(signal);
        if state.now == Now::Caught {
            return Ok(());
        }
        let failed = |error| SignalError::system(Signal::known(signal), error);
        match state.caught {
            Some(caught) => _ = caught.set(signal).map_err(failed)?,
            None => state.register(signal)?,
        }
        state.now = Now::Caught;
        defaults::set_ignored(bit(signal), false);
        Ok(())
    }

    /// Nobody wants these signals any more (SN2).
    fn release(&mut self, mask: Mask) {
        for signal in signals(mask) {
            let state = self.state(signal);
            if state.now == Now::Caught {
                state.go_home(signal);
            }
        }
        QUEUE.forget(mask);
    }

    /// Has signals ignored. Whoever wants them is removed afterwards, so that none has its default effect in between.
    pub(super) fn ignore(&mut self, mask: Mask) -> Result<(), SignalError> {
        signals(mask).try_for_each(|signal| {
            let state = self.state(signal);
            let failed = |error| SignalError::system(Signal::known(signal), error);
            // A child would vanish without a trace if this one were ignored, and std waits for it. The default has no effect either.
            let nothing = if signal == libc::SIGCHLD { Disposition::default_action() } else { Disposition::ignore() };
            let before = nothing.set(signal).map_err(failed)?;
            if state.now == Now::Home && state.caught.is_none() {
                state.home = Some(before);
            }
            state.now = Now::Ignored;
            defaults::set_ignored(bit(signal), true);
            Ok(())
        })
    }

    /// Has signals do again what they did at first.
    pub(super) fn reset(&mut self, mask: Mask) {
        for signal in signals(mask) {
            let state = self.state(signal);
            if state.now == Now::Ignored {
                state.go_home(signal);
            }
        }
    }

    /// Whether a signal has no effect because it is ignored.
    pub(super) fn is_ignored(&mut self, signal: Signal) -> bool {
        self.state(signal.as_raw()).now == Now::Ignored
            || Disposition::of(signal.as_raw()).is_ok_and(|disposition| disposition.is_ignore())
    }
}

/// An entry has gone: from now on there may be a deadlock.
fn one_less() {
    SCHED.external_wakers.fetch_sub(1, Ordering::Relaxed);
    deadlock::suspect_again();
}

impl State {
    /// Registers a signal, whose handler is in force then.
    fn register(&mut self, signal: i32) -> Result<(), SignalError> {
        let failed = |error| SignalError::system(Signal::known(signal), error);
        let now = Disposition::of(signal).map_err(failed)?;
        // What was in force before it was ignored here, or what is in force now, which others may have changed meanwhile.
        let home = self.home.filter(|_| self.now == Now::Ignored).unwrap_or(now);
        self.home = Some(home);
        if home.is_default() {
            defaults::goes_back_to_default(bit(signal));
        }
        if home.is_handler() {
            // So that the registry finds it, and calls it.
            home.set(signal).map_err(failed)?;
        }
        let registered = defaults::begin_registration(signal, home.is_handler())
            .and_then(|()| os::register(signal, defaults::action))
            .and_then(|()| Disposition::of(signal));
        // The registry installs its handler once. If somebody has replaced it past the registry since, it is still not in force.
        let is_there = registered.as_ref().is_ok_and(|caught| !defaults::is_base(caught));
        if defaults::end_registration(signal, is_there) && QUEUE.note(bit(signal)) {
            sysmon::signal_noted();
        }
        let caught = match registered {
            Ok(caught) if is_there => caught.on_signal_stack(),
            result => {
                // As it was; if that fails as well, there is nothing better to do.
                let _ = now.set(signal);
                return Err(result.map_or_else(failed, |_| SignalError::taken(Signal::known(signal))));
            }
        };
        caught.set(signal).map_err(failed)?;
        self.caught = Some(caught);
        Ok(())
    }

    /// Puts in force what was at first. A handler stays behind the registry's, which calls it.
    fn go_home(&mut self, signal: i32) {
        let Some(home) = self.home else { return };
        let target = self.caught.filter(|_| home.is_handler()).unwrap_or(home);
        let is_ours = Disposition::of(signal).is_ok_and(|now| match self.now {
            Now::Caught => self.caught.is_some_and(|caught| caught.is_like(&now)),
            Now::Ignored | Now::Home => true,
        });
        if is_ours {
            // The same call with this signal has succeeded before.
            let _ = target.set(signal);
        }
        self.now = Now::Home;
        defaults::set_ignored(bit(signal), false);
    }
}

impl Target {
    fn is_same(&self, other: &Target) -> bool {
        match (self, other) {
            (Target::Channel(mine), Target::Channel(others)) => mine.same_channel(others),
            (Target::Context(mine, _), Target::Context(others, _)) => mine == others,
            _ => false,
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use core::sync::atomic::AtomicU32;

    use super::*;
    use crate::channel::bounded;
    use crate::signal::{ignore, notify, raise, reset, stop};

    /// Signals that no other test of this process touches.
    const SHARED: i32 = 20 + 31;
    const LATER: i32 = 21 + 31;
    const HANDLED: i32 = 22 + 31;
    const IGNORED_FIRST: i32 = 23 + 31;

    fn real_time(number: i32) -> Signal {
        Signal::from_raw(number).expect("a real-time signal")
    }

    /// Another crate registers for a signal.
    fn register(signal: i32, count: &'static AtomicU32) {
        // SAFETY: the action changes a number, which a handler may.
        let registered =
            unsafe { signal_hook_registry::register(signal, || _ = count.fetch_add(1, Ordering::Relaxed)) };
        registered.expect("a signal that can be caught");
    }

    #[test]
    fn who_has_registered_before_keeps_the_signal_throughout() {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        register(SHARED, &COUNT);
        let (tx, rx) = bounded(1);
        for round in 1..=3 {
            notify(&tx, &[real_time(SHARED)]).expect("it can be caught");
            raise(real_time(SHARED)).expect("it exists");
            assert_eq!((rx.recv(), COUNT.load(Ordering::Relaxed)), (Ok(real_time(SHARED)), 2 * round - 1));
            stop(&tx);
            // By default this ends the process.
            raise(real_time(SHARED)).expect("it exists");
            assert_eq!((rx.try_recv().is_err(), COUNT.load(Ordering::Relaxed)), (true, 2 * round));
        }
    }

    #[test]
    fn who_registers_later_gets_the_signal_as_well() {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (tx, rx) = bounded(1);
        notify(&tx, &[real_time(LATER)]).expect("it can be caught");
        register(LATER, &COUNT);
        raise(real_time(LATER)).expect("it exists");
        assert_eq!((rx.recv(), COUNT.load(Ordering::Relaxed)), (Ok(real_time(LATER)), 1));
        reset(&[real_time(LATER)]).expect("it can be caught");
        assert!(Disposition::of(LATER).expect("it exists").is_default());
    }

    #[test]
    fn a_handler_that_was_there_before_is_called_before_during_and_after() {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        extern "C" fn handler(_: i32, _: *mut libc::siginfo_t, _: *mut core::ffi::c_void) {
            COUNT.fetch_add(1, Ordering::Relaxed);
        }
        Disposition::handler(handler).set(HANDLED).expect("it exists");
        let (tx, rx) = bounded(1);
        for round in 1..=3 {
            raise(real_time(HANDLED)).expect("it exists");
            notify(&tx, &[real_time(HANDLED)]).expect("it can be caught");
            raise(real_time(HANDLED)).expect("it exists");
            assert_eq!((rx.recv(), COUNT.load(Ordering::Relaxed)), (Ok(real_time(HANDLED)), 3 * round - 1));
            stop(&tx);
            raise(real_time(HANDLED)).expect("it exists");
            assert_eq!((rx.try_recv().is_err(), COUNT.load(Ordering::Relaxed)), (true, 3 * round));
        }
        ignore(&[real_time(HANDLED)]).expect("it can be caught");
        raise(real_time(HANDLED)).expect("it exists");
        reset(&[real_time(HANDLED)]).expect("it can be caught");
        raise(real_time(HANDLED)).expect("it exists");
        assert_eq!(COUNT.load(Ordering::Relaxed), 10);
    }

    #[test]
    fn a_handler_is_called_again_when_a_signal_is_no_longer_ignored() {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        extern "C" fn handler(_: i32, _: *mut libc::siginfo_t, _: *mut core::ffi::c_void) {
            COUNT.fetch_add(1, Ordering::Relaxed);
        }
        let signal = real_time(IGNORED_FIRST);
        // Ignored and reset while there was none.
        ignore(&[signal]).expect("it can be caught");
        reset(&[signal]).expect("it can be caught");
        Disposition::handler(handler).set(IGNORED_FIRST).expect("it exists");
        let (tx, rx) = bounded(1);
        let mut counts = Vec::new();
        let mut raise_and_count = || {
            raise(signal).expect("it exists");
            counts.push(COUNT.load(Ordering::Relaxed));
        };
        ignore(&[signal]).expect("it can be caught");
        raise_and_count();
        notify(&tx, &[signal]).expect("it can be caught");
        raise_and_count();
        assert_eq!(rx.recv(), Ok(signal));
        ignore(&[signal]).expect("it can be caught");
        raise_and_count();
        reset(&[signal]).expect("it can be caught");
        raise_and_count();
        assert_eq!((counts.as_slice(), rx.try_recv().is_err()), (&[0, 1, 1, 2][..], true));
    }
}
