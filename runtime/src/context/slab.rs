//! Items with places: put in and taken out in constant time.
//!
//! *Why here.* Floor 8: the members of a context.
//!
//! *Invariants.* SB1. Empty places are linked from `free` on. SB2. An empty slab keeps memory for at most [`KEPT`] items.
//!
//! *Locks.* None.
//!
//! *Go:* none; a map there.

/// A slab that is empty gives its memory back if it is for more items.
const KEPT: usize = 16;

/// Items with places.
#[derive(Debug)]
pub(super) struct Slab<T> {
    places: Vec<Place<T>>,
    free: Option<usize>,
    len: usize,
}

#[derive(Debug)]
enum Place<T> {
    Item(T),
    Free(Option<usize>),
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab { places: Vec::new(), free: None, len: 0 }
    }
}

impl<T> Slab<T> {
    /// Puts an item in; returns its place.
    pub(super) fn insert(&mut self, item: T) -> usize {
        self.len += 1;
        let Some(place) = self.free else {
            self.places.push(Place::Item(item));
            return self.places.len() - 1;
        };
        if let Place::Free(next) = core::mem::replace(&mut self.places[place], Place::Item(item)) {
            self.free = next;
        }
        place
    }

    /// Takes the item at a place out, if there is one.
    pub(super) fn remove(&mut self, place: usize) -> Option<T> {
        let slot = self.places.get_mut(place).filter(|slot| matches!(slot, Place::Item(_)))?;
        let Place::Item(item) = core::mem::replace(slot, Place::Free(self.free)) else { return None };
        self.free = Some(place);
        self.len -= 1;
        if self.len == 0 && self.places.capacity() > KEPT {
            *self = Slab::default();
        }
        Some(item)
    }

    /// Number of items.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The items, in the order of their places.
    pub(super) fn into_items(self) -> impl Iterator<Item = T> {
        self.places.into_iter().filter_map(|place| if let Place::Item(item) = place { Some(item) } else { None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_used_again_and_items_stay_at_theirs() {
        let mut slab = Slab::default();
        let places: Vec<usize> = (0..4).map(|item| slab.insert(item)).collect();
        assert_eq!((slab.remove(places[1]), slab.remove(places[1])), (Some(1), None));
        assert_eq!(slab.remove(places[3]), Some(3));
        assert_eq!([slab.insert(5), slab.insert(6)], [places[3], places[1]]);
        assert_eq!(slab.insert(7), 4);
        assert_eq!(slab.remove(99), None);
        assert_eq!(slab.into_items().collect::<Vec<_>>(), [0, 6, 2, 5, 7]);
    }

    #[test]
    fn an_empty_slab_keeps_no_more_than_a_little_memory() {
        let mut slab = Slab::default();
        let places: Vec<usize> = (0..10_000).map(|item| slab.insert(item)).collect();
        for place in places {
            assert!(slab.remove(place).is_some());
        }
        assert!(slab.places.capacity() <= KEPT);
        assert_eq!(slab.insert(1), 0);
    }
}
