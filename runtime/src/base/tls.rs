//! The one thread-local word of the runtime: which M this thread is.
//!
//! **What.** A pointer-sized word per thread, read by code that the compiler cannot see through, and a callback with
//! the word's value when a thread ends.
//!
//! **Why here.** Floor 1. What the word means is decided in `gmp/`.
//!
//! **Why not `thread_local!`.** A goroutine may continue on another thread. The compiler assumes that a function
//! stays on its thread, so it may compute the address of a thread-local value once and keep it over a switch; even
//! two calls of an `inline(never)` accessor that returns an address are merged. Where the platform permits, each
//! access is therefore a volatile `asm!` block that finds the word anew from the thread register:
//!
//! ```text
//!   mov  r, [rip + SLOT@GOTTPOFF]     offset of the slot from the thread pointer; the linker makes it a constant
//!   mov  r, fs:[r]                    the word
//! ```
//!
//! **Invariants.**
//! - TL1. `get` and `set` touch the word of the thread that executes them, at that moment. A value that was read
//!   before a switch is stale after it.
//! - TL2. The slot's symbol carries the crate's version, so that two versions in one program do not collide; it is
//!   hidden, so that two shared objects do not share it.
//! - TL3. The word is null on a thread that nobody has set it on.
//!
//! **Locks.** None.
//!
//! **Go:** `tls_amd64.s`, `runtime·save_g`, `getg`.

use core::ptr;
use std::sync::OnceLock;

use crate::os;

pub(crate) use slot::{get, set, slot_address};

/// What is called with a thread's word when the thread ends.
static EXIT_HOOK: OnceLock<fn(*mut ())> = OnceLock::new();

/// Installs the function that is called with the word of each armed thread when it ends; the first one stays.
pub(crate) fn on_thread_exit(hook: fn(*mut ())) {
    EXIT_HOOK.get_or_init(|| hook);
}

/// Arms the calling thread: when it ends, its word is cleared and handed to the installed function.
///
/// Returns `false` if the system has no room for another callback.
pub(crate) fn arm_exit_hook() -> bool {
    os::at_thread_exit(thread_ends)
}

/// Runs on a thread that ends.
fn thread_ends() {
    let word = get();
    set(ptr::null_mut());
    if let Some(hook) = EXIT_HOOK.get()
        && !word.is_null()
    {
        hook(word);
    }
}

/// The name of the slot (TL2).
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
macro_rules! slot_symbol {
    () => {
        concat!(
            "goruntime_tls_word_",
            env!("CARGO_PKG_VERSION_MAJOR"),
            "_",
            env!("CARGO_PKG_VERSION_MINOR"),
            "_",
            env!("CARGO_PKG_VERSION_PATCH")
        )
    };
}

/// The word in a slot of the initial-exec model.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
mod slot {
    use core::arch::{asm, global_asm};

    // Eight zero bytes per thread. Hidden: the symbol does not leave the executable or shared object.
    global_asm!(
        ".pushsection .tbss,\"awT\",@nobits",
        concat!(".globl ", slot_symbol!()),
        concat!(".hidden ", slot_symbol!()),
        concat!(".type ", slot_symbol!(), ", @object"),
        concat!(".size ", slot_symbol!(), ", 8"),
        ".p2align 3",
        concat!(slot_symbol!(), ":"),
        ".zero 8",
        ".popsection",
    );

