//! Linux threads: starting them, naming them, counting them and watching them work.
//!
//! **What.** Detached pthreads, per-thread attributes, the CPU clock and the state of a thread, its stack bounds, and
//! a callback at its end.
//!
//! **Why here.** Floor 0. What a thread runs (an M, sysmon) is decided above.
//!
//! **Invariants.**
//! - LT1. A thread that was started here is detached: nobody joins it, its memory goes when it ends.
//! - LT2. Watching a thread (`thread_cpu_time`, `thread_is_on_cpu`) needs only a number that the thread made itself,
//!   so a watcher never touches memory of a thread that may have ended.
//!
//! **Locks.** None.
//!
//! **Go:** `os_linux.go` (`newosproc`), `proc.go` (`sysmon`'s view of an M).

use core::ffi::{CStr, c_void};
use core::mem::{self, MaybeUninit};
use core::ptr;
use std::io::Write as _;
use std::sync::OnceLock;

use super::{errno, page_size, read_clock};
use crate::os::{Fault, attempt};

/// Starts a detached thread that calls `entry(arg)`; it inherits the creator's signal mask.
///
/// The C library takes thread-local storage and the guard page out of `stack_size`, and the smallest size it
/// accepts is the least that is used.
///
/// # Errors
///
/// The error number of `pthread_create`; `EAGAIN` when a limit on threads or memory is reached.
pub(crate) fn spawn_thread(
    entry: extern "C" fn(*mut c_void) -> *mut c_void,
    arg: *mut c_void,
    stack_size: usize,
) -> Result<(), i32> {
    attempt(Fault::Thread)?;
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: `pthread_attr_init` initialises the attributes it is given.
    match unsafe { libc::pthread_attr_init(attributes.as_mut_ptr()) } {
        0 => {}
        error => return Err(error),
    }
    // SAFETY: `sysconf` has no preconditions.
    let smallest = usize::try_from(unsafe { libc::sysconf(libc::_SC_THREAD_STACK_MIN) }).unwrap_or(0);
    let size = stack_size.max(smallest).next_multiple_of(page_size());
    // SAFETY: the attributes were initialised above.
    let mut error = unsafe { libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), size) };
    if error == 0 {
        // SAFETY: the attributes were initialised above.
        error = unsafe { libc::pthread_attr_setdetachstate(attributes.as_mut_ptr(), libc::PTHREAD_CREATE_DETACHED) };
    }
    if error == 0 {
        let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
        // SAFETY: the attributes are initialised; `entry` has the type that pthread_create calls, and what `arg` means
        // is between the caller and `entry`.
        error = unsafe { libc::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), entry, arg) };
    }
    // SAFETY: the attributes were initialised above and are not used again.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    if error == 0 { Ok(()) } else { Err(error) }
}

/// Returns the kernel's id of the calling thread.
pub(crate) fn thread_id() -> u32 {
    // SAFETY: `gettid` has no preconditions.
    unsafe { libc::syscall(libc::SYS_gettid) as u32 }
}

/// Returns the number of threads of this process, or `usize::MAX` when it cannot be known.
///
/// `/proc/self/task` has one directory per thread, and its link count is that number plus two: one system call,
/// no listing.
pub(crate) fn thread_count() -> usize {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the path is a C string and `status` is writable.
    if unsafe { libc::stat(c"/proc/self/task".as_ptr(), status.as_mut_ptr()) } != 0 {
        return usize::MAX;
    }
    // SAFETY: `stat` succeeded, so it has filled the structure.
    let links = unsafe { status.assume_init() }.st_nlink as usize;
    if links > 2 { links - 2 } else { usize::MAX }
}

/// Names the calling thread; the kernel keeps 15 bytes, cut here at a character boundary.
pub(crate) fn set_thread_name(name: &str) {
    let mut buffer = [0_u8; 16];
    let mut end = name.len().min(buffer.len() - 1);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    buffer[..end].copy_from_slice(&name.as_bytes()[..end]);
    // SAFETY: PR_SET_NAME reads a C string of at most 16 bytes; the last byte of `buffer` is zero.
    unsafe { libc::prctl(libc::PR_SET_NAME, buffer.as_ptr()) };
}

/// Sets how late the kernel may deliver the calling thread's time-outs, to coalesce them.
pub(crate) fn set_timer_slack(ns: u64) {
    // SAFETY: PR_SET_TIMERSLACK takes a number.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, ns) };
}

/// Returns the clock id of the calling thread's CPU time, which other threads can read.
///
/// The kernel's own encoding: the inverted thread id, "per thread" (4) and "scheduler time" (2).
pub(crate) fn thread_cpu_clock() -> i32 {
    (!(thread_id() as i32) << 3) | 4 | 2
}

