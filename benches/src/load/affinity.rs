//! On which core does a process run, and how many connections may it have?

use std::io;

/// The CPUs that the process may run on.
fn allowed() -> Result<Vec<usize>, String> {
    // SAFETY: a `cpu_set_t` is an array of integers, for which all zero bits are a value.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer and the size are those of `set`, which outlives the call; pid 0 is the caller.
    if unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) } != 0 {
        return Err(format!("the CPUs cannot be asked for: {}", io::Error::last_os_error()));
    }
    // SAFETY: every number is below CPU_SETSIZE, so the bit lies inside of `set`.
    let is_allowed = |cpu: &usize| unsafe { libc::CPU_ISSET(*cpu, &set) };
    Ok((0..libc::CPU_SETSIZE as usize).filter(is_allowed).collect())
}

fn confine_to(cpu: usize) -> Result<(), String> {
    // SAFETY: as in `allowed`.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `cpu` is below CPU_SETSIZE, as `allowed` has found it.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: as in `allowed`.
    match unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) } {
        0 => Ok(()),
        _ => Err(format!("cannot run on CPU {cpu}: {}", io::Error::last_os_error())),
    }
}

/// Confines the process, and what it starts from now on, to its first CPU. The others are remembered.
pub(super) fn confine_to_first() -> Result<(), String> {
    let cpus = allowed()?;
    LAST.get_or_init(|| cpus.last().copied().unwrap_or(0));
    confine_to(cpus.first().copied().unwrap_or(0))
}

/// Moves the process to the last CPU that it could run on before; the first again if there is one only.
pub(super) fn confine_to_last() -> Result<(), String> {
    LAST.get().map_or(Ok(()), |&cpu| confine_to(cpu))
}

static LAST: std::sync::OnceLock<usize> = std::sync::OnceLock::new();

/// Raises the limit of descriptors, also for what is started from now on.
pub(super) fn raise_descriptor_limit(needed: u64) -> Result<(), String> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a live rlimit.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(format!("the limit of descriptors cannot be asked for: {}", io::Error::last_os_error()));
    }
    if limit.rlim_cur >= needed {
        return Ok(());
    }
    limit.rlim_cur = needed.min(limit.rlim_max);
    // SAFETY: `limit` is a live rlimit.
    let raised = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } == 0 && limit.rlim_cur >= needed;
    raised.then_some(()).ok_or(format!("{needed} descriptors are needed, the hard limit is {}", limit.rlim_max))
}
