//! Functions from bytes to panics: each makes something of the bytes, and panics if goruntime does not do with it what it must.
//!
//! Why here: a workspace of its own, for what is needed here and nowhere else: syn with all of the language, and libFuzzer. The functions are
//! called by libFuzzer (`scripts/fuzz.sh`), and by `tests/corpus.rs`, which needs neither libFuzzer nor more than a stable compiler.
//!
//! *Invariants*
//! - FZ1. What a function does follows from the bytes, except for the interleaving of goroutines.
//! - FZ2. The sources of `goruntime-macros` are compiled in as they are: a crate of procedural macros exports nothing else.
//!
//! *Locks*: none.
//!
//! *Go:* `FuzzXxx(f *testing.F)`.

#[path = "../../../macros/src/args.rs"]
mod args;
#[path = "../../../macros/src/cut.rs"]
mod cut;
#[path = "../../../macros/src/errors.rs"]
mod errors;
#[path = "../../../macros/src/expressions.rs"]
mod expressions;
#[path = "../../../macros/src/init_attr.rs"]
mod init_attr;
#[path = "../../../macros/src/item.rs"]
mod item;
#[path = "../../../macros/src/main_attr.rs"]
mod main_attr;
#[path = "../../../macros/src/select/mod.rs"]
mod select;
#[path = "../../../macros/src/test_attr.rs"]
mod test_attr;

mod attributes;
mod grammar;
mod programs;
mod reference;
mod select_macro;
mod tokens;

pub use attributes::attributes;
pub use programs::programs;
pub use select_macro::select_macro;
