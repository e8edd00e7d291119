//! The start of the runtime, step by step.
//!
//! Runs itself again with `GODEBUG=boottrace=1` and explains each line of the trace: prints the time, the name and the meaning of each step,
//! from `rt0_go` to `exit`, in that order.

use std::process::Command;

/// What each step of the trace has done by the time it is printed.
const STORY: [(&str, &str); 15] = [
    ("rt0_go", "the main thread enters the runtime"),
    ("check", "g0 and m0 are wired through the thread-local word; atomics work"),
    ("args", "the arguments are there"),
    ("osinit", "CPUs, page size and huge page size are known"),
    ("schedinit", "the environment is read; the processors exist, P0 is m0's"),
    ("newproc", "goroutine 1 is in P0's runnext"),
    ("mstart", "m0 becomes a scheduler thread"),
    ("runtime_main", "goroutine 1 runs"),
    ("sysmon", "the watcher has a thread of its own, without a processor"),
    ("lock_os_thread", "goroutine 1 stays on the main thread during init"),
    ("runtime_inits", "the runtime's own init functions"),
    ("gcenable", "both sweepers have said that they are ready"),
    ("updater", "GOMAXPROCS follows the machine's limits"),
    ("inits", "every #[goruntime::init] has run"),
    ("main", "goroutine 1 may move again and enters the user's main"),
];

fn explain(trace: &str) {
    for line in trace.lines() {
        let Some((step, time)) = line.strip_prefix("boot ").and_then(|line| line.split_once(" @")) else { continue };
        let known = STORY.iter().find(|entry| entry.0 == step);
        let meaning = known.map_or("main has returned, the process ends", |entry| entry.1);
        println!("{time:>10}  {step:<14}  {meaning}");
    }
}

#[goruntime::main]
fn main() -> std::io::Result<()> {
    if std::env::var("GODEBUG").is_ok_and(|settings| settings.contains("boottrace")) {
        return Ok(());
    }
    let child = Command::new(std::env::current_exe()?).env("GODEBUG", "boottrace=1").output()?;
    explain(&String::from_utf8_lossy(&child.stderr));
    Ok(())
}
