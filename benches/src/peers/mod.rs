//! How does each peer do each workload? One file per peer, plus what tokio and smol share.
//!
//! Every `run` takes the name of a workload, the worker count and the operations, and answers with an
//! outcome or with the reason why the peer has none. A peer uses what its users would use.

mod answer;
pub mod epoll;
#[cfg(feature = "runtime")]
pub mod goruntime;
#[cfg(feature = "channels")]
mod goruntime_channels;
#[cfg(feature = "runtime")]
mod goruntime_http;
pub mod may;
mod rendezvous;
pub mod smol;
pub mod threads;
pub mod tokio;

/// The reason of peers that serve no HTTP.
const NO_HTTP: &str = "has no HTTP server";
/// The reason of every peer for a workload that it does not know.
const UNKNOWN: &str = "not in this peer";
