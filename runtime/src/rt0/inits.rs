//! The init functions of the program: where they are listed, in which order they run, and what is printed about them.
//!
//! Why here (floor 9): only goroutine 1 runs them, between the start of the caretakers and the body of `main`. This file
//! decides the order and holds the run state; it runs nothing, and needs nothing below it but std.
//!
//! The list is a section that the linker puts together from every crate that the program links, so no code runs before
//! `main`. The linker gives it no order; `ordered` does, as Go's linker does: a heap of the functions that wait for
//! nothing any more, of which the smallest is taken.
//!
//! *Invariants*
//! - I1. An init function is identified by the address of its `InitId`, which is unique because it is a static with
//!   interior mutability. Addresses of functions are not unique.
//! - I2. The order depends on the program alone, not on the linker: the key (crate, file, line, column, name) is total but
//!   for entries that one expansion of one `macro_rules` macro makes under the same name.
//! - I3. Each function is started once: its state goes 0, 1, 2 and never back.
//!
//! *Locks*: none; the states are atomic, and one goroutine changes them.
//!
//! *Go:* `cmd/link/internal/ld/inittask.go` (order), `runtime/proc.go` `doInit1` (state), `runtime/mgc.go` `fmtNSAsMS`.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

/// Every init function that the program links, in no particular order.
#[linkme::distributed_slice]
pub static INITS: [InitTask];

/// The identity of one init function, and how far it has come.
#[derive(Debug)]
pub struct InitId {
    /// 0: not started, 1: running, 2: done, as the `state` of Go's `initTask`.
    ///
    /// Relaxed is enough: goroutine 1 is the only one that writes, and nothing else is published through it.
    state: AtomicU8,
}

impl InitId {
    /// An identity of a function that has not been started.
    #[expect(clippy::new_without_default, reason = "an identity is the address of a static, never a value")]
    pub const fn new() -> Self {
        Self { state: AtomicU8::new(0) }
    }
}

/// Implemented by the hidden type that `#[goruntime::init]` puts beside the function.
#[diagnostic::on_unimplemented(
    message = "`after` names something that is not a `#[goruntime::init]` function",
    label = "expected the path of an init function"
)]
pub trait Init {
    /// The identity of the function.
    fn id() -> &'static InitId;
}

/// What a path in `after` stands for when the function has no hidden type; it is imported by glob, so that the hidden
/// type shadows it where there is one.
pub mod not_an_init {
    /// A type without `Init`.
    #[expect(non_camel_case_types, reason = "stands where a function name stands")]
    #[derive(Debug)]
    pub enum init_function {}
}

/// An entry of the list.
#[derive(Debug)]
pub struct InitTask {
    /// Who it is.
    pub id: fn() -> &'static InitId,
    /// Path of the function: crate, modules, name.
    pub name: &'static str,
    /// Source file.
    pub file: &'static str,
    /// Line of the attribute.
    pub line: u32,
    /// Column of the attribute.
    pub column: u32,
    /// The functions that run before this one.
    pub after: &'static [fn() -> &'static InitId],
    /// Calls the function; the error of the user comes back as text.
    pub run: fn() -> Result<(), String>,
}

/// What `InitTask::begin` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Begin {
    /// The function is to be run now, and `finish` to be called after it.
    Run,
    /// The function is running: somebody called for it from within. Go throws `recursive call during initialization -
    /// linker skew`.
    Recursive,
    /// The function has run.
    Done,
}

impl InitTask {
    /// Name of the crate that the function is in.
    fn krate(&self) -> &'static str {
        self.name.split("::").next().unwrap_or(self.name)
    }

    /// Place in the order, where `after` says nothing (I2).
    fn key(&self) -> (&'static str, &'static str, u32, u32, &'static str) {
        (self.krate(), self.file, self.line, self.column, self.name)
    }

    fn address(&self) -> usize {
        address((self.id)())
    }

    /// Marks the function as running, if it has not been started (I3).
    pub(crate) fn begin(&self) -> Begin {
        let state = &(self.id)().state;
        match state.compare_exchange(0, 1, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Begin::Run,
            Err(1) => Begin::Recursive,
            Err(_) => Begin::Done,
        }
    }

    /// Marks the function as done.
    pub(crate) fn finish(&self) {
        (self.id)().state.store(2, Ordering::Relaxed);
    }
}

/// Identities are compared by address (I1).
fn address(id: &'static InitId) -> usize {
    std::ptr::from_ref(id).addr()
}

/// What an init function may return: `()` or `Result<(), E>` with `E: Debug`, the same bound as that of `main`.
#[diagnostic::on_unimplemented(
    message = "an init function cannot return `{Self}`",
    label = "expected `()` or `Result<(), E>` with `E: Debug`"
)]
pub trait InitReturn: sealed::Sealed {
    /// The error, if there is one, as text.
    ///
    /// # Errors
    ///
    /// If the init function failed.
    fn into_result(self) -> Result<(), String>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for () {}
    impl<E> Sealed for Result<(), E> {}
}

