//! The numbers, words and exceptions of the checks.
//!
//! Why here: a list that grows is a topic of its own in a review.
//!
//! *Invariants*
//! - L1. Every exception has a reason that would convince somebody else.
//!
//! *Locks*: none.
//!
//! *Go:* none.

/// Lines of a file, without its tests.
pub(crate) const FILE_CAP: usize = 500;
/// Lines of an example.
pub(crate) const EXAMPLE_CAP: usize = 80;
/// Lines of a program of `examples/apps`, or of what drives it.
pub(crate) const APP_CAP: usize = 260;
/// Lines of a function: one screen.
pub(crate) const FUNCTION_CAP: usize = 60;

/// What a head has to answer, after what the file is.
pub(crate) const QUESTIONS: [&str; 4] = ["Why here", "Invariants", "Locks", "Go:"];

/// Orderings that name their partner.
pub(crate) const ORDERINGS: [&str; 4] = ["SeqCst", "AcqRel", "Acquire", "Release"];

/// How conditional compilation is written.
pub(crate) const CONDITIONS: [&str; 3] = ["cfg(", "cfg!(", "cfg_attr("];

/// What stands in a `SAFETY` comment in the place of an argument.
pub(crate) const EMPTY_WORDS: [&str; 5] = ["as required", "trust", "should", "obviously", "we know"];

/// Files and the leftovers that they may have.
pub(crate) const LEFTOVERS: &[(&str, &str)] = &[
    // Shows that the attribute lets the harness ignore a test.
    ("tests/ui/pass/test.rs", "#[ignore"),
    // The name of a context, which is Go's.
    ("runtime/src/context/mod.rs", concat!("TO", "DO")),
];

