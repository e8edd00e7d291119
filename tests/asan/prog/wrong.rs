//! Programs whose function `culprit` uses memory that it may not use.
//!
//! Why here: see `main`.
//!
//! *Invariants.* AP1. AP2. What is used wrongly is mapped: without the sanitizer the program would go on.
//!
//! *Locks*: none.
//!
//! *Go:* `cmd/cgo/internal/testsanitizers/testdata`, the programs `asan*_fail`.

use std::ffi::{c_int, c_void};
use std::hint::black_box;

use goruntime::runtime::yield_now;
use goruntime::{channel, go, spawn};

pub(super) const PROGRAMS: &[(&str, fn())] = &[
    ("heap_after_free", heap_after_free),
    ("beyond_a_variable", beyond_a_variable),
    ("out_of_scope", out_of_scope),
    ("stack_of_another", stack_of_another),
    ("stack_of_one_who_has_ended", stack_of_one_who_has_ended),
    ("wild_pointer", wild_pointer),
    ("lost", lost),
];

/// A pointer that goes from one goroutine to another.
struct Place(*mut u64);

// SAFETY: the goroutines of these programs take turns; what they do wrong is what the programs are about.
unsafe impl Send for Place {}

impl Place {
    /// Reads what is `offset` words further.
    #[inline(never)]
    fn culprit(&self, offset: usize) -> u64 {
        // SAFETY: there is none: that is to be noticed.
        unsafe { black_box(self.0).wrapping_add(black_box(offset)).read() }
    }
}

#[inline(never)]
fn allocator() -> Place {
    Place(Box::into_raw(Box::new(7)))
}

#[inline(never)]
fn liberator(place: &Place) {
    // SAFETY: `allocator` has made it, and it is freed once.
    drop(unsafe { Box::from_raw(place.0) });
}

/// One goroutine allocates, another one frees, the third one reads.
fn heap_after_free() {
    let place = spawn(allocator).join().expect("it allocates");
    let place = spawn(move || {
        liberator(&place);
        place
    });
    let place = place.join().expect("it frees");
    let read = spawn(move || place.culprit(0));
    println!("{:?}", read.join());
}

/// Past the end of an array on the goroutine's own stack, after it has waited.
fn beyond_a_variable() {
    let read = spawn(|| {
        let mut array = [1_u64, 2, 3, 4];
        yield_now();
        Place(black_box(&mut array).as_mut_ptr()).culprit(4)
    });
    println!("{:?}", read.join());
}

/// A variable of a block that has ended.
fn out_of_scope() {
    let read = spawn(|| {
        let place = {
            let mut array = [1_u64, 2, 3, 4];
            yield_now();
            Place(black_box(&mut array).as_mut_ptr())
        };
        place.culprit(0)
    });
    println!("{:?}", read.join());
}

/// Past the end of an array of another goroutine, which is parked.
fn stack_of_another() {
    let (tx, rx) = channel::bounded(0);
    let (release, released) = channel::bounded::<()>(0);
    go(move || {
        let mut array = [1_u64, 2, 3, 4];
        tx.send(Place(black_box(&mut array).as_mut_ptr())).expect("somebody receives");
        let _ = released.recv();
        black_box(array);
    });
    let read = spawn(move || rx.recv().expect("there is a place").culprit(4));
    println!("{:?}", read.join());
    drop(release);
}

unsafe extern "C" {
    /// The sanitizer's: whether it would report an access there.
    safe fn __asan_address_is_poisoned(address: *const c_void) -> c_int;
}

/// A variable of a goroutine that has ended, and whose stack nobody has yet.
fn stack_of_one_who_has_ended() {
    let place = spawn(|| {
        let mut value = 7_u64;
        Place(black_box(&raw mut value))
    });
    let place = place.join().expect("it ends");
    // Its value is there before it has left its stack, on another thread perhaps. The main goroutine has a stack already.
    while __asan_address_is_poisoned(place.0.cast()) == 0 {
        yield_now();
    }
    println!("{:?}", place.culprit(0));
}

/// An address that nothing is mapped at.
fn wild_pointer() {
    let read = spawn(|| Place(std::ptr::without_provenance_mut(0x10_0000)).culprit(0));
    println!("{:?}", read.join());
}

/// An allocation that nobody knows any more.
fn lost() {
    #[inline(never)]
    fn culprit() {
        black_box(allocator());
    }
    spawn(culprit).join().expect("it loses the place");
    // Another one, so that no word of the first is left behind.
    spawn(|| assert_eq!(black_box([0_u64; 512])[511], 0)).join().expect("it overwrites");
}
