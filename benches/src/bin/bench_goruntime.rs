//! The child process of the goruntime peer: `bench_goruntime WORKLOAD WORKERS OPS`, with GOMAXPROCS set.

use std::env;

use goruntime_bench::{outcome, peers};

#[goruntime::main]
fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let [workload, workers, ops] = &args[..] else {
        panic!("three arguments: WORKLOAD WORKERS OPS; got {args:?}");
    };
    let workers: u32 = workers.parse().expect("WORKERS is a number");
    let ops: u64 = ops.parse().expect("OPS is a number");
    let procs = goruntime::runtime::gomaxprocs();
    assert_eq!(procs as u32, workers, "GOMAXPROCS differs from WORKERS");
    outcome::print(&peers::goruntime::run(workload, workers, ops));
}
