//! `std::io` for goroutines: its traits and types, and standard streams and pipes that do not keep a processor waiting.
//!
//! `use goruntime::io` replaces `use std::io`: everything that is not named below is std's own.
//!
//! # Examples
//!
//! ```
//! use goruntime::io::{self, BufRead, BufReader, Write};
//!
//! let lines: io::Result<Vec<String>> = goruntime::run(|| {
//!     let (reader, mut writer) = io::pipe()?;
//!     goruntime::go(move || writeln!(writer, "one\ntwo").unwrap());
//!     BufReader::new(reader).lines().collect()
//! });
//! assert_eq!(lines.unwrap(), ["one", "two"]);
//! ```

// *Why here.* Floor 8: waits through `net::fd`, and files and processes are made of what is here.
//
// *Invariants.* PF1, SI1, OU1, OU2 in those files. *Locks.* See each file. *Go:* packages io and os.

mod end;
mod error;
mod output;
mod pipe;
mod stdin;
mod terminal;

pub(crate) mod polled;

pub use std::io::*;

pub(crate) use self::end::{pipe_end, reading_end, writing_end};
pub(crate) use self::error::no_deadline;

pub use self::error::Closed;
pub use self::output::{Stderr, StderrLock, Stdout, StdoutLock, stderr, stdout};
pub use self::pipe::{PipeReader, PipeWriter, pipe};
pub use self::stdin::{Stdin, StdinLock, stdin};
pub use self::terminal::IsTerminal;
