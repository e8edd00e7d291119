//! Settings from the environment: GODEBUG, GOTRACEBACK, GOMAXPROCS.
//!
//! **What.** `init` reads the three variables once; afterwards every setting is an atomic that any thread reads and
//! that the debug interface may change.
//!
//! **Why here.** Floor 1: the crash path needs the traceback level, and everything above needs a switch or two.
//!
//! **Invariants.**
//! - EN1. What cannot be parsed is ignored, in silence, as in Go; of two values for a name the later one holds. What is no
//!   order of chaos or of faults ends the program, and so do faults where there are none: whoever asks for them and gets order would believe that
//!   it was tested.
//! - EN2. A process with raised privileges prints no stacks, whatever the environment says.
//!
//! **Locks.** None; each setting stands for itself, so all accesses are Relaxed.
//!
//! **Go:** `runtime1.go` (`parsedebugvars`, `setTraceback`), `proc.go` (`schedinit`).

use core::fmt;
use core::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::env;

use crate::base::throw::{print_facts, throw};
use crate::os::{self, FAULT_KINDS};

/// One number of GODEBUG.
#[derive(Debug)]
pub(crate) struct Setting(AtomicI64);

impl Setting {
    const fn new(default: i64) -> Self {
        Self(AtomicI64::new(default))
    }

    /// Returns the value.
    #[inline]
    pub(crate) fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Reports whether the value is greater than zero.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.get() > 0
    }

    /// Changes the value.
    pub(crate) fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }
}

/// What the affinity guard does with a goroutine that is seen to hold thread-local state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i64)]
pub(crate) enum TlsGuard {
    /// `off` or `0`: goroutines move freely.
    Off = 0,
    /// `on` or `1`, the default in release builds: it is kept on its thread for a while.
    On = 1,
    /// `log`, the default in debug builds: as `On`, and each place is reported once.
    Log = 2,
    /// `strict`: it never moves, and what its thread runs instead is reported.
    Strict = 3,
}

/// The value of a setting that cannot be ignored (EN1).
#[derive(Debug, PartialEq, Eq)]
enum Malformed<'a> {
    Chaos(&'a str),
    Faults(&'a str),
}

impl fmt::Display for Malformed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Chaos(value) => write!(f, "chaos={value}: expected a seed, a number from 0 to {}", i64::MAX),
            Malformed::Faults(value) => {
                write!(f, "faults={value}: expected SEED[:ONE_IN_N[:KINDS]], with some of {}", FAULT_KINDS.join("+"))
            }
        }
    }
}

/// Which calls to the system fail at random.
#[derive(Debug)]
struct Faults {
    /// 0 for none.
    seed: Setting,
    one_in: Setting,
    /// A bit for each of [`FAULT_KINDS`].
    kinds: Setting,
}

impl Faults {
    /// One of so many calls fails unless another rate is asked for.
    const ONE_IN: i64 = 100;
    const ALL_KINDS: i64 = (1 << FAULT_KINDS.len()) - 1;

    const fn new() -> Self {
        Self { seed: Setting::new(0), one_in: Setting::new(Self::ONE_IN), kinds: Setting::new(Self::ALL_KINDS) }
    }

    /// Takes over `SEED`, `SEED:ONE_IN_N` or `SEED:ONE_IN_N:KINDS`.
    fn apply(&self, value: &str) -> Option<()> {
        let mut parts = value.splitn(3, ':');
        let seed = parts.next()?.parse().ok().filter(|&seed: &i64| seed >= 0)?;
        let one_in = match parts.next() {
            Some(number) => number.parse().ok().filter(|&number: &i64| number > 0)?,
            None => Self::ONE_IN,
        };
        let kinds = match parts.next() {
            Some(names) => names
                .split('+')
                .try_fold(0, |set, name| Some(set | 1 << FAULT_KINDS.iter().position(|&known| known == name)?))?,
            None => Self::ALL_KINDS,
        };
        self.seed.set(seed);
        self.one_in.set(one_in);
        self.kinds.set(kinds);
        Some(())
    }

    /// Has them happen from now on; false if this program cannot.
    fn order(&self) -> bool {
        os::order_at_random(self.seed.get().unsigned_abs(), self.one_in.get().unsigned_abs(), self.kinds.get() as u32)
    }
}

