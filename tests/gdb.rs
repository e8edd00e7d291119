//! A debugger stops where Go's functions of the same names are: the start can be followed step by step.
//!
//! Why here: gdb drives a whole process. Without gdb the test says so and passes.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `runtime/runtime-gdb_test.go`.

mod common;

use std::process::Command;

use common::run;

/// The functions in which gdb stops, in this order.
const STOPS: [&str; 6] = [
    "goruntime::rt0::start::rt0_go",
    "goruntime::proc::boot::schedinit",
    "goruntime::proc::newproc::newproc",
    "goruntime::proc::mstart::mstart",
    "goruntime::rt0::start::runtime_main",
    "testprog::usual::main::main",
];

/// Is there a gdb that can start a program?
fn gdb_works() -> bool {
    let started = Command::new("gdb").args(["-nx", "-batch", "-ex", "run", "/bin/true"]).output();
    started.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).contains("exited normally"))
}

#[test]
fn gdb_stops_at_each_step_of_the_start() {
    if !gdb_works() || !cfg!(debug_assertions) {
        println!("skipped: no gdb that can start programs, or no debug build");
        return;
    }
    let mut gdb = Command::new("gdb");
    gdb.args(["-nx", "-batch", "-ex", "set pagination off", "-ex", "set width 0", "-ex", "set startup-with-shell off"]);
    for stop in STOPS {
        // Temporary: some of them are called again later.
        gdb.args(["-ex", &format!("tbreak {stop}")]);
    }
    gdb.args(["-ex", "run"]);
    for _ in STOPS {
        gdb.args(["-ex", "continue"]);
    }
    gdb.args(["--args", env!("CARGO_BIN_EXE_testprog"), "return_unit"]);
    let out = run(&mut gdb);
    // Where it stops, gdb prints `Temporary breakpoint N, function (..) at file:line`, perhaps with a thread in front.
    let stops = out
        .stdout
        .lines()
        .filter_map(|line| line.split_once("emporary breakpoint ")?.1.split_once(", ")?.1.split(' ').next())
        .filter(|name| name.contains("::"));
    assert_eq!(stops.collect::<Vec<_>>(), STOPS, "{}\n{}", out.stdout, out.stderr);
}
