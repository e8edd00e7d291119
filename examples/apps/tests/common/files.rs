//! Directories, certificates and scripts for the tests.
//!
//! Why here: apart from the processes that use them.
//!
//! *Invariants*
//! - F1. What a test has written is gone when it ends, unless it is killed.
//!
//! *Locks*: none.
//!
//! *Go:* `testing.T.TempDir`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::run;

/// A new directory, which is gone with the value.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(name: &str) -> Directory {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        // A process that was killed may have left one of that name.
        _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("the target directory can be written to");
        Directory(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The path of a file in it, as a text.
    pub(crate) fn file(&self, name: &str) -> String {
        self.0.join(name).into_os_string().into_string().expect("the paths of tests are texts")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A file of `tests/clients`.
pub(crate) fn client(name: &str) -> String {
    format!("{}/tests/clients/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A certificate for localhost that vouches for itself, made by openssl.
#[derive(Debug)]
pub(crate) struct Certificate(Directory);

impl Certificate {
    pub(crate) fn new(name: &str) -> Certificate {
        let directory = Directory::new(name);
        let config = "[req]\ndistinguished_name = name\nx509_extensions = extensions\nprompt = no\n[name]\nCN = localhost\n\
            [extensions]\nsubjectAltName = DNS:localhost, IP:127.0.0.1\nbasicConstraints = critical, CA:FALSE\n";
        std::fs::write(directory.file("config"), config).expect("the directory is ours");
        let args =
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
        let files = ["-config", "config", "-keyout", "key.pem", "-out", "cert.pem"];
        let out = run(Command::new("openssl").args(args).args(files).current_dir(directory.path()), b"");
        assert!(out.status.success(), "{}", out.stderr);
        Certificate(directory)
    }

    /// The path of the certificate.
    pub(crate) fn certificate(&self) -> String {
        self.0.file("cert.pem")
    }

    /// The path of the private key.
    pub(crate) fn key(&self) -> String {
        self.0.file("key.pem")
    }
}
