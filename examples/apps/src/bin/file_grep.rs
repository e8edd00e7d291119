//! Searches files and directories: prints `PATH:LINE:TEXT` for each line that matches, as `grep -rnE` does.
//!
//! Shows parallel work with its results in order. Each file is searched by a goroutine of its own; a Semaphore bounds how many files are open, and a
//! channel of handles, in the order of the names, how many results wait to be printed. The statuses are grep's: 0 if a line matched, 1 if none, 2 after
//! an error.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use goruntime::channel::{Receiver, Sender, bounded};
use goruntime::fs;
use goruntime::io::{self, BufRead, BufReader, Read, Write};
use goruntime::process::ExitCode;
use goruntime::sync::Semaphore;
use goruntime::{JoinHandle, scope, spawn};
use goruntime_apps::usage;
use regex::bytes::{Regex, RegexBuilder};

const USAGE: &str = "[-i] [-j FILES] PATTERN PATH...";
/// Results that may wait to be printed.
const AHEAD: usize = 256;
/// Bytes at the beginning of a file that say whether it is a text.
const SAMPLE: usize = 32 << 10;

/// What is to be found where.
#[derive(Debug)]
struct Job {
    pattern: Regex,
    open: usize,
    roots: Vec<PathBuf>,
}

/// What there is to say about a file.
#[derive(Debug, Default)]
struct Found {
    /// For standard output.
    lines: Vec<u8>,
    /// For standard error.
    remark: Option<String>,
    matched: bool,
    failed: bool,
}

impl Found {
    fn failure(path: &Path, error: &io::Error) -> Found {
        Found { remark: Some(format!("{}: {error}", path.display())), failed: true, ..Found::default() }
    }
}

#[goruntime::main]
fn main() -> ExitCode {
    let job = match parse(std::env::args().skip(1)) {
        Ok(job) => job,
        Err(wrong) => return usage("file_grep", wrong, USAGE),
    };
    let (files, results) = bounded(AHEAD);
    let search = Search { pattern: job.pattern, open: Arc::new(Semaphore::new(job.open)), files };
    let printed = scope(|s| {
        s.go(|| {
            // An error is that the printer has gone, which takes the rest of the work with it.
            let _ = job.roots.iter().try_for_each(|root| search.walk(root, true));
            drop(search);
        });
        print(results)
    });
    match printed {
        Ok(status) => ExitCode::from(status),
        // Whoever reads has seen enough: grep is killed without a word, and on Linux on x86-64 so is this program, before it comes here.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(2),
        Err(error) => {
            eprintln!("file_grep: {error}");
            ExitCode::from(2)
        }
    }
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Job, String> {
    let (mut ignore_case, mut open, mut words) = (false, 16, Vec::new());
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-i" => ignore_case = true,
            "-j" => {
                let number = args.next().unwrap_or_default();
                open =
                    number.parse().ok().filter(|&open| open > 0).ok_or(format!("`{number}` is no number of files"))?;
            }
            word if word.starts_with('-') => return Err(format!("`{word}` is no option")),
            _ => words.push(arg),
        }
    }
    let [pattern, roots @ ..] = &words[..] else { return Err("no pattern".to_owned()) };
    if roots.is_empty() {
        return Err("no path".to_owned());
    }
    let pattern =
        RegexBuilder::new(pattern).case_insensitive(ignore_case).build().map_err(|error| error.to_string())?;
    Ok(Job { pattern, open, roots: roots.iter().map(PathBuf::from).collect() })
}

/// The printer has gone.
#[derive(Debug)]
struct Gone;

/// Starts the goroutines.
#[derive(Debug)]
struct Search {
    pattern: Regex,
    open: Arc<Semaphore>,
    files: Sender<JoinHandle<Found>>,
}

impl Search {
    /// Goes through a directory in the order of the names. Links are followed if they are named on the command line only.
    fn walk(&self, path: &Path, is_root: bool) -> Result<(), Gone> {
        let kind = if is_root { fs::metadata(path) } else { fs::symlink_metadata(path) };
        match kind {
            Err(error) => self.tell(Found::failure(path, &error)),
            Ok(kind) if kind.is_dir() => match names(path) {
                Err(error) => self.tell(Found::failure(path, &error)),
                Ok(paths) => paths.iter().try_for_each(|path| self.walk(path, false)),
            },
            // What is inside of a directory and no file (pipes, devices) is left alone.
            Ok(kind) if kind.is_file() || is_root => self.start(path.to_owned()),
            Ok(_) => Ok(()),
        }
    }

    /// Searches a file when it is its turn.
    fn start(&self, path: PathBuf) -> Result<(), Gone> {
        let (pattern, permit) = (self.pattern.clone(), self.open.clone().acquire_owned());
        let found = spawn(move || {
            let found = search(&path, &pattern).unwrap_or_else(|error| Found::failure(&path, &error));
            drop(permit);
            found
        });
        self.files.send(found).map_err(|_| Gone)
    }

    /// Has something printed when it is its turn.
    fn tell(&self, found: Found) -> Result<(), Gone> {
        self.files.send(spawn(|| found)).map_err(|_| Gone)
    }
}

fn names(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// The lines of a file that match, with path and number. Of a file that is no text only whether there is one.
fn search(path: &Path, pattern: &Regex) -> io::Result<Found> {
    let mut file = BufReader::with_capacity(SAMPLE, fs::File::open(path)?);
    let is_text = !file.fill_buf()?.contains(&0);
    let (mut found, mut line) = (Found::default(), Vec::new());
    for number in 1.. {
        line.clear();
        if Read::by_ref(&mut file).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        if !pattern.is_match(text) {
            continue;
        }
        found.matched = true;
        if !is_text {
            found.remark = Some(format!("{}: binary file matches", path.display()));
            break;
        }
        write!(found.lines, "{}:{number}:", path.display())?;
        found.lines.extend_from_slice(text);
        found.lines.push(b'\n');
    }
    Ok(found)
}

/// Prints the results in the order of the files, and returns the status.
fn print(results: Receiver<JoinHandle<Found>>) -> io::Result<u8> {
    let (mut matched, mut failed) = (false, false);
    for result in results {
        let found = result.join().expect("a search does not panic");
        matched |= found.matched;
        failed |= found.failed;
        io::stdout().write_all(&found.lines)?;
        if let Some(remark) = found.remark {
            eprintln!("file_grep: {remark}");
        }
    }
    io::stdout().flush()?;
    Ok(if failed { 2 } else { u8::from(!matched) })
}
