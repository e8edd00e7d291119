//! Standard input.
//!
//! *Why here.* Floor 8.
//!
//! The poller does not watch it: what is open there is shared with other processes, whose reads must go on blocking. So a read blocks the thread. If
//! there is nothing to be read yet, the processor goes to another thread before that.
//!
//! *Invariants.* SI1. The buffer is as large as std's, so that std's is bypassed; what std's has buffered before comes first, because every read goes
//! through std's handle.
//!
//! *Locks.* The buffer's; under it std's, for the time of a read. *Go:* `os.Stdin`.

use std::io::{self, BufRead, BufReader, IoSliceMut, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::{OnceLock, PoisonError};

use crate::os;
use crate::proc::park;
use crate::sync::{LazyLock, Mutex, MutexGuard};

/// SI1.
const CAPACITY: usize = 8 << 10;

static STDIN: LazyLock<Mutex<BufReader<Unbuffered>>> =
    LazyLock::new(|| Mutex::new(BufReader::with_capacity(CAPACITY, Unbuffered)));

/// Std's handle, without a processor while it waits.
struct Unbuffered;

impl Unbuffered {
    fn read_with<T>(read: impl FnOnce() -> T) -> T {
        if os::is_readable(descriptor()) { park::in_syscall(read) } else { park::without_p(read) }
    }
}

impl Read for Unbuffered {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Unbuffered::read_with(|| io::stdin().lock().read(buf))
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        Unbuffered::read_with(|| io::stdin().lock().read_vectored(bufs))
    }
}

/// A handle of standard input: `std::io::Stdin` for goroutines.
///
/// The input is buffered, apart from std's handle: after a read from this one, std's does not see what is in the buffer.
///
/// # Blocking
///
/// Reads wait for input. That takes a thread, but no processor: other goroutines go on.
///
/// # Examples
///
/// ```no_run
/// for line in goruntime::io::stdin().lines() {
///     println!("{}", line.unwrap().to_uppercase());
/// }
/// ```
#[derive(Debug)]
pub struct Stdin(());

/// Standard input, locked: nobody else reads through [`Stdin`]. The lock is the goroutine's, which may park while it has it.
pub struct StdinLock<'a> {
    buffer: MutexGuard<'a, BufReader<Unbuffered>>,
}

/// As std's handle gives it.
fn descriptor() -> BorrowedFd<'static> {
    static HANDLE: OnceLock<io::Stdin> = OnceLock::new();
    HANDLE.get_or_init(io::stdin).as_fd()
}

/// A handle of the process's standard input.
pub fn stdin() -> Stdin {
    Stdin(())
}

impl Stdin {
    /// Locks it, for several reads or for [`BufRead`].
    ///
    /// # Blocking
    ///
    /// Parks while another goroutine has the lock, or reads.
    #[track_caller]
    pub fn lock(&self) -> StdinLock<'static> {
        StdinLock { buffer: STDIN.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    /// Appends a line to `line`, with its end; returns its bytes, 0 at the end of the input.
    ///
    /// # Blocking
    ///
    /// Waits for a line.
    ///
    /// # Errors
    ///
    /// As std.
    #[track_caller]
    pub fn read_line(&self, line: &mut String) -> io::Result<usize> {
        self.lock().read_line(line)
    }

    /// Locks it and iterates over its lines.
    ///
    /// # Blocking
    ///
    /// As [`lock`](Stdin::lock); each item waits for a line.
    #[track_caller]
    pub fn lines(self) -> io::Lines<StdinLock<'static>> {
        self.lock().lines()
    }
}

impl Read for &Stdin {
    #[track_caller]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.lock().read(buf)
    }

    #[track_caller]
    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.lock().read_vectored(bufs)
    }

    #[track_caller]
    fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
        self.lock().read_to_end(buf)
    }

    #[track_caller]
    fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
        self.lock().read_to_string(buf)
    }

    #[track_caller]
    fn read_exact(&mut self, buf: &mut [u8]) -> io::Result<()> {
        self.lock().read_exact(buf)
    }
}

impl Read for Stdin {
    #[track_caller]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }

    #[track_caller]
    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(bufs)
    }

    #[track_caller]
    fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
        (&*self).read_to_end(buf)
    }

    #[track_caller]
    fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
        (&*self).read_to_string(buf)
    }

    #[track_caller]
    fn read_exact(&mut self, buf: &mut [u8]) -> io::Result<()> {
        (&*self).read_exact(buf)
    }
}

impl AsFd for Stdin {
    fn as_fd(&self) -> BorrowedFd<'_> {
        descriptor()
    }
}

impl AsRawFd for Stdin {
    fn as_raw_fd(&self) -> RawFd {
        io::stdin().as_raw_fd()
    }
}

impl Read for StdinLock<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.buffer.read(buf)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.buffer.read_vectored(bufs)
    }

    fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
        self.buffer.read_to_end(buf)
    }

    fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
        self.buffer.read_to_string(buf)
    }

    fn read_exact(&mut self, buf: &mut [u8]) -> io::Result<()> {
        self.buffer.read_exact(buf)
    }
}

impl BufRead for StdinLock<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.buffer.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.buffer.consume(count);
    }
}

impl AsFd for StdinLock<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        descriptor()
    }
}

impl AsRawFd for StdinLock<'_> {
    fn as_raw_fd(&self) -> RawFd {
        io::stdin().as_raw_fd()
    }
}

impl core::fmt::Debug for StdinLock<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("StdinLock").finish_non_exhaustive()
    }
}
