//! The values in a channel: a ring that is allocated once, or blocks that follow each other without end.
//!
//! *Why here.* Floor 7: the storage of `hchan`, which counts the values and holds the lock.
//!
//! Both kinds are two cursors into segments of `end` slots. A cursor that has come to the end of its segment *turns* before its next use:
//! in the ring to the beginning of the same slots, else to the next block. Whenever the last value is taken the cursors start again at the
//! beginning of their segment, so that a channel that is mostly empty stays in one or two cache lines.
//!
//! *Invariants.* BU1. Exactly the slots from the read cursor to the write cursor hold values; how many they are, the caller knows. BU2. If there are
//! none, both cursors stand at the same place in the same segment. BU3. Blocks are linked from the reader's to the writer's; `spare` is linked
//! nowhere. BU4. Nothing here allocates or frees, except making a buffer or a block and dropping one: those are done outside of the runtime.
//!
//! *Locks.* The channel's.
//!
//! *Go:* `hchan.buf`; unbounded channels have no counterpart.

use core::mem::MaybeUninit;
use core::ptr::{NonNull, null_mut, slice_from_raw_parts_mut};

/// Values in a block.
const BLOCK: usize = 32;

/// A segment of an unbounded channel.
pub(crate) struct Block<T> {
    next: *mut Block<T>,
    slots: [MaybeUninit<T>; BLOCK],
}

impl<T> Block<T> {
    /// Allocates a block.
    pub(crate) fn new() -> Box<Block<T>> {
        let mut block = Box::<Block<T>>::new_uninit();
        // SAFETY: the field is inside of the allocation.
        unsafe { (&raw mut (*block.as_mut_ptr()).next).write(null_mut()) };
        // SAFETY: the link was written, and the slots need not be.
        unsafe { block.assume_init() }
    }

    /// # Safety
    ///
    /// - `block` is a living block.
    unsafe fn slots(block: *mut Block<T>) -> NonNull<T> {
        // SAFETY: the field is inside of the block, so its address is not null.
        unsafe { NonNull::new_unchecked((&raw mut (*block).slots).cast()) }
    }
}

/// A block that is left over, of whatever type its values were: to be dropped outside of the runtime.
pub(crate) trait Spent {}

impl<T> Spent for Block<T> {}

/// Where the next value is read or written.
struct Cursor<T> {
    slots: NonNull<T>,
    index: usize,
}

/// The storage.
#[repr(C)]
pub(crate) struct Buffer<T> {
    read: Cursor<T>,
    write: Cursor<T>,
    /// Slots of a segment.
    end: usize,
    /// The blocks that the cursors stand in; null in a ring, and before the first block.
    read_block: *mut Block<T>,
    write_block: *mut Block<T>,
    /// A block that was read to its end, for the writer.
    spare: *mut Block<T>,
    is_ring: bool,
}

impl<T> Buffer<T> {
    /// A ring of `cap` slots.
    pub(crate) fn ring(cap: usize) -> Buffer<T> {
        let slots: Box<[MaybeUninit<T>]> = Box::new_uninit_slice(cap);
        let slots = NonNull::from(Box::leak(slots)).cast::<T>();
        Buffer::over(slots, cap, true)
    }

    /// Blocks, of which there is none yet.
    pub(crate) fn blocks() -> Buffer<T> {
        Buffer::over(NonNull::dangling(), BLOCK, false)
    }

    fn over(slots: NonNull<T>, end: usize, is_ring: bool) -> Buffer<T> {
        // Without a block the cursors stand at an end, so that the first write turns.
        let index = if is_ring { 0 } else { end };
        Buffer {
            read: Cursor { slots, index },
            write: Cursor { slots, index },
            end,
            read_block: null_mut(),
            write_block: null_mut(),
            spare: null_mut(),
            is_ring,
        }
    }

    /// Whether a value can be written without a turn.
    #[inline(always)]
    pub(crate) fn can_write(&self) -> bool {
        self.write.index < self.end
    }

    /// Whether a value can be read without a turn.
    #[inline(always)]
    pub(crate) fn can_read(&self) -> bool {
        self.read.index < self.end
    }

    /// Writes a value.
    ///
    /// # Safety
    ///
    /// - There is room: a ring is not full.
    /// - `can_write` is true, or `turn_write` was since the last write.
    #[inline(always)]
    pub(crate) unsafe fn write(&mut self, value: T) {
        debug_assert!(self.write.index < self.end, "a write without a turn");
        // SAFETY: the index is below `end`, and no value is there (BU1, and there is room).
        unsafe { self.write.slots.add(self.write.index).write(value) };
        self.write.index += 1;
    }