/// The settings of GODEBUG.
#[derive(Debug)]
pub(crate) struct Debug {
    /// Milliseconds between two lines of scheduler state; 0 for none.
    pub(crate) schedtrace: Setting,
    /// Adds every P, M and G to the scheduler state.
    pub(crate) scheddetail: Setting,
    /// Prints a line for each init function.
    pub(crate) inittrace: Setting,
    /// Prints a line for each step of the start.
    pub(crate) boottrace: Setting,
    /// Prints a line for each sweep.
    pub(crate) gctrace: Setting,
    /// A seed for random scheduling decisions; 0 for none.
    pub(crate) chaos: Setting,
    /// Whether a race detector examines the runtime instead of the program.
    pub(crate) raceruntime: Setting,
    /// Whether GOMAXPROCS follows the machine while the program runs.
    pub(crate) updatemaxprocs: Setting,
    /// Whether the cgroup quota limits GOMAXPROCS.
    pub(crate) containermaxprocs: Setting,
    /// Whether goroutines that do not come back keep their P.
    pub(crate) asyncpreemptoff: Setting,
    tlsguard: Setting,
    faults: Faults,
}

/// The settings of GODEBUG.
pub(crate) static DEBUG: Debug = Debug {
    schedtrace: Setting::new(0),
    scheddetail: Setting::new(0),
    inittrace: Setting::new(0),
    boottrace: Setting::new(0),
    gctrace: Setting::new(0),
    chaos: Setting::new(0),
    raceruntime: Setting::new(0),
    updatemaxprocs: Setting::new(1),
    containermaxprocs: Setting::new(1),
    asyncpreemptoff: Setting::new(0),
    tlsguard: Setting::new(if REPORTS_KEPT { TlsGuard::Log as i64 } else { TlsGuard::On as i64 }),
    faults: Faults::new(),
};

/// Whether whom the affinity guard keeps is reported by default: in debug builds, but not under address sanitizer, whose larger frames hold words of
/// old ones.
const REPORTS_KEPT: bool = cfg!(all(debug_assertions, not(goruntime_asan)));

/// How much a crash prints; [`Traceback`] gives the bits their names.
static TRACEBACK: AtomicU32 = AtomicU32::new(Traceback::SINGLE.0);
/// GOMAXPROCS of the environment, 0 if there is none.
static MAXPROCS: AtomicU32 = AtomicU32::new(0);

/// What GOTRACEBACK asks for: a level, and two flags.
///
/// | bits | meaning |
/// |---|---|
/// | 0 | `CRASH`: end with SIGABRT |
/// | 1 | `ALL`: every goroutine, not only the current one |
/// | 2.. | the level: 0 no stacks, 1 stacks, 2 also the runtime's frames and goroutines |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Traceback(u32);

impl Traceback {
    const CRASH: u32 = 1;
    const ALL: u32 = 2;
    const LEVEL_SHIFT: u32 = 2;

    const NONE: Self = Self(0);
    const SINGLE: Self = Self(1 << Self::LEVEL_SHIFT);
    const EVERY: Self = Self(Self::SINGLE.0 | Self::ALL);
    const SYSTEM: Self = Self(2 << Self::LEVEL_SHIFT | Self::ALL);

    /// Returns the level: 0 no stacks, 1 stacks, 2 and more also the runtime's own.
    pub(crate) const fn level(self) -> u32 {
        self.0 >> Self::LEVEL_SHIFT
    }

    /// Reports whether every goroutine is printed, not only the current one.
    pub(crate) const fn is_all(self) -> bool {
        self.0 & Self::ALL != 0
    }

    /// Reports whether the process ends with SIGABRT.
    pub(crate) const fn is_crash(self) -> bool {
        self.0 & Self::CRASH != 0
    }

    /// Parses a value of GOTRACEBACK; what is unknown means all goroutines, as in Go.
    pub(crate) fn parse(value: &str) -> Self {
        match value {
            "none" => Self::NONE,
            "single" | "" => Self::SINGLE,
            "all" => Self::EVERY,
            "system" => Self::SYSTEM,
            "crash" | "wer" => Self(Self::SYSTEM.0 | Self::CRASH),
            _ => match value.parse::<u32>() {
                Ok(0) => Self::NONE,
                Ok(level) => Self(level.min(u32::MAX >> Self::LEVEL_SHIFT) << Self::LEVEL_SHIFT | Self::ALL),
                Err(_) => Self::EVERY,
            },
        }
    }
}

