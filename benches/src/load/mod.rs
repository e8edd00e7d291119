//! What does a server achieve under load? Starts it on one core, loads it from another, and watches its memory.
//!
//! The server is the child process of a peer, which prints the port it listens at and serves until it is killed. The load is the
//! same for all: one thread with an epoll loop, pinned to a core of its own, in which every connection has one request on its way.
//!
//! `load WORKLOAD OPS SERVER [ARGS ..]` prints the line of a child: requests per second, the server's peak memory, and as further
//! figures `p50_us`, `p99_us` and `idle_bytes`, which is what the server's memory has grown by for every connection when all were
//! open and had been served once.

mod affinity;
mod echo;
mod histogram;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::outcome::{Outcome, status_kib_of};

/// The prefix of the workloads that are loads on an echo server; the number of connections follows.
pub const ECHO: &str = "tcp_echo_";

/// What a load has measured.
#[derive(Debug)]
struct Measured {
    requests_per_second: f64,
    p50: Duration,
    p99: Duration,
}

/// Whether the workload is a load on a server.
pub fn is_load(workload: &str) -> bool {
    workload.starts_with(ECHO)
}

/// In the server: says where it listens.
pub fn announce(addr: SocketAddr) {
    println!("{}", addr.port());
}

/// Runs a load; `args` are WORKLOAD OPS SERVER [ARGS ..].
///
/// # Errors
///
/// Says which argument is wrong, or what the server or the system did not do.
pub fn run(args: &[String]) -> Result<Outcome, String> {
    let [workload, ops, server, server_args @ ..] = args else {
        return Err(format!("load takes WORKLOAD OPS SERVER [ARGS ..]; got {args:?}"));
    };
    let connections = workload.strip_prefix(ECHO).and_then(|count| count.parse::<usize>().ok());
    let connections = connections.filter(|count| *count > 0).ok_or(format!("`{workload}` is no load"))?;
    let ops = ops.parse().map_err(|_| format!("`{ops}` is not a number"))?;
    affinity::raise_descriptor_limit(connections as u64 + 100)?;
    // The server inherits the first core.
    affinity::confine_to_first()?;
    let mut server = Server::start(Command::new(server).args(server_args))?;
    affinity::confine_to_last()?;
    server.load(connections, ops)
}

/// The process under load; killed when dropped.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(command: &mut Command) -> Result<Server, String> {
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|err| format!("cannot start {command:?}: {err}"))?;
        let mut line = String::new();
        let output = child.stdout.take().expect("stdout is piped");
        let read = BufReader::new(output).read_line(&mut line);
        let port = read.ok().and_then(|_| line.trim().parse().ok());
        let mut server = Server { child, port: port.unwrap_or(0) };
        match port {
            Some(_) => Ok(server),
            // What it says instead is the reason why it does not serve.
            None => {
                server.stop();
                Err(line.trim().to_owned())
            }
        }
    }

    fn load(&mut self, connections: usize, ops: u64) -> Result<Outcome, String> {
        let failed = |err: std::io::Error| format!("the load failed: {err}");
        let before = self.resident_kib();
        let mut load = echo::Load::connect(self.port, connections).map_err(failed)?;
        load.run(connections as u64).map_err(failed)?;
        let grown = self.resident_kib().saturating_sub(before);
        // A tenth as much as will be counted, for caches and buffers.
        load.run(ops / 10).map_err(failed)?;
        let measured = load.run(ops).map_err(failed)?;
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let peak_rss_kib = status_kib_of(self.child.id(), "VmHWM:");
        let outcome = Outcome { value: measured.requests_per_second, peak_rss_kib, extras: Vec::new() };
        Ok(outcome
            .with("p50_us", micros(measured.p50))
            .with("p99_us", micros(measured.p99))
            .with("idle_bytes", grown as f64 * 1024.0 / connections as f64))
    }

    /// Resident memory and page tables.
    fn resident_kib(&self) -> u64 {
        status_kib_of(self.child.id(), "VmRSS:") + status_kib_of(self.child.id(), "VmPTE:")
    }

    fn stop(&mut self) {
        // That it has ended by itself is no error here: the load has its figures, or has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