    /// Returns the calling thread's word.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(crate) fn get() -> *mut () {
        let word: *mut ();
        // SAFETY: reads the calling thread's eight-byte slot, which exists as long as the thread. The block is not
        // `pure`, so it is neither merged nor moved over another one (TL1).
        unsafe {
            asm!(
                concat!("mov {word}, qword ptr [rip + ", slot_symbol!(), "@GOTTPOFF]"),
                "mov {word}, qword ptr fs:[{word}]",
                word = out(reg) word,
                options(nostack, preserves_flags, readonly),
            );
        }
        word
    }

    /// Sets the calling thread's word.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(crate) fn set(word: *mut ()) {
        // SAFETY: writes the calling thread's eight-byte slot, which no Rust object occupies.
        unsafe {
            asm!(
                concat!("mov {offset}, qword ptr [rip + ", slot_symbol!(), "@GOTTPOFF]"),
                "mov qword ptr fs:[{offset}], {word}",
                offset = out(reg) _,
                word = in(reg) word,
                options(nostack, preserves_flags),
            );
        }
    }

    /// Returns the address of the calling thread's word, for those who scan its thread-local storage.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(crate) fn slot_address() -> *mut *mut () {
        let address: *mut *mut ();
        // SAFETY: computes an address: the thread pointer, which x86-64 keeps at fs:0, plus the slot's offset.
        unsafe {
            asm!(
                "mov {address}, qword ptr fs:[0]",
                concat!("add {address}, qword ptr [rip + ", slot_symbol!(), "@GOTTPOFF]"),
                address = out(reg) address,
                options(nostack, readonly),
            );
        }
        address
    }

    /// Returns the calling thread's word.
    #[cfg(target_arch = "aarch64")]
    #[inline(always)]
    pub(crate) fn get() -> *mut () {
        let word: *mut ();
        // SAFETY: reads the calling thread's eight-byte slot, which exists as long as the thread. The block is not
        // `pure`, so it is neither merged nor moved over another one (TL1).
        unsafe {
            asm!(
                "mrs {thread}, tpidr_el0",
                concat!("adrp {word}, :gottprel:", slot_symbol!()),
                concat!("ldr {word}, [{word}, :gottprel_lo12:", slot_symbol!(), "]"),
                "ldr {word}, [{thread}, {word}]",
                thread = out(reg) _,
                word = out(reg) word,
                options(nostack, preserves_flags, readonly),
            );
        }
        word
    }

    /// Sets the calling thread's word.
    #[cfg(target_arch = "aarch64")]
    #[inline(always)]
    pub(crate) fn set(word: *mut ()) {
        // SAFETY: writes the calling thread's eight-byte slot, which no Rust object occupies.
        unsafe { slot_address().write_volatile(word) };
    }

    /// Returns the address of the calling thread's word, for those who scan its thread-local storage.
    #[cfg(target_arch = "aarch64")]
    #[inline(always)]
    pub(crate) fn slot_address() -> *mut *mut () {
        let address: *mut *mut ();
        // SAFETY: computes an address: the thread pointer plus the slot's offset.
        unsafe {
            asm!(
                "mrs {thread}, tpidr_el0",
                concat!("adrp {address}, :gottprel:", slot_symbol!()),
                concat!("ldr {address}, [{address}, :gottprel_lo12:", slot_symbol!(), "]"),
                "add {address}, {thread}, {address}",
                thread = out(reg) _,
                address = out(reg) address,
                options(nostack, preserves_flags, readonly),
            );
        }
        address
    }
}

/// The word as a thread-local value behind functions that the compiler may not look into.
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"), not(miri))))]
mod slot {
    use core::cell::Cell;
    use core::hint::black_box;
    use core::ptr;

    thread_local! {
        static WORD: Cell<*mut ()> = const { Cell::new(ptr::null_mut()) };
    }

    /// Returns the calling thread's word.
    #[inline(never)]
    pub(crate) fn get() -> *mut () {
        // The detour through `black_box` gives the function an effect that the compiler does not know, so that two
        // calls are two reads.
        black_box(WORD.with(|word| black_box(word).get()))
    }

    /// Sets the calling thread's word.
    #[inline(never)]
    pub(crate) fn set(value: *mut ()) {
        WORD.with(|word| black_box(word).set(value));
    }

    /// Returns the address of the calling thread's word, for those who scan its thread-local storage.
    #[inline(never)]
    pub(crate) fn slot_address() -> *mut *mut () {
        WORD.with(|word| black_box(word).as_ptr())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;
    #[cfg(unix)]
    use crate::base::throw::tests::alone;

    #[test]
    fn the_word_is_null_on_a_new_thread_and_its_own_on_each() {
        let places: Vec<usize> = (1..=3_usize)
            .map(|number| {
                let thread = thread::spawn(move || {
                    assert!(get().is_null());
                    set(ptr::without_provenance_mut(number));
                    assert_eq!(get().addr(), number);
                    slot_address().addr()
                });
                thread.join().expect("the thread checks its word")
            })
            .collect();
        assert!(places.iter().all(|place| place % align_of::<*mut ()>() == 0), "{places:x?}");
        assert!(get().is_null());
    }

    #[test]
    fn the_slot_address_leads_to_the_word() {
        let thread = thread::spawn(|| {
            set(ptr::without_provenance_mut(0x123));
            // SAFETY: the address of this thread's own slot.
            let seen = unsafe { slot_address().read_volatile() };
            // SAFETY: as above.
            unsafe { slot_address().write_volatile(ptr::without_provenance_mut(0x456)) };
            (seen.addr(), get().addr())
        });
        assert_eq!(thread.join().expect("the thread checks its word"), (0x123, 0x456));
    }

    #[cfg(unix)]
    #[test]
    fn an_armed_thread_hands_its_word_over_and_loses_it() {
        fn hand_over(word: *mut ()) {
            // SAFETY: the test sets the word to a boxed sender, once.
            let tell = unsafe { Box::from_raw(word.cast::<mpsc::Sender<bool>>()) };
            tell.send(get().is_null()).expect("the test listens");
        }
        fn body() {
            let (tell, told) = mpsc::channel::<bool>();
            on_thread_exit(hand_over);
            let thread = thread::spawn(move || {
                set(Box::into_raw(Box::new(tell)).cast());
                assert!(arm_exit_hook());
            });
            thread.join().expect("the thread arms itself");
            assert_eq!(told.recv(), Ok(true));
        }
        let name = "an_armed_thread_hands_its_word_over_and_loses_it";
        let output = alone(module_path!(), name, "", body);
        assert!(output.status.success(), "{output:?}");
    }
}
