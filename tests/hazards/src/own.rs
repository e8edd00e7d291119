//! Thread-local values of the program itself, which the compiler addresses as offsets from the thread register.
//!
//! Why here: the same in a library is `lib.rs`.
//!
//! *Invariants*: HZ1 of the library.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use goruntime::runtime::pin;
use goruntime_hazards::{elsewhere, thread_id};

thread_local! {
    static NUMBER: Cell<u64> = const { Cell::new(0) };
    static REFCELL: RefCell<Option<u32>> = const { RefCell::new(None) };
}

/// Where the value of the calling thread is.
#[inline(always)]
pub(crate) fn place() -> usize {
    NUMBER.with(|number| ptr::from_ref(number).addr())
}

/// Takes the address of a value before and after the wait. The first one is put away where no stack has it, as a number.
#[inline(never)]
pub(crate) fn address() -> u64 {
    static BEFORE: AtomicUsize = AtomicUsize::new(0);
    BEFORE.store(place() ^ usize::MAX, Ordering::Relaxed);
    let here = thread_id();
    elsewhere::wait();
    (here != thread_id() && BEFORE.load(Ordering::Relaxed) == place() ^ usize::MAX).into()
}

/// The same in two polls of a future.
#[inline(never)]
pub(crate) fn polls() -> u64 {
    static BEFORE: AtomicUsize = AtomicUsize::new(0);
    goruntime::future::block_on(async {
        BEFORE.store(place() ^ usize::MAX, Ordering::Relaxed);
        let here = thread_id();
        elsewhere::pend().await;
        (here != thread_id() && BEFORE.load(Ordering::Relaxed) == place() ^ usize::MAX).into()
    })
}

/// Holds a reference to a number over the wait.
#[inline(never)]
pub(crate) fn cell() -> u64 {
    NUMBER.with(|number| {
        let mark = black_box(thread_number());
        number.set(mark);
        elsewhere::wait();
        (number.take() != mark).into()
    })
}

/// The same, pinned.
#[inline(never)]
pub(crate) fn pinned_cell() -> u64 {
    elsewhere::all_are_tied();
    let _pinned = pin();
    cell()
}

/// The same with a cell that is borrowed.
#[inline(never)]
pub(crate) fn refcell() -> u64 {
    REFCELL.with(|cell| {
        let me = Some(thread_id());
        *cell.borrow_mut() = me;
        elsewhere::wait();
        (cell.take() != me).into()
    })
}

/// Holds nothing, though it has printed and hashed before.
#[inline(never)]
pub(crate) fn nothing() -> u64 {
    let mut words = std::collections::HashMap::new();
    for word in "to be or not to be".split(' ') {
        *words.entry(word).or_insert(0) += 1;
    }
    println!("{words:?}");
    drop(words);
    elsewhere::wait();
    0
}

/// A number that differs from that of other waits.
fn thread_number() -> u64 {
    thread_local! {
        static COUNT: Cell<u64> = const { Cell::new(1) };
    }
    let count = COUNT.get();
    COUNT.set(count + 1);
    count
}