/// Reads the environment; called once, early in the start.
pub(crate) fn init() {
    if let Ok(settings) = env::var("GODEBUG")
        && let Err(malformed) = DEBUG.apply(&settings)
    {
        print_facts(format_args!("GODEBUG: {malformed}"));
        throw("bad GODEBUG");
    }
    if DEBUG.faults.seed.is_on() && !DEBUG.faults.order() {
        print_facts(format_args!("GODEBUG: faults: the program is built without the feature `faults` of goruntime"));
        throw("bad GODEBUG");
    }
    if let Ok(level) = env::var("GOTRACEBACK") {
        set_traceback(Traceback::parse(&level));
    }
    if os::is_secure() {
        set_traceback(Traceback::NONE);
    }
    let procs = env::var("GOMAXPROCS").ok().and_then(|value| parse_maxprocs(&value));
    MAXPROCS.store(procs.unwrap_or(0), Ordering::Relaxed);
}

/// Returns how much a crash prints.
pub(crate) fn traceback() -> Traceback {
    Traceback(TRACEBACK.load(Ordering::Relaxed))
}

/// Returns what the affinity guard does.
pub(crate) fn tls_guard() -> TlsGuard {
    match DEBUG.tlsguard.get() {
        0 => TlsGuard::Off,
        2 => TlsGuard::Log,
        3 => TlsGuard::Strict,
        _ => TlsGuard::On,
    }
}

/// Changes how much a crash prints.
pub(crate) fn set_traceback(level: Traceback) {
    TRACEBACK.store(level.0, Ordering::Relaxed);
}

/// Returns GOMAXPROCS of the environment, if it was a positive integer.
pub(crate) fn gomaxprocs() -> Option<u32> {
    match MAXPROCS.load(Ordering::Relaxed) {
        0 => None,
        procs => Some(procs),
    }
}

impl Debug {
    /// Takes over comma-separated `name=value` pairs (EN1).
    fn apply<'a>(&self, settings: &'a str) -> Result<(), Malformed<'a>> {
        for (name, value) in settings.split(',').filter_map(|pair| pair.split_once('=')) {
            if name == "faults" {
                self.faults.apply(value).ok_or(Malformed::Faults(value))?;
            }
            let number = if name == "tlsguard" { parse_tlsguard(value) } else { value.parse().ok() };
            if name == "chaos" && number.is_none_or(|seed: i64| seed < 0) {
                return Err(Malformed::Chaos(value));
            }
            if let (Some(setting), Some(number)) = (self.named(name), number) {
                setting.set(number);
            }
        }
        Ok(())
    }

    /// Finds a setting by the name it has in GODEBUG.
    fn named(&self, name: &str) -> Option<&Setting> {
        Some(match name {
            "schedtrace" => &self.schedtrace,
            "scheddetail" => &self.scheddetail,
            "inittrace" => &self.inittrace,
            "boottrace" => &self.boottrace,
            "gctrace" => &self.gctrace,
            "chaos" => &self.chaos,
            "raceruntime" => &self.raceruntime,
            "updatemaxprocs" => &self.updatemaxprocs,
            "containermaxprocs" => &self.containermaxprocs,
            "asyncpreemptoff" => &self.asyncpreemptoff,
            "tlsguard" => &self.tlsguard,
            _ => return None,
        })
    }
}

/// Parses the value of `tlsguard`.
fn parse_tlsguard(value: &str) -> Option<i64> {
    Some(match value {
        "off" | "0" => TlsGuard::Off,
        "on" | "1" => TlsGuard::On,
        "log" => TlsGuard::Log,
        "strict" => TlsGuard::Strict,
        _ => return None,
    } as i64)
}

