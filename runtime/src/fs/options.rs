//! How a file is opened.
//!
//! *Why here.* Floor 8. *Invariants.* None. *Locks.* None. *Go:* `os.OpenFile`.

use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::fs::File;
use crate::proc::park::in_syscall;

/// How a file is opened: `std::fs::OpenOptions`.
///
/// # Examples
///
/// ```
/// use goruntime::fs::{self, OpenOptions};
/// use goruntime::io::Write;
///
/// let path = std::env::temp_dir().join(format!("goruntime-doc-options-{}", std::process::id()));
/// for line in ["one", "two"] {
///     let mut log = OpenOptions::new().append(true).create(true).open(&path).unwrap();
///     writeln!(log, "{line}").unwrap();
/// }
/// assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
/// fs::remove_file(&path).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct OpenOptions(std::fs::OpenOptions);

/// Defines the options that are on or off.
macro_rules! switches {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        pub fn $name(&mut self, $name: bool) -> &mut OpenOptions {
            self.0.$name($name);
            self
        }
    )*};
}

impl OpenOptions {
    /// All options off.
    #[expect(clippy::new_without_default, reason = "std's has none either")]
    pub fn new() -> OpenOptions {
        OpenOptions(std::fs::OpenOptions::new())
    }

    switches! {
        /// To read.
        read,
        /// To write, from the beginning.
        write,
        /// To write, always at the end.
        append,
        /// Empties the file.
        truncate,
        /// Makes the file if there is none.
        create,
        /// Makes the file, and fails if there is one.
        create_new,
    }

    /// Opens the file.
    ///
    /// # Blocking
    ///
    /// Blocks the thread; see [the module](crate::fs). A pipe with a name is opened when its other end is opened, too, unless
    /// `O_NONBLOCK` is among the flags.
    ///
    /// # Errors
    ///
    /// As std.
    pub fn open<P: AsRef<Path>>(&self, path: P) -> io::Result<File> {
        in_syscall(|| self.0.open(path.as_ref())).map(File::opened)
    }
}

impl OpenOptionsExt for OpenOptions {
    fn mode(&mut self, mode: u32) -> &mut OpenOptions {
        self.0.mode(mode);
        self
    }

    fn custom_flags(&mut self, flags: i32) -> &mut OpenOptions {
        self.0.custom_flags(flags);
        self
    }
}
