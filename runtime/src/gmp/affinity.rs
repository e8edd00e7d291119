//! The affinity guard: does a goroutine that is about to go on on another thread hold thread-local state of the one that it leaves?
//!
//! *Why here.* Floor 3: where a thread's storage lies, and one look at a stack. What follows from the answer is decided in `proc::keep`.
//!
//! The compiler takes it for granted that a function stays on its thread, so addresses of thread-local values are kept over a park in registers and
//! stack slots, and so are handles that share an object with a thread-local value. Both can be seen in the words of the parked stack:
//!
//! | a word that                                                       | means           |
//! |-------------------------------------------------------------------|-----------------|
//! | points into the storage or the control block of the last thread   | [`Why::Reference`] |
//! | equals a pointer, to anything but statics, that is stored there   | [`Why::Handle`]    |
//! | is the address of the lock of stdout or stderr, which that thread owns | [`Why::StdLock`] |
//!
//! It cannot be seen what is addressed as an offset from the thread register, as the compiler does in programs, though not in their libraries, for
//! values without destructors. A word that is there by chance, left in a slot that nobody has written since, looks like any other.
//!
//! *Invariants.* AG1. `M::storage` is written by the thread itself before it runs its first goroutine, and never again: whoever got hold of a
//! goroutine that ran there sees it. Threads that run goroutines do not end (M1), so the storage can be read as long as the process lives; foreign
//! threads, which do end, have none and are nobody's last thread. AG2. Words of another thread's storage, and of stacks, are read one by one and
//! only compared: they may change meanwhile. None is remembered for the next look. AG3. A look allocates nothing and takes no lock.
//!
//! *Locks.* None.
//!
//! *Go:* none: Go knows where all its state is.

use core::hint::black_box;
use core::ops::Range;
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};
use std::io;
use std::sync::OnceLock;

use crate::base::tls;
use crate::gmp::{M, MPtr};
use crate::os;

/// Bytes of a stack that are looked at, from its innermost frame: all of a stack of the default class.
const MOST_STACK: usize = 256 << 10;
/// Bytes of the program's own values that are searched for handles.
const MOST_STORAGE: usize = 4 << 10;
/// Handles that are compared; a storage that has more in it is full of something else.
const MOST_HANDLES: usize = 32;
/// No pointer is below, and none of a program above: x86-64 has 47 bits for it. aarch64 has 48, and puts programs, their heaps and what is mapped into
/// the upper half.
const ADDRESSES: Range<usize> = 1 << 16..1 << 48;

/// Why a goroutine is to stay on its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Why {
    /// A reference into thread-local storage.
    Reference = 1,
    /// A handle that the storage has as well: a random number generator, the participant of a collector.
    Handle = 2,
    /// The lock of standard output or standard error.
    StdLock = 3,
}

impl Why {
    /// How many there are.
    pub(crate) const COUNT: usize = 3;

    /// The reason behind a number; None for 0.
    pub(crate) fn from_bits(bits: u32) -> Option<Why> {
        [Why::Reference, Why::Handle, Why::StdLock].into_iter().find(|&why| why as u32 == bits)
    }

    /// Position in a table of all.
    pub(crate) fn index(self) -> usize {
        self as usize - 1
    }
}

/// Where a thread has its thread-local values. All-zero: nowhere, so that nothing is found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Storage {
    /// What references point into: values and control block.
    low: usize,
    high: usize,
    /// What is searched for handles: the program's own values. Those of the C library hold its heap, whose address is left behind on stacks by every
    /// allocation.
    own: (usize, usize),
    /// All values.
    values: (usize, usize),
    /// The thread's own word of this crate, which is no handle.
    word: usize,
    /// The thread pointer, from which all values are reached.
    pointer: usize,
}

impl Storage {
    /// Whether a word points into it.
    #[inline(always)]
    fn contains(&self, word: usize) -> bool {
        word.wrapping_sub(self.low) < self.high - self.low
    }
}

/// What the guard has done on a thread; written by that thread alone.
#[derive(Debug)]
pub(crate) struct Counters {
    /// Goroutines that went on on another thread than before.
    pub(crate) migrations: AtomicU64,
    /// Stacks looked at.
    pub(crate) scans: AtomicU64,
    /// Words of them.
    pub(crate) words: AtomicU64,
    /// Goroutines that were sent back, by reason.
    pub(crate) kept: [AtomicU64; Why::COUNT],
}

