//! What was asked for? The command line.

use std::fmt::Write;

use crate::workload::{self, PEERS, WORKLOADS, Workload};

/// What to measure, and how often.
#[derive(Debug)]
pub struct Options {
    /// The peers that take part.
    pub peers: Vec<&'static str>,
    /// The workloads, in the order of the table.
    pub workloads: Vec<&'static Workload>,
    /// The worker counts.
    pub workers: Vec<u32>,
    /// Runs of each cell.
    pub runs: u32,
    /// Factor on the operations of each run.
    pub scale: f64,
}

impl Options {
    /// One line that says what these options measure.
    pub fn describe(&self) -> String {
        let workers: Vec<_> = self.workers.iter().map(u32::to_string).collect();
        format!(
            "{} workloads, workers {}, {} interleaved runs each, scale {}, peers: {}",
            self.workloads.len(),
            workers.join(" and "),
            self.runs,
            self.scale,
            self.peers.join(" ")
        )
    }
}

/// Reads the arguments of the command.
///
/// # Errors
///
/// Names the argument that is wrong and what is accepted in its place.
pub fn parse(args: &[String]) -> Result<Options, String> {
    let mut options = Options {
        peers: vec!["goruntime", "plain"],
        workloads: WORKLOADS.iter().collect(),
        workers: vec![1, 2],
        runs: 5,
        scale: 1.0,
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut text = || args.next().ok_or(format!("{arg} wants a value"));
        match arg.as_str() {
            "--peers" => options.peers = PEERS.to_vec(),
            "--only" => options.peers = peers(text()?)?,
            "--workloads" => options.workloads = workloads(text()?)?,
            "--workers" => options.workers = workers(text()?)?,
            "--runs" => options.runs = positive(arg, text()?)?,
            "--scale" => options.scale = scale(text()?)?,
            other => return Err(format!("unknown argument `{other}`\n\n{}", help())),
        }
    }
    Ok(options)
}

/// The text of `--help`.
pub fn help() -> String {
    let mut text = String::from(
        "usage: cargo run --release --manifest-path benches/Cargo.toml -- [OPTIONS]\n\n\
         --peers            measure goruntime and every peer (without it: goruntime alone)\n\
         --only A,B         measure these\n\
         --workloads A,B    only these workloads\n\
         --workers 1,2      these worker counts\n\
         --runs N           runs of each cell (5)\n\
         --scale F          factor on the operations of each run (1)\n\n",
    );
    let _ = writeln!(text, "peers: {}\nworkloads:", PEERS.join(" "));
    for workload in WORKLOADS {
        let _ = writeln!(text, "  {:<19}{}", workload.name, workload.question);
    }
    text
}

fn peers(list: &str) -> Result<Vec<&'static str>, String> {
    let find = |name: &str| PEERS.iter().copied().find(|peer| *peer == name);
    list.split(',')
        .map(|name| find(name).ok_or(format!("unknown peer `{name}`; expected {}", PEERS.join(", "))))
        .collect()
}

fn workloads(list: &str) -> Result<Vec<&'static Workload>, String> {
    let names: Vec<_> = WORKLOADS.iter().map(|workload| workload.name).collect();
    let unknown = |name: &str| format!("unknown workload `{name}`; expected {}", names.join(", "));
    list.split(',').map(|name| workload::find(name).ok_or_else(|| unknown(name))).collect()
}

fn workers(list: &str) -> Result<Vec<u32>, String> {
    let mut counts: Vec<u32> = list.split(',').map(|count| positive("--workers", count)).collect::<Result<_, _>>()?;
    counts.sort_unstable();
    counts.dedup();
    Ok(counts)
}

fn positive(option: &str, text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or(format!("{option} wants a positive number, not `{text}`"))
}

fn scale(text: &str) -> Result<f64, String> {
    let scale = text.parse().ok().filter(|scale: &f64| scale.is_finite() && *scale > 0.0);
    scale.ok_or(format!("--scale wants a number above zero, not `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Options, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn an_unknown_workload_is_answered_with_the_accepted_ones() {
        let text = parsed("--workloads spawn_join,spin").expect_err("spin is no workload");
        assert!(text.starts_with("unknown workload `spin`; expected spawn_join, "), "{text}");
    }

    #[test]
    fn an_unknown_peer_is_answered_with_the_accepted_ones() {
        let text = parsed("--only go,java").expect_err("java is no peer");
        assert!(text.starts_with("unknown peer `java`; expected goruntime, go, "), "{text}");
    }

    #[test]
    fn worker_counts_are_sorted_and_single() {
        assert_eq!(parsed("--workers 2,1,2").expect("valid").workers, [1, 2]);
    }

    #[test]
    fn zero_runs_are_refused() {
        assert_eq!(parsed("--runs 0").expect_err("zero"), "--runs wants a positive number, not `0`");
    }
}
