//! Standard output and standard error.
//!
//! *Why here.* Floor 8.
//!
//! Std's locks belong to a thread. A goroutine that holds one and parks may go on on another thread, and whoever runs on the first one would find
//! itself the owner. So what a goroutine holds here is a lock of its own, and std's only inside of one write, in which nothing parks: a formatted text
//! is made before, outside of std's lock, because what formats it is the user's code.
//!
//! *Invariants.* OU1. Std's lock is taken under ours, and only for the time of one call that runs no code of the user's. OU2. The buffer is std's, which
//! writes whole lines and is flushed when the process ends by `main`'s return, `exit` or a panic.
//!
//! *Locks.* One of each handle, reentrant; std's under it. *Go:* `os.Stdout`, `os.Stderr`, which have no buffers.

use core::fmt;
use core::panic::Location;
use std::io::{self, IoSlice, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::process::Stdio;
use std::sync::OnceLock;

use crate::proc::park;
use crate::sync::reentrant::{Held, Reentrant};

/// A formatted text, as one write.
fn write_text(out: &mut impl Write, args: fmt::Arguments<'_>) -> io::Result<()> {
    if let Some(text) = args.as_str() {
        return out.write_all(text.as_bytes());
    }
    let mut text = String::new();
    let formatted = fmt::write(&mut text, args);
    out.write_all(text.as_bytes())?;
    formatted.map_err(|_| io::Error::other("formatter error"))
}

macro_rules! output {
    ($name:ident, $lock:ident, $function:ident, $std:ty, $held:ident, $what:literal, $buffer:literal) => {
        static $held: Reentrant = Reentrant::new();

        #[doc = concat!("A handle of ", $what, ": std's for goroutines.")]
        ///
        #[doc = $buffer]
        ///
        /// # Blocking
        ///
        /// Parks while another goroutine has the lock. A write blocks the thread if the other side does not read; the processor goes to another
        /// thread then.
        #[derive(Debug)]
        pub struct $name(());

        #[doc = concat!("The process's ", $what, ", locked: nobody else writes through [`", stringify!($name), "`].")]
        ///
        /// The lock is the goroutine's, which may take it again, and may park while it has it. Std's own handles and macros know nothing of it: what they
        /// print comes in between, whole call by whole call. A `Display` that writes here must not be printed by them: it would wait for this lock with theirs
        /// held.
        pub struct $lock<'a> {
            _held: Held<'a>,
        }

        #[doc = concat!("A handle of the process's ", $what, ".")]
        pub fn $function() -> $name {
            $name(())
        }

        impl $name {
            /// Locks it, for several writes that belong together.
            ///
            /// # Blocking
            ///
            /// Parks while another goroutine has the lock.
            #[track_caller]
            pub fn lock(&self) -> $lock<'static> {
                $lock { _held: $held.lock(Location::caller()) }
            }
        }

        impl $lock<'_> {
            fn descriptor() -> BorrowedFd<'static> {
                static HANDLE: OnceLock<$std> = OnceLock::new();
                HANDLE.get_or_init(io::$function).as_fd()
            }
        }

        impl Write for $lock<'_> {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                park::in_syscall(|| io::$function().lock().write(buf))
            }

            fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                park::in_syscall(|| io::$function().lock().write_vectored(bufs))
            }

            fn flush(&mut self) -> io::Result<()> {
                park::in_syscall(|| io::$function().lock().flush())
            }

            fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
                park::in_syscall(|| io::$function().lock().write_all(buf))
            }

            fn write_fmt(&mut self, args: fmt::Arguments<'_>) -> io::Result<()> {
                write_text(self, args)
            }
        }

        impl Write for &$name {
            #[track_caller]
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                self.lock().write(buf)
            }

            #[track_caller]
            fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.lock().write_vectored(bufs)
            }

            #[track_caller]
            fn flush(&mut self) -> io::Result<()> {
                self.lock().flush()
            }

            #[track_caller]
            fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
                self.lock().write_all(buf)
            }

            #[track_caller]
            fn write_fmt(&mut self, args: fmt::Arguments<'_>) -> io::Result<()> {
                // Formats without the lock.
                write_text(self, args)
            }
        }

        impl Write for $name {
            #[track_caller]
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                (&*self).write(buf)
            }

            #[track_caller]
            fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                (&*self).write_vectored(bufs)
            }

            #[track_caller]
            fn flush(&mut self) -> io::Result<()> {
                (&*self).flush()
            }

            #[track_caller]
            fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
                (&*self).write_all(buf)
            }

            #[track_caller]
            fn write_fmt(&mut self, args: fmt::Arguments<'_>) -> io::Result<()> {
                (&*self).write_fmt(args)
            }
        }

        impl AsFd for $name {
            fn as_fd(&self) -> BorrowedFd<'_> {
                $lock::descriptor()
            }
        }

        impl AsRawFd for $name {
            fn as_raw_fd(&self) -> RawFd {
                $lock::descriptor().as_raw_fd()
            }
        }

        impl AsFd for $lock<'_> {
            fn as_fd(&self) -> BorrowedFd<'_> {
                $lock::descriptor()
            }
        }

        impl AsRawFd for $lock<'_> {
            fn as_raw_fd(&self) -> RawFd {
                $lock::descriptor().as_raw_fd()
            }
        }

        impl From<$name> for Stdio {
            /// A child process gets the same stream.
            fn from(_: $name) -> Stdio {
                io::$function().into()
            }
        }

        impl fmt::Debug for $lock<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($lock)).finish_non_exhaustive()
            }
        }
    };
}

output!(
    Stdout,
    StdoutLock,
    stdout,
    io::Stdout,
    STDOUT,
    "standard output",
    "It has the buffer of std's handle, and of `println!`: lines are written when they are complete, the rest when `main` returns, \
     `exit` is called or a panic ends the process. A fatal error writes no rest: flush what has to be seen."
);
output!(Stderr, StderrLock, stderr, io::Stderr, STDERR, "standard error", "It has no buffer.");