impl Counters {
    pub(crate) fn new() -> Counters {
        let zero = || AtomicU64::new(0);
        Counters { migrations: zero(), scans: zero(), words: zero(), kept: [zero(), zero(), zero()] }
    }

    /// Adds to a counter of the calling thread's own.
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.store(counter.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }
}

/// What does not change any more once the first thread has started.
struct Process {
    /// The locks of standard output and standard error.
    std_locks: [usize; 2],
    /// Where the modules of the program are: pointers to statics are no handles.
    images: [Range<usize>; MOST_IMAGES],
    image_count: usize,
}

const MOST_IMAGES: usize = 64;

static PROCESS: OnceLock<Process> = OnceLock::new();

/// Notes where the calling thread, whose M is `mp`, has its thread-local values (AG1).
pub(crate) fn record(mp: MPtr) {
    PROCESS.get_or_init(look_around);
    let Some(storage) = os::thread_storage() else { return };
    let word = size_of::<usize>();
    let aligned = |start: usize, end: usize| (start.next_multiple_of(word), end / word * word);
    mp.storage.set(Storage {
        low: storage.all.start,
        high: storage.all.end,
        own: aligned(storage.own.start, storage.own.end.min(storage.own.start + MOST_STORAGE)),
        values: aligned(storage.values.start, storage.values.end),
        word: tls::slot_address().expose_provenance(),
        pointer: storage.pointer,
    });
}

fn look_around() -> Process {
    let mut images = [const { 0..0 }; MOST_IMAGES];
    let mut count = 0;
    os::for_each_image(|image| {
        if let Some(place) = images.get_mut(count) {
            *place = image;
            count += 1;
        }
    });
    let std_locks = [address_in(&io::stdout()), address_in(&io::stderr())];
    Process { std_locks, images, image_count: count }
}

/// The address that a handle of std consists of: `Stdout` and `Stderr` are references to their locks, as are the guards.
fn address_in<T>(handle: &T) -> usize {
    if size_of::<T>() != size_of::<usize>() {
        return 0;
    }
    // SAFETY: the handle is a live value of the size of a word, and its only field is a reference: all its bytes are initialised.
    unsafe { ptr::from_ref(handle).cast::<usize>().read() }
}

/// The outcome of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Words that were looked at.
    pub(crate) words: usize,
    /// The first reason to stay.
    pub(crate) why: Option<Why>,
    /// Nothing was seen but the thread pointer itself, in a debug build: it is obeyed but not reported. Functions of the C library leave it behind on
    /// aarch64, where it is read into a register for every access.
    pub(crate) is_bare: bool,
}

/// Looks at the words of a suspended stack, whose last thread is that of `home`.
///
/// # Safety
///
/// - The caller owns the goroutine that the stack belongs to (S1), and `stack` is a part of it, from the saved stack pointer upwards.
pub(crate) unsafe fn look(stack: Range<usize>, home: &M) -> Seen {
    let storage = home.storage.get();
    let nothing = Seen { words: 0, why: None, is_bare: false };
    let (Some(process), false) = (PROCESS.get(), storage.high == 0) else { return nothing };
    let handles = Handles::of(&storage, process);
    let end = stack.end.min(stack.start + MOST_STACK);
    let mut at = stack.start;
    let mut is_bare = false;
    while at < end {
        // SAFETY: an aligned word of the stack, which the caller owns.
        let word = unsafe { os::peek(at) };
        at += size_of::<usize>();
        let why = if storage.contains(word) {
            if cfg!(debug_assertions) && word == storage.pointer {
                // There may be something to report further up.
                is_bare = true;
                continue;
            }
            (word & !7 != storage.word).then_some(Why::Reference)
        } else if handles.may_have(word) {
            handles.find(word, &storage, process)
        } else {
            None
        };
        if why.is_some() {
            return Seen { words: (at - stack.start) / size_of::<usize>(), why, is_bare: false };
        }
    }
    let words = (end.max(stack.start) - stack.start) / size_of::<usize>();
    Seen { words, why: is_bare.then_some(Why::Reference), is_bare }
}

/// Bytes that [`wipe_dead_stack`] wipes: what the frames between a public operation and the switch take in a debug build.
const WIPED: usize = 4 << 10;

/// Overwrites what earlier calls have left below the caller's frame. In a debug build the frames of an operation have many slots that nothing is
/// written to, and a goroutine that has only printed something would be kept and reported for what is left in there.
#[inline(never)]
pub(crate) fn wipe_dead_stack() {
    black_box(&mut [0u8; WIPED]);
}

