//! An HTTP client: fetches URLs, several at a time, and prints `STATUS BYTES URL` for each, in their order.
//!
//! Shows a blocking HTTP library, ureq, whose transport is `goruntime::net`: a goroutine that waits for a server costs no thread. The work is given out by a
//! channel to as many workers as may fetch at a time; they share ureq's pool of open connections. SIGTERM or SIGINT ends what is under way. The status is 0
//! if all was fetched, 1 if something was not, and 2 if it is told nonsense.

mod transport;

use std::error::Error;
use std::fs;
use std::io::Read;
use std::process::ExitCode;

use goruntime::channel::{Sender, bounded};
use goruntime::scope;
use goruntime::time::Duration;
use goruntime_apps::{last_line, until_told_to_stop, usage, when_ended};
use ureq::Agent;
use ureq::config::Config;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::transport::{Connector, RustlsConnector};

use transport::{Lookup, Sockets};

const USAGE: &str = "[-j WORKERS] [-t SECONDS] [--cacert FILE.pem] URL...";

/// What the command line says.
#[derive(Debug)]
struct Job {
    workers: usize,
    patience: Duration,
    roots: Option<String>,
    urls: Vec<String>,
}

/// Status and length of an answer, or why there is none.
type Fetched = Result<(u16, u64), ureq::Error>;

#[goruntime::main]
fn main() -> Result<ExitCode, Box<dyn Error>> {
    let job = match parse(std::env::args().skip(1)) {
        Ok(job) => job,
        Err(wrong) => return Ok(usage("http_client", wrong, USAGE)),
    };
    let agent = agent(&job)?;
    let (ctx, signals) = until_told_to_stop()?;
    let stopping = agent.clone();
    let stop = when_ended(&ctx, move || stopping.shutdown());
    let failed = fetch_all(&agent, &job);
    drop(stop);
    signals.stop();
    last_line();
    Ok(ExitCode::from(u8::from(failed)))
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Job, String> {
    let mut job = Job { workers: 4, patience: Duration::from_secs(30), roots: None, urls: Vec::new() };
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("`{arg}` needs a value"));
        match arg.as_str() {
            "-j" => job.workers = value()?.parse().ok().filter(|&workers| workers > 0).ok_or("`-j` needs a number")?,
            "-t" => job.patience = Duration::from_secs(value()?.parse().map_err(|_| "`-t` needs a number of seconds")?),
            "--cacert" => job.roots = Some(value()?),
            _ if arg.starts_with('-') => return Err(format!("`{arg}` is no option")),
            _ => job.urls.push(arg),
        }
    }
    if job.urls.is_empty() { Err("no URL".to_owned()) } else { Ok(job) }
}

fn agent(job: &Job) -> Result<Agent, Box<dyn Error>> {
    let mut tls = TlsConfig::builder();
    if let Some(path) = &job.roots {
        let text = fs::read(path).map_err(|error| format!("{path}: {error}"))?;
        let certificates = parse_pem(&text).filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
            Ok(_) => None,
            Err(error) => Some(Err(format!("{path}: {error}"))),
        });
        tls = tls.root_certs(RootCerts::from(certificates.collect::<Result<Vec<_>, _>>()?));
    }
    let config = Config::builder()
        .timeout_global(Some(job.patience))
        .http_status_as_error(false)
        .max_idle_connections_per_host(job.workers)
        .proxy(None)
        .tls_config(tls.build())
        .build();
    Ok(Agent::with_parts(config, ().chain(Sockets).chain(RustlsConnector::default()), Lookup))
}

/// Fetches everything, and prints what became of it. True if something could not be had.
fn fetch_all(agent: &Agent, job: &Job) -> bool {
    let (jobs, waiting) = bounded::<(&str, Sender<Fetched>)>(0);
    let mut failed = false;
    scope(|s| {
        for _ in 0..job.workers {
            let waiting = waiting.clone();
            s.go(move || {
                for (url, answer) in waiting {
                    // A place for one answer waits for nobody.
                    _ = answer.send(fetch(agent, url));
                }
            });
        }
        // Somebody asks for the answers in the order of the URLs, however the workers take them.
        let (answers, in_order) = bounded(job.urls.len());
        s.go(move || {
            for url in &job.urls {
                let (answer, receiver) = bounded(1);
                answers.send(receiver).expect("there is room for all");
                jobs.send((url.as_str(), answer)).expect("the workers wait for jobs");
            }
        });
        for (url, answer) in job.urls.iter().zip(in_order) {
            match answer.recv().expect("each job gets an answer") {
                Ok((status, bytes)) => {
                    println!("{status} {bytes} {url}");
                    failed |= status >= 400;
                }
                Err(error) => {
                    println!("failed {url}: {error}");
                    failed = true;
                }
            }
        }
    });
    failed
}

/// Fetches a URL to its end, and returns its status and length.
fn fetch(agent: &Agent, url: &str) -> Fetched {
    let response = agent.get(url).call()?;
    let status = response.status().as_u16();
    let mut reader = response.into_body().into_reader();
    let mut buffer = vec![0; 16 << 10];
    let mut bytes = 0;
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok((status, bytes)),
            count => bytes += count as u64,
        }
    }
}
