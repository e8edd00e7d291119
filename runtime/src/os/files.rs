//! What files and pipes need of a Unix system beyond std.
//!
//! **What.** The blocking mode of a descriptor, three questions about descriptors, and locks of whole files.
//!
//! **Why here.** Floor 0, on every Unix.
//!
//! **Invariants.** None.
//!
//! **Locks.** None.
//!
//! **Go:** `syscall.SetNonblock`, `unix.IsNonblock`, `syscall.Flock`.

use core::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The last error number of this thread.
fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

/// Changes whether operations that would wait fail instead. It belongs to what is open, with all its descriptors, not to this one.
///
/// # Errors
///
/// The error number.
pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>, nonblocking: bool) -> Result<(), i32> {
    let before = status_flags(fd)?;
    let after = if nonblocking { before | libc::O_NONBLOCK } else { before & !libc::O_NONBLOCK };
    // SAFETY: the command takes no pointers.
    if after != before && unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, after) } < 0 {
        return Err(errno());
    }
    Ok(())
}

/// Whether operations that would wait fail instead.
pub(crate) fn is_nonblocking(fd: BorrowedFd<'_>) -> bool {
    status_flags(fd).is_ok_and(|flags| flags & libc::O_NONBLOCK != 0)
}

fn status_flags(fd: BorrowedFd<'_>) -> Result<i32, i32> {
    // SAFETY: the command takes no pointers.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    if flags < 0 { Err(errno()) } else { Ok(flags) }
}

/// Whether reads of what is open wait for somebody else, and not for a device: a pipe, a socket or a terminal.
pub(crate) fn waits_for_others(fd: BorrowedFd<'_>) -> bool {
    // What has a position is a file, a directory or a device: one cheap call tells most of what is ever opened.
    // SAFETY: the call takes no pointers.
    if unsafe { libc::lseek(fd.as_raw_fd(), 0, libc::SEEK_CUR) } >= 0 || errno() != libc::ESPIPE {
        return false;
    }
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `stat` is writable.
    if unsafe { libc::fstat(fd.as_raw_fd(), stat.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: the call succeeded, so it has filled the structure.
    match unsafe { stat.assume_init() }.st_mode & libc::S_IFMT {
        libc::S_IFIFO | libc::S_IFSOCK => true,
        // SAFETY: the call takes no pointers.
        libc::S_IFCHR => unsafe { libc::isatty(fd.as_raw_fd()) == 1 },
        _ => false,
    }
}

/// Whether a read would return at once, if only with an error or an end.
pub(crate) fn is_readable(fd: BorrowedFd<'_>) -> bool {
    let mut ask = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: the array has one element. A time of zero does not wait.
    unsafe { libc::poll(&raw mut ask, 1, 0) != 0 }
}

/// Whom the lock of a file excludes.
#[derive(Clone, Copy, Debug)]
#[repr(i32)]
pub(crate) enum FileLock {
    /// All others.
    Exclusive = libc::LOCK_EX,
    /// Those who want to be alone.
    Shared = libc::LOCK_SH,
}

/// Locks what is open, with all its descriptors; blocks the thread while somebody else has a lock that excludes this one.
///
/// # Errors
///
/// The error number, but never `EINTR`: signals are for whatever goroutine is on the thread, and not for the one that waits. (Std reports them.)
pub(crate) fn lock_file(fd: BorrowedFd<'_>, kind: FileLock) -> Result<(), i32> {
    flock(fd, kind as i32)
}

/// The same without blocking.
///
/// # Errors
///
/// The error number: `EWOULDBLOCK` if somebody else has a lock that excludes this one.
pub(crate) fn try_lock_file(fd: BorrowedFd<'_>, kind: FileLock) -> Result<(), i32> {
    flock(fd, kind as i32 | libc::LOCK_NB)
}

/// Gives the lock back, if there is one.
///
/// # Errors
///
/// The error number.
pub(crate) fn unlock_file(fd: BorrowedFd<'_>) -> Result<(), i32> {
    flock(fd, libc::LOCK_UN)
}

fn flock(fd: BorrowedFd<'_>, operation: i32) -> Result<(), i32> {
    loop {
        // SAFETY: the call takes no pointers.
        if unsafe { libc::flock(fd.as_raw_fd(), operation) } == 0 {
            return Ok(());
        }
        match errno() {
            libc::EINTR => {}
            error => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use core::mem::zeroed;
    use core::sync::atomic::{AtomicUsize, Ordering};
    use std::fs::File;
    use std::io::{ErrorKind, Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::os::unix::thread::JoinHandleExt;
    use std::thread;

    use super::*;

    #[test]
    fn pipes_and_sockets_wait_for_others_and_files_do_not() {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let (near, _far) = UnixStream::pair().expect("a pair of sockets");
        assert!(waits_for_others(reader.as_fd()) && waits_for_others(writer.as_fd()) && waits_for_others(near.as_fd()));
        for path in ["/", "/dev/null", "/proc/self/exe"] {
            let file = File::open(path).expect("it exists");
            assert!(!waits_for_others(file.as_fd()), "{path}");
        }
    }

    #[test]
    fn the_mode_changes_what_an_empty_pipe_says() {
        let (mut reader, mut writer) = std::io::pipe().expect("a pipe");
        assert!(!is_readable(reader.as_fd()));
        set_nonblocking(reader.as_fd(), true).expect("a pipe has the mode");
        assert_eq!(reader.read(&mut [0]).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));
        set_nonblocking(reader.as_fd(), false).expect("a pipe has the mode");
        writer.write_all(b"x").expect("there is room");
        assert!(is_readable(reader.as_fd()));
        assert_eq!(reader.read(&mut [0, 0]).expect("a byte is there"), 1);
        drop(writer);
        assert!(is_readable(reader.as_fd()), "an end can be read");
    }

    static SIGNALS: AtomicUsize = AtomicUsize::new(0);

    extern "C" fn count(_: i32) {
        SIGNALS.fetch_add(1, Ordering::Relaxed);
    }

    #[test]
    fn signals_do_not_end_the_wait_for_a_lock() {
        // Other than with the handlers of the runtime, the system does not go on by itself.
        // SAFETY: zero is a valid sigaction, without flags.
        let mut action: libc::sigaction = unsafe { zeroed() };
        action.sa_sigaction = count as extern "C" fn(i32) as usize;
        // SAFETY: the handler takes what it gets without SA_SIGINFO, and only counts.
        assert_eq!(unsafe { libc::sigaction(libc::SIGWINCH, &raw const action, core::ptr::null_mut()) }, 0);

        let path = std::env::temp_dir().join(format!("goruntime-unit-lock-{}", std::process::id()));
        let (holder, other) = (File::create(&path).expect("there is room"), File::open(&path).expect("it was made"));
        std::fs::remove_file(&path).expect("it was made");
        lock_file(holder.as_fd(), FileLock::Exclusive).expect("nobody has it");
        let waiter = thread::spawn(move || lock_file(other.as_fd(), FileLock::Shared));
        for sent in 1..=100 {
            // SAFETY: the thread was not joined.
            assert_eq!(unsafe { libc::pthread_kill(waiter.as_pthread_t(), libc::SIGWINCH) }, 0);
            while SIGNALS.load(Ordering::Relaxed) < sent && !waiter.is_finished() {
                thread::yield_now();
            }
        }
        assert!(!waiter.is_finished(), "somebody else has it");
        unlock_file(holder.as_fd()).expect("it is locked");
        waiter.join().expect("it does not panic").expect("the wait goes on");
    }
}
