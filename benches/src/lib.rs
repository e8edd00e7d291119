//! What does goruntime cost beside Go, tokio, may, smol and plain threads?
//!
//! Four parts. `workload` is the table: names, questions, sizes, targets. `peers` holds one file per
//! peer, each with every workload that the peer can do. `driver` starts one child process per (peer,
//! workload, workers, run), in interleaved order, and turns their answers into medians, ratios, CSV
//! and SVG. `load` stands between driver and peer where the peer is a server. `outcome` is what a child prints; `shape` is what the peers' loops have in common.
//!
//! A child is a process of its own because peak memory is a property of a process, because may and
//! smol keep global state, and because a hang or a crash then costs one cell and not the table.

pub mod driver;
pub mod load;
pub mod outcome;
pub mod peers;
pub mod shape;
pub mod workload;
