//! A PostgreSQL of the tests' own.
//!
//! Why here: apart from the tests that use it.
//!
//! *Invariants*
//! - PG1. One server for all tests that run at the same time; the last of them ends it and removes its files. The next may start meanwhile, in a directory of
//!   its own.
//! - PG2. It listens at an address of the loopback network that nobody else uses, so that a port which was free stays free.
//!
//! *Locks*: `CURRENT` (PG1); that of the process, which is never contended.
//!
//! *Go:* none.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{Output, Running, run};

static CURRENT: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());

/// A server that runs.
#[derive(Debug)]
pub(crate) struct Postgres {
    /// None when it has been ended.
    server: Mutex<Option<Running>>,
    directory: PathBuf,
    host: String,
    port: u16,
}

impl Postgres {
    /// The server (PG1).
    pub(crate) fn get() -> Arc<Postgres> {
        let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
        current.upgrade().unwrap_or_else(|| {
            let new = Arc::new(Postgres::start());
            *current = Arc::downgrade(&new);
            new
        })
    }

    fn start() -> Postgres {
        let id = std::process::id();
        // Not below the target directory, which another user may not be able to reach.
        // Each has its own: the one before may still be about to end.
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("apps-postgres-{id}-{number}"));
        // A process that was killed may have left one of that name.
        _ = fs::remove_dir_all(&directory);
        fs::create_dir(&directory).expect("there is a place for temporary files");
        let account = Account::of_server();
        account.give(&directory);
        let data = directory.join("data");
        let options = ["--auth=trust", "--username=app", "--encoding=UTF8", "--no-locale", "--no-sync"];
        let initdb = account.words("initdb");
        let mut command = Command::new(&initdb[0]);
        command.args(&initdb[1..]).args(options).arg("--pgdata").arg(&data).current_dir(&directory);
        let out = run(&mut command, b"");
        assert!(out.status.success(), "{out:#?}");
        // PG2.
        let host = format!("127.{}.{}.{}", id >> 16 & 255, id >> 8 & 255, (id & 255).clamp(2, 254));
        let probe = TcpListener::bind((host.as_str(), 0)).expect("all of 127 is this machine");
        let port = probe.local_addr().expect("it is bound").port();
        drop(probe);
        // What it says goes to standard error, which is not read by lines.
        let mut server = Command::new("sh");
        server.args(["-c", "exec \"$@\" 2>&1", "sh"]).args(account.words("postgres")).current_dir(&directory);
        server.arg("-D").arg(&data).args(["-h", &host, "-p", &port.to_string(), "-k", "", "-F"]);
        let mut server = Running::start(&mut server);
        server.line_with("ready to accept connections");
        Postgres { server: Mutex::new(Some(server)), directory, host, port }
    }

    /// What a client has to know.
    pub(crate) fn config(&self, database: &str) -> String {
        format!("host={} port={} user=app dbname={database}", self.host, self.port)
    }

    /// Makes a database, and returns what a client has to know.
    pub(crate) fn database(&self, name: &str) -> String {
        self.psql("postgres", &format!("CREATE DATABASE {name}"));
        self.config(name)
    }

    /// Has psql run statements.
    pub(crate) fn psql(&self, database: &str, text: &str) -> Output {
        let options = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"];
        let out = run(Command::new("psql").args(options).arg(self.config(database)).args(["--command", text]), b"");
        assert!(out.status.success(), "{out:#?}");
        out
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(server) = self.server.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            // Ends the sessions, too.
            server.signal("INT");
            server.wait();
        }
        _ = fs::remove_dir_all(&self.directory);
    }
}

/// Who the server runs as: it refuses to be root.
#[derive(Debug)]
struct Account {
    /// User and group, if they are not our own.
    other: Option<(u32, u32)>,
}

impl Account {
    fn of_server() -> Account {
        let id = run(Command::new("id").arg("-u"), b"").stdout;
        if id.trim() != "0" {
            return Account { other: None };
        }
        // The package has made the account. A number without a name would not do: the programs want to know their name.
        let accounts = fs::read_to_string("/etc/passwd").expect("there are accounts");
        let line = accounts.lines().find(|line| line.starts_with("postgres:")).expect("the package makes an account");
        let ids: Vec<u32> = line.split(':').skip(2).take(2).map(|id| id.parse().expect("a number")).collect();
        Account { other: Some((ids[0], ids[1])) }
    }

    fn give(&self, directory: &Path) {
        if let Some((user, group)) = self.other {
            chown(directory, Some(user), Some(group)).expect("root may do so");
        }
    }

    /// How a program of the server's package is run as this account.
    fn words(&self, name: &str) -> Vec<String> {
        let program = programs().join(name).to_string_lossy().into_owned();
        match self.other {
            None => vec![program],
            Some((user, group)) => {
                let ids = [format!("--reuid={user}"), format!("--regid={group}")];
                let mut words = vec!["setpriv".to_owned(), "--clear-groups".to_owned()];
                words.extend(ids);
                words.push(program);
                words
            }
        }
    }
}

/// Where Debian has the programs of the newest server.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed; the package is postgresql");
    let number = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let paths = versions.filter_map(|entry| Some(entry.ok()?.path()));
    // The client's package has a directory there, too.
    let newest = paths.filter(|path| path.join("bin/initdb").exists()).max_by_key(number);
    newest.expect("a version of the server is installed").join("bin")
}
