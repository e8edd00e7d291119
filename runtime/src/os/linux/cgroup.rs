//! Linux CPU limits: the cgroup quota and the affinity mask.
//!
//! **What.** Finds the CPU cgroup of the process once, keeps its limit files open, and reads them at each call, so
//! that a quota changed while the program runs is noticed.
//!
//! **Why here.** Floor 0. The rule that turns numbers into a GOMAXPROCS belongs to the scheduler.
//!
//! **Invariants.**
//! - CG1. Only the leaf group counts, as in Go; a move to another group is not noticed.
//! - CG2. Anything unreadable means "no limit", never an error.
//! - CG3. Reading again allocates nothing; finding the group does, once.
//!
//! **Locks.** None; `OnceLock` for the search.
//!
//! **Go:** `internal/runtime/cgroup/cgroup.go`, `os_linux.go` (`getCPUCount`).

use core::str;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The open limit files of the process's CPU cgroup.
#[derive(Debug)]
enum LimitFiles {
    /// Version 1: `cpu.cfs_quota_us` and `cpu.cfs_period_us`.
    V1 { quota: File, period: File },
    /// Version 2: `cpu.max`.
    V2 { max: File },
}

/// Where a CPU cgroup was found.
#[derive(Debug, PartialEq, Eq)]
enum CpuGroup {
    V1(PathBuf),
    V2(PathBuf),
}

/// Returns quota / period of the process's CPU cgroup, in CPUs; `None` without a limit.
pub(crate) fn cgroup_cpu_limit() -> Option<f64> {
    static FILES: OnceLock<Option<LimitFiles>> = OnceLock::new();
    match FILES.get_or_init(find_limit_files).as_ref()? {
        LimitFiles::V1 { quota, period } => {
            let quota = read_small(quota, |text| text.trim().parse::<i64>().ok())?;
            let period = read_small(period, |text| text.trim().parse::<i64>().ok())?;
            limit(quota, period)
        }
        LimitFiles::V2 { max } => read_small(max, parse_cpu_max),
    }
}

/// Parses `cpu.max`: `max 100000`, or a quota and a period in microseconds.
fn parse_cpu_max(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    limit(quota.parse().ok()?, period.parse().ok()?)
}

/// Divides, if both numbers make a limit; version 1 writes -1 for "none".
fn limit(quota: i64, period: i64) -> Option<f64> {
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

/// Reads a file of one short line from its start and hands the text to `parse`.
fn read_small<T>(file: &File, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    let mut buffer = [0_u8; 64];
    let len = file.read_at(&mut buffer, 0).ok()?;
    parse(str::from_utf8(&buffer[..len]).ok()?)
}

/// Finds the CPU cgroup of this process and opens its limit files.
fn find_limit_files() -> Option<LimitFiles> {
    let membership = read_proc("/proc/self/cgroup")?;
    let mounts = read_proc("/proc/self/mountinfo")?;
    match find_cpu_group(&membership, &mounts)? {
        CpuGroup::V1(path) => Some(LimitFiles::V1 {
            quota: File::open(path.join("cpu.cfs_quota_us")).ok()?,
            period: File::open(path.join("cpu.cfs_period_us")).ok()?,
        }),
        CpuGroup::V2(path) => Some(LimitFiles::V2 { max: File::open(path.join("cpu.max")).ok()? }),
    }
}

/// Reads a file whose size the kernel does not tell, with room for most of them in one call.
fn read_proc(path: &str) -> Option<String> {
    let mut text = String::with_capacity(8 << 10);
    File::open(path).ok()?.read_to_string(&mut text).ok()?;
    Some(text)
}

/// Finds the directory of the CPU cgroup from the texts of `/proc/self/cgroup` and `/proc/self/mountinfo`.
///
/// A controller lives in one hierarchy only, so a version 1 entry with `cpu` decides; otherwise version 2 does.
fn find_cpu_group(membership: &str, mounts: &str) -> Option<CpuGroup> {
    let mut unified = None;
    for line in membership.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(id), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        if controllers.split(',').any(|controller| controller == "cpu") {
            return find_mount(mounts, path, is_v1_cpu).map(CpuGroup::V1);
        }
        if id == "0" && controllers.is_empty() {
            unified = Some(path);
        }
    }
    find_mount(mounts, unified?, |kind, _| kind == "cgroup2").map(CpuGroup::V2)
}

/// Recognises the version 1 mount that carries the CPU controller.
fn is_v1_cpu(kind: &str, options: &str) -> bool {
    kind == "cgroup" && options.split(',').any(|option| option == "cpu")
}