    /// Reads a value.
    ///
    /// # Safety
    ///
    /// - There is one.
    /// - `can_read` is true, or `turn_read` was called since the last read.
    #[inline(always)]
    pub(crate) unsafe fn read(&mut self) -> T {
        debug_assert!(self.read.index < self.end, "a read without a turn");
        // SAFETY: the index is below `end`, and the next value is there (BU1).
        let value = unsafe { self.read.slots.add(self.read.index).read() };
        self.read.index += 1;
        value
    }

    /// Whether `unread` needs no block. There is a value.
    pub(crate) fn can_unread(&self) -> bool {
        self.is_ring || self.read.index != 0 || !self.spare.is_null()
    }

    /// Puts a value in front of the others.
    ///
    /// # Safety
    ///
    /// - There are others, or `unwrite` has just taken the only one; and there is room: a ring is not full.
    /// - `can_unread` is true.
    pub(crate) unsafe fn unread(&mut self, value: T) {
        if self.read.index == 0 {
            if !self.is_ring {
                let block = core::mem::replace(&mut self.spare, null_mut());
                // SAFETY: the spare block, which the caller has seen, is alive and in nobody's use (BU3).
                unsafe { (*block).next = self.read_block };
                self.read_block = block;
                // SAFETY: as above.
                self.read.slots = unsafe { Block::slots(block) };
            }
            self.read.index = self.end;
        }
        self.read.index -= 1;
        // SAFETY: the index is below `end`, and the slot before the first value is free (BU1, and there is room).
        unsafe { self.read.slots.add(self.read.index).write(value) };
    }

    /// Takes the last value out.
    ///
    /// # Safety
    ///
    /// - It is a ring with a value, and `unread` follows.
    pub(crate) unsafe fn unwrite(&mut self) -> T {
        if self.write.index == 0 {
            self.write.index = self.end;
        }
        self.write.index -= 1;
        // SAFETY: the index is below `end`, and the last value is there (BU1).
        let value = unsafe { self.write.slots.add(self.write.index).read() };
        if self.write.index == 0 {
            // So that the cursors meet when the last value is read, which never leaves the reader's there (BU2).
            self.write.index = self.end;
        }
        value
    }

    /// The last value was taken: starts again at the beginning of the segment (BU2).
    #[inline(always)]
    pub(crate) fn rewind(&mut self) {
        debug_assert!(self.read.slots == self.write.slots && self.read.index == self.write.index, "BU2");
        if self.is_ring || !self.write_block.is_null() {
            self.read.index = 0;
            self.write.index = 0;
        }
    }

    /// The writer's cursor moves on from its end. False: it needs a block (see [`Buffer::offer`]).
    pub(crate) fn turn_write(&mut self) -> bool {
        if self.is_ring {
            self.write.index = 0;
            return true;
        }
        if self.spare.is_null() {
            return false;
        }
        let block = core::mem::replace(&mut self.spare, null_mut());
        // SAFETY: a spare block is alive and in nobody's use (BU3).
        self.write.slots = unsafe { Block::slots(block) };
        self.write.index = 0;
        match NonNull::new(self.write_block) {
            // SAFETY: the writer's block is alive.
            Some(last) => unsafe { (*last.as_ptr()).next = block },
            None => {
                self.read_block = block;
                self.read.slots = self.write.slots;
                self.read.index = 0;
            }
        }
        self.write_block = block;
        true
    }

    /// The reader's cursor moves on from its end, where it has found that there is another value. A block that is left over is returned.
    pub(crate) fn turn_read(&mut self) -> Option<Box<Block<T>>> {
        self.read.index = 0;
        if self.is_ring {
            return None;
        }
        let done = self.read_block;
        // SAFETY: the reader's block is alive, and as there is another value, the next one is, too (BU1, BU3).
        self.read_block = unsafe { (*done).next };
        // SAFETY: as above.
        self.read.slots = unsafe { Block::slots(self.read_block) };
        // SAFETY: the block was read to its end and is linked from nowhere, so it is ours; it came from a box.
        let mut done = unsafe { Box::from_raw(done) };
        done.next = null_mut();
        self.offer(done)
    }

    /// Takes a block for the writer's next turn; returns it if there is one already.
    pub(crate) fn offer(&mut self, block: Box<Block<T>>) -> Option<Box<Block<T>>> {
        if !self.spare.is_null() {
            return Some(block);
        }
        self.spare = Box::into_raw(block);
        None
    }
}

impl<T> Drop for Buffer<T> {
    /// Frees the memory; the values were taken out before.
    fn drop(&mut self) {
        if self.is_ring {
            let slots = slice_from_raw_parts_mut(self.read.slots.as_ptr().cast::<MaybeUninit<T>>(), self.end);
            // SAFETY: `ring` has leaked a box of exactly this slice.
            drop(unsafe { Box::from_raw(slots) });
            return;
        }
        let mut block = self.read_block;
        while let Some(this) = NonNull::new(block) {
            // SAFETY: linked blocks are alive, came from boxes and are in nobody else's use (BU3).
            let this = unsafe { Box::from_raw(this.as_ptr()) };
            block = this.next;
        }
        if let Some(spare) = NonNull::new(self.spare) {
            // SAFETY: as above; the spare block is linked from nowhere.
            drop(unsafe { Box::from_raw(spare.as_ptr()) });
        }
    }
}

