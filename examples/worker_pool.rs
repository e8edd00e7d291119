//! Four workers, a hundred jobs, one channel in and one out.
//!
//! Prints `100 jobs, 4 workers, sum of squares 328350`.

use goruntime::{channel, go};

const JOBS: u64 = 100;
const WORKERS: usize = 4;

#[goruntime::main]
fn main() {
    let (jobs, queue) = channel::bounded(8);
    let (results, finished) = channel::unbounded();
    for _ in 0..WORKERS {
        let (queue, results) = (queue.clone(), results.clone());
        go(move || {
            for job in queue {
                results.send(job * job).expect("main listens to the end");
            }
        });
    }
    // The channel of results ends when the last worker has let go of it.
    drop((queue, results));
    go(move || {
        for job in 0..JOBS {
            jobs.send(job).expect("the workers listen to the end");
        }
    });
    let squares: Vec<u64> = finished.iter().collect();
    println!("{} jobs, {WORKERS} workers, sum of squares {}", squares.len(), squares.iter().sum::<u64>());
}
