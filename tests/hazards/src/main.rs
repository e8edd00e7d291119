//! `hazards NAME`: does something thread-local over a wait, many times, and prints how often that went wrong.
//!
//! Why here: what goes wrong is undefined behaviour, which is to happen in a process of its own. `tests/hazards.rs` runs them with the guard and
//! without.
//!
//! *Invariants*
//! - P1. A program ends when it has done its thing as often as it says, or when its goroutines were on other threads after their waits, or were kept
//!   from it, for [`ENOUGH`] times.
//! - P2. The last line that it prints has `wrong=` how often the state was not what it had to be, `moved=` how often a goroutine was on another
//!   thread after a wait, `kept=` and `moved_anyway=`.
//!
//! *Locks*: none.
//!
//! *Go:* none.

mod crates;
mod liveness;
mod misses;
mod own;
mod standard;

use goruntime::runtime::guard_stats;
use goruntime_hazards as library;
use goruntime_hazards::elsewhere;

/// Moves, or attempts at them, after which a program has seen enough.
const ENOUGH: u64 = 30;
/// Waits after which a program gives up that has not seen enough.
const MOST: u64 = 3_000;

/// Name, most repetitions, and what is done once, which returns how often it went wrong.
type Program = (&'static str, u64, fn() -> u64);

const PROGRAMS: [Program; 22] = [
    ("hashers", MOST, || library::hashers_are_wrong(elsewhere::wait).into()),
    ("destructor", MOST, || library::value_with_destructor_is_wrong(elsewhere::wait).into()),
    ("plain", MOST, || library::plain_value_is_wrong(elsewhere::wait).into()),
    ("constant", MOST, || library::constant_cell_is_wrong(elsewhere::wait).into()),
    ("address", MOST, own::address),
    ("polls", MOST, own::polls),
    ("cell", MOST, own::cell),
    ("refcell", MOST, own::refcell),
    ("pinned_cell", 100, own::pinned_cell),
    ("nothing", MOST, own::nothing),
    ("rng", MOST, crates::rng),
    ("epoch", MOST, crates::epoch),
    ("stdout", MOST, standard::stdout),
    ("unwinding", 100, standard::unwinding),
    ("exit", 20, standard::exit),
    ("scoped", 20, misses::scoped),
    ("locked_scoped", 20, misses::locked_scoped),
    ("spans", 20, misses::spans),
    ("locked_spans", 20, misses::locked_spans),
    ("mutex", 20, liveness::mutex),
    ("stale", 20, liveness::stale),
    ("computing", 5, liveness::computing),
];

fn run() {
    let name = std::env::args().nth(1).expect("hazards NAME");
    let (_, most, once) = PROGRAMS.into_iter().find(|program| program.0 == name).expect("a program of that name");
    let mut wrong = 0;
    for _ in 0..most {
        wrong += once();
        if most == MOST && elsewhere::moved() + guard_stats().kept.total() >= ENOUGH {
            break;
        }
    }
    let stats = guard_stats();
    let (kept, anyway) = (stats.kept.total(), stats.moved_anyway.total());
    println!("wrong={wrong} moved={} kept={kept} moved_anyway={anyway}", elsewhere::moved());
}

/// The usual way in.
mod usual {
    #[goruntime::main]
    pub(crate) fn main() {
        super::run();
    }
}

/// The same without migration.
mod tied {
    #[goruntime::main(migrate = false)]
    pub(crate) fn main() {
        super::elsewhere::all_are_tied();
        super::run();
    }
}

fn main() {
    if std::env::var_os("TIED").is_some() { tied::main() } else { usual::main() }
}