/// Finds the mount whose kind and super options `wanted` accepts and that shows `group`; returns the group's place.
fn find_mount(mounts: &str, group: &str, wanted: impl Fn(&str, &str) -> bool) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        // ID parent major:minor ROOT POINT options [optional fields] - KIND source SUPER-OPTIONS
        let (place, kind) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let (root, point) = (unescape(place.next()?), unescape(place.next()?));
        let mut kind = kind.split(' ');
        let (kind, options) = (kind.next()?, kind.nth(1).unwrap_or(""));
        if !wanted(kind, options) {
            return None;
        }
        let below = Path::new(group).strip_prefix(&root).ok()?;
        Some(Path::new(&point).join(below))
    })
}

/// Decodes the octal escapes (`\040` for a space) that the kernel writes into mountinfo.
fn unescape(field: &str) -> String {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|digits| digits.iter().all(|digit| (b'0'..=b'7').contains(digit)));
        match digits {
            Some(digits) if byte == b'\\' => {
                plain.push(digits.iter().fold(0_u8, |value, digit| value.wrapping_mul(8).wrapping_add(digit - b'0')));
                rest = &after[3..];
            }
            _ => {
                plain.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// Returns the number of CPUs that the calling thread may run on, at least one.
pub(crate) fn affinity_count() -> u32 {
    // 65,536 CPUs; the C library's own type stops at 1,024, and the kernel refuses a mask that is too small.
    let mut mask = [0_u64; 1024];
    // SAFETY: `mask` is writable for the length that is passed; pid 0 is the calling thread.
    let bytes = unsafe { libc::syscall(libc::SYS_sched_getaffinity, 0, size_of_val(&mask), mask.as_mut_ptr()) };
    let words = usize::try_from(bytes).unwrap_or(0) / size_of::<u64>();
    mask[..words].iter().map(|word| word.count_ones()).sum::<u32>().max(1)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const V2_MOUNT: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";
    const V1_MOUNT: &str = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct";

    #[test]
    fn a_version_2_group_is_found_below_its_mount() {
        let group = find_cpu_group("0::/user.slice/a.scope\n", V2_MOUNT);
        assert_eq!(group, Some(CpuGroup::V2("/sys/fs/cgroup/user.slice/a.scope".into())));
    }

    #[test]
    fn a_version_1_cpu_group_wins_over_version_2() {
        let mounts = format!("{V2_MOUNT}\n{V1_MOUNT}\n");
        let group = find_cpu_group("0::/x\n4:cpuset:/y\n3:cpu,cpuacct:/docker/1:2\n", &mounts);
        assert_eq!(group, Some(CpuGroup::V1("/sys/fs/cgroup/cpu,cpuacct/docker/1:2".into())));
    }

    #[test]
    fn a_mount_that_shows_part_of_the_tree_is_used_only_for_that_part() {
        let mount = r"30 23 0:26 /docker/ab /sys/fs/my\040cgroup rw - cgroup2 none rw";
        let group = find_cpu_group("0::/docker/ab/c", mount);
        assert_eq!(group, Some(CpuGroup::V2("/sys/fs/my cgroup/c".into())));
        assert_eq!(find_cpu_group("0::/docker/abc", mount), None);
    }

    #[test]
    fn nonsense_has_no_group() {
        for membership in ["", "0", "0:", "1:cpu:/", "::", "0::/"] {
            assert_eq!(find_cpu_group(membership, "1 2 3 - \n - cgroup2\n"), None, "{membership:?}");
        }
    }

    #[test]
    fn cpu_max_is_a_quota_over_a_period_or_no_limit() {
        assert_eq!(parse_cpu_max("150000 100000\n"), Some(1.5));
        for none in ["max 100000\n", "", "100000", "0 100000", "100000 0", "-1 100000"] {
            assert_eq!(parse_cpu_max(none), None, "{none:?}");
        }
    }

    #[test]
    fn escapes_are_octal_and_anything_else_is_itself() {
        assert_eq!(unescape(r"a\040b\134c\9\04"), r"a b\c\9\04");
    }

    #[test]
    fn affinity_count_follows_the_mask_of_the_thread() {
        let counts = thread::spawn(|| {
            let all = affinity_count();
            let mut mask = [0_u64; 16];
            // SAFETY: `mask` is writable for the length that is passed.
            unsafe { libc::syscall(libc::SYS_sched_getaffinity, 0, size_of_val(&mask), mask.as_mut_ptr()) };
            let allowed = mask.iter().map(|word| word.count_ones()).sum::<u32>();
            let first = mask.iter().position(|&word| word != 0).expect("a thread may run somewhere");
            let word = mask[first] & mask[first].wrapping_neg();
            mask.fill(0);
            mask[first] = word;
            // SAFETY: `mask` is readable for the length that is passed; only this thread is bound.
            unsafe { libc::syscall(libc::SYS_sched_setaffinity, 0, size_of_val(&mask), mask.as_ptr()) };
            (all, allowed, affinity_count())
        });
        let (all, allowed, bound) = counts.join().expect("the thread counts");
        assert_eq!((all, bound), (allowed, 1));
    }
}
