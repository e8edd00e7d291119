//! Anonymous pipes.
//!
//! *Why here.* Floor 8.
//!
//! *Invariants.* PF1 of `io::polled`. *Locks.* None. *Go:* `os.Pipe`.

use std::io;
use std::os::fd::{FromRawFd, RawFd};

use crate::io::end::{pipe_end, reading_end, writing_end};
use crate::io::polled::Polled;
use crate::os;

/// The end of a pipe to read from: `std::io::PipeReader` for goroutines.
///
/// # Blocking
///
/// Reads wait for data, or for the last writer to go; the goroutine is parked.
pub struct PipeReader {
    end: Polled,
}

/// The end of a pipe to write to: `std::io::PipeWriter` for goroutines.
///
/// # Blocking
///
/// Writes wait for room in the pipe, which is 64 KiB large on Linux; the goroutine is parked. A write may write a part.
pub struct PipeWriter {
    end: Polled,
}

pipe_end!(PipeReader, io::PipeReader, Read);
reading_end!(PipeReader);
pipe_end!(PipeWriter, io::PipeWriter, Write);
writing_end!(PipeWriter);

/// Makes a pipe: what is written to one end is read from the other.
///
/// # Errors
///
/// As std: mostly, that there are no descriptors left.
///
/// # Examples
///
/// ```
/// use goruntime::io::{pipe, read_to_string, Write};
///
/// goruntime::run(|| {
///     let (reader, mut writer) = pipe().unwrap();
///     goruntime::go(move || writer.write_all(b"through the pipe").unwrap());
///     assert_eq!(read_to_string(reader).unwrap(), "through the pipe");
/// });
/// ```
#[doc(alias = "Pipe")]
pub fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    os::attempt(os::Fault::Pipe).map_err(io::Error::from_raw_os_error)?;
    let (reader, writer) = io::pipe()?;
    Ok((PipeReader::of(reader), PipeWriter::of(writer)))
}

macro_rules! handles {
    ($name:ident) => {
        impl $name {
            /// Makes another handle of the same end, which has the same deadline and is closed with it.
            ///
            /// # Errors
            ///
            /// Never; the signature is std's. No descriptor is made.
            pub fn try_clone(&self) -> io::Result<$name> {
                Ok($name { end: self.end.clone() })
            }
        }

        impl FromRawFd for $name {
            unsafe fn from_raw_fd(fd: RawFd) -> $name {
                // SAFETY: the caller owns the descriptor and gives it away, which is all that std asks for.
                unsafe { std::os::fd::OwnedFd::from_raw_fd(fd) }.into()
            }
        }
    };
}

handles!(PipeReader);
handles!(PipeWriter);
