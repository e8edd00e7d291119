//! Linux: where the calling thread's thread-local storage lies, and where the program's images do.
//!
//! **What.** One walk over the loaded modules (`dl_iterate_phdr`), and the place of the thread control block.
//!
//! ```text
//! x86-64    | .. libc | libstd | program |TCB ..     the thread pointer is where the control block begins
//! aarch64   .. TCB|16 bytes| program | libstd | ..   the thread pointer is where it ends
//! ```
//!
//! **Why here.** Floor 0. What is looked for in these areas is decided in `gmp::affinity`.
//!
//! **Invariants.**
//! - LS1. The area is made of the blocks of the modules that were there when the runtime started, which the C library puts next to each other, at
//!   the same distance from the thread pointer in every thread, and which live as long as the thread. Blocks of modules that are loaded later
//!   may lie anywhere and may go again; they are left out.
//!
//! **Locks.** The dynamic linker's, inside of the walk.
//!
//! **Go:** none; Go knows the one word that it has in there.

use core::arch::asm;
use core::ffi::{c_int, c_void};
use core::ops::Range;
use std::sync::OnceLock;

use super::super::storage::ThreadStorage;

/// Size of the control block of glibc, which other C libraries stay below. It is only compared with, never read.
const CONTROL_BLOCK: usize = 2304;
/// Blocks that lie next to each other have no more than this in between, for their alignment. It is no more than a page, so that what is in
/// between is mapped as they are.
const LARGEST_GAP: usize = 4096;

/// Distances from the thread pointer, equal in all threads.
struct Offsets {
    own: Range<isize>,
    values: Range<isize>,
}

static OFFSETS: OnceLock<Option<Offsets>> = OnceLock::new();

/// The storage of the calling thread; `None` if the program has no thread-local values.
pub(crate) fn thread_storage() -> Option<ThreadStorage> {
    let pointer = thread_pointer();
    let offsets = OFFSETS.get_or_init(|| offsets_from(pointer)).as_ref()?;
    let absolute =
        |offsets: &Range<isize>| pointer.wrapping_add_signed(offsets.start)..pointer.wrapping_add_signed(offsets.end);
    let (own, values) = (absolute(&offsets.own), absolute(&offsets.values));
    let control = if cfg!(target_arch = "x86_64") {
        pointer..pointer + CONTROL_BLOCK
    } else {
        pointer - CONTROL_BLOCK..pointer + 2 * size_of::<usize>()
    };
    let all = values.start.min(control.start)..values.end.max(control.end);
    Some(ThreadStorage { own, values, all, pointer })
}

/// The blocks of the modules that lie next to each other (LS1), on their side of the thread pointer.
fn offsets_from(pointer: usize) -> Option<Offsets> {
    let mut area = pointer..pointer;
    loop {
        let before = area.clone();
        for_each_module(&mut |module| {
            let (start, size) = storage_of(module);
            let end = start + size;
            if cfg!(target_arch = "x86_64") {
                if size != 0 && end <= area.start && area.start - end < LARGEST_GAP {
                    area.start = start;
                }
            } else if size != 0 && start >= area.end && start - area.end < LARGEST_GAP {
                area.end = end;
            }
        });
        if area == before {
            break;
        }
    }
    let from = |address: usize| address.wrapping_sub(pointer) as isize;
    let mut own = pointer..pointer;
    for_each_module(&mut |module| {
        let (start, size) = storage_of(module);
        let is_own = extent_of(module).is_some_and(|extent| extent.contains(&(thread_storage as fn() -> _ as usize)));
        if is_own && area.start <= start && start + size <= area.end {
            own = start..start + size;
        }
    });
    let offsets = |area: &Range<usize>| from(area.start)..from(area.end);
    (!area.is_empty()).then(|| Offsets { own: offsets(&own), values: offsets(&area) })
}

/// Calls `found` with the extent of each module in memory.
pub(crate) fn for_each_image(mut found: impl FnMut(Range<usize>)) {
    for_each_module(&mut |module| {
        if let Some(extent) = extent_of(module) {
            found(extent);
        }
    });
}

fn extent_of(module: &libc::dl_phdr_info) -> Option<Range<usize>> {
    let mut extent: Option<Range<usize>> = None;
    for header in headers(module).filter(|header| header.p_type == libc::PT_LOAD) {
        let start = (module.dlpi_addr as usize).wrapping_add(header.p_vaddr as usize);
        let end = start.wrapping_add(header.p_memsz as usize);
        let old = extent.get_or_insert(start..end);
        *old = old.start.min(start)..old.end.max(end);
    }
    extent
}

