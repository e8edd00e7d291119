//! What does a server achieve under load? Starts it on one core, loads it from another, and watches its memory.
//!
//! The server is the child process of a peer, which prints the port it listens at and serves until it is killed. The load is the
//! same for all: one thread with an epoll loop, pinned to a core of its own, in which every connection has one request on its way.
//!
//! `load WORKLOAD OPS SERVER [ARGS ..]` prints the line of a child: requests per second, the server's peak memory, and as further
//! figures `p50_us`, `p99_us` and, for many connections, `idle_bytes`: the server's memory over their number, when all were open, had been
//! served once, and waited. All of it counts, since what a runtime has made at its start for connections to come has its price, too.

mod affinity;
mod connections;
mod echo;
mod histogram;
mod http;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::outcome::{Outcome, status_kib_of};
use connections::{Load, Protocol};

/// The prefix of the workloads that are loads on an echo server; the number of connections follows.
pub const ECHO: &str = "tcp_echo_";
/// The same for loads on an HTTP server, which answers everything with [`HTTP_BODY`](crate::shape::HTTP_BODY).
pub const HTTP: &str = "http_keepalive_";
/// With fewer connections the memory of a server is mostly that of an empty program.
const MANY: usize = 1000;

/// Whether the workload is a load on a server.
pub fn is_load(workload: &str) -> bool {
    [ECHO, HTTP].iter().any(|prefix| workload.starts_with(prefix))
}

/// In the server: says where it listens.
pub fn announce(addr: SocketAddr) {
    println!("{}", addr.port());
}

/// Runs a load; `args` are WORKLOAD OPS SERVER [ARGS ..]. Answers with the line to be printed.
///
/// # Errors
///
/// Says which argument is wrong, or what the server or the system did not do.
pub fn run(args: &[String]) -> Result<String, String> {
    let [workload, ops, server, server_args @ ..] = args else {
        return Err(format!("load takes WORKLOAD OPS SERVER [ARGS ..]; got {args:?}"));
    };
    let (load, connections) = loads(workload).ok_or(format!("`{workload}` is no load"))?;
    let ops = ops.parse().map_err(|_| format!("`{ops}` is not a number"))?;
    affinity::raise_descriptor_limit(connections as u64 + 100)?;
    // The server inherits the first core.
    affinity::confine_to_first()?;
    let mut server = Server::start(Command::new(server).args(server_args))?;
    affinity::confine_to_last()?;
    match server.first_line() {
        // Why it does not serve.
        line if line.starts_with("- ") => Ok(line),
        line => {
            server.port = line.parse().map_err(|_| format!("the server says `{line}` instead of its port"))?;
            load(&mut server, connections, ops).map(|outcome| outcome.to_string())
        }
    }
}

/// Puts a load of so many connections and requests on a server.
type PutLoad = fn(&mut Server, usize, u64) -> Result<Outcome, String>;

/// What the name of a workload means: which load, and how many connections.
fn loads(workload: &str) -> Option<(PutLoad, usize)> {
    let (load, count): (PutLoad, _) = match workload.strip_prefix(ECHO) {
        Some(count) => (Server::load::<echo::Echo>, count),
        None => (Server::load::<http::Http>, workload.strip_prefix(HTTP)?),
    };
    let count = count.parse().ok().filter(|count| *count > 0)?;
    Some((load, count))
}

/// The process under load; killed when dropped.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(command: &mut Command) -> Result<Server, String> {
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let child = spawned.map_err(|err| format!("cannot start {command:?}: {err}"))?;
        Ok(Server { child, port: 0 })
    }

    /// What it prints first; nothing if it ends or fails before.
    fn first_line(&mut self) -> String {
        let mut line = String::new();
        let output = self.child.stdout.take().expect("stdout is piped, and asked for once");
        // Of an error the line that lacks tells enough.
        _ = BufReader::new(output).read_line(&mut line);
        line.trim().to_owned()
    }

    fn load<P: Protocol>(&mut self, connections: usize, ops: u64) -> Result<Outcome, String> {
        let failed = |err: std::io::Error| format!("the load failed: {err}");
        let mut load = Load::<P>::connect(self.port, connections).map_err(failed)?;
        load.run(connections as u64).map_err(failed)?;
        let idle_kib = self.resident_kib();
        // A tenth as much as will be counted, for caches and buffers.
        load.run(ops / 10).map_err(failed)?;
        let measured = load.run(ops).map_err(failed)?;
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let peak_rss_kib = status_kib_of(self.child.id(), "VmHWM:");
        let outcome = Outcome { value: measured.requests_per_second, peak_rss_kib, extras: Vec::new() };
        let outcome = outcome.with("p50_us", micros(measured.p50)).with("p99_us", micros(measured.p99));
        if connections < MANY {
            return Ok(outcome);
        }
        Ok(outcome.with("idle_bytes", idle_kib as f64 * 1024.0 / connections as f64))
    }

    /// Resident memory and page tables.
    fn resident_kib(&self) -> u64 {
        status_kib_of(self.child.id(), "VmRSS:") + status_kib_of(self.child.id(), "VmPTE:")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // That it has ended by itself is no error here: the load has its figures, or has failed.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::WORKLOADS;

    #[test]
    fn the_name_of_a_load_says_how_many_connections() {
        let counts = ["tcp_echo_7", "http_keepalive_5000", "http_keepalive_0", "tcp_echo_", "hog"].map(loads);
        assert_eq!(counts.map(|load| load.map(|(_, count)| count)), [Some(7), Some(5000), None, None, None]);
    }

    #[test]
    fn every_load_of_the_table_is_known() {
        let names: Vec<_> = WORKLOADS.iter().map(|workload| workload.name).filter(|name| is_load(name)).collect();
        assert_eq!(names.len(), 8);
        assert!(names.iter().all(|name| loads(name).is_some()), "{names:?}");
    }

    /// A server that cannot do the workload has a reason, which is no failure of the load.
    #[test]
    fn the_reason_of_a_server_that_does_not_serve_is_the_answer() {
        let load = |says: &str| run(&["http_keepalive_1", "1", "/bin/echo", says].map(str::to_owned));
        assert_eq!(load("- has no HTTP server"), Ok("- has no HTTP server".to_owned()));
        assert_eq!(load("hello"), Err("the server says `hello` instead of its port".to_owned()));
    }
}
