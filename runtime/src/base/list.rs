//! An intrusive FIFO list: the link is inside the element, so queuing allocates nothing.
//!
//! **What.** Head, tail and length over elements that implement `Linked`. Both ends take, the front gives, and two
//! lists join in constant time.
//!
//! **Why here.** Floor 1. The global run queue, batches of readied goroutines and free lists are made of it.
//!
//! **Invariants.**
//! - LI1. An element is in at most one list, once.
//! - LI2. An element in a list is alive, and its link belongs to the list: only the list's holder reads or writes it.
//! - LI3. The last element's link is `None`, and `head`, `tail` and `len` agree.
//!
//! **Locks.** None: whoever can borrow the list exclusively owns the links (LI2).
//!
//! **Go:** `proc.go` (`gQueue`, `gList`).

use core::fmt;
use core::ptr::NonNull;

/// An element with room for one link.
///
/// # Safety
///
/// - After `set_next(node, next)`, `next(node)` returns `next` until the following `set_next`.
/// - Nothing but these two functions changes that.
pub(crate) unsafe trait Linked: Sized {
    /// Reads the link.
    ///
    /// # Safety
    ///
    /// - `node` is alive.
    /// - The caller owns its link (LI2).
    unsafe fn next(node: NonNull<Self>) -> Option<NonNull<Self>>;

    /// Writes the link.
    ///
    /// # Safety
    ///
    /// - `node` is alive.
    /// - The caller owns its link (LI2).
    unsafe fn set_next(node: NonNull<Self>, next: Option<NonNull<Self>>);
}

/// A singly linked FIFO list that owns its elements' links, not the elements.
pub(crate) struct List<T: Linked> {
    ends: Option<Ends<T>>,
    len: usize,
}

/// First and last element of a list that has any.
struct Ends<T> {
    head: NonNull<T>,
    tail: NonNull<T>,
}

impl<T> Clone for Ends<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Ends<T> {}

// SAFETY: what moves to the other thread is the right to the elements, which T: Send lets it have. Whatever hands the
// list over (a lock, a channel between Ms) orders the links written here before they are read there.
unsafe impl<T: Linked + Send> Send for List<T> {}

impl<T: Linked> List<T> {
    /// Makes an empty list.
    pub(crate) const fn new() -> Self {
        Self { ends: None, len: 0 }
    }

    /// Returns the number of elements.
    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Reports whether there are no elements.
    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends an element.
    ///
    /// # Safety
    ///
    /// - `node` is alive and stays so while it is in the list.
    /// - It is in no list.
    #[inline]
    pub(crate) unsafe fn push_back(&mut self, node: NonNull<T>) {
        // SAFETY: the node is alive and in no list, so its link is ours to write.
        unsafe { T::set_next(node, None) };
        match &mut self.ends {
            Some(ends) => {
                // SAFETY: the tail is in this list, so it is alive and its link is ours (LI2).
                unsafe { T::set_next(ends.tail, Some(node)) };
                ends.tail = node;
            }
            None => self.ends = Some(Ends { head: node, tail: node }),
        }
        self.len += 1;
    }

    /// Puts an element in front of all others.
    ///
    /// # Safety
    ///
    /// - `node` is alive and stays so while it is in the list.
    /// - It is in no list.
    #[inline]
    pub(crate) unsafe fn push_front(&mut self, node: NonNull<T>) {
        let next = self.ends.map(|ends| ends.head);
        // SAFETY: the node is alive and in no list, so its link is ours to write.
        unsafe { T::set_next(node, next) };
        match &mut self.ends {
            Some(ends) => ends.head = node,
            None => self.ends = Some(Ends { head: node, tail: node }),
        }
        self.len += 1;
    }

    /// Takes the first element out.
    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<NonNull<T>> {
        let ends = self.ends?;
        // SAFETY: the head is in this list, so it is alive and its link is ours (LI2).
        let next = unsafe { T::next(ends.head) };
        self.ends = next.map(|head| Ends { head, tail: ends.tail });
        self.len -= 1;
        Some(ends.head)
    }

    /// Moves all elements of `other` behind the elements of this list.
    #[inline]
    pub(crate) fn append(&mut self, other: &mut Self) {
        let Some(added) = other.ends.take() else { return };
        match &mut self.ends {
            Some(ends) => {
                // SAFETY: the tail is in this list, so it is alive and its link is ours (LI2).
                unsafe { T::set_next(ends.tail, Some(added.head)) };
                ends.tail = added.tail;
            }
            None => self.ends = Some(added),
        }
        self.len += core::mem::take(&mut other.len);
    }
}

impl<T: Linked> Default for List<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Linked> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List").field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use super::*;

    struct Node {
        name: u32,
        link: Cell<Option<NonNull<Node>>>,
    }

    // SAFETY: both functions use the one cell, which nothing else touches.
    unsafe impl Linked for Node {
        unsafe fn next(node: NonNull<Self>) -> Option<NonNull<Self>> {
            // SAFETY: the caller says that the node is alive.
            unsafe { node.as_ref() }.link.get()
        }

        unsafe fn set_next(node: NonNull<Self>, next: Option<NonNull<Self>>) {
            // SAFETY: the caller says that the node is alive.
            unsafe { node.as_ref() }.link.set(next);
        }
    }

    /// Makes a list of new nodes; `names` gives them back.
    fn list(names: impl IntoIterator<Item = u32>) -> List<Node> {
        let mut list = List::new();
        for name in names {
            // SAFETY: the node is new, and it lives until `names` frees it.
            unsafe { list.push_back(node(name)) };
        }
        list
    }

    fn node(name: u32) -> NonNull<Node> {
        NonNull::from(Box::leak(Box::new(Node { name, link: Cell::new(None) })))
    }

    /// Empties a list and frees its nodes.
    fn names(list: &mut List<Node>) -> Vec<u32> {
        let mut names = Vec::new();
        while let Some(node) = list.pop_front() {
            // SAFETY: `node` made it from a box, and it has left its list.
            names.push(unsafe { Box::from_raw(node.as_ptr()) }.name);
        }
        assert!(list.is_empty());
        names
    }

    #[test]
    fn elements_come_out_in_the_order_they_went_in() {
        let mut list = list([1, 2, 3]);
        assert_eq!(list.len(), 3);
        assert_eq!(names(&mut list), [1, 2, 3]);
        assert_eq!(list.len(), 0);
    }

    #[test]
    fn push_front_overtakes() {
        let mut list = list([]);
        for name in [2, 1] {
            // SAFETY: the node is new, and it lives until `names` frees it.
            unsafe { list.push_front(node(name)) };
        }
        // SAFETY: as above.
        unsafe { list.push_back(node(3)) };
        assert_eq!(names(&mut list), [1, 2, 3]);
    }

    #[test]
    fn append_moves_everything_behind() {
        let (mut first, mut second, mut empty) = (list([1, 2]), list([3, 4]), list([]));
        first.append(&mut empty);
        first.append(&mut second);
        assert!(second.is_empty());
        empty.append(&mut first);
        assert_eq!((empty.len(), first.len()), (4, 0));
        // SAFETY: the node is new, and it lives until `names` frees it.
        unsafe { empty.push_back(node(5)) };
        assert_eq!(names(&mut empty), [1, 2, 3, 4, 5]);
    }
}
