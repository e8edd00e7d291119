//! file_grep, beside grep.

mod common;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;

use common::{Directory, Output, Running, program, run};

const PATH: &str = env!("CARGO_BIN_EXE_file_grep");

/// A tree with everything that may lie around.
fn tree(name: &str) -> Directory {
    let tree = Directory::new(name);
    for number in 0..300 {
        let directory = tree.path().join(format!("d{}/e{}", number % 7, number % 3));
        fs::create_dir_all(&directory).unwrap();
        let lines = (0..number).map(|line| format!("line {line} of {number}\n"));
        fs::write(directory.join(format!("f{number}.txt")), lines.collect::<String>()).unwrap();
    }
    fs::write(tree.file("empty"), "").unwrap();
    fs::write(tree.file("no-end"), "line 7\nline 77").unwrap();
    fs::write(tree.file("windows"), "line 7\r\nLINE 7\r\n").unwrap();
    fs::write(tree.file("binary"), b"line 7\n\0\nline 7\n").unwrap();
    fs::write(tree.file("no binary of interest"), b"\0").unwrap();
    fs::write(tree.file("latin-1"), b"l\xe4ne\nline 7 of \xfc\n").unwrap();
    fs::write(tree.file("long"), "x".repeat(1 << 20) + "line 7\n").unwrap();
    // Links inside of the tree are not followed, and whoever opens a pipe waits for ever.
    symlink("d1", tree.file("link")).unwrap();
    symlink("nowhere", tree.file("dangling")).unwrap();
    pipe(&tree, "pipe");
    tree
}

fn pipe(directory: &Directory, name: &str) -> PathBuf {
    let path = PathBuf::from(directory.file(name));
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

fn file_grep(args: &[&str]) -> Output {
    run(program(PATH).args(args), b"")
}

fn grep(args: &[&str]) -> Output {
    run(Command::new("grep").arg("-rnE").args(args).env("LC_ALL", "C"), b"")
}

/// The lines in some order, without the names of the programs.
fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<_> = text.lines().map(|line| line.replace("file_grep: ", "grep: ")).collect();
    lines.sort();
    lines
}

#[test]
fn it_finds_what_grep_finds() {
    let tree = tree("grep-finds");
    let root = tree.file(".");
    let single = tree.file("no-end");
    let linked = tree.file("link");
    let cases: [&[&str]; 7] = [
        &["line 7", &root],
        &["-i", "LINE [0-9]?7", &root],
        &["of (1|29)0$", &root],
        &["^x*line 7$", &root],
        &["nothing of this kind", &root],
        &["7", &single, &linked],
        &["line", &tree.file("binary")],
    ];
    for args in cases {
        let (ours, theirs) = (file_grep(args), grep(args));
        assert_eq!(ours.status.code(), theirs.status.code(), "{args:?}: {}", ours.stderr);
        assert_eq!(sorted(&ours.stderr), sorted(&theirs.stderr), "{args:?}");
        let (ours, theirs) = (sorted(&ours.stdout), sorted(&theirs.stdout));
        let differ = ours.iter().zip(&theirs).find(|(ours, theirs)| ours != theirs);
        assert!(ours == theirs, "{args:?}: {} lines, grep has {}; {differ:.200?}", ours.len(), theirs.len());
    }
}

#[test]
fn the_order_is_that_of_the_names_however_many_work() {
    let tree = tree("grep-order");
    let root = tree.file(".");
    let outputs = [("1", "1"), ("1", "64"), ("4", "2"), ("16", "64")].map(|(procs, open)| {
        let out = run(program(PATH).args(["-j", open, "^line 7", &root]).env("GOMAXPROCS", procs), b"");
        assert_eq!(out.status.code(), Some(0), "{}", out.stderr);
        out.stdout
    });
    assert!(outputs.iter().all(|output| *output == outputs[0]), "the outputs differ");
    let place = |line: &str| {
        let mut parts = line.splitn(3, ':');
        (PathBuf::from(parts.next().unwrap()), parts.next().unwrap().parse::<u64>().unwrap())
    };
    let places: Vec<_> = outputs[0].lines().map(place).collect();
    assert!(places.len() > 300 && places.is_sorted(), "{places:#?}");
}

#[test]
fn the_status_of_errors_is_2() {
    let tree = tree("grep-errors");
    let (file, missing) = (tree.file("no-end"), tree.file("missing"));
    let out = file_grep(&["line 77", &missing, &file]);
    // What was found is printed all the same, as grep does.
    assert_eq!((out.status.code(), out.stdout), (Some(2), format!("{file}:2:line 77\n")));
    assert_eq!(out.stderr, format!("file_grep: {missing}: No such file or directory (os error 2)\n"));
    assert_eq!(grep(&["line 77", &missing, &file]).status.code(), Some(2));
    let out = file_grep(&["(", &file]);
    assert_eq!(out.status.code(), Some(2));
    assert!(out.stderr.contains("unclosed group") && out.stderr.contains("usage: file_grep "), "{}", out.stderr);
    for args in [&[][..], &["x"], &["-x", "y", "z"], &["-j", "0", "x", "y"]] {
        let out = file_grep(args);
        assert_eq!((out.status.code(), out.stdout.as_str()), (Some(2), ""), "{args:?}");
    }
}

#[test]
fn as_many_files_are_open_as_it_is_told_and_results_come_in_order() {
    let directory = Directory::new("grep-pipes");
    let paths = ["a", "b", "c"].map(|name| pipe(&directory, name));
    let [a, b, c] = &paths;
    // One processor: whoever waits in `open` or `read` keeps nobody else from running.
    let mut grep = Running::start(program(PATH).args(["-j", "2", "found"]).args(&paths).env("GOMAXPROCS", "1"));
    // These wait until the other end is opened, too.
    let mut into_a = File::create(a).unwrap();
    let mut into_b = File::create(b).unwrap();
    let closed = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(c).unwrap_err();
    assert_eq!(closed.raw_os_error(), Some(libc::ENXIO));
    writeln!(into_b, "found in b").unwrap();
    drop(into_b);
    let mut into_c = File::create(c).unwrap();
    writeln!(into_c, "found in c").unwrap();
    drop(into_c);
    writeln!(into_a, "found in a").unwrap();
    drop(into_a);
    let lines = [grep.next_line(), grep.next_line(), grep.next_line()];
    assert_eq!(
        lines,
        [a, b, c].map(|path| format!("{0}:1:found in {1}", path.display(), path.file_name().unwrap().display()))
    );
    assert_eq!(grep.wait().status.code(), Some(0));
}

#[test]
fn it_stops_when_nobody_reads_any_more() {
    let tree = tree("grep-head");
    let script = "\"$0\" line \"$1\" | head -n 1; echo \"${PIPESTATUS[0]}\"";
    let out = run(Command::new("bash").args(["-c", script, PATH, &tree.file(".")]), b"");
    // Killed by SIGPIPE, without a word about it, as grep is.
    assert_eq!(out.stdout.lines().last(), Some("141"), "{out:#?}");
    assert!(!out.stderr.contains("pipe"), "{}", out.stderr);
}
