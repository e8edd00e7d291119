//! A growable array in a mapping of its own.
//!
//! **What.** `MapVec<T>` for plain data: it grows by remapping, so that growing neither allocates nor copies pages,
//! and can happen where the allocator may not be entered.
//!
//! **Why here.** Floor 1. Timer heaps grow while a goroutine is inside the runtime, where no allocation is allowed.
//!
//! **Invariants.**
//! - MV1. `items` points to a mapping of `mapped` bytes, whole pages, which has room for `capacity` elements, or dangles
//!   while both are 0.
//! - MV2. The first `len` elements are initialised, and `len <= capacity`.
//!
//! **Locks.** None; exclusive access is the caller's.
//!
//! **Go:** `malloc.go` (`persistentalloc`), `time.go` (a heap there is a slice).

use core::fmt;
use core::mem;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use core::slice;

use crate::base::throw;
use crate::os;

/// A growable array of plain data outside the allocator.
pub(crate) struct MapVec<T: Copy> {
    items: NonNull<T>,
    len: usize,
    capacity: usize,
    /// Bytes of the mapping (MV1). Not the bytes of the elements, rounded up: large ones may leave more than a page unused.
    mapped: usize,
}

// SAFETY: the array owns its mapping, so moving it moves the elements, which T: Send permits; no thread is tied to a
// mapping, so any thread may grow or release it.
unsafe impl<T: Copy + Send> Send for MapVec<T> {}
// SAFETY: a shared array gives out shared element references only, which T: Sync permits; changing it takes `&mut`.
unsafe impl<T: Copy + Sync> Sync for MapVec<T> {}

impl<T: Copy> MapVec<T> {
    /// Mappings are aligned to pages of at least 4 KiB, and an element has a size to divide by.
    const FITS: () = assert!(size_of::<T>() > 0 && align_of::<T>() <= 4096, "element does not suit a mapping");

    /// Makes an empty array, which has no mapping yet.
    pub(crate) const fn new() -> Self {
        let () = Self::FITS;
        Self { items: NonNull::dangling(), len: 0, capacity: 0, mapped: 0 }
    }

    /// Appends an element; throws when the system has no memory.
    #[inline]
    pub(crate) fn push(&mut self, item: T) {
        if let Err(errno) = self.try_push(item) {
            no_memory(self.mapped, errno);
        }
    }

    /// Appends an element, or fails with the errno of the system, which has no memory.
    #[inline]
    pub(crate) fn try_push(&mut self, item: T) -> Result<(), i32> {
        if self.len == self.capacity {
            self.grow()?;
        }
        // SAFETY: len < capacity after growing, so the place is inside the mapping (MV1, MV2).
        unsafe { self.items.add(self.len).write(item) };
        self.len += 1;
        Ok(())
    }

    /// Takes the last element out.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        // SAFETY: the element at the new len was the last initialised one (MV2).
        Some(unsafe { self.items.add(self.len).read() })
    }

    /// Takes the element at `index` out and puts the last one in its place.
    ///
    /// # Panics
    ///
    /// If `index` is not below `len`.
    #[inline]
    #[track_caller]
    pub(crate) fn swap_remove(&mut self, index: usize) -> T {
        let removed = self[index];
        let last = self.len - 1;
        self[index] = self[last];
        self.len = last;
        removed
    }

    /// Doubles the mapping, or makes the first one.
    #[cold]
    fn grow(&mut self) -> Result<(), i32> {
        let old = self.mapped;
        let new = (old * 2).max(os::page_size()).max(size_of::<T>().next_multiple_of(os::page_size()));
        let grown = if old == 0 {
            os::reserve(new)?
        } else {
            // SAFETY: `items` and `old` are this array's whole mapping (MV1), and `&mut self` excludes references to
            // elements.
            unsafe { os::grow(self.items.cast::<u8>(), old, new)? }
        };
        self.items = grown.cast::<T>();
        self.capacity = new / size_of::<T>();
        self.mapped = new;
        Ok(())
    }
}

