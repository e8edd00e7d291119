//! The block that a dump prints for a goroutine: header, frames, origin.
//!
//! *Why here.* Floor 8.
//!
//! *Invariants.* None. *Locks.* None.
//!
//! *Go:* `goroutineheader`, `printcreatedby`.

use core::panic::Location;
use std::fmt::Write as _;

use crate::base::env;
use crate::debug::frames;
use crate::gmp::g::flag;
use crate::gmp::status::State;
use crate::gmp::{GPtr, WaitReason};

/// The block of the goroutine that is being looked at from its own stack, with the frames already in Go's form.
pub(crate) fn running(gp: GPtr, frames: &str) -> String {
    let mut text = header(gp, gp.goid(), "running");
    text.push_str(frames);
    text.push_str(&Origin::of(gp).text());
    text
}

/// The block of any other goroutine; None if it has ended meanwhile, because the others go on while they are listed.
pub(crate) fn other(gp: GPtr) -> Option<String> {
    let (id, state) = (gp.goid(), gp.status.load());
    let reason = match state {
        State::Waiting => WaitReason::text(gp.wait_reason.load(core::sync::atomic::Ordering::Relaxed)),
        State::Running => "running",
        State::Runnable => "runnable",
        State::Dead => return None,
    };
    if id == 0 {
        return None;
    }
    let mut text = header(gp, id, reason);
    match (state, gp.blocked_location()) {
        (State::Running, _) => text.push_str("\tgoroutine running on other thread; stack unavailable\n"),
        (State::Waiting, Some(place)) => {
            // Writing to a String does not fail.
            let _ = writeln!(text, "blocked at\n\t{}:{}", place.file(), place.line());
        }
        _ => {}
    }
    if state == State::Waiting {
        text.push_str(&frames::capture_parked(gp));
    }
    text.push_str(&Origin::of(gp).text());
    Some(text)
}

/// The first line.
pub(crate) fn header(gp: GPtr, id: u64, state: &str) -> String {
    let mut text = format!("goroutine {id}");
    if env::traceback().level() >= 2 {
        // Writing to a String does not fail.
        let _ = write!(text, " gp={:p}", gp.as_ptr());
    }
    let _ = write!(text, " [{state}");
    if gp.has_thread() {
        text.push_str(", locked to thread");
    }
    text.push_str("]:\n");
    text
}

/// Who started a goroutine, and where.
pub(crate) struct Origin {
    /// None for goroutine 1.
    place: Option<&'static Location<'static>>,
    creator: Option<fn() -> &'static str>,
    parent: u64,
}

impl Origin {
    /// Reads what the goroutine's owner has written (G4).
    pub(crate) fn of(gp: GPtr) -> Origin {
        let place = gp.created_at.get().filter(|_| !gp.has(flag::MAIN));
        Origin { place, creator: gp.creator.get(), parent: gp.parent.get() }
    }

    pub(crate) fn text(&self) -> String {
        let Some(place) = self.place else { return String::new() };
        // The path of a closure begins with the function that it stands in; that of a function says nothing of who started it.
        let path = self.creator.map_or("", |path| path());
        let by = path.trim_end_matches("::{{closure}}");
        let mut text = String::from("created by");
        // Writing to a String does not fail.
        let _ = match (by != path, self.parent) {
            (true, 0) => write!(text, " {by}"),
            (true, parent) => write!(text, " {by} in goroutine {parent}"),
            (false, 0) => write!(text, " a thread"),
            (false, parent) => write!(text, " goroutine {parent}"),
        };
        let _ = write!(text, "\n\t{}:{}\n", place.file(), place.line());
        text
    }
}
