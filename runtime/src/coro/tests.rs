//! Tests of the whole floor: what the system sees of it.
//!
//! **What.** Most run in a child process, the test binary re-executing itself with one test: because they end the
//! process, or because they count mappings, memory or slabs, which other tests would change.
//!
//! **Why here (floor 2).** They need the crate-private interface of this floor and nothing above.
//!
//! **Invariants.** A child test's body runs only in the child; its assertions on the outcome only in the parent.
//!
//! **Locks.** None.
//!
//! **Go:** crash_test.go, which does the same with testprog.

mod faults;

use std::env;
use std::ffi::c_void;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};
use std::ptr;
use std::thread;

use super::sweep::Swept;
use super::*;
use crate::os;

/// Names the test that a child process runs.
const CHILD: &str = "GORUNTIME_CORO_TEST_CHILD";

/// Runs `body` of the test `name` of `module` in a child process and returns what came of it; in the child it runs the
/// body and returns `None`.
fn in_child(module: &str, name: &str, body: impl FnOnce()) -> Option<Output> {
    if env::var(CHILD).as_deref() == Ok(name) {
        body();
        return None;
    }
    let module = module.split_once("::").expect("a module of this crate").1;
    let binary = env::current_exe().expect("the path of the test binary");
    let mut child = Command::new(binary);
    child.args([&format!("{module}::{name}"), "--exact", "--nocapture", "--test-threads=1"]).env(CHILD, name);
    Some(child.output().expect("a child process"))
}

/// Runs a body whose assertions are all inside.
fn alone(name: &str, body: impl FnOnce()) {
    if let Some(output) = in_child(module_path!(), name, body) {
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the child failed: {}\n{text}", output.status);
        let ran = String::from_utf8_lossy(&output.stdout).contains("1 passed");
        assert!(ran, "the child did not find the test {name}");
    }
}

/// Writes one byte to an address.
fn poke(address: usize) {
    // SAFETY: the tests pass an address on a stack that they own, or want the fault.
    unsafe { ptr::with_exposed_provenance_mut::<u8>(address).write_volatile(1) };
}

/// Reads one byte.
fn peek(address: usize) -> u8 {
    // SAFETY: as for `poke`.
    unsafe { ptr::with_exposed_provenance::<u8>(address).read_volatile() }
}

/// Asks the kernel whether an address can be read, without reading it here.
fn is_readable(address: usize) -> bool {
    let mut ends = [0; 2];
    // SAFETY: the array has room for the two ends of a pipe.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    let byte: *const c_void = ptr::with_exposed_provenance(address);
    // SAFETY: the kernel checks the address and answers EFAULT if it cannot be read.
    let written = unsafe { libc::write(ends[1], byte, 1) };
    for end in ends {
        // SAFETY: both ends were opened above and are closed once.
        unsafe { libc::close(end) };
    }
    written == 1
}

fn take(count: usize) -> Vec<Stack> {
    let mut cache = StackCache::new();
    (0..count).map(|_| cache.take().expect("a stack")).collect()
}

/// Touches the top of each stack, as a goroutine does.
fn use_all(stacks: &mut [Stack]) {
    for stack in stacks {
        poke(stack.high() - 1);
        stack.mark_used();
    }
}