/// Returns the CPU time in nanoseconds behind a clock id; `None` when its thread has ended.
pub(crate) fn thread_cpu_time(clock: i32) -> Option<i64> {
    read_clock(clock)
}

/// Opens a thread's `stat` file for [`thread_is_on_cpu`]; -1 if that is impossible.
pub(crate) fn open_thread_stat(thread: u32) -> i32 {
    if attempt(Fault::Open).is_err() {
        return -1;
    }
    let mut path = [0_u8; 40];
    let mut rest: &mut [u8] = &mut path;
    // The longest number leaves room for the zero at the end.
    let written = write!(rest, "/proc/self/task/{thread}/stat");
    debug_assert!(written.is_ok() && !rest.is_empty(), "the path of a thread is too long");
    loop {
        // SAFETY: the path is a C string: its last byte is zero at least.
        let fd = unsafe { libc::open(path.as_ptr().cast(), libc::O_RDONLY | libc::O_CLOEXEC) };
        if fd >= 0 || errno() != libc::EINTR {
            return fd;
        }
    }
}

/// As [`thread_is_on_cpu`] for a thread without a descriptor of its own: three times as slow.
pub(crate) fn thread_is_on_cpu_by_id(thread: u32) -> bool {
    let fd = open_thread_stat(thread);
    if fd < 0 {
        return true;
    }
    let is_on_cpu = thread_is_on_cpu(fd);
    // SAFETY: the descriptor was opened above and is closed once.
    unsafe { libc::close(fd) };
    is_on_cpu
}

/// Reports whether the thread behind the `stat` descriptor runs or waits for a CPU; `true` when it cannot be read.
pub(crate) fn thread_is_on_cpu(fd: i32) -> bool {
    let mut buffer = [0_u8; 128];
    // SAFETY: `buffer` is writable for its whole length; a bad descriptor yields an error.
    let read = unsafe { libc::pread(fd, buffer.as_mut_ptr().cast::<c_void>(), buffer.len(), 0) };
    let Ok(read @ 1..) = usize::try_from(read) else { return true };
    state_in_stat(&buffer[..read]).is_none_or(|state| state == b'R')
}

/// Finds the state letter, which follows the last `)`: the name before it may contain any character.
fn state_in_stat(stat: &[u8]) -> Option<u8> {
    let name_end = stat.iter().rposition(|&byte| byte == b')')?;
    stat.get(name_end + 2).copied()
}

/// Returns the lowest address of the calling thread's stack and the one past its highest; (0, 0) if unknown.
///
/// The main thread's lowest address is as far as its stack may grow; it is not mapped yet.
pub(crate) fn stack_bounds() -> (usize, usize) {
    // SAFETY: `getpid` has no preconditions.
    if thread_id() as i32 == unsafe { libc::getpid() }
        && let Some((low, high)) = main_stack_bounds()
    {
        let here = 0_u8;
        if (low..high).contains(&(&raw const here).addr()) {
            return (low, high);
        }
    }
    pthread_stack_bounds()
}

/// Computes the bounds of the main thread's stack; `None` if the kernel does not help or sets no limit.
///
/// The C library would read all of `/proc/self/maps`, 150 µs of a start. The kernel puts the program's file name at
/// the very top of the stack, below one zero word, and lets the stack grow to its resource limit.
fn main_stack_bounds() -> Option<(usize, usize)> {
    // SAFETY: `getauxval` has no preconditions.
    let name = unsafe { libc::getauxval(libc::AT_EXECFN) } as *const libc::c_char;
    if name.is_null() {
        return None;
    }
    // SAFETY: a non-null AT_EXECFN is the address of a C string that lives as long as the process.
    let length = unsafe { CStr::from_ptr(name) }.count_bytes();
    let high = (name.addr() + length + 1 + size_of::<usize>()).next_multiple_of(page_size());
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is writable.
    let failed = unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut limit) } != 0;
    if failed || limit.rlim_cur == libc::RLIM_INFINITY {
        return None;
    }
    let size = usize::try_from(limit.rlim_cur).ok()? / page_size() * page_size();
    Some((high.checked_sub(size)?, high))
}

/// Asks the C library for the bounds of the calling thread's stack.
fn pthread_stack_bounds() -> (usize, usize) {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: `pthread_self` is the calling thread, and the attributes are initialised by the call if it succeeds.
    if unsafe { libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) } != 0 {
        return (0, 0);
    }
    let mut low: *mut c_void = ptr::null_mut();
    let mut size = 0_usize;
    // SAFETY: the attributes were initialised above; `low` and `size` are writable.
    unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut low, &raw mut size) };
    // SAFETY: the attributes were initialised above and are not used again.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    (low.addr(), low.addr() + size)
}

