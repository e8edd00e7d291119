//! Programs that the compiler must refuse, each for the reason that it names.
//!
//! Why here: what is unsound if it compiles. Only the code of the error is compared, or a part of its text where it has no code: what rustc says around
//! it changes from version to version, so the snapshots of `macros_ui.rs` are for our own messages only.
//!
//! *Invariants*
//! - R1. The first line of a program in `ui/refused` is `//! ERROR: why it must not compile`.
//! - R2. A program fails with that error and no other, so that nothing is refused for a typing error. The function `control` of a program that has one
//!   differs from what is refused as little as possible, and compiles.
//!
//! *Locks*: none.
//!
//! *Go:* the `errorcheck` tests in `test/`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Name and text of every program.
fn programs() -> BTreeMap<String, String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/refused");
    let files = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let paths = files.map(|file| file.expect("a directory can be read to its end").path());
    let text = |path: &PathBuf| fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let name = |path: &PathBuf| path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
    paths.map(|path| (name(&path), text(&path))).collect()
}

/// A package with a binary for each program.
fn package(programs: &BTreeMap<String, String>) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the root");
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("refused");
    fs::create_dir_all(package.join("src")).expect("the target directory can be written");
    let mut manifest = format!(
        "[package]\nname = \"refused\"\nedition = \"2024\"\npublish = false\nautobins = false\n[workspace]\n\
         [dependencies]\ngoruntime = {{ path = {:?} }}\n",
        root.join("runtime")
    );
    for (name, text) in programs {
        // Writing to a String does not fail.
        let _ = write!(manifest, "[[bin]]\nname = {name:?}\npath = \"src/{name}.rs\"\n");
        fs::write(package.join(format!("src/{name}.rs")), text).expect("the target directory can be written");
    }
    fs::write(package.join("Cargo.toml"), manifest).expect("the target directory can be written");
    fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock")).expect("the root has a lock file");
    package
}

/// The errors of each program: lines of JSON.
fn check(package: &Path) -> BTreeMap<String, Vec<String>> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["check", "--bins", "--keep-going", "--offline", "--quiet", "--message-format=json"]);
    cargo.current_dir(package).env("CARGO_TARGET_DIR", package.join("target")).env_remove("RUSTFLAGS");
    let out = cargo.output().expect("cargo runs");
    let text = String::from_utf8(out.stdout).expect("cargo prints UTF-8");
    let mut errors: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| line.contains(r#""reason":"compiler-message""#)) {
        let is_error = line.contains(r#""level":"error""#) && !line.contains(r#""message":"aborting due to"#);
        let target = line.split_once(r#""kind":["bin"]"#).and_then(|(_, rest)| rest.split_once(r#""name":""#));
        if let (true, Some((_, rest))) = (is_error, target) {
            let name = rest.split('"').next().expect("a split text has a first part");
            errors.entry(name.to_owned()).or_default().push(line.to_owned());
        }
    }
    assert!(!errors.is_empty(), "cargo has checked nothing: {}", String::from_utf8_lossy(&out.stderr));
    errors
}

/// Whether a line of cargo's is the error that was wanted: by its code, or by its text if what is wanted is none.
fn is_wanted(line: &str, wanted: &str) -> bool {
    let is_code = wanted.strip_prefix('E').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    if is_code { line.contains(&format!(r#""code":"{wanted}""#)) } else { line.contains(wanted) }
}

#[test]
fn what_is_unsound_does_not_compile() {
    let programs = programs();
    let errors = check(&package(&programs));
    let mut complaints = Vec::new();
    for (name, text) in &programs {
        let wanted = text.strip_prefix("//! ").and_then(|text| text.split_once(": ")).map(|(wanted, _)| wanted);
        let wanted = wanted.unwrap_or_else(|| panic!("{name}: the first line does not say what is wrong (R1)"));
        match errors.get(name) {
            None => complaints.push(format!("{name} compiles")),
            Some(lines) => {
                let others = lines.iter().filter(|line| !is_wanted(line, wanted));
                complaints.extend(others.map(|line| format!("{name}: not {wanted}: {line}")));
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    assert!(programs.len() >= 15, "the programs are all there");
}
