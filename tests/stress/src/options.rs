//! The command line, of the parent and of its children.
//!
//! *Why here.* Both sides of the process boundary must agree on it.
//!
//! *Invariants.* None. *Locks.* None. *Go:* none.

use std::env;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::scenarios;

/// How the runtime is started in the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// By `#[goruntime::main]`: a deadlock is reported, goroutine 1 is the driver.
    Program,
    /// The same with `migrate = false`: a goroutine stays on the thread where it first ran.
    Sticky,
    /// By the first use from a plain thread.
    Library,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) seed: u64,
    pub(crate) seconds: u64,
    /// Instead of the seconds: as many operations, in every configuration.
    pub(crate) operations: Option<u64>,
    pub(crate) procs: Vec<usize>,
    pub(crate) scenarios: Vec<String>,
    pub(crate) modes: Vec<Mode>,
    /// A child that has reported nothing for so long hangs.
    pub(crate) silence: Duration,
    /// Set in a child.
    pub(crate) child: Option<Mode>,
}

impl Mode {
    /// As it stands on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Program => "program",
            Mode::Sticky => "sticky",
            Mode::Library => "library",
        }
    }

    fn parse(text: &str) -> Result<Mode, String> {
        match text {
            "program" => Ok(Mode::Program),
            "sticky" => Ok(Mode::Sticky),
            "library" => Ok(Mode::Library),
            _ => Err(format!("unknown mode `{text}`; expected `program`, `sticky` or `library`")),
        }
    }
}

impl Options {
    /// Reads the arguments.
    pub(crate) fn from_args() -> Result<Options, String> {
        let mut options = Options {
            seed: seed_of_clock(),
            seconds: 10,
            operations: None,
            procs: vec![1, 2, 4, 16],
            scenarios: Vec::new(),
            modes: vec![Mode::Program, Mode::Sticky, Mode::Library],
            silence: Duration::from_secs(240),
            child: None,
        };
        let mut args = env::args().skip(1);
        while let Some(name) = args.next() {
            let value = args.next().ok_or_else(|| format!("`{name}` needs a value"))?;
            options.set(&name, &value)?;
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let number = || value.parse::<u64>().map_err(|_| format!("`{name} {value}`: expected a number"));
        match name {
            "--seed" => self.seed = number()?,
            "--seconds" => self.seconds = number()?,
            "--operations" => self.operations = Some(number()?),
            "--silence" => self.silence = Duration::from_secs(number()?),
            "--procs" => self.procs = processors(value)?,
            "--mode" => self.modes = list(value, Mode::parse)?,
            "--child" => self.child = Some(Mode::parse(value)?),
            "--scenario" => {
                self.scenarios = list(value, |item| match scenarios::find(item) {
                    Some(_) => Ok(item.to_owned()),
                    None => {
                        Err(format!("unknown scenario `{item}`; expected some of {}", scenarios::names().join(",")))
                    }
                })?;
            }
            _ => {
                return Err(format!(
                    "unknown argument `{name}`; expected --seed, --seconds, --operations, --procs, --scenario, --mode or --silence"
                ));
            }
        }
        Ok(())
    }

    /// The arguments that give a child the same load.
    pub(crate) fn to_args(&self, mode: Mode) -> Vec<String> {
        let mut args: Vec<String> =
            ["--child", mode.name(), "--seed", &self.seed.to_string(), "--seconds", &self.seconds.to_string()]
                .map(str::to_owned)
                .into();
        if let Some(operations) = self.operations {
            args.extend(["--operations".to_owned(), operations.to_string()]);
        }
        if !self.scenarios.is_empty() {
            args.extend(["--scenario".to_owned(), self.scenarios.join(",")]);
        }
        args
    }
}

/// A seed for those who ask for none.
pub(crate) fn seed_of_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |age| age.as_nanos() as u64) % 1_000_000_007
}

/// A list of numbers of processors.
pub(crate) fn processors(value: &str) -> Result<Vec<usize>, String> {
    list(value, |item| item.parse().map_err(|_| format!("`{item}` is no number of processors")))
}

fn list<T>(value: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    value.split(',').map(parse).collect()
}
