//! Nobody starves: neither beside goroutines that compute without end nor beside those that block their threads.
//!
//! Why here: the number of processors belongs to the process; the programs are in `testprog/progress.rs`, and hang if somebody starves.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `TestYieldProgress`, `TestAsyncPreempt`, `TestGoroutineParallelism`, `TestStopTheWorldDeadlock` of `runtime/proc_test.go`.

mod common;

use std::process::Command;

use common::{assert_prints, program, run, run_program};

/// Runs a program on one, two and four processors.
#[track_caller]
fn on_1_2_4(name: &str, expected: &str) {
    for procs in ["1", "2", "4"] {
        assert_prints(&run_program(name, &[("GOMAXPROCS", procs)]), expected);
    }
}

#[test]
fn a_sleeper_ticks_beside_busy_loops() {
    let ticks: String = (0..20).map(|tick| format!("tick {tick}\n")).collect();
    on_1_2_4("hog_sleeper", &ticks);
}

#[test]
fn goroutines_are_spawned_and_joined_beside_busy_loops() {
    on_1_2_4("hog_spawner", "spawned\n");
}

#[test]
fn yields_return_beside_busy_loops() {
    on_1_2_4("hog_yielder", "yielded\n");
}

#[test]
fn a_ping_pong_goes_on_beside_busy_loops() {
    on_1_2_4("hog_ping_pong", "fifty rounds\n");
}

#[test]
fn a_locked_goroutine_goes_on_beside_busy_loops() {
    on_1_2_4("hog_locked", "still here\n");
}

#[test]
fn more_busy_loops_than_processors_all_run() {
    on_1_2_4("hog_many", "all spin\n");
}

#[test]
fn main_returns_beside_busy_loops() {
    on_1_2_4("hog_main_returns", "bye\n");
}

#[test]
fn the_world_stops_although_busy_loops_do_not() {
    on_1_2_4("hog_resize", "resized\n");
}

#[test]
fn one_who_only_yields_starves_nobody() {
    on_1_2_4("yield_hog", "stopped\n");
}

#[test]
fn blocked_threads_starve_nobody() {
    on_1_2_4("block_sleep", "twenty ticks\n");
}

#[test]
fn short_blocking_calls_are_noticed_in_a_program_that_was_brisk() {
    assert_prints(&run_program("block_when_brisk", &[("GOMAXPROCS", "1")]), "ten were noticed\n");
}

#[test]
fn blocked_reads_starve_nobody_and_return() {
    on_1_2_4("block_pipe", "4950 1048576\n");
}

#[test]
fn those_who_wait_for_stds_mutex_starve_nobody() {
    on_1_2_4("block_mutex", "true\n");
}

#[test]
fn a_hundred_blocked_threads_wait_at_the_same_time() {
    on_1_2_4("block_hundred", "1 let a hundred go\n");
}

#[test]
fn blocked_threads_leave_the_open_files_to_the_program() {
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 160; exec \"$@\"", "sh"]);
    let program = program("block_with_few_files");
    let out = run(limited.arg(program.get_program()).args(program.get_args()));
    assert_prints(&out, "50 files\n");
}

#[test]
fn who_blocks_after_computing_does_not_lengthen_the_slices_of_others() {
    on_1_2_4("block_after_computing", "nobody computes\n");
}

#[test]
fn announced_calls_starve_nobody() {
    on_1_2_4("block_announced", "42\n");
}

#[test]
fn a_locked_goroutine_may_block_its_thread() {
    on_1_2_4("block_locked", "true\n");
}

#[test]
fn processors_come_and_go_under_load() {
    on_1_2_4("resize_under_load", "all joined\n");
}

#[test]
fn as_many_run_at_once_as_there_are_processors() {
    for procs in ["1", "2", "4", "8"] {
        assert_prints(&run_program("parallel", &[("GOMAXPROCS", procs)]), &format!("met {procs}\n"));
    }
}

#[test]
fn nothing_of_this_needs_preemption_where_nobody_hogs() {
    assert_prints(&run_program("block_sleep", &[("GODEBUG", "asyncpreemptoff=1")]), "twenty ticks\n");
}
