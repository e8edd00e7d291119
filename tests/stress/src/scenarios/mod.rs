//! The scenarios: each takes some milliseconds, checks itself, and returns how many operations it did.
//!
//! *Why here.* One list for the driver and the command line.
//!
//! *Invariants.* SN1. A scenario returns only when everything that it started has ended or is counted by a ledger it has settled.
//!
//! *Locks.* None. *Go:* none.

mod channels;
mod contexts;
mod destructors;
mod ends;
mod foreign;
mod guard;
mod load;
mod locks;
mod models;
mod net;
mod park;
mod plain;
mod selects;
mod signals;
mod spawn;
mod streams;
mod tasks;
mod threads;
mod timers;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::options::Mode;
use crate::rand::Rand;

/// What the scenarios of a process share.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// GOMAXPROCS at the start.
    pub(crate) procs: usize,
    /// Whether goroutines stay on their threads.
    pub(crate) sticky: bool,
    /// Threads that goroutines have left behind by ending locked: they stay for ever, so there must not be many.
    tainted: Arc<AtomicU64>,
}

/// Most threads that are left behind in one process.
const MOST_TAINTED: u64 = 200;

/// A named load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Context, Rand) -> u64,
}

/// All of them.
pub(crate) const ALL: &[Scenario] = &[
    Scenario { name: "spawn_join", run: spawn::spawn_join },
    Scenario { name: "detach", run: spawn::detach },
    Scenario { name: "tree", run: spawn::tree },
    Scenario { name: "scopes", run: spawn::scopes },
    Scenario { name: "burst", run: spawn::burst },
    Scenario { name: "yields", run: spawn::yields },
    Scenario { name: "locals", run: spawn::locals },
    Scenario { name: "ping_pong", run: park::ping_pong },
    Scenario { name: "ring", run: park::ring },
    Scenario { name: "permits", run: park::permits },
    Scenario { name: "park_timeout", run: park::park_timeout },
    Scenario { name: "unpark_ended", run: park::unpark_ended },
    Scenario { name: "sleeps", run: timers::sleeps },
    Scenario { name: "many_timers", run: timers::many_timers },
    Scenario { name: "cancelled", run: timers::cancelled },
    Scenario { name: "lone_timer", run: timers::lone_timer },
    Scenario { name: "panics", run: ends::panics },
    Scenario { name: "goexits", run: ends::goexits },
    Scenario { name: "park_in_drop", run: ends::park_in_drop },
    Scenario { name: "caught_goexit", run: ends::caught_goexit },
    Scenario { name: "destructors", run: destructors::destructors },
    Scenario { name: "lock_thread", run: threads::lock_thread },
    Scenario { name: "end_locked", run: threads::end_locked },
    Scenario { name: "pins", run: threads::pins },
    Scenario { name: "mutex", run: threads::mutex },
    Scenario { name: "kept", run: guard::kept },
    Scenario { name: "foreign_go", run: foreign::foreign_go },
    Scenario { name: "foreign_run", run: foreign::foreign_run },
    Scenario { name: "foreign_park", run: foreign::foreign_park },
    Scenario { name: "foreign_ids", run: foreign::foreign_ids },
    Scenario { name: "foreign_lone", run: foreign::foreign_lone },
    Scenario { name: "pipes", run: channels::pipes },
    Scenario { name: "deadlines", run: channels::deadlines },
    Scenario { name: "selects", run: selects::selects },
    Scenario { name: "promises", run: selects::promises },
    Scenario { name: "watchers", run: selects::watchers },
    Scenario { name: "clocks", run: selects::clocks },
    Scenario { name: "tasks", run: tasks::tasks },
    Scenario { name: "mutual", run: channels::mutual },
    Scenario { name: "rwlock", run: locks::rwlock },
    Scenario { name: "condvar", run: locks::condvar },
    Scenario { name: "semaphore", run: locks::semaphore },
    Scenario { name: "barrier", run: locks::barrier },
    Scenario { name: "once", run: locks::once },
    Scenario { name: "pool", run: locks::pool },
    Scenario { name: "mpsc", run: locks::mpsc_channels },
    Scenario { name: "models", run: models::models },
    Scenario { name: "ctx_channels", run: contexts::ctx_channels },
    Scenario { name: "ctx_waits", run: contexts::ctx_waits },
    Scenario { name: "ctx_trees", run: contexts::ctx_trees },
    Scenario { name: "timer_storm", run: contexts::timer_storm },
    Scenario { name: "after_funcs", run: contexts::after_funcs },
    Scenario { name: "tickers", run: contexts::tickers },
    Scenario { name: "connections", run: net::connections },
    Scenario { name: "reuse", run: net::reuse },
    Scenario { name: "datagrams", run: net::datagrams },
    Scenario { name: "streams", run: streams::streams },
    Scenario { name: "children", run: streams::children },
    Scenario { name: "files", run: streams::files },
    Scenario { name: "listeners", run: signals::listeners },
    Scenario { name: "blocking", run: load::blocking },
    Scenario { name: "hogs", run: load::hogs },
    Scenario { name: "resize", run: load::resize },
    Scenario { name: "sweeps", run: load::sweeps },
    Scenario { name: "counts", run: load::counts },
];

/// Scenarios in which a goroutine blocks its thread until another goroutine has done something. Where that one has to stay on the same thread
/// it never does: what `migrate = false` gives up. `mutex` does so only elsewhere.
const BLOCK_FOR_OTHERS: [&str; 2] = ["foreign_run", "kept"];

impl Scenario {
    /// Whether the scenario ends in a process of this mode.
    pub(crate) fn runs_in(&self, mode: Option<Mode>) -> bool {
        mode != Some(Mode::Sticky) || !BLOCK_FOR_OTHERS.contains(&self.name)
    }
}

/// The scenario of that name.
pub(crate) fn find(name: &str) -> Option<Scenario> {
    ALL.iter().copied().find(|scenario| scenario.name == name)
}

/// All names.
pub(crate) fn names() -> Vec<&'static str> {
    ALL.iter().map(|scenario| scenario.name).collect()
}

impl Context {
    /// What holds at the start.
    pub(crate) fn new(mode: Option<Mode>) -> Context {
        Context { procs: goruntime::runtime::gomaxprocs(), sticky: mode == Some(Mode::Sticky), tainted: Arc::default() }
    }

    /// Whether one more thread may be left behind.
    pub(crate) fn may_taint(&self) -> bool {
        self.tainted.fetch_add(1, Ordering::Relaxed) < MOST_TAINTED
    }
}

/// Divides sizes where the build is slow.
pub(crate) const SLOWER: u64 = if cfg!(debug_assertions) { 8 } else { 1 };

/// Some short operation that lets others run: what goroutines do between their steps.
pub(crate) fn pause(rand: &mut Rand) {
    match rand.range(0, 20) {
        0..=11 => goruntime::runtime::yield_now(),
        12..=14 => goruntime::time::sleep(rand.micros(1, 300)),
        15 => goruntime::thread::park_timeout(rand.micros(1, 200)),
        16 => std::thread::sleep(rand.micros(1, 300)),
        17 => goruntime::runtime::blocking(|| std::thread::sleep(rand.micros(1, 200))),
        18 => spin(rand.micros(1, 100)),
        _ => goruntime::spawn(|| ()).join().unwrap_or_else(|_| crate::check::fail("an empty goroutine panicked")),
    }
}

/// Computes for so long.
pub(crate) fn spin(duration: std::time::Duration) {
    let begun = std::time::Instant::now();
    while begun.elapsed() < duration {
        std::hint::spin_loop();
    }
}