fn status_kib(key: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status.lines().find(|line| line.starts_with(key)).expect("a line of that name");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

fn mapping_count() -> usize {
    fs::read_to_string("/proc/self/maps").expect("procfs").lines().count()
}

#[test]
fn every_class_has_a_guard_below_its_usable_low_end() {
    for bytes in [StackClass::smallest().bytes(), 64 << 10, 256 << 10, 8 << 20, 1 << 30] {
        let stack = allocate(StackClass::for_size(bytes).expect("an accepted size")).expect("a stack");
        assert!(is_readable(stack.high() - 1), "top of {bytes}");
        assert!(is_readable(stack.usable_low()), "low end of {bytes}");
        assert!(!is_readable(stack.usable_low() - 1), "guard of {bytes}");
        assert!(!is_readable(stack.usable_low() - stack.class().guard_bytes()), "far end of the guard of {bytes}");
    }
}

#[test]
fn touching_a_guard_ends_the_process() {
    let Some(output) = in_child(module_path!(), "touching_a_guard_ends_the_process", || {
        let stack = allocate(StackClass::DEFAULT).expect("a stack");
        poke(stack.usable_low());
        poke(stack.usable_low() - 1);
    }) else {
        return;
    };
    assert_eq!(output.status.signal(), Some(libc::SIGSEGV));
}

#[test]
fn many_stacks_need_few_mappings() {
    alone("many_stacks_need_few_mappings", || {
        if !os::guard_pages_supported() {
            // Then each guard is a mapping of its own; what happens at the limit is another test's.
            return;
        }
        let before = mapping_count();
        let stacks = take(100_000);
        assert_eq!(stats().slabs, 391);
        let more = mapping_count() - before;
        assert!(more <= 20, "{more} mappings more for 100000 stacks");
        drop(stacks);
    });
}

#[test]
fn two_owners_never_meet_on_a_stack() {
    let worker = |seed: usize| {
        let mut cache = StackCache::new();
        let mut held = Vec::new();
        for round in 0..20_000usize {
            if round.wrapping_mul(seed * 2 + 1) % 7 < 4 && held.len() < 300 {
                let stack = cache.take().expect("a stack");
                let mark = ptr::with_exposed_provenance_mut::<usize>(stack.high() - 8);
                // SAFETY: the stack is ours, and its top is aligned memory.
                unsafe { mark.write_volatile(seed) };
                held.push(stack);
            } else if !held.is_empty() {
                let mut stack = held.swap_remove(round % held.len());
                let mark = ptr::with_exposed_provenance::<usize>(stack.high() - 8);
                // SAFETY: the stack is ours, and the mark was written when it was taken.
                assert_eq!(unsafe { mark.read_volatile() }, seed, "another thread wrote here");
                stack.mark_used();
                cache.put(stack);
            }
            if round % 1000 == 0 {
                sweep(0, round % 2000 == 0);
                cache.shed();
            }
        }
    };
    thread::scope(|scope| {
        for seed in 1..=4 {
            scope.spawn(move || worker(seed));
        }
    });
}

#[test]
fn a_sweep_discards_free_stacks_and_the_next_one_unmaps_them() {
    alone("a_sweep_discards_free_stacks_and_the_next_one_unmaps_them", || {
        let mut stacks = take(20_000);
        let tables = status_kib("VmPTE:");
        use_all(&mut stacks);
        let used = status_kib("VmRSS:");
        drop(stacks);
        let swept = sweep(0, false);
        assert_eq!((swept.stacks_trimmed, swept.slabs_unmapped), (20_000, 0));
        let left = status_kib("VmRSS:");
        assert!(used - left > 20_000 * 4 * 9 / 10, "{used} KiB before, {left} KiB after");
        let swept = sweep(0, false);
        assert_eq!((swept.stacks_trimmed, swept.slabs_unmapped), (0, 79));
        let less = tables - status_kib("VmPTE:");
        assert!(less > 8 << 10, "only {less} KiB of page tables came back");
        assert_eq!((stats().slabs, stats().bytes_reserved), (0, 0));
    });
}

#[test]
fn a_deep_sweep_unmaps_at_once() {
    alone("a_deep_sweep_unmaps_at_once", || {
        drop(take(1000));
        assert_eq!(sweep(usize::MAX, true), Swept { slabs_unmapped: 4, ..Swept::default() });
    });
}

#[test]
fn a_slab_taken_from_between_sweeps_stays_mapped() {
    alone("a_slab_taken_from_between_sweeps_stays_mapped", || {
        for _ in 0..3 {
            drop(allocate(StackClass::DEFAULT).expect("a stack"));
            assert_eq!(sweep(0, false).slabs_unmapped, 0);
        }
        assert_eq!(sweep(0, false).slabs_unmapped, 1);
    });
}

#[test]
fn a_discarded_stack_is_empty_keeps_its_guard_and_is_discarded_once() {
    alone("a_discarded_stack_is_empty_keeps_its_guard_and_is_discarded_once", || {
        let anchor = allocate(StackClass::DEFAULT).expect("a stack");
        let mut stacks = take(10);
        use_all(&mut stacks);
        let tops: Vec<usize> = stacks.iter().map(|stack| stack.high() - 1).collect();
        drop(stacks);
        assert!(tops.iter().all(|&top| peek(top) == 1), "a free stack keeps its pages until a sweep");
        assert_eq!(sweep(0, false).stacks_trimmed, 10);
        assert!(tops.iter().all(|&top| peek(top) == 0));
        assert_eq!(sweep(0, false).stacks_trimmed, 0);
        for stack in take(10) {
            assert!(tops.contains(&(stack.high() - 1)));
            assert!(!is_readable(stack.usable_low() - 1));
        }
        drop(anchor);
    });
}

#[test]
fn what_the_system_does_not_take_back_stays_and_is_given_again() {
    alone("what_the_system_does_not_take_back_stays_and_is_given_again", || {
        let anchor = allocate(StackClass::DEFAULT).expect("a stack");
        let mut stacks = take(10);
        use_all(&mut stacks);
        let tops: Vec<usize> = stacks.iter().map(|stack| stack.high() - 1).collect();
        drop(stacks);
        os::let_fail(os::Fault::Advise, u32::MAX);
        assert_eq!(sweep(0, false), Swept { refused: 10, ..Swept::default() });
        os::let_fail(os::Fault::Advise, 0);
        assert!(tops.iter().all(|&top| peek(top) == 1));
        let swept = sweep(0, false);
        assert_eq!((swept.stacks_trimmed, swept.refused), (10, 0));
        assert!(tops.iter().all(|&top| peek(top) == 0));
        drop(anchor);
    });
}

/// Of the answer to whether markers exist other things depend: how long guards are taken to be.
#[test]
fn markers_that_fail_give_way_to_guard_pages_and_stacks_without_either_are_not_handed_out() {
    alone("markers_that_fail_give_way_to_guard_pages_and_stacks_without_either_are_not_handed_out", || {
        let markers = os::guard_pages_supported();
        os::let_fail(os::Fault::Advise, u32::MAX);
        os::let_fail(os::Fault::Protect, 1);
        let error = allocate(StackClass::DEFAULT).expect_err("there is no guard");
        assert_eq!(error, StackError::from_errno(libc::ENOMEM));
        let stacks = take(40);
        os::let_fail(os::Fault::Advise, 0);
        assert_eq!(os::guard_pages_supported(), markers);
        for stack in stacks.into_iter().chain(take(300)) {
            assert!(!is_readable(stack.usable_low() - stack.class().guard_bytes()), "a stack without a guard");
        }
    });
}

#[test]
fn a_sweep_keeps_what_it_may_keep() {
    alone("a_sweep_keeps_what_it_may_keep", || {
        let mut stacks = take(100);
        use_all(&mut stacks);
        drop(stacks);
        let keep = 100 * os::page_size();
        assert_eq!(sweep(keep, false).stacks_trimmed, 0);
        assert_eq!(sweep(0, false).slabs_unmapped, 1);
    });
}

#[test]
fn stacks_come_from_the_fullest_slab() {
    alone("stacks_come_from_the_fullest_slab", || {
        let mut stacks = take(1024);
        let slab_of = |stack: &Stack| stack.place().slab();
        // Slab 0 keeps 200 stacks, slab 1 keeps 250, the others one each.
        let keep = [200, 250, 1, 1];
        let mut seen = [0; 4];
        stacks.retain(|stack| {
            let slab = slab_of(stack) as usize;
            seen[slab] += 1;
            seen[slab] <= keep[slab]
        });
        for slab in [1; 6].into_iter().chain([0; 56]) {
            let stack = allocate(StackClass::DEFAULT).expect("a stack");
            assert_eq!(slab_of(&stack), slab);
            stacks.push(stack);
        }
    });
}

#[test]
fn a_cache_hands_out_what_was_put_last() {
    let mut cache = StackCache::new();
    let stacks: Vec<Stack> = (0..10).map(|_| cache.take().expect("a stack")).collect();
    let tops: Vec<usize> = stacks.iter().map(Stack::high).collect();
    for stack in stacks {
        cache.put(stack);
    }
    let again: Vec<Stack> = (0..10).map(|_| cache.take().expect("a stack")).collect();
    assert!(again.iter().map(Stack::high).eq(tops.into_iter().rev()));
}

#[test]
fn a_full_cache_gives_the_coldest_half_away() {
    alone("a_full_cache_gives_the_coldest_half_away", || {
        let mut cache = StackCache::new();
        let stacks = take(200);
        let last = stacks[199].high();
        let free = stats().stacks_free;
        for stack in stacks {
            cache.put(stack);
        }
        // Every 32nd put beyond the first 64 sends 32 to the pool.
        assert_eq!(stats().stacks_free - free, 160);
        assert_eq!(cache.take().expect("a stack").high(), last);
    });
}

#[test]
fn a_cache_sheds_stacks_of_sparse_slabs_after_a_sweep() {
    alone("a_cache_sheds_stacks_of_sparse_slabs_after_a_sweep", || {
        let mut stacks = take(512);
        // Slab 0 stays full; of slab 1 only the 30 stacks in the cache are taken.
        let mut cache = StackCache::new();
        for stack in stacks.drain(256..).take(30) {
            cache.put(stack);
        }
        cache.shed();
        assert_eq!(sweep(0, false).slabs_unmapped, 0);
        cache.shed();
        sweep(0, false);
        assert_eq!(sweep(0, false).slabs_unmapped, 1);
    });
}

#[test]
fn put_of_another_class_reaches_the_pool() {
    alone("put_of_another_class_reaches_the_pool", || {
        let stack = allocate(StackClass::LARGEST).expect("a stack");
        assert_eq!(stats().stacks_free, 0);
        StackCache::new().put(stack);
        assert_eq!(stats().stacks_free, 1);
    });
}

/// Makes this thread's kernel refuse guard markers, as kernels before 6.13 do.
fn refuse_guard_markers() {
    let load = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    let equal = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    let answer = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut program = [
        step(load, 0, 0, 0),
        step(equal, 4, 0, libc::SYS_process_madvise as u32),
        step(equal, 0, 2, libc::SYS_madvise as u32),
        step(load, 0, 0, 32),
        step(equal, 1, 0, 102),
        step(answer, 0, 0, libc::SECCOMP_RET_ALLOW),
        step(answer, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EINVAL as u32),
    ];
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the call takes plain numbers.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: the filter and its program outlive the call, which copies them.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) }, 0);
    assert!(!os::guard_pages_supported());
}

