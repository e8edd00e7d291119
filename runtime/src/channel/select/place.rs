//! Where `Select` receives a value whose type it does not know.
//!
//! *Why here.* Floor 7, for `dynamic`; the macros have a place of the right type on the frame.
//!
//! *Invariants.* PC1. A place does not drop what is in it: whoever knows the type takes it out.
//!
//! *Locks.* None.
//!
//! *Go:* `reflect.Value`.

use core::alloc::Layout;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use std::alloc::{alloc, dealloc, handle_alloc_error};

/// Values up to so many bytes need no allocation.
const SMALL: usize = 64;

/// The bytes of a small value.
#[repr(align(16))]
#[expect(dead_code, reason = "the bytes are reached by their address")]
pub(super) struct Bytes([u8; SMALL]);

/// Room for a value of any type.
pub(super) enum Place {
    Here(MaybeUninit<Bytes>),
    Allocated(NonNull<u8>, Layout),
}

impl Place {
    /// An empty place.
    pub(super) fn new(layout: Layout) -> Place {
        if layout.size() <= SMALL && layout.align() <= align_of::<Bytes>() {
            return Place::Here(MaybeUninit::uninit());
        }
        let layout = Layout::from_size_align(layout.size().max(1), layout.align()).unwrap_or(layout);
        // SAFETY: the size is not zero.
        let allocated = NonNull::new(unsafe { alloc(layout) });
        Place::Allocated(allocated.unwrap_or_else(|| handle_alloc_error(layout)), layout)
    }

    /// Where the value is, until the place is moved.
    pub(super) fn address(&mut self) -> *mut () {
        match self {
            Place::Here(bytes) => bytes.as_mut_ptr().cast(),
            Place::Allocated(address, _) => address.as_ptr().cast(),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Place::Allocated(address, layout) = *self {
            // SAFETY: allocated in `new` with this layout, and owned by this place.
            unsafe { dealloc(address.as_ptr(), layout) };
        }
    }
}
