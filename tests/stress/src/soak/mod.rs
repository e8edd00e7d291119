//! The soak: many connections held on the loopback, ended in every way there is, and counted.
//!
//! ```text
//! cargo run --release -p goruntime-stress -- soak [--connections 10000] [--acts 6] [--seed N] [--procs 1,2,4,16] [--silence 240]
//! ```
//!
//! For each GOMAXPROCS two processes run, so that each has one descriptor a connection: a server with a goroutine for every connection, and
//! clients, a goroutine each, which do `--acts` things drawn from the seed once all of them are connected. At the end both have the
//! goroutines and descriptors that they began with. The exit status is 1 if anything went wrong, 2 if the command line or a limit forbids it.
//!
//! *Why here.* Beside the scenarios, whose driver it cannot use: it is one load, not a mix.
//!
//! *Invariants.* ST1, ST2, WA1. SK1. The load is bounded by counts, not by time.
//!
//! *Locks.* None. *Go:* none.

mod census;
mod client;
mod server;
mod wire;

use std::env;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::options;
use crate::watch;

/// The words of the command line that choose the soak and its two children.
const WORDS: [&str; 3] = ["soak", "soak-server", "soak-client"];

/// What was asked for.
#[derive(Clone, Debug)]
struct Plan {
    connections: usize,
    /// What every client does once all are connected.
    acts: u64,
    seed: u64,
    procs: Vec<usize>,
    silence: Duration,
    /// Where the server listens; for the clients.
    at: String,
}

/// Runs the soak if the command line asks for it.
pub(crate) fn run() -> Option<ExitCode> {
    let word = env::args().nth(1).filter(|word| WORDS.contains(&word.as_str()))?;
    let plan = match Plan::from_args() {
        Ok(plan) => plan,
        Err(text) => {
            eprintln!("goruntime-stress: {text}");
            return Some(ExitCode::from(2));
        }
    };
    Some(match word.as_str() {
        "soak-server" => server::main(),
        "soak-client" => client::main(),
        _ => parent(&plan),
    })
}

impl Plan {
    fn from_args() -> Result<Plan, String> {
        let mut plan = Plan {
            connections: 10_000,
            acts: 6,
            seed: options::seed_of_clock(),
            procs: vec![1, 2, 4, 16],
            silence: Duration::from_secs(240),
            at: String::new(),
        };
        let mut args = env::args().skip(2);
        while let Some(name) = args.next() {
            let value = args.next().ok_or_else(|| format!("`{name}` needs a value"))?;
            let number = || value.parse::<u64>().map_err(|_| format!("`{name} {value}`: expected a number"));
            match name.as_str() {
                "--connections" => plan.connections = number()?.max(1) as usize,
                "--acts" => plan.acts = number()?,
                "--seed" => plan.seed = number()?,
                "--silence" => plan.silence = Duration::from_secs(number()?),
                "--procs" => plan.procs = options::processors(&value)?,
                "--at" => plan.at = value,
                _ => {
                    return Err(format!(
                        "unknown argument `{name}`; expected --connections, --acts, --seed, --procs or --silence"
                    ));
                }
            }
        }
        Ok(plan)
    }

    fn child(&self, word: &str, procs: usize, at: &str) -> std::io::Result<Child> {
        Command::new(env::current_exe()?)
            .args([word, "--connections", &self.connections.to_string(), "--acts", &self.acts.to_string()])
            .args(["--seed", &self.seed.to_string(), "--at", at])
            .env("GOMAXPROCS", procs.to_string())
            .env("GOTRACEBACK", "system")
            .stdout(Stdio::piped())
            .spawn()
    }
}

fn parent(plan: &Plan) -> ExitCode {
    if let Err(text) = census::raise_limit(plan.connections) {
        eprintln!("goruntime-stress: {text}");
        return ExitCode::from(2);
    }
    println!("soak: seed {}, {} connections, {} acts each", plan.seed, plan.connections, plan.acts);
    let mut failed = 0;
    for &procs in &plan.procs {
        let begun = Instant::now();
        let verdict = pair(plan, procs);
        println!(
            "procs {procs:2}: {} after {:.1} s",
            verdict.as_ref().map_or("FAILED", |()| "ok"),
            begun.elapsed().as_secs_f64()
        );
        if let Err(text) = verdict {
            println!("    {text}");
            println!(
                "    again: soak --seed {} --connections {} --acts {} --procs {procs}",
                plan.seed, plan.connections, plan.acts
            );
            failed += 1;
        }
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs a server and its clients.
fn pair(plan: &Plan, procs: usize) -> Result<(), String> {
    let mut server = plan.child("soak-server", procs, "").map_err(|error| format!("no server: {error}"))?;
    let lines = watch::lines_of(&mut server);
    let clients = match lines.recv_timeout(plan.silence) {
        Ok(at) => plan.child("soak-client", procs, &at).map_err(|error| format!("no clients: {error}")),
        Err(_) => Err("the server does not say where it listens".to_owned()),
    };
    let result = clients.and_then(|mut clients| {
        let clients_lines = watch::lines_of(&mut clients);
        let ended = follow("clients", &mut clients, &clients_lines, plan.silence);
        ended.and_then(|()| follow("server", &mut server, &lines, plan.silence))
    });
    if result.is_err() {
        // That it has gone by itself meanwhile is no error; it is waited for either way.
        let _ = server.kill();
        let _ = server.wait();
    }
    result
}

/// Prints what a child says until it ends.
fn follow(who: &str, child: &mut Child, lines: &Receiver<String>, silence: Duration) -> Result<(), String> {
    loop {
        match lines.recv_timeout(silence) {
            Ok(line) => println!("    {who}: {line}"),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                eprintln!("soak: the {who} have been silent for {silence:?}");
                watch::examine(child.id());
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("the {who} hang"));
            }
        }
    }
    let status = child.wait().map_err(|error| format!("the {who} cannot be waited for: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("the {who} ended with {status}")) }
}