#[cold]
fn no_memory(mapped: usize, errno: i32) -> ! {
    throw::print_facts(format_args!("cannot grow an array of {mapped} bytes (errno={errno})"));
    throw::throw("out of memory")
}

impl<T: Copy> Default for MapVec<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Copy> Deref for MapVec<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: the first len elements are initialised (MV2) and borrowed as long as self.
        unsafe { slice::from_raw_parts(self.items.as_ptr(), self.len) }
    }
}

impl<T: Copy> DerefMut for MapVec<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: the first len elements are initialised (MV2) and borrowed exclusively as long as self.
        unsafe { slice::from_raw_parts_mut(self.items.as_ptr(), self.len) }
    }
}

impl<T: Copy> Drop for MapVec<T> {
    fn drop(&mut self) {
        let bytes = mem::replace(&mut self.mapped, 0);
        if bytes > 0 {
            // SAFETY: `items` and `bytes` are this array's whole mapping (MV1); elements are Copy and need no drop, and
            // nothing borrows them when the array is dropped.
            unsafe { os::release(self.items.cast::<u8>(), bytes) };
        }
    }
}

impl<T: Copy + fmt::Debug> fmt::Debug for MapVec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_survive_growing() {
        let mut vec = MapVec::new();
        for item in 0..100_000_u64 {
            vec.push(item);
        }
        assert!(vec.iter().copied().eq(0..100_000));
        assert_eq!(vec.capacity * 8 % os::page_size(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn an_array_that_cannot_grow_keeps_what_it_has() {
        let name = concat!(module_path!(), "::an_array_that_cannot_grow_keeps_what_it_has");
        os::in_own_process(name.split_once("::").expect("a module of this crate").1, || {
            let mut vec = MapVec::new();
            os::let_fail(os::Fault::Map, 1);
            assert_eq!(vec.try_push(0_u64), Err(libc::ENOMEM));
            (0..os::page_size() as u64 / 8).for_each(|item| vec.push(item));
            os::let_fail(os::Fault::Map, 1);
            assert_eq!(vec.try_push(0), Err(libc::ENOMEM));
            assert!(vec.iter().copied().eq(0..os::page_size() as u64 / 8));
            assert_eq!(vec.try_push(7), Ok(()));
            assert_eq!(vec.last(), Some(&7));
        });
    }

    #[test]
    fn pop_gives_back_the_last_element() {
        let mut vec = MapVec::new();
        assert_eq!(vec.pop(), None::<u8>);
        vec.push(1);
        vec.push(2);
        assert_eq!([vec.pop(), vec.pop(), vec.pop()], [Some(2), Some(1), None]);
    }

    #[test]
    fn swap_remove_puts_the_last_element_in_the_gap() {
        let mut vec = MapVec::new();
        (0..4).for_each(|item| vec.push(item));
        assert_eq!((vec.swap_remove(1), &*vec), (1, &[0, 3, 2][..]));
        assert_eq!((vec.swap_remove(2), &*vec), (2, &[0, 3][..]));
    }

    #[test]
    fn elements_larger_than_a_page_fit() {
        let mut vec = MapVec::new();
        (0..5_u8).for_each(|item| vec.push([item; 5000]));
        assert!(vec.iter().enumerate().all(|(index, item)| item.iter().all(|&byte| usize::from(byte) == index)));
    }
    #[test]
    fn a_mapping_is_known_whole_although_large_elements_do_not_fill_it() {
        let mut vec = MapVec::new();
        // Two and a half pages: of six pages two elements fill only five.
        (0..3).for_each(|_| vec.push([0_u8; 10 << 10]));
        let first = (10_usize << 10).next_multiple_of(os::page_size());
        assert_eq!((vec.capacity, vec.mapped), (4 * first / (10 << 10), 4 * first));
    }
}