/// Overwrites what a report has left below the frames of a suspended goroutine, in the page of its innermost frame.
///
/// # Safety
///
/// - The caller owns the goroutine that the stack belongs to (S1), and the stack begins at the saved stack pointer.
pub(crate) unsafe fn wipe_below(frames: Range<usize>) {
    let page = frames.start & !(os::page_size() - 1);
    for at in (page..frames.start).step_by(size_of::<usize>()) {
        // SAFETY: dead memory of the stack, in a page that its owner has written to.
        unsafe { ptr::with_exposed_provenance_mut::<usize>(at).write_volatile(0) };
    }
}

/// A number that tells places apart where goroutines are suspended: made of the return addresses on the stack, and of what else points into the
/// program.
///
/// # Safety
///
/// - As for [`look`].
pub(crate) unsafe fn fingerprint(stack: Range<usize>) -> u64 {
    let Some(process) = PROCESS.get() else { return 0 };
    let mut print = 0u64;
    for at in (stack.start..stack.end.min(stack.start + MOST_STACK)).step_by(size_of::<usize>()) {
        // SAFETY: as in `look`.
        let word = unsafe { os::peek(at) };
        if is_in(process, word) {
            print = (print ^ word as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        }
    }
    print
}

fn is_in(process: &Process, word: usize) -> bool {
    process.images[..process.image_count].iter().any(|image| image.contains(&word))
}

/// The words that a storage has in common with the stacks of those who hold handles, as of now (AG2).
struct Handles {
    /// A bit for each word by a hash of it: most words of a stack are turned away here.
    filter: u64,
    words: [usize; MOST_HANDLES],
    count: usize,
}

impl Handles {
    #[inline(always)]
    fn of(storage: &Storage, process: &Process) -> Handles {
        let mut handles = Handles { filter: 0, words: [0; MOST_HANDLES], count: 0 };
        let mut at = storage.own.0;
        while at < storage.own.1 {
            let word = read(at);
            // Most words are no pointers, so that the rest is rare.
            if is_pointer(word) && at != storage.word && !storage.contains(word) && !is_in(process, word) {
                handles.add(word);
            }
            at += size_of::<usize>();
        }
        for lock in process.std_locks {
            handles.filter |= Handles::bit(lock);
        }
        handles
    }

    #[cold]
    fn add(&mut self, word: usize) {
        if let Some(place) = self.words.get_mut(self.count) {
            *place = word;
            self.count += 1;
            self.filter |= Handles::bit(word);
        }
    }

    #[inline(always)]
    fn bit(word: usize) -> u64 {
        // Fibonacci hashing: the top bits of the product depend on all bits of the word.
        1 << ((word as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58)
    }

    #[inline(always)]
    fn may_have(&self, word: usize) -> bool {
        self.filter & Handles::bit(word) != 0
    }

    #[inline(never)]
    fn find(&self, word: usize, storage: &Storage, process: &Process) -> Option<Why> {
        if self.words[..self.count].contains(&word) {
            return Some(Why::Handle);
        }
        (word != 0 && process.std_locks.contains(&word) && is_owned(word, storage)).then_some(Why::StdLock)
    }
}

/// Whether the thread with this storage owns a lock of std's: the lock has the number of its owner in one of its first words, before what it
/// protects, and a thread that has ever locked one has its number in its storage.
fn is_owned(lock: usize, storage: &Storage) -> bool {
    let number = |word: usize| word != 0 && word < ADDRESSES.start;
    (0..2).any(|index| {
        // SAFETY: std's lock is a static that is larger than two words, and aligned.
        let owner = unsafe { os::peek(lock + index * size_of::<usize>()) };
        let (start, end) = storage.values;
        number(owner) && (start..end).step_by(size_of::<usize>()).any(|at| read(at) == owner)
    })
}

/// A word of a thread's storage.
#[inline(always)]
fn read(at: usize) -> usize {
    // SAFETY: an aligned address between the bounds that `record` has noted, of a thread that does not end (AG1) and may change the word meanwhile (AG2).
    unsafe { os::peek(at) }
}

/// Whether a word can be a pointer to a heap object.
#[inline(always)]
fn is_pointer(word: usize) -> bool {
    word.is_multiple_of(align_of::<usize>()) && word.wrapping_sub(ADDRESSES.start) < ADDRESSES.end - ADDRESSES.start
}

#[cfg(test)]
mod tests;
