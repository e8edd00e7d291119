//! The command: measures the asked peers, prints medians and ratios, writes CSV and SVG.
//!
//! Called as `child PEER WORKLOAD WORKERS OPS` or `load WORKLOAD OPS SERVER ..` it is one of the processes that the driver starts.

use std::env;
use std::process::ExitCode;

use goruntime_bench::driver::{cli, measure_all};
use goruntime_bench::{load, outcome, peers};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let result = match args.first().map(String::as_str) {
        Some("child") => child(&args[1..]),
        Some("load") => load::run(&args[1..]).map(|line| println!("{line}")),
        Some("--help" | "-h") => {
            print!("{}", cli::help());
            Ok(())
        }
        _ => cli::parse(&args).and_then(|options| measure_all(&options)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("error: {text}");
            ExitCode::FAILURE
        }
    }
}

fn child(args: &[String]) -> Result<(), String> {
    let [peer, workload, workers, ops] = args else {
        return Err(format!("child takes PEER WORKLOAD WORKERS OPS; got {args:?}"));
    };
    let number = |text: &str| text.parse::<u64>().map_err(|_| format!("`{text}` is not a number"));
    let (workers, ops) = (number(workers)? as u32, number(ops)?);
    let run = match peer.as_str() {
        "epoll" => peers::epoll::run,
        "tokio" => peers::tokio::run,
        "may" => peers::may::run,
        "smol" => peers::smol::run,
        "threads" => peers::threads::run,
        _ => {
            return Err(format!("`{peer}` is not a peer of this program; expected tokio, may, smol, threads or epoll"));
        }
    };
    outcome::print(&run(workload, workers, ops));
    Ok(())
}