/// What must not be left over, and whether not even in comments. Put together here so that this file does not contain it.
pub(crate) fn left_over() -> [(&'static str, bool); 7] {
    [
        (concat!("TO", "DO"), true),
        (concat!("FIX", "ME"), true),
        (concat!("dbg", "!("), false),
        (concat!("to", "do!("), false),
        (concat!("unimpl", "emented!("), false),
        (concat!("static ", "mut "), false),
        (concat!("#[ig", "nore"), false),
    ]
}

/// Where conditional compilation may stand.
pub(crate) const CFG: &[(&str, &str)] = &[
    ("runtime/src/os/", "the platforms"),
    ("runtime/src/base/tls.rs", "the word is read by assembly where the platform permits"),
    ("runtime/src/base/env.rs", "the affinity guard reports by default in debug builds"),
    ("runtime/src/gmp/affinity.rs", "debug builds look for what is worth a report behind a bare thread pointer"),
    ("runtime/src/coro/overflow.rs", "what a fault tells differs by platform"),
    ("runtime/src/coro/stack.rs", "corosensei asks for two more numbers on Windows"),
    ("runtime/src/debug/handlers.rs", "there are no signals on Windows"),
    ("runtime/src/sync/readers.rs", "debug builds report a goroutine that waits for itself"),
    ("runtime/src/netpoll/mod.rs", "which poller"),
    ("runtime/src/proc/park.rs", "debug builds wipe what would be reported by mistake"),
    ("runtime/src/channel/sender.rs", "inlining would have debug builds report by mistake"),
    ("runtime/src/channel/receiver.rs", "inlining would have debug builds report by mistake"),
    ("runtime/src/lib.rs", "what exists on Unix only"),
    ("runtime/src/future/mod.rs", "what optional crates ask for"),
    ("runtime/src/net/mod.rs", "traits of optional crates"),
];

/// Where unsafe code may stand.
pub(crate) const UNSAFE: &[(&str, &str)] = &[
    ("runtime/src/os/", "system calls"),
    ("runtime/src/base/list.rs", "links are inside of elements that others own"),
    ("runtime/src/base/lock.rs", "the data of a lock is reached through its guard"),
    ("runtime/src/base/mapvec.rs", "the items are in a mapping"),
    ("runtime/src/base/tls.rs", "assembly"),
    ("runtime/src/coro/cache.rs", "stacks are kept as words"),
    ("runtime/src/coro/guard.rs", "changes the protection of memory"),
    ("runtime/src/coro/overflow.rs", "a signal handler"),
    ("runtime/src/coro/pool.rs", "mappings come and go"),
    ("runtime/src/coro/stack.rs", "stacks are made of addresses"),
    ("runtime/src/coro/sweep.rs", "discards memory"),
    ("runtime/src/coro/switch.rs", "switches stacks"),
    ("runtime/src/gmp/affinity.rs", "looks at stacks and at thread-local storage word by word"),
    ("runtime/src/gmp/g.rs", "its link in the lists"),
    ("runtime/src/gmp/gslab.rs", "goroutines are all-zero memory at first"),
    ("runtime/src/gmp/m.rs", "its link in the lists, and its place"),
    ("runtime/src/gmp/mod.rs", "the handles on objects that are never freed"),
    ("runtime/src/gmp/runq.rs", "only the owner may fill the ring"),
    ("runtime/src/gmp/timers.rs", "timers are inside of goroutines"),
    ("runtime/src/netpoll/polldesc.rs", "finds the descriptor of a timer"),
    ("runtime/src/netpoll/table.rs", "descriptors are all-zero memory at first"),
    ("runtime/src/proc/chaos.rs", "touches what belongs to the owner of the P"),
    ("runtime/src/proc/execute.rs", "makes and resumes coroutines"),
    ("runtime/src/proc/findrunnable.rs", "touches what belongs to the owner of the P"),
    ("runtime/src/proc/keep.rs", "finds the frames of a suspended goroutine"),
    ("runtime/src/proc/netwait.rs", "reads the frame of a goroutine that parks"),
    ("runtime/src/proc/newproc.rs", "writes closures into slots, touches what belongs to the owner of the P"),
    ("runtime/src/proc/park.rs", "suspends; the M of one who is inside is there"),
    ("runtime/src/proc/permit.rs", "finds the goroutine of a timer"),
    ("runtime/src/proc/proxy.rs", "what a proxy has is behind a word of its G"),
    ("runtime/src/proc/waker.rs", "a waker is a counted pointer with a table"),
    ("runtime/src/proc/queue.rs", "fills the ring as the owner of the P"),
    ("runtime/src/proc/resize.rs", "empties a P that nobody owns any more"),
    ("runtime/src/proc/steal.rs", "fills the ring as the owner of the P"),
    ("runtime/src/proc/timer.rs", "finds the goroutine of a timer"),
    ("runtime/src/proc/traceback.rs", "resumes a coroutine for its traceback"),
    ("runtime/src/fs/file.rs", "raw descriptors become files, as std's do"),
    ("runtime/src/io/pipe.rs", "raw descriptors become pipes, as std's do"),
    ("runtime/src/process/ext.rs", "closures run in forked children, as std's do"),
    ("runtime/src/net/handle.rs", "raw descriptors become sockets, as std's do"),
    ("runtime/src/net/poll_hyper.rs", "hyper's buffers need not be initialised"),
    ("runtime/src/net/poll_tokio.rs", "tokio's buffers need not be initialised"),
    ("runtime/src/net/turn.rs", "waiters are on the frames of parked goroutines"),
    ("runtime/src/channel/buffer.rs", "slots are full or empty by count"),
    ("runtime/src/channel/clock.rs", "takes waiters off the queue of a locked channel"),
    ("runtime/src/channel/half.rs", "a channel is shared by counted handles"),
    ("runtime/src/channel/hchan.rs", "the lock makes the state exclusive"),
    ("runtime/src/channel/promise.rs", "values are moved into and out of the frames of parked goroutines"),
    ("runtime/src/channel/select/dynamic.rs", "values of any type are received into one place"),
    ("runtime/src/channel/select/mod.rs", "takes the received value out of its place"),
    ("runtime/src/channel/select/operation.rs", "values are moved into and out of the frames of parked goroutines"),
    ("runtime/src/channel/select/place.rs", "allocates for values of any type"),
    ("runtime/src/channel/select/search.rs", "waiters are on the frame of the parked goroutine"),
    ("runtime/src/channel/tasks.rs", "values are moved into and out of tickets"),
    ("runtime/src/channel/ticket.rs", "a ticket belongs to its owner, to a dequeuer or to itself"),
    ("runtime/src/channel/transfer.rs", "values are moved into and out of the frames of parked goroutines"),
    ("runtime/src/sync/lazy_lock.rs", "the value is there when its once is complete"),
    ("runtime/src/sync/cancel.rs", "waiters are on the frames of parked goroutines"),
    ("runtime/src/sync/mutex.rs", "the lock makes the data exclusive"),
    ("runtime/src/sync/once_lock.rs", "the value is there when its once is complete"),
    ("runtime/src/sync/queue.rs", "the lock makes the data exclusive; waiters are on the frames of parked goroutines"),
    ("runtime/src/sync/rwlock.rs", "the lock makes the data exclusive or shared"),
    ("runtime/src/sync/spin.rs", "the lock makes the data exclusive"),
    ("runtime/src/sync/sudog/", "waiters are in tickets"),
    ("runtime/src/sync/sudog.rs", "waiters are on the frames of parked goroutines"),
    ("runtime/src/sysmon.rs", "the hook of the tracer is a word"),
    ("runtime/src/bgsweep.rs", "bodies of system goroutines are words"),
    ("runtime/src/task/extra.rs", "the extra is behind a word of the goroutine"),
    ("runtime/src/task/finish.rs", "takes closures out of slots"),
    ("runtime/src/task/goexit.rs", "calls what `finish` has left for it"),
    ("runtime/src/task/join.rs", "takes results out of slots"),
    ("runtime/src/task/join_task.rs", "a word of the goroutine owns a count"),
    ("runtime/src/task/local.rs", "a value lives as long as its goroutine"),
    ("runtime/src/task/run.rs", "the goroutine borrows from its caller"),
    ("runtime/src/task/scope.rs", "goroutines borrow from the one that waits for them"),
    ("runtime/src/task/slot.rs", "typed values in untyped words"),
    ("runtime/src/task/wake.rs", "typed values in untyped words"),
    ("runtime/src/future/task.rs", "typed values in untyped words, and a pinned future"),
    ("runtime/src/task/spawn.rs", "typed values in untyped words"),
    ("runtime/src/debug/alloc.rs", "an allocator in front of another one"),
    ("runtime/src/time/after_func.rs", "takes the closure of a goroutine back that never ran"),
    ("runtime/src/debug/frames.rs", "captures on the stack of the thread"),
    ("runtime/src/signal/defaults.rs", "a signal handler"),
    ("runtime/src/rt0/start.rs", "reads the thread-local word back through the M"),
];
