//! What is asked, in which unit, and what has to be reached? The table of workloads and targets.
//!
//! The targets are those of the project's performance plan; "best" is the best peer of the same row,
//! threads included.

use crate::load;

/// One question to all peers.
#[derive(Debug)]
pub struct Workload {
    /// The name that `--workloads` accepts.
    pub name: &'static str,
    /// What is measured, in one line.
    pub question: &'static str,
    /// Operations of one run at `--scale 1`.
    pub ops: u64,
    /// The same for threads, which cost more.
    pub thread_ops: u64,
    /// What `--scale` does not go below.
    pub least_ops: u64,
    /// For which worker counts a row exists.
    pub rows: Rows,
    /// The figures taken from a run, the run's own value first.
    pub metrics: &'static [Metric],
}

/// For which of the asked worker counts a workload is run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rows {
    /// Each of them.
    Each,
    /// The lowest only.
    First,
    /// The highest only.
    Last,
}

/// One figure of a run, and its targets.
#[derive(Debug)]
pub struct Metric {
    /// What is added to the workload's name; empty for the run's own value.
    pub suffix: &'static str,
    /// Where the figure comes from.
    pub source: Source,
    /// Its unit.
    pub unit: &'static str,
    /// Whether more is better.
    pub more_is_better: bool,
    /// Targets with one worker, and with two or more.
    pub targets: [&'static [Bound]; 2],
}

/// Where a figure comes from.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// The value of the run.
    Value,
    /// The peak resident set, in MiB.
    PeakMib,
    /// A named further figure.
    Extra(&'static str),
}

/// One target for goruntime's figure.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// At most this many times the best peer's; at least, where more is better.
    Best(f64),
    /// The same with the named peer's.
    Peer(&'static str, f64),
    /// At most this much above the named peer's.
    Above(&'static str, f64),
    /// At most this.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
}

use Bound::{Above, AtLeast, AtMost, Best, Peer};

impl Workload {
    /// Operations of one run of `peer` at `scale`.
    pub fn ops_for(&self, peer: &str, scale: f64) -> u64 {
        let ops = if peer == "threads" { self.thread_ops } else { self.ops };
        ((ops as f64 * scale) as u64).max(self.least_ops)
    }

    /// Whether the workload is run by that peer at all.
    pub fn is_for(&self, peer: &str) -> bool {
        let mut bounds = self.metrics.iter().flat_map(|metric| metric.targets).flatten();
        match peer {
            "plain" => self.name == "startup",
            "epoll" => self.name.starts_with(load::ECHO),
            "hyper" => self.name.starts_with(load::HTTP),
            "unguarded" => bounds.any(|bound| matches!(bound, Bound::Peer(other, _) if *other == peer)),
            _ => true,
        }
    }

    /// The worker counts of this workload's rows, out of those asked for.
    pub fn workers(&self, asked: &[u32]) -> Vec<u32> {
        match self.rows {
            Rows::Each => asked.to_vec(),
            Rows::First => asked.iter().min().copied().into_iter().collect(),
            Rows::Last => asked.iter().max().copied().into_iter().collect(),
        }
    }
}

/// The workload of that name.
pub fn find(name: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().find(|workload| workload.name == name)
}

const fn value(unit: &'static str, one: &'static [Bound], two: &'static [Bound]) -> Metric {
    Metric { suffix: "", source: Source::Value, unit, more_is_better: false, targets: [one, two] }
}

const fn peak_mib(one: &'static [Bound], two: &'static [Bound]) -> Metric {
    let source = Source::PeakMib;
    Metric { suffix: ", peak RSS", source, unit: "MiB", more_is_better: false, targets: [one, two] }
}

const fn extra(suffix: &'static str, name: &'static str, targets: [&'static [Bound]; 2]) -> Metric {
    Metric { suffix, source: Source::Extra(name), unit: "ms", more_is_better: false, targets }
}

const TICKS: Metric = Metric {
    suffix: "",
    source: Source::Value,
    unit: "ticks",
    more_is_better: true,
    targets: [&[AtLeast(190.0)], &[AtLeast(190.0)]],
};

/// What a server achieves: requests per second, and what they cost.
const fn server(targets: &'static [Bound]) -> [Metric; 4] {
    [
        Metric { suffix: "", source: Source::Value, unit: "req/s", more_is_better: true, targets: [targets, targets] },
        cost(", half below", "p50_us", "us", &[]),
        cost(", 99 % below", "p99_us", "us", &[Best(1.0)]),
        peak_mib(&[], &[]),
    ]
}

/// The same for many connections, with the memory that each costs.
const fn crowded(targets: &'static [Bound], memory: &'static [Bound]) -> [Metric; 5] {
    let [requests, half, most, peak] = server(targets);
    [requests, half, most, cost(", a connection", "idle_bytes", "bytes", memory), peak]
}

const fn cost(suffix: &'static str, name: &'static str, unit: &'static str, targets: &'static [Bound]) -> Metric {
    Metric { suffix, source: Source::Extra(name), unit, more_is_better: false, targets: [targets, targets] }
}

macro_rules! table {
    ($($name:ident $question:literal, $ops:literal, $thread_ops:literal, $least:literal, $rows:ident, $metrics:expr;)+) => {
        /// Every workload, in the order of the report.
        pub const WORKLOADS: &[Workload] = &[$(Workload {
            name: stringify!($name),
            question: $question,
            ops: $ops,
            thread_ops: $thread_ops,
            least_ops: $least,
            rows: Rows::$rows,
            metrics: &$metrics,
        }),+];
    };
}

table! {
    // name, question, operations, the same for threads, the least, rows, figures
    spawn_join "a task spawned and joined by its handle, in batches of 1000",
        2_000_000, 20_000, 1_000, Each, [value("ns", &[Best(0.28)], &[Best(0.4)])];
    spawn_wg "a task spawned and counted by a wait group, in batches of 1000",
        2_000_000, 20_000, 1_000, Each, [value("ns", &[Best(0.28)], &[Best(0.4)])];
    spawn_burst "a task, when a million are spawned before any wait",
        1_000_000, 0, 1_000, Each, [
            value("ns", &[Best(0.5)], &[Best(0.45)]),
            peak_mib(&[Best(1.0)], &[Best(1.0)])];
    yield2 "a yield, between two tasks",
        4_000_000, 1_000_000, 2_000, Each, [value("ns", &[Best(0.4)], &[Best(0.45)])];
    yield1000 "a yield, among a thousand tasks",
        4_000_000, 500_000, 1_000, Each, [value("ns", &[Best(0.4)], &[Best(0.45)])];
    pingpong_unbuf "a round trip over two rendezvous channels",
        1_000_000, 50_000, 100, Each, [value("ns", &[Best(0.35)], &[Best(0.3), Peer("unguarded", 1.1)])];
    pingpong_cap1 "a round trip over two channels of capacity 1",
        1_000_000, 100_000, 100, Each, [value("ns", &[Best(0.35)], &[Best(0.3)])];
    chan_buf "an item from one producer to one consumer, capacity 128",
        5_000_000, 5_000_000, 1_000, Each, [value("ns", &[Best(0.4)], &[Best(0.5)])];
    chan_buf4x4 "an item from four producers to four consumers, capacity 128",
        4_000_000, 4_000_000, 1_000, Each, [value("ns", &[Best(0.4)], &[Best(0.5)])];
    chan_unb "an item from one producer to one consumer, unbounded",
        5_000_000, 5_000_000, 1_000, Each, [value("ns", &[Best(0.4)], &[Best(0.5)])];
    select_buf "an item from one of four producers to one task that selects, capacity 128 each",
        2_000_000, 500_000, 1_000, Each, [value("ns", &[Best(0.5)], &[Best(0.6)])];
    select_cap1 "the same over channels of capacity 1",
        1_000_000, 100_000, 1_000, Each, [value("ns", &[Best(0.5)], &[Best(0.6)])];
    select_unbuf "the same over rendezvous channels",
        1_000_000, 100_000, 1_000, Each, [value("ns", &[Best(0.5)], &[Best(0.6)])];
    ring_unbuf "a hop of one token around a ring of 1000 rendezvous channels",
        1_000_000, 50_000, 1_000, Each, [value("ns", &[Best(0.45)], &[Best(0.4), Peer("unguarded", 1.1)])];
    sieve_unbuf "the first 2000 primes, a task and a rendezvous channel for each",
        2_000, 0, 20, Each, [value("ms", &[Best(0.45)], &[Best(0.4)])];
    skynet "a million leaves summed up a tree of tenfold rendezvous nodes",
        1_000_000, 0, 100, Each, [
            value("ms", &[Best(0.35)], &[Best(0.3)]),
            peak_mib(&[Best(1.0)], &[Best(1.0)])];
    mutex1 "a lock and unlock of a mutex that no other task uses",
        20_000_000, 20_000_000, 1_000, First, [value("ns", &[Best(1.0)], &[Best(1.0)])];
    mutex "a lock and unlock of one mutex by eight tasks",
        4_000_000, 4_000_000, 1_000, Each, [value("ns", &[Best(1.0)], &[Best(1.0)])];
    rwlock "a lock and unlock by eight tasks, one in a hundred for writing",
        4_000_000, 4_000_000, 1_000, Each, [value("ns", &[Best(1.0)], &[Best(1.0)])];
    waitgroup "a task spawned and waited for through a wait group, one at a time",
        1_000_000, 20_000, 1_000, Each, [value("ns", &[Best(0.45)], &[Best(0.45)])];
    timers_rand "a million tasks that each sleep 1 to 1000 ms, in all",
        1_000_000, 0, 100, Each, [
            value("ms", &[Peer("go", 0.6), Best(1.1)], &[Peer("go", 0.7), Best(1.1)])];
    timers_1ms "100,000 tasks with ten sleeps of 1 ms each, in all",
        100_000, 0, 100, Each, [
            value("ms", &[Peer("go", 0.6), Best(1.1)], &[Peer("go", 0.7), Best(1.1)])];
    sleep1us "one sleep of 1 us, on idle CPUs",
        2_000, 2_000, 20, Each, [value("us", &[AtMost(80.0)], &[AtMost(80.0)])];
    mem_queued "bytes of a task that has not started",
        20_000, 0, 1_000, First, [value("bytes", &[AtMost(350.0)], &[AtMost(350.0)])];
    mem_parked_100k "bytes of a parked task, its handle and page tables, out of 100,000",
        100_000, 10_000, 1_000, Each, [
            value("bytes", &[AtMost(4900.0)], &[AtMost(4900.0)]),
            extra(", spawned and parked", "spawn_ms", [&[], &[]])];
    mem_parked_1m "bytes of a parked task, its handle and page tables, out of a million",
        1_000_000, 0, 1_000, Each, [
            value("bytes", &[AtMost(4900.0)], &[AtMost(4900.0)]),
            extra(", spawned and parked", "spawn_ms", [&[Peer("go", 0.8)], &[Peer("go", 0.9)]])];
    hog "ticks of 10 ms, out of 200 due, beside one busy loop per worker",
        2_000, 2_000, 200, Each, [
            TICKS,
            extra(", longest gap", "gap_ms", [&[AtMost(25.0)], &[AtMost(25.0)]])];
    blocking "100 tasks that each block their thread ten times for 10 ms, in all",
        100, 100, 4, Last, [value("ms", &[], &[Peer("go", 1.4)])];
    blocking_announced "the same, when the peer is told that the calls block",
        100, 100, 4, Last, [value("ms", &[], &[Peer("threads", 1.05)])];
    tcp_echo_1 "echoes of 64 bytes over one connection, server and load on a core each",
        100_000, 100_000, 100, First, server(&[Best(1.1)]);
    tcp_echo_100 "the same over 100 connections",
        500_000, 500_000, 100, First, server(&[Best(1.1), Peer("epoll", 0.9)]);
    tcp_echo_1000 "the same over 1000 connections",
        500_000, 500_000, 1_000, First, crowded(&[Best(1.1), Peer("epoll", 0.9)], &[Peer("may", 0.667)]);
    tcp_echo_5000 "the same over 5000 connections",
        500_000, 500_000, 5_000, First, crowded(&[Best(1.1)], &[Peer("may", 0.667)]);
    http_keepalive_1 "HTTP requests over one connection, server and load on a core each",
        50_000, 50_000, 100, First, server(&[Best(1.1)]);
    http_keepalive_100 "the same over 100 connections",
        300_000, 300_000, 100, First, server(&[Best(1.1)]);
    http_keepalive_1000 "the same over 1000 connections",
        300_000, 300_000, 1_000, First, crowded(&[Best(1.1)], &[Peer("may", 0.667)]);
    http_keepalive_5000 "the same over 5000 connections",
        300_000, 300_000, 5_000, First, crowded(&[Best(1.1)], &[Peer("may", 0.667)]);
    startup "an empty main, from fork to the end of wait",
        200, 200, 5, Last, [value("us", &[Above("plain", 350.0)], &[Above("plain", 350.0)])];
}

/// The peers that `--only` accepts, in the order of the report.
pub const PEERS: &[&str] =
    &["goruntime", "go", "tokio", "may", "smol", "threads", "epoll", "plain", "unguarded", "hyper"];

/// Those with goruntime in them: `unguarded` is it without its affinity guard, for the workloads that have a target against that, `hyper` with hyper
/// as HTTP server.
pub const OWN: &[&str] = &["goruntime", "unguarded", "hyper"];

/// What the child of `hyper` is given before the name of a workload.
pub const HYPER: &str = "hyper_";

/// Those with no runtime in them: `epoll` is a bare loop, for loads on servers, `plain` an empty Rust program.
pub const BARE: &[&str] = &["epoll", "plain"];
