//! What a look at a made-up stack finds of the thread that runs the test.
//!
//! *Why here.* Apart from the file that they test, which is long enough.
//!
//! *Invariants.* AG1 but for its last sentence: these threads end, and nothing looks at their storage afterwards.
//!
//! *Locks.* None.
//!
//! *Go:* none.

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::io::Write;
use std::rc::Rc;
use std::thread;

use super::*;

thread_local! {
    static PLAIN: Cell<u64> = const { Cell::new(7) };
    static SHARED: RefCell<Option<Rc<[u64; 4]>>> = const { RefCell::new(None) };
}

/// Runs a test on a thread of its own, whose storage is recorded. The thread ends: nothing looks at it afterwards.
fn on_a_recorded_thread(test: impl FnOnce(&M) + Send + 'static) {
    let body = move || {
        let mp = M::create(u32::MAX, false, 1);
        record(mp);
        test(&mp);
    };
    thread::spawn(body).join().expect("the checks hold");
}

fn seen(words: &[usize], home: &M) -> Option<Why> {
    let range = words.as_ptr_range();
    let stack = range.start.expose_provenance()..range.end.addr();
    // SAFETY: the words are the caller's.
    let seen = unsafe { look(stack, home) };
    assert!(seen.why.is_some() || seen.words == words.len());
    seen.why
}

#[test]
fn plain_words_are_no_reason_to_stay() {
    on_a_recorded_thread(|home| {
        let heap = Box::new(5_u64);
        let words = [
            0,
            1,
            7,
            usize::MAX,
            seen as *const () as usize,
            ptr::from_ref(&*heap).addr(),
            ptr::from_ref(&heap).addr(),
            ptr::from_ref(home).addr(),
            crate::base::tls::slot_address().addr(),
        ];
        assert_eq!(seen(&words, home), None);
    });
}

#[test]
fn an_address_of_a_thread_local_value_is_a_reference_only_to_its_own_thread() {
    on_a_recorded_thread(|home| {
        let address = PLAIN.with(|value| ptr::from_ref(value).addr());
        assert_eq!(seen(&[1, address, 2], home), Some(Why::Reference));
        on_a_recorded_thread(move |other| assert_eq!(seen(&[1, address, 2], other), None));
    });
}

/// On aarch64 the compiler keeps it over a park as it keeps an address on x86-64. In a debug build it says too little to be reported.
#[test]
fn the_thread_pointer_is_a_reference() {
    on_a_recorded_thread(|home| {
        let pointer = crate::os::thread_storage().expect("it was recorded").pointer;
        assert_eq!(seen(&[1, pointer], home), Some(Why::Reference));
        let words = [pointer, PLAIN.with(|value| ptr::from_ref(value).addr())];
        let range = words.as_ptr_range();
        // SAFETY: the words are ours.
        let both = unsafe { look(range.start.expose_provenance()..range.end.addr(), home) };
        assert_eq!((both.why, both.is_bare), (Some(Why::Reference), false));
        // SAFETY: as above.
        let one = unsafe { look(range.start.expose_provenance()..range.start.addr() + size_of::<usize>(), home) };
        assert_eq!((one.why, one.is_bare), (Some(Why::Reference), cfg!(debug_assertions)));
    });
}

#[test]
fn a_pointer_into_the_upper_half_of_what_aarch64_has_is_a_pointer() {
    assert!(is_pointer(0xaaaa_aaaa_0000) && is_pointer(0xffff_f7ff_0000));
    assert!(!is_pointer(0x1_0000_0000_0000) && !is_pointer(0xaaaa_aaaa_0001));
}

#[test]
fn a_pointer_that_the_storage_has_is_a_handle_until_it_is_gone_from_there() {
    on_a_recorded_thread(|home| {
        let shared = Rc::new([1; 4]);
        // A value of one word, as a generator's handle is.
        let word = address_in(&shared);
        assert_eq!(seen(&[word], home), None);
        SHARED.with_borrow_mut(|place| *place = Some(Rc::clone(&shared)));
        assert_eq!(seen(&[word], home), Some(Why::Handle));
        SHARED.take();
        assert_eq!(seen(&[word], home), None);
    });
}

#[test]
fn a_lock_of_std_is_a_reason_while_its_thread_owns_it() {
    on_a_recorded_thread(|home| {
        let word = address_in(&io::stderr());
        assert_eq!(seen(&[word], home), None);
        let mut guard = io::stderr().lock();
        guard.flush().expect("there is nothing to flush");
        assert_eq!(seen(&[address_in(&guard)], home), Some(Why::StdLock));
        drop(black_box(guard));
        assert_eq!(seen(&[word], home), None);
    });
}

#[test]
fn a_thread_without_a_record_keeps_nobody() {
    let home = M::create(u32::MAX, false, 1);
    let address = PLAIN.with(|value| ptr::from_ref(value).addr());
    assert_eq!(home.storage.get().high, 0);
    // SAFETY: an empty stack.
    assert_eq!(unsafe { look(0..0, &home) }, Seen { words: 0, why: None, is_bare: false });
    let words = [address];
    let stack = words.as_ptr().expose_provenance();
    // SAFETY: the words are ours.
    assert_eq!(unsafe { look(stack..stack + 8, &home) }.why, None);
}

#[test]
fn reasons_survive_as_bits() {
    for why in [Why::Reference, Why::Handle, Why::StdLock] {
        assert_eq!(Why::from_bits(why as u32), Some(why));
        assert!(why.index() < Why::COUNT);
    }
    assert_eq!(Why::from_bits(0), None);
}