/// Parses GOMAXPROCS: decimal digits only, greater than zero, within Go's 32 bits.
fn parse_maxprocs(value: &str) -> Option<u32> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    value.parse::<i32>().ok().filter(|&procs| digits && procs > 0).map(i32::cast_unsigned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A set of settings of its own, so that tests do not touch the process's.
    fn settings(text: &str) -> Debug {
        let zero = || Setting::new(0);
        let debug = Debug {
            schedtrace: zero(),
            scheddetail: zero(),
            inittrace: zero(),
            boottrace: zero(),
            gctrace: zero(),
            chaos: zero(),
            raceruntime: zero(),
            updatemaxprocs: Setting::new(1),
            containermaxprocs: Setting::new(1),
            asyncpreemptoff: zero(),
            tlsguard: Setting::new(TlsGuard::On as i64),
            faults: Faults::new(),
        };
        debug.apply(text).expect("nothing that cannot be ignored");
        debug
    }

    #[test]
    fn a_seed_that_is_none_is_an_error() {
        let debug = settings("chaos=7");
        for bad in ["chaos=", "chaos=x", "schedtrace=1,chaos=-1", "chaos=99999999999999999999"] {
            let value = bad.rsplit('=').next().unwrap_or_default();
            assert_eq!(debug.apply(bad), Err(Malformed::Chaos(value)), "{bad}");
        }
        assert_eq!(debug.chaos.get(), 7);
    }

    #[test]
    fn faults_are_a_seed_and_perhaps_a_rate_and_perhaps_kinds() {
        let faults = |text| {
            let Faults { seed, one_in, kinds } = settings(text).faults;
            (seed.get(), one_in.get(), kinds.get())
        };
        assert_eq!(faults("schedtrace=1"), (0, 100, 0b11111));
        assert_eq!(faults("faults=7"), (7, 100, 0b11111));
        assert_eq!(faults("faults=7:20"), (7, 20, 0b11111));
        assert_eq!(faults("faults=7:20,faults=8:1:mmap"), (8, 1, 0b1));
        assert_eq!(faults("faults=7:20:thread+epoll+thread"), (7, 20, 0b1100));
    }

    #[test]
    fn faults_that_are_none_are_an_error() {
        let debug = settings("faults=7:20:fd");
        for bad in ["", "x", "-1", "7:", "7:0", "7:-1", "7:x", "7:20:", "7:20:mmap+", "7:20:disk", "7:20:fd:fd"] {
            let setting = format!("chaos=1,faults={bad}");
            assert_eq!(debug.apply(&setting), Err(Malformed::Faults(bad)), "{bad}");
        }
        assert_eq!(debug.faults.seed.get(), 7);
        let text = Malformed::Faults("x").to_string();
        assert_eq!(text, "faults=x: expected SEED[:ONE_IN_N[:KINDS]], with some of mmap+madvise+thread+epoll+fd");
    }

    #[test]
    fn the_later_of_two_values_holds() {
        let debug = settings("schedtrace=5,inittrace=1,schedtrace=1000");
        assert_eq!((debug.schedtrace.get(), debug.inittrace.is_on()), (1000, true));
    }

    #[test]
    fn what_cannot_be_parsed_changes_nothing() {
        let debug = settings("schedtrace,=,unknown=3,gctrace=x,updatemaxprocs=,tlsguard=sometimes,,chaos=7");
        assert_eq!((debug.schedtrace.get(), debug.gctrace.get(), debug.updatemaxprocs.get()), (0, 0, 1));
        assert_eq!((debug.tlsguard.get(), debug.chaos.get()), (TlsGuard::On as i64, 7));
    }

    #[test]
    fn switches_that_are_on_can_be_turned_off() {
        let debug = settings("updatemaxprocs=0,containermaxprocs=0,tlsguard=off");
        assert!(!debug.updatemaxprocs.is_on() && !debug.containermaxprocs.is_on() && !debug.tlsguard.is_on());
    }

    #[test]
    fn tlsguard_takes_words() {
        for (word, guard) in [("log", TlsGuard::Log), ("strict", TlsGuard::Strict), ("0", TlsGuard::Off)] {
            assert_eq!(settings(&format!("tlsguard={word}")).tlsguard.get(), guard as i64);
        }
    }

    #[test]
    fn traceback_words_and_numbers_are_levels() {
        let facts = |value| {
            let level = Traceback::parse(value);
            (level.level(), level.is_all(), level.is_crash())
        };
        assert_eq!(facts("none"), (0, false, false));
        assert_eq!(facts(""), (1, false, false));
        assert_eq!(facts("single"), facts(""));
        assert_eq!(facts("1"), (1, true, false));
        assert_eq!(facts("all"), facts("1"));
        assert_eq!(facts("bogus"), facts("all"));
        assert_eq!(facts("system"), (2, true, false));
        assert_eq!(facts("crash"), (2, true, true));
        assert_eq!(facts("7"), (7, true, false));
    }

    #[test]
    fn only_a_positive_integer_is_a_gomaxprocs() {
        assert_eq!(parse_maxprocs("12"), Some(12));
        for invalid in ["", "0", "-1", "+1", " 1", "1x", "2147483648", "99999999999"] {
            assert_eq!(parse_maxprocs(invalid), None, "{invalid:?}");
        }
    }
}
