//! Values whose destructors do what destructors may do: park, spawn, end their goroutine, panic, make locals. They are left wherever the runtime may have
//! to drop them: in channels, locks, results, locals, closures that never run.
//!
//! *Why here.* See `scenarios`.
//!
//! *Invariants.* SN1. *Locks.* None. *Go:* none.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};

use goruntime::runtime::{goexit, goid, pin, yield_now};
use goruntime::sync::{LazyLock, Mutex, OnceLock, Pool, RwLock};
use goruntime::time::{Duration, after_func, sleep_ctx};
use goruntime::{channel, context, goroutine_local, run, scope, select, spawn, thread};

use super::{Context, SLOWER, pause};
use crate::check::ensure;
use crate::rand::Rand;

goroutine_local! {
    /// The number of the goroutine, 0 before it has one.
    static MARK: Cell<u64> = Cell::new(0);
    /// Whether a panic is somebody's to observe.
    static OBSERVED: Cell<bool> = Cell::new(false);
    static KEPT: RefCell<Vec<Option<Trouble>>> = RefCell::new(Vec::new());
}

static POOL: Pool<Option<Trouble>> = Pool::new(|| None);

/// Which values were dropped.
#[derive(Clone)]
struct Makers(Arc<(AtomicUsize, Box<[AtomicBool]>)>);

impl Makers {
    /// Makes a value, which may hold another; None when there have been enough.
    fn make(&self, rand: &mut Rand) -> Option<Trouble> {
        let number = self.0.0.fetch_add(1, Ordering::Relaxed);
        let inner = if number < self.0.1.len() && rand.one_in(5) { self.make(rand).map(Box::new) } else { None };
        (number < self.0.1.len()).then(|| Trouble { number, rand: rand.fork(), makers: self.clone(), _inner: inner })
    }
}

/// A value that makes trouble when it is dropped.
struct Trouble {
    number: usize,
    rand: Rand,
    makers: Makers,
    _inner: Option<Box<Trouble>>,
}

impl Drop for Trouble {
    fn drop(&mut self) {
        let again = self.makers.0.1[self.number].swap(true, Ordering::Relaxed);
        ensure!(!again, "value {} was dropped twice", self.number);
        // A plain thread that sweeps drops what was left in the pool.
        let may_leave = !std::thread::panicking() && goid() != 0;
        match self.rand.range(0, 16) {
            0 | 1 => pause(&mut self.rand),
            2 if may_leave => goexit(),
            3 if may_leave && OBSERVED.with(Cell::get) => resume_unwind(Box::new("from a destructor")),
            4 => drop(catch_unwind(|| goexit())),
            5 => {
                let more = self.makers.make(&mut self.rand);
                forget_outcome(move || more);
            }
            6 => {
                let more = self.makers.make(&mut self.rand);
                keep(more);
            }
            7 => scope(|s| s.go(yield_now)),
            8 => drop(catch_unwind(|| run(yield_now))),
            _ => {}
        }
    }
}

/// Leaves a value to the end of the goroutine.
fn keep(value: Option<Trouble>) {
    KEPT.with(|kept| kept.borrow_mut().push(value));
}

/// Starts a goroutine whose result is dropped by nobody who could observe a panic.
fn forget_outcome(f: impl FnOnce() -> Option<Trouble> + Send + 'static) {
    let was_observed = OBSERVED.with(|observed| observed.replace(false));
    drop(spawn(f));
    OBSERVED.with(|observed| observed.set(was_observed));
}

/// Does something with one value, and may leave by unwinding.
fn step(makers: &Makers, rand: &mut Rand, locks: &(Mutex<Option<Trouble>>, RwLock<Option<Trouble>>)) {
    let value = makers.make(rand);
    match rand.range(0, 14) {
        0 => drop(value),
        1 => forget_outcome(move || value),
        2 => drop(spawn(move || value).join()),
        3 => *locks.0.lock().unwrap_or_else(PoisonError::into_inner) = value,
        4 => *locks.1.write().unwrap_or_else(PoisonError::into_inner) = value,
        5 => scope(|s| {
            s.go(move || drop(catch_unwind(AssertUnwindSafe(|| drop(value)))));
            yield_now();
        }),
        6 => run(|| *locks.0.lock().unwrap_or_else(PoisonError::into_inner) = value),
        7 => keep(value),
        8 => POOL.put(value),
        9 => drop((POOL.get(), value)),
        10 => {
            let cell = OnceLock::new();
            cell.get_or_init(|| drop(value));
            LazyLock::force(&LazyLock::new(|| makers.make(rand)));
        }
        _ => step_that_waits(makers, rand, value),
    }
}

fn step_that_waits(makers: &Makers, rand: &mut Rand, value: Option<Trouble>) {
    match rand.range(0, 6) {
        0 => {
            let (tx, rx) = channel::unbounded();
            (0..rand.range(0, 70)).for_each(|_| drop(tx.send(makers.make(rand))));
            drop((value, rx));
        }
        1 => {
            let (tx, rx) = channel::bounded(1);
            let _full = tx.send(value);
            let mut select = channel::Select::new();
            let receive = select.recv(&rx);
            select.send(&tx);
            let chosen = select.select();
            if chosen.index() == receive { drop(chosen.recv(&rx)) } else { drop(chosen.send(&tx, makers.make(rand))) }
        }
        2 => {
            let (tx, rx) = channel::bounded(0);
            let limit = rand.micros(1, 200);
            drop(spawn(move || rx.recv_timeout(limit)));
            select! {
                send(tx, { yield_now(); value }) -> _ => {},
                default(rand.micros(1, 200)) => {},
            }
        }
        3 => {
            let mut values = value;
            let call = after_func(rand.micros(1, 300), move || drop(catch_unwind(AssertUnwindSafe(|| values.take()))));
            if rand.one_in(2) {
                call.stop();
            }
        }
        4 => {
            let (ctx, cancel) = context::with_cancel(&context::background());
            let sleeper = spawn(move || sleep_ctx(Duration::from_millis(1), &ctx).map_err(|_| value).is_ok());
            if rand.one_in(2) {
                cancel.cancel();
            }
            drop((sleeper.join_timeout(rand.micros(1, 500)).is_ok(), cancel));
        }
        _ => {
            let _pinned = pin();
            yield_now();
            drop(value);
        }
    }
}

/// No value is dropped twice, and no goroutine finds what another has left.
pub(crate) fn destructors(_: &Context, mut rand: Rand) -> u64 {
    let table = (0..20_000 / SLOWER).map(|_| AtomicBool::new(false)).collect();
    let makers = Makers(Arc::new((AtomicUsize::new(0), table)));
    let count = rand.range(1, 200 / SLOWER);
    let handles: Vec<_> = (1..=count)
        .map(|number| {
            let (mut own, makers) = (rand.fork(), makers.clone());
            spawn(move || {
                let before = (MARK.with(|mark| mark.replace(number)), thread::current().name().map(str::to_owned));
                ensure!(before == (0, None), "goroutine {number} begins with {before:?} of another one");
                let locks = (Mutex::new(None), RwLock::new(None));
                for _ in 0..own.range(1, 12) {
                    OBSERVED.with(|observed| observed.set(true));
                    // A goexit that is caught here goes on at the next operation that may park.
                    drop(catch_unwind(AssertUnwindSafe(|| step(&makers, &mut own, &locks))));
                    OBSERVED.with(|observed| observed.set(false));
                }
            })
        })
        .collect();
    handles.into_iter().for_each(|handle| drop(handle.join()));
    count
}