/// Lets other threads of the machine run first.
pub(crate) fn yield_cpu() {
    // SAFETY: `sched_yield` has no preconditions.
    unsafe { libc::sched_yield() };
}

/// Spends about `n` pause instructions.
#[inline]
pub(crate) fn cpu_relax(n: u32) {
    for _ in 0..n {
        core::hint::spin_loop();
    }
}

/// Calls `hook` when the calling thread ends, after the destructors of Rust's thread-local values.
///
/// The main thread ends with the process, without the call. A second registration on a thread replaces the first.
/// Returns `false` if the C library has no key left.
pub(crate) fn at_thread_exit(hook: fn()) -> bool {
    static KEY: OnceLock<Option<libc::pthread_key_t>> = OnceLock::new();
    let key = KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: `key` is writable and `run_exit_hook` has the type of a key destructor.
        let error = unsafe { libc::pthread_key_create(&raw mut key, Some(run_exit_hook)) };
        (error == 0).then_some(key)
    });
    let Some(key) = *key else { return false };
    // SAFETY: the key was created above and is never deleted.
    unsafe { libc::pthread_setspecific(key, hook as *const c_void) == 0 }
}

/// The key destructor: calls the function that [`at_thread_exit`] stored on this thread.
extern "C" fn run_exit_hook(value: *mut c_void) {
    // SAFETY: the key is private to `at_thread_exit`, which stores nothing but `fn()` values, and the C library does
    // not call destructors for null.
    let hook = unsafe { mem::transmute::<*mut c_void, fn()>(value) };
    hook();
}