fn for_each_module(found: &mut dyn FnMut(&libc::dl_phdr_info)) {
    unsafe extern "C" fn visit(module: *mut libc::dl_phdr_info, size: usize, found: *mut c_void) -> c_int {
        if size < size_of::<libc::dl_phdr_info>() {
            return 1;
        }
        // SAFETY: the argument below is the address of this reference, which outlives the walk.
        let found = unsafe { &mut *found.cast::<&mut dyn FnMut(&libc::dl_phdr_info)>() };
        // SAFETY: the C library passes a structure of at least this size, valid during the call.
        found(unsafe { &*module });
        0
    }
    let mut found = found;
    // SAFETY: `visit` has the type that is called, gets what it takes, and does not unwind: what it calls adds numbers.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut found).cast()) };
}

fn headers(module: &libc::dl_phdr_info) -> impl Iterator<Item = &libc::Elf64_Phdr> {
    (0..usize::from(module.dlpi_phnum)).map(|index| {
        // SAFETY: the module has so many headers, which lie there while it is loaded.
        unsafe { &*module.dlpi_phdr.add(index) }
    })
}

/// Where the module's thread-local values are, and how many bytes; nothing if this thread has none of it yet.
fn storage_of(module: &libc::dl_phdr_info) -> (usize, usize) {
    let size = headers(module).find(|header| header.p_type == libc::PT_TLS).map_or(0, |header| header.p_memsz);
    let start = module.dlpi_tls_data.addr();
    if start == 0 { (0, 0) } else { (start, size as usize) }
}

#[cfg(target_arch = "x86_64")]
fn thread_pointer() -> usize {
    let pointer: usize;
    // SAFETY: x86-64 keeps the thread pointer itself at fs:0.
    unsafe { asm!("mov {}, qword ptr fs:[0]", out(reg) pointer, options(nostack, preserves_flags, readonly)) };
    pointer
}

#[cfg(target_arch = "aarch64")]
fn thread_pointer() -> usize {
    let pointer: usize;
    // SAFETY: reads a register.
    unsafe { asm!("mrs {}, tpidr_el0", out(reg) pointer, options(nostack, preserves_flags, nomem)) };
    pointer
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::thread;

    use super::*;

    thread_local! {
        static HERE: Cell<u64> = const { Cell::new(7) };
    }

    fn own() -> ThreadStorage {
        thread_storage().expect("this test binary has thread-local values")
    }

    #[test]
    fn a_thread_local_value_lies_in_the_storage_of_its_thread_only() {
        let storage = own();
        let here = HERE.with(|value| std::ptr::from_ref(value).addr());
        assert!(
            [&storage.own, &storage.values, &storage.all].iter().all(|area| area.contains(&here)),
            "{here:x}: {storage:x?}"
        );
        let other = thread::spawn(own).join().expect("the thread finds its storage");
        assert!(
            [&other.own, &other.values, &other.all].iter().all(|area| !area.contains(&here)),
            "{here:x}: {other:x?}"
        );
    }

    #[test]
    fn errno_is_in_the_storage_though_not_in_that_of_the_program() {
        // SAFETY: returns an address.
        let errno = unsafe { libc::__errno_location() }.addr();
        let storage = own();
        assert!(storage.values.contains(&errno) && !storage.own.contains(&errno), "{errno:x}: {storage:x?}");
    }

    #[test]
    fn the_stack_is_no_part_of_the_storage() {
        thread::spawn(|| {
            let local = 0_u8;
            assert!(!own().all.contains(&(&raw const local).addr()));
        })
        .join()
        .expect("the thread finds its storage");
    }

    #[test]
    fn images_contain_code_and_statics_but_no_heap() {
        static VALUE: u8 = 0;
        let contains = |address: usize| {
            let mut seen = false;
            for_each_image(|image| seen |= image.contains(&address));
            seen
        };
        assert!(contains((&raw const VALUE).addr()));
        assert!(contains(contains_itself as *const () as usize));
        assert!(!contains(std::ptr::from_ref(Box::new([0_u8; 1 << 20]).as_ref()).addr()));
    }

    fn contains_itself() {}
}