/// All values that a closed channel still held, with their storage: whoever took them drops them, outside of the runtime.
pub(crate) struct Values<T> {
    /// The storage.
    pub(crate) buffer: Buffer<T>,
    /// How many there are.
    pub(crate) len: usize,
}

impl<T> Iterator for Values<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        if !self.buffer.can_read() {
            drop(self.buffer.turn_read());
        }
        // SAFETY: the count says that there is one, and the cursor was turned.
        Some(unsafe { self.buffer.read() })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Writes `0..count` and reads them back, `ahead` values apart.
    fn pass_through(mut buffer: Buffer<u64>, count: u64, ahead: u64) -> Buffer<u64> {
        let mut expected = 0..;
        for value in 0..count + ahead {
            if value < count {
                if !buffer.can_write() && !buffer.turn_write() {
                    assert!(buffer.offer(Block::new()).is_none());
                    assert!(buffer.turn_write());
                }
                // SAFETY: at most `ahead` + 1 values are inside; the cursor was turned.
                unsafe { buffer.write(value) };
            }
            if value >= ahead {
                if !buffer.can_read() {
                    drop(buffer.turn_read());
                }
                // SAFETY: the value was written `ahead` rounds ago; the cursor was turned.
                assert_eq!(Some(unsafe { buffer.read() }), expected.next());
            }
        }
        buffer
    }

    #[test]
    fn a_ring_gives_values_back_in_order() {
        for ahead in 0..5 {
            drop(pass_through(Buffer::ring(5), 100, ahead));
        }
    }

    #[test]
    fn blocks_give_values_back_in_order() {
        for ahead in [0, 1, 31, 32, 33, 100] {
            drop(pass_through(Buffer::blocks(), 1000, ahead));
        }
    }

    #[test]
    fn an_empty_buffer_starts_again_at_its_beginning() {
        for buffer in [Buffer::ring(8), Buffer::blocks()] {
            let mut buffer = pass_through(buffer, 5, 0);
            buffer.rewind();
            assert_eq!(buffer.write.index, 0);
            drop(pass_through(buffer, 100, 1));
        }
    }

    /// A buffer of three values, after others have gone through it, gets a fourth one in front.
    #[test]
    fn what_is_put_in_front_comes_first() {
        for before in 0..70 {
            for mut buffer in [Buffer::ring(4), Buffer::blocks()] {
                buffer = pass_through(buffer, before, 0);
                let push = |buffer: &mut Buffer<u64>, value| {
                    if !buffer.can_write() && !buffer.turn_write() {
                        assert!(buffer.offer(Block::new()).is_none());
                        assert!(buffer.turn_write());
                    }
                    // SAFETY: there are fewer than four values; the cursor was turned.
                    unsafe { buffer.write(value) };
                };
                (1..4).for_each(|value| push(&mut buffer, value));
                if !buffer.can_unread() {
                    assert!(buffer.offer(Block::new()).is_none());
                }
                // SAFETY: there are three values.
                unsafe { buffer.unread(0) };
                if buffer.is_ring {
                    // SAFETY: there is a value.
                    assert_eq!(unsafe { buffer.unwrite() }, 3);
                    // SAFETY: there are three values.
                    unsafe { buffer.unread(9) };
                }
                let expected = if buffer.is_ring { [9, 0, 1, 2] } else { [0, 1, 2, 3] };
                for value in expected {
                    if !buffer.can_read() {
                        drop(buffer.turn_read());
                    }
                    // SAFETY: there are four values; the cursor was turned.
                    assert_eq!(unsafe { buffer.read() }, value);
                }
                buffer.rewind();
                drop(pass_through(buffer, 100, 1));
            }
        }
    }

    #[test]
    fn a_read_block_is_used_again() {
        let mut buffer = pass_through(Buffer::<u64>::blocks(), 2 * BLOCK as u64, BLOCK as u64);
        assert!(buffer.turn_write(), "the first block is spare after it was read");
    }

    #[test]
    fn values_left_over_are_dropped_once() {
        let counted = std::rc::Rc::new(());
        let mut buffer = Buffer::blocks();
        for _ in 0..70 {
            if !buffer.can_write() && !buffer.turn_write() {
                assert!(buffer.offer(Block::new()).is_none());
                assert!(buffer.turn_write());
            }
            // SAFETY: blocks have room without end; the cursor was turned.
            unsafe { buffer.write(counted.clone()) };
        }
        assert_eq!(Values { buffer, len: 70 }.count(), 70);
        assert_eq!(std::rc::Rc::strong_count(&counted), 1);
    }
}
