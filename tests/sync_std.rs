//! A program that was written for `std::sync` does the same with `goruntime::sync` in its `use` line.
//!
//! Why here: `sync_std/program.rs` is compiled twice, and what it writes down is compared; on plain threads, which std can do as well, and then on
//! goroutines.
//!
//! *Invariants*: T1 and T2 of `common/procs`. *Locks*: none. *Go:* none.

#[path = "common/procs.rs"]
mod procs;

/// The program over std.
mod over_std {
    use std::sync;
    use std::thread;
    include!("sync_std/program.rs");
}

/// The program over goruntime's locks, on plain threads.
mod over_goruntime {
    use std::thread;

    use goruntime::sync;
    include!("sync_std/program.rs");
}

/// The program over goruntime's locks, on goroutines.
mod over_goroutines {
    use goruntime::sync;
    use goruntime::thread;
    include!("sync_std/program.rs");
}

#[test]
fn the_program_does_the_same_with_either() {
    let expected = over_std::program();
    assert!(expected.len() > 70, "the program does what it is to do");
    assert_eq!(over_goruntime::program(), expected);
    for procs in [1, 2, 4] {
        assert_eq!(procs::with_procs(procs, over_goroutines::program), expected, "on {procs} processors");
    }
}