/// Calls a function that does not return, with nothing in the registers that a function leaves as they are.
///
/// What the C library had in them when it started the thread (an address in the thread control block) would otherwise stay there, and be saved on the
/// first stack that is switched to.
pub(crate) fn call_with_clean_registers(entry: extern "C" fn(*mut c_void) -> !, argument: *mut c_void) -> ! {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a call by the C calling convention, with the stack aligned as the compiler has it at an `asm!`. It does not return, so that nobody misses
    // the registers.
    unsafe {
        core::arch::asm!(
            "xor ebx, ebx",
            "xor r12d, r12d",
            "xor r13d, r13d",
            "xor r14d, r14d",
            "xor r15d, r15d",
            "call rax",
            "ud2",
            in("rax") entry,
            in("rdi") argument,
            options(noreturn),
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        core::arch::asm!(
            "mov x19, xzr",
            "mov x20, xzr",
            "mov x21, xzr",
            "mov x22, xzr",
            "mov x23, xzr",
            "mov x24, xzr",
            "mov x25, xzr",
            "mov x26, xzr",
            "mov x27, xzr",
            "mov x28, xzr",
            "blr x1",
            "brk #1",
            in("x1") entry,
            in("x0") argument,
            options(noreturn),
        );
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    entry(argument)
}

/// Has `child` called in every child that `fork` makes from now on.
pub(crate) fn at_fork(child: fn()) {
    static CHILD: std::sync::OnceLock<fn()> = std::sync::OnceLock::new();
    unsafe extern "C" fn in_child() {
        if let Some(child) = CHILD.get() {
            child();
        }
    }
    if CHILD.set(child).is_ok() {
        // SAFETY: the handler is a function of this process that only stores a flag. A failure (no memory) leaves children unmarked.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc::{self, Receiver, Sender};
    use std::thread;

    use super::super::nanotime;
    use super::*;

    /// What a test sends through `spawn_thread`: a closure to run.
    type Job = Box<dyn FnOnce() + Send>;

    extern "C" fn run_job(arg: *mut c_void) -> *mut c_void {
        // SAFETY: `on_thread` passes a boxed job, once.
        let job = unsafe { Box::from_raw(arg.cast::<Job>()) };
        job();
        ptr::null_mut()
    }

    /// Runs a closure on a thread from `spawn_thread` and returns its result.
    fn on_thread<T: Send + 'static>(stack_size: usize, run: impl FnOnce() -> T + Send + 'static) -> T {
        let (result, results) = mpsc::channel();
        let job: Job = Box::new(move || result.send(run()).expect("the test waits for the result"));
        spawn_thread(run_job, Box::into_raw(Box::new(job)).cast(), stack_size).expect("a thread for a test");
        results.recv().expect("the thread sends its result")
    }

    /// A thread that has told its numbers and now blocks until the test lets go.
    fn blocked_thread() -> (u32, i32, i32, Sender<()>, thread::JoinHandle<()>) {
        let (go, wait): (Sender<()>, Receiver<()>) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            tell.send((thread_id(), thread_cpu_clock(), open_thread_stat(thread_id()))).expect("the test listens");
            // An error means that the test has let go.
            let _ = wait.recv();
        });
        let (id, clock, stat) = told.recv().expect("the thread tells its numbers");
        (id, clock, stat, go, thread)
    }

    #[test]
    fn a_spawned_thread_has_the_stack_that_was_asked_for() {
        let (local, (low, high)) = on_thread(1 << 20, || {
            let local = 0_u8;
            ((&raw const local).addr(), stack_bounds())
        });
        assert!(high - low >= 1 << 20, "{low:#x}..{high:#x}");
        assert!((low..high).contains(&local), "{local:#x} in {low:#x}..{high:#x}");
    }

    #[test]
    fn the_main_stack_ends_where_the_kernel_says() {
        let Some((low, high)) = main_stack_bounds() else { return };
        let maps = fs::read_to_string("/proc/self/maps").expect("the kernel lists mappings");
        let line = maps.lines().find(|line| line.ends_with("[stack]")).expect("a main thread has a stack");
        let range = line.split_once(' ').expect("a range comes first").0;
        let (mapped, end) = range.split_once('-').expect("a range has two ends");
        let address = |text| usize::from_str_radix(text, 16).expect("addresses are hexadecimal");
        assert_eq!(high, address(end));
        assert!(low <= address(mapped), "{low:#x} is above {mapped}");
    }

    #[test]
    fn a_thread_name_is_cut_at_a_character() {
        let name = on_thread(0, || {
            set_thread_name("fourteen bytesß");
            let mut name = [0_u8; 16];
            // SAFETY: PR_GET_NAME writes at most 16 bytes.
            unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
            CStr::from_bytes_until_nul(&name).expect("the kernel ends names with zero").to_owned()
        });
        assert_eq!(name.as_c_str(), c"fourteen bytes");
    }

    #[test]
    fn thread_count_counts_blocked_threads() {
        let threads: Vec<_> = (0..20).map(|_| blocked_thread()).collect();
        let count = thread_count();
        assert!((21..10_000).contains(&count), "{count}");
        for (_, _, _, go, thread) in threads {
            drop(go);
            thread.join().expect("the thread ends");
        }
    }

    #[test]
    fn a_computing_thread_is_on_its_cpu_and_its_clock_runs() {
        let (clock, stat) = (thread_cpu_clock(), open_thread_stat(thread_id()));
        let start = thread_cpu_time(clock).expect("the clock of a live thread");
        while thread_cpu_time(clock) == Some(start) {
            cpu_relax(1);
        }
        assert!(stat >= 0);
        assert!(thread_is_on_cpu(stat) && thread_is_on_cpu_by_id(thread_id()));
    }

    #[test]
    fn a_blocked_thread_is_seen_off_its_cpu_from_outside() {
        let (id, clock, stat, go, thread) = blocked_thread();
        assert_ne!(id, thread_id());
        let deadline = nanotime() + 240_000_000_000;
        while thread_is_on_cpu(stat) {
            assert!(nanotime() < deadline, "the thread never blocked");
            yield_cpu();
        }
        assert!(!thread_is_on_cpu_by_id(id));
        // A thread counts as asleep shortly before it leaves its CPU, so the clock may run a little longer.
        let look = || thread_cpu_time(clock).expect("the clock of a live thread");
        while look() != look() {
            assert!(nanotime() < deadline, "the clock of a blocked thread runs");
        }
        drop(go);
        thread.join().expect("the thread ends");
    }

    #[test]
    fn an_unreadable_state_counts_as_on_cpu() {
        assert!(thread_is_on_cpu(-1) && thread_is_on_cpu_by_id(u32::MAX));
    }

    #[test]
    fn the_state_letter_is_found_behind_any_name() {
        assert_eq!(state_in_stat(b"12 (a) R (b) S) D 1 2"), Some(b'D'));
        assert_eq!(state_in_stat(b"12 (cut"), None);
        assert_eq!(state_in_stat(b"12 (cut) "), None);
    }

    #[test]
    fn the_exit_hook_runs_once_when_its_thread_ends() {
        static ENDED: Mutex<Option<Sender<u32>>> = Mutex::new(None);
        static CALLS: AtomicU32 = AtomicU32::new(0);
        let (tell, told) = mpsc::channel();
        *ENDED.lock().expect("the hook does not panic") = Some(tell);
        let id = on_thread(0, || {
            let hook = || {
                CALLS.fetch_add(1, Ordering::Relaxed);
                let tell = ENDED.lock().expect("the test does not panic").take().expect("one call");
                tell.send(thread_id()).expect("the test listens");
            };
            assert!(at_thread_exit(hook));
            assert!(at_thread_exit(hook));
            thread_id()
        });
        assert_eq!(told.recv(), Ok(id));
        assert_eq!(CALLS.load(Ordering::Relaxed), 1);
    }
}
