//! A stack in Go's form: `function()`, new line, tab, `file:line`.
//!
//! *Why here.* Floor 8.
//!
//! std gives out the frames of a backtrace only as text, so the text is read: a numbered line a function, a line `at file:line:column` below it.
//! A frame that does not look like that is left out.
//!
//! *Invariants.* None. *Locks.* None.
//!
//! *Go:* `printframes`-like parts of traceback.go.

use std::backtrace::Backtrace;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::base::env;
use crate::coro::switch;
use crate::gmp::GPtr;
use crate::gmp::g::flag;
use crate::proc::{enter, traceback};

/// Where a goroutine's own frames end and those of the thread that runs it begin.
const FIRST_FRAME: &str = "goruntime::proc::execute::goroutine_entry";
/// Most frames that are printed from either end.
const EACH_END: usize = 50;

/// The stack of the caller, from where the panic was raised or the operation called.
pub(crate) fn capture() -> String {
    let gp = enter().g();
    let text = if gp.has(flag::THREAD) {
        Backtrace::force_capture().to_string()
    } else {
        // Walking and naming the frames takes more stack than a goroutine may have left.
        // SAFETY: the yielder is the running goroutine's own, and the closure suspends nothing.
        unsafe { switch::on_parent_stack(gp.yielder(), || Backtrace::force_capture().to_string()) }
    };
    format(&text)
}

/// What `look` has found, for `capture_parked`.
static FOUND: Mutex<String> = Mutex::new(String::new());

/// The stack of a parked goroutine; empty if it is not parked any more.
pub(crate) fn capture_parked(gp: GPtr) -> String {
    fn look() {
        let text = capture();
        *FOUND.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }
    if !traceback::on_stack_of(gp, look) {
        return String::new();
    }
    core::mem::take(&mut *FOUND.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Go's form of a std backtrace.
fn format(text: &str) -> String {
    let show_runtime = env::traceback().level() >= 2;
    let mut frames: Vec<String> = Vec::new();
    let mut function: Option<&str> = None;
    let here = std::env::current_dir().unwrap_or_default();
    for line in text.lines() {
        let line = line.trim_start();
        if line.contains(FIRST_FRAME) {
            break;
        }
        if let Some(place) = line.strip_prefix("at ") {
            let place = place.rsplit_once(':').map_or(place, |(place, _column)| place);
            if let Some(name) = function.take().filter(|_| show_runtime || is_users_file(place, &here)) {
                let place = place.strip_prefix("./").unwrap_or(place);
                frames.push(format!("{name}(...)\n\t{place}\n"));
            }
            continue;
        }
        function =
            line.split_once(": ").map(|(_number, name)| strip_hash(name)).filter(|name| show_runtime || is_users(name));
    }
    elide(frames)
}

fn elide(frames: Vec<String>) -> String {
    let mut text = String::new();
    let hidden = frames.len().saturating_sub(2 * EACH_END);
    for (index, frame) in frames.iter().enumerate() {
        if hidden > 0 && index == EACH_END {
            // Writing to a String does not fail.
            let _ = writeln!(text, "...{hidden} frames elided...");
        }
        if hidden == 0 || index < EACH_END || index >= frames.len() - EACH_END {
            text.push_str(frame);
        }
    }
    text
}

/// The name without the disambiguating hash at its end.
fn strip_hash(name: &str) -> &str {
    match name.rsplit_once("::h") {
        Some((head, hash)) if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => head,
        _ => name,
    }
}

/// Whether a file is neither this crate's nor std's nor that of the stack switch. What is inlined has no path in its name, only a place.
fn is_users_file(place: &str, here: &Path) -> bool {
    const OURS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/");
    let file = place.rsplit_once(':').map_or(place, |(file, _line)| file);
    let file = here.join(file.strip_prefix("./").unwrap_or(file));
    let of_switch = file.components().any(|part| part.as_os_str().to_string_lossy().starts_with("corosensei-"));
    !file.starts_with(OURS)
        && !file.starts_with("/rustc")
        && !place.contains("/rustlib/src/rust/library/")
        && !place.contains("/library/std/")
        && !of_switch
}

/// Whether a frame is neither the runtime's nor the panic machinery's.
fn is_users(name: &str) -> bool {
    const HIDDEN: [&str; 17] = [
        "goruntime::",
        "<goruntime::",
        "std::panicking",
        "std::panic",
        "core::panicking",
        "core::ops::function",
        "<core::panic::unwind_safe",
        "core::panic::unwind_safe",
        "<alloc::boxed::Box<F",
        "<alloc::boxed::Box<dyn",
        "std::backtrace",
        "<std::backtrace",
        "std::sys::backtrace",
        "corosensei::",
        "stack_init_trampoline",
        "__rust",
        "rust_",
    ];
    !name.is_empty()
        && !name.starts_with("__")
        && name != "<unknown>"
        && !HIDDEN.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::{format, strip_hash};

    #[test]
    fn frames_of_the_user_are_shown_in_gos_form() {
        let text = "   0: std::backtrace::Backtrace::force_capture\n             at /rustc/x/backtrace.rs:1:2\n   \
                    1: app::leaf\n             at /app/src/main.rs:9:5\n   2: goruntime::task::finish::entry_go\n             at /x.rs:1:1\n";
        assert_eq!(format(text), "app::leaf(...)\n\t/app/src/main.rs:9\n");
    }

    #[test]
    fn hashes_are_cut_off() {
        assert_eq!(strip_hash("app::leaf::h0123456789abcdef"), "app::leaf");
        assert_eq!(strip_hash("app::hash"), "app::hash");
    }
}