impl InitReturn for () {
    fn into_result(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: fmt::Debug> InitReturn for Result<(), E> {
    fn into_result(self) -> Result<(), String> {
        self.map_err(|error| format!("{error:?}"))
    }
}

/// Init functions that wait for each other; the first name comes again as the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CycleError {
    names: Vec<&'static str>,
}

impl fmt::Display for CycleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cycle in #[goruntime::init] order: {}", self.names.join(" -> "))
    }
}

impl std::error::Error for CycleError {}

/// The init functions of the program in the order in which they run.
///
/// # Errors
///
/// If some of them wait for each other.
pub(crate) fn ordered() -> Result<Vec<&'static InitTask>, CycleError> {
    order(&INITS)
}

fn order(tasks: &'static [InitTask]) -> Result<Vec<&'static InitTask>, CycleError> {
    let graph = Graph::new(tasks);
    let mut waits_for: Vec<usize> = graph.before.iter().map(Vec::len).collect();
    let mut ready: BinaryHeap<_> = (0..tasks.len()).filter(|&i| waits_for[i] == 0).map(Reverse).collect();
    let mut done = Vec::with_capacity(tasks.len());
    while let Some(Reverse(index)) = ready.pop() {
        done.push(graph.tasks[index]);
        for &waiting in &graph.behind[index] {
            waits_for[waiting] -= 1;
            if waits_for[waiting] == 0 {
                ready.push(Reverse(waiting));
            }
        }
    }
    if done.len() == tasks.len() { Ok(done) } else { Err(graph.cycle(&waits_for)) }
}

/// The tasks, sorted by key, with their edges as indices: the smaller the index, the earlier the task runs.
struct Graph {
    tasks: Vec<&'static InitTask>,
    /// For each task those that run before it.
    before: Vec<Vec<usize>>,
    /// For each task those that wait for it.
    behind: Vec<Vec<usize>>,
}

impl Graph {
    fn new(tasks: &'static [InitTask]) -> Self {
        let mut sorted: Vec<&'static InitTask> = tasks.iter().collect();
        sorted.sort_by_key(|task| task.key());
        let by_id: HashMap<usize, usize> = sorted.iter().enumerate().map(|(i, task)| (task.address(), i)).collect();
        let mut behind = vec![Vec::new(); sorted.len()];
        let mut before = vec![Vec::new(); sorted.len()];
        for (index, task) in sorted.iter().enumerate() {
            for id in task.after {
                // The hidden type and the entry are expanded together, and the linker keeps every entry.
                let first = by_id[&address(id())];
                before[index].push(first);
                behind[first].push(index);
            }
        }
        Self { tasks: sorted, before, behind }
    }

    /// Follows the smallest task that is stuck to one that it waits for, and so on, until a task comes again. Every stuck
    /// task waits for a stuck one, so the walk never ends elsewhere.
    fn cycle(&self, waits_for: &[usize]) -> CycleError {
        let stuck = |&index: &usize| waits_for[index] > 0;
        let mut path: Vec<usize> = Vec::new();
        let mut next = (0..waits_for.len()).find(stuck);
        while let Some(index) = next {
            if let Some(start) = path.iter().position(|&seen| seen == index) {
                path.drain(..start);
                path.push(index);
                break;
            }
            path.push(index);
            next = self.before[index].iter().copied().find(stuck);
        }
        CycleError { names: path.into_iter().map(|index| self.tasks[index].name).collect() }
    }
}

/// Go's line of `GODEBUG=inittrace=1`, without the line break.
///
/// `start_ns` counts from the runtime start stamp; `counts` are bytes and allocations of the init goroutine alone, where something counts
/// them. Otherwise the line ends before them: a zero would be a claim.
pub(crate) fn format_inittrace(name: &str, start_ns: u64, dur_ns: u64, counts: Option<(u64, u64)>) -> String {
    let (start, clock) = (milliseconds(start_ns), milliseconds(dur_ns));
    let times = format!("init {name} @{start} ms, {clock} ms clock");
    match counts {
        Some((bytes, allocs)) => format!("{times}, {bytes} bytes, {allocs} allocs"),
        None => times,
    }
}

/// Two significant digits and at most three decimals, cut off rather than rounded; whole milliseconds from ten on.
fn milliseconds(ns: u64) -> String {
    if ns >= 10_000_000 {
        return (ns / 1_000_000).to_string();
    }
    match ns / 1_000 {
        0 => String::from("0"),
        us @ 1..100 => format!("0.{us:03}"),
        us @ 100..1_000 => format!("0.{:02}", us / 10),
        us => format!("{}.{}", us / 1_000, us / 100 % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Id = fn() -> &'static InitId;

    /// An identity of its own for each number.
    fn id<const N: usize>() -> &'static InitId {
        static IDS: [InitId; 8] = [const { InitId::new() }; 8];
        &IDS[N]
    }

    fn task(name: &'static str, line: u32, id: Id, after: &[Id]) -> InitTask {
        InitTask { id, name, file: "src/lib.rs", line, column: 1, after: after.to_vec().leak(), run: || Ok(()) }
    }

    fn names(tasks: Vec<InitTask>) -> Result<Vec<&'static str>, String> {
        let order = order(tasks.leak()).map_err(|error| error.to_string())?;
        Ok(order.into_iter().map(|task| task.name).collect())
    }

    #[test]
    fn crate_then_file_then_line_then_column_decide() {
        let mut other_file = task("b::first_file", 99, id::<2>, &[]);
        other_file.file = "src/a.rs";
        let mut same_line = task("b::same_line", 3, id::<3>, &[]);
        same_line.column = 40;
        let tasks = vec![
            same_line,
            task("b::late", 10, id::<0>, &[]),
            task("b::early", 3, id::<1>, &[]),
            other_file,
            task("a::last_line", 500, id::<4>, &[]),
        ];
        let order = ["a::last_line", "b::first_file", "b::early", "b::same_line", "b::late"];
        assert_eq!(names(tasks).unwrap(), order);
    }

    #[test]
    fn after_wins_over_the_key_and_the_smallest_ready_one_is_next() {
        let tasks = vec![
            task("aa::x", 1, id::<0>, &[id::<3>]),
            task("bb::x", 1, id::<1>, &[]),
            task("mm::x", 1, id::<2>, &[]),
            task("zz::x", 1, id::<3>, &[]),
            task("main::x", 1, id::<4>, &[id::<2>, id::<1>, id::<0>, id::<0>]),
        ];
        assert_eq!(names(tasks).unwrap(), ["bb::x", "mm::x", "zz::x", "aa::x", "main::x"]);
    }

    #[test]
    fn a_cycle_is_named_without_what_merely_waits_for_it() {
        let tasks = vec![
            task("k::a_waits", 1, id::<0>, &[id::<1>]),
            task("k::b", 2, id::<1>, &[id::<2>]),
            task("k::c", 3, id::<2>, &[id::<3>, id::<1>]),
            task("k::free", 4, id::<3>, &[]),
        ];
        assert_eq!(names(tasks).unwrap_err(), "cycle in #[goruntime::init] order: k::b -> k::c -> k::b");
    }

    #[test]
    fn a_function_after_itself_is_a_cycle() {
        let tasks = vec![task("k::a", 1, id::<0>, &[id::<0>])];
        assert_eq!(names(tasks).unwrap_err(), "cycle in #[goruntime::init] order: k::a -> k::a");
    }

    #[test]
    fn a_task_is_begun_once() {
        let task = task("k::once", 1, id::<7>, &[]);
        assert_eq!(task.begin(), Begin::Run);
        assert_eq!(task.begin(), Begin::Recursive);
        task.finish();
        assert_eq!(task.begin(), Begin::Done);
    }

    #[test]
    fn errors_come_back_as_text() {
        assert_eq!(().into_result(), Ok(()));
        assert_eq!(Err::<(), _>("no").into_result(), Err(String::from("\"no\"")));
    }

    #[test]
    fn times_have_two_digits_cut_off() {
        let cases = [
            (0, "0"),
            (999, "0"),
            (1_000, "0.001"),
            (15_999, "0.015"),
            (99_999, "0.099"),
            (100_000, "0.10"),
            (359_999, "0.35"),
            (999_999, "0.99"),
            (1_000_000, "1.0"),
            (4_299_999, "4.2"),
            (9_999_999, "9.9"),
            (10_000_000, "10"),
            (1_234_999_999, "1234"),
        ];
        for (ns, text) in cases {
            assert_eq!(milliseconds(ns), text, "{ns} ns");
        }
    }

    #[test]
    fn the_trace_line_is_gos() {
        assert_eq!(
            format_inittrace("iter", 380_000, 28_000, Some((16, 1))),
            "init iter @0.38 ms, 0.028 ms clock, 16 bytes, 1 allocs"
        );
        let line = format_inittrace("runtime", 19_000, 56_000, Some((0, 0)));
        assert_eq!(line, "init runtime @0.019 ms, 0.056 ms clock, 0 bytes, 0 allocs");
        let line = format_inittrace("runtime", 19_000, 56_000, None);
        assert_eq!(line, "init runtime @0.019 ms, 0.056 ms clock");
    }
}
