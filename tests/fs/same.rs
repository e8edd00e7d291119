//! The same random operations, by std and by us, on two directories.
//!
//! Why here: see `fs.rs`. *Invariants*: F1. *Locks*: none. *Go:* none.

use std::fmt::Debug;
use std::io;
use std::path::Path;

use crate::open::{Counts, Scratch};
use crate::procs::with_procs;

/// What an operation says, without the paths that differ.
fn said<T: Debug>(result: io::Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{:?} {:?}", error.kind(), error.raw_os_error()),
    }
}

/// The functions of std and ours under one name.
macro_rules! operations {
    ($name:ident, $fs:path) => {
        fn $name(root: &Path, steps: &[(u32, usize, usize)]) -> Vec<String> {
            use $fs as fs;
            let name = |number: usize| root.join(["a", "b", "d", "d/x", "d/e", "d/e/y"][number % 6]);
            let relative = |path: std::path::PathBuf| path.strip_prefix(root).map(Path::to_owned).unwrap_or(path);
            let mut all = Vec::new();
            for &(kind, one, two) in steps {
                let (a, b) = (name(one), name(two));
                all.push(match kind % 22 {
                    0 => said(fs::write(&a, format!("{one} {two}"))),
                    1 => said(fs::read(&a)),
                    2 => said(fs::read_to_string(&a)),
                    3 => said(fs::copy(&a, &b)),
                    4 => said(fs::rename(&a, &b)),
                    5 => said(fs::remove_file(&a)),
                    6 => said(fs::remove_dir(&a)),
                    7 => said(fs::remove_dir_all(&a)),
                    8 => said(fs::create_dir(&a)),
                    9 => said(fs::create_dir_all(&a)),
                    10 => said(fs::metadata(&a).map(|data| (data.is_file(), data.is_dir(), data.is_symlink()))),
                    11 => said(fs::symlink_metadata(&a).map(|data| (data.is_file(), data.is_dir(), data.is_symlink()))),
                    12 => said(fs::canonicalize(&a).map(relative)),
                    13 => said(fs::hard_link(&a, &b)),
                    14 => said(std::os::unix::fs::symlink(&a, &b)),
                    15 => said(fs::read_link(&a).map(relative)),
                    16 => said(fs::exists(&a)),
                    17 => said(fs::read_dir(&a).and_then(|entries| {
                        let names = entries.map(|entry| {
                            let entry = entry?;
                            Ok((entry.file_name(), entry.file_type()?.is_dir(), entry.metadata()?.is_file()))
                        });
                        let mut names = names.collect::<io::Result<Vec<_>>>()?;
                        names.sort();
                        Ok(names)
                    })),
                    18 => said(fs::File::create_new(&a).map(drop)),
                    19 => said(fs::OpenOptions::new().append(true).open(&a).and_then(|mut file| {
                        io::Write::write_all(&mut file, b"more")?;
                        file.metadata().map(|data| data.len())
                    })),
                    20 => said(fs::OpenOptions::new().read(true).write(true).open(&a).and_then(|file| {
                        file.set_len(one as u64)?;
                        file.sync_all()?;
                        file.sync_data()?;
                        let mut text = Vec::new();
                        io::Read::read_to_end(&mut &file, &mut text)?;
                        Ok(text)
                    })),
                    _ => said(fs::File::open(&a).and_then(|mut file| {
                        // The end of a directory is wherever its file system says.
                        let end = io::Seek::seek(&mut file, io::SeekFrom::End(0))?.min(1_000);
                        io::Seek::rewind(&mut file)?;
                        let mut other = file.try_clone()?;
                        let mut half = vec![0; end as usize / 2];
                        io::Read::read_exact(&mut file, &mut half)?;
                        let mut rest = String::new();
                        io::Read::read_to_string(&mut other, &mut rest)?;
                        Ok((half, rest, io::Seek::stream_position(&mut file)?))
                    })),
                });
            }
            all
        }
    };
}

operations!(by_std, std::fs);
operations!(by_us, goruntime::fs);

/// Splitmix64.
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *seed;
    word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

#[test]
fn random_operations_do_and_say_what_stds_do_and_say() {
    for procs in [1, 4] {
        with_procs(procs, || {
            let counts = Counts::at_start();
            for round in 0..40 {
                let mut seed = round;
                let mut number = |below: u64| (next(&mut seed) % below) as usize;
                let steps: Vec<_> = (0..60).map(|_| (number(22) as u32, number(6), number(6))).collect();
                let (theirs, ours) = (Scratch::new(), Scratch::new());
                let expected = by_std(&theirs.path(""), &steps);
                let found = by_us(&ours.path(""), &steps);
                for (step, (expected, found)) in expected.iter().zip(&found).enumerate() {
                    assert_eq!(expected, found, "seed {round}, step {step}: {:?}", steps[step]);
                }
                assert_eq!(expected.len(), found.len());
            }
            counts.assert_restored();
        });
    }
}
