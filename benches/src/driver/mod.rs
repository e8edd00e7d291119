//! How do the runs become a table? Builds the children, runs them interleaved, hands on the answers.
//!
//! For each workload and worker count, run 1 of every peer comes before run 2 of any, and the order
//! of the peers turns by one from run to run, so that a slow spell of the machine hits all alike.

pub mod chart;
pub mod children;
pub mod cli;
pub mod table;
pub mod tools;

use std::fs;
use std::path::Path;

use crate::workload::{PEERS, Workload};
use children::{Answer, Children};
use cli::Options;
use table::{Cell, Table};

/// Where CSV and SVG go.
const RESULTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/results");

/// Measures everything that `options` asks for and writes the report.
///
/// # Errors
///
/// Says what could not be built, started or written, or how many runs failed.
pub fn measure_all(options: &Options) -> Result<(), String> {
    fs::create_dir_all(RESULTS).map_err(|err| format!("cannot create {RESULTS}: {err}"))?;
    let children = tools::build(&options.peers, Path::new(RESULTS))?;
    let mut table = Table::default();
    println!("{}", options.describe());
    for workload in &options.workloads {
        for workers in workload.workers(&options.workers) {
            let cell = measure(workload, workers, options, &children);
            table.add(workload, workers, cell);
        }
    }
    table.print_notes();
    let write = |name: &str, text: String| {
        let path = format!("{RESULTS}/{name}");
        fs::write(&path, text).map_err(|err| format!("cannot write {path}: {err}"))?;
        println!("wrote {path}");
        Ok::<(), String>(())
    };
    write("runs.csv", table.runs_csv())?;
    write("medians.csv", table.medians_csv())?;
    write("medians.svg", chart::svg(&table))?;
    match table.failures() {
        0 => Ok(()),
        failed => Err(format!("{failed} runs failed; see the notes above")),
    }
}

fn measure(workload: &'static Workload, workers: u32, options: &Options, children: &Children) -> Cell {
    let asked = PEERS.iter().copied().filter(|peer| options.peers.contains(peer));
    let mut peers: Vec<&'static str> = asked.filter(|peer| workload.is_for(peer)).collect();
    let mut cell = Cell::default();
    for _ in 0..options.runs {
        for &peer in &peers {
            // A peer that cannot do it, or that failed, is not asked again.
            if cell.answers(peer).any(|answer| !matches!(answer, Answer::Done(_))) {
                continue;
            }
            let ops = workload.ops_for(peer, options.scale);
            cell.push(peer, children.run(peer, workload.name, workers, ops));
        }
        if !peers.is_empty() {
            peers.rotate_left(1);
        }
    }
    cell
}