#[test]
fn without_markers_each_stack_has_a_guard_page() {
    alone("without_markers_each_stack_has_a_guard_page", || {
        refuse_guard_markers();
        let mut stacks = take(300);
        use_all(&mut stacks);
        for stack in &stacks {
            assert!(is_readable(stack.usable_low()));
            assert!(!is_readable(stack.usable_low() - 1));
        }
        drop(stacks);
        assert_eq!(sweep(0, false).stacks_trimmed, 300);
        assert_eq!(sweep(0, false).slabs_unmapped, 2);
    });
}

#[test]
fn without_markers_the_mapping_limit_is_an_error_that_names_it() {
    alone("without_markers_the_mapping_limit_is_an_error_that_names_it", || {
        refuse_guard_markers();
        let limit = fs::read_to_string("/proc/sys/vm/max_map_count").expect("procfs");
        let limit = limit.trim_end();
        let count: usize = limit.parse().expect("a number");
        let mut stacks = Vec::with_capacity(count);
        let error = loop {
            match allocate(StackClass::DEFAULT) {
                Ok(stack) => stacks.push(stack),
                Err(error) => break error,
            }
        };
        // Each guard splits a mapping: two for each stack.
        assert!(stacks.len() > count / 2 - 1000 && stacks.len() <= count / 2, "{} stacks", stacks.len());
        assert!(stacks.iter().all(|stack| !is_readable(stack.usable_low() - 1)));
        stacks.clear();
        let text = error.to_string();
        assert!(text.contains(&format!("vm.max_map_count is {limit};")), "{text}");
        allocate(StackClass::DEFAULT).expect("a stack after others were put back");
    });
}
