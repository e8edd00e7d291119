//! A client for PostgreSQL: runs SQL, listens to a channel, or makes transfers between accounts from many goroutines at once.
//!
//! Shows an async library, tokio-postgres, on a stream of `goruntime::net`, in plain blocking code: `block_on` parks the goroutine until the answer is there.
//! Nothing of tokio's runtime is used. SIGTERM or SIGINT has the server cancel the query that runs.

mod database;
mod transfer;

use std::error::Error;
use std::process::ExitCode;

use goruntime::context::Context;
use goruntime::future::block_on;
use goruntime_apps::{last_line, until_told_to_stop, usage, when_ended};
use tokio_postgres::{Config, SimpleQueryMessage};

use database::Database;

const USAGE: &str =
    "'host=ADDRESS port=PORT user=NAME dbname=NAME' (sql TEXT | listen CHANNEL | transfer WORKERS COUNT)";

/// What a command ends with.
type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

#[goruntime::main]
fn main() -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = args.iter().map(String::as_str).collect();
    let Some(Ok(config)) = words.first().map(|text| text.parse::<Config>()) else {
        return Ok(usage("postgres", "the first argument says where the server is", USAGE));
    };
    let (ctx, signals) = until_told_to_stop()?;
    let outcome = match &words[1..] {
        ["sql", text] => sql(&config, text, &ctx),
        ["listen", channel] => listen(&config, channel, &ctx),
        ["transfer", workers, count] => match (workers.parse(), count.parse()) {
            (Ok(workers), Ok(count)) => transfer::run(&config, workers, count, &ctx),
            _ => return Ok(usage("postgres", "`transfer` takes two numbers", USAGE)),
        },
        _ => return Ok(usage("postgres", "what is to be done?", USAGE)),
    };
    signals.stop();
    if let Err(error) = &outcome {
        eprintln!("postgres: {}", database::in_full(&**error));
    }
    last_line();
    Ok(ExitCode::from(u8::from(outcome.is_err())))
}

/// Runs statements, and prints rows with tabs between their columns.
fn sql(config: &Config, text: &str, ctx: &Context) -> Outcome {
    let database = Database::connect(config)?;
    let cancel = database.canceller(config);
    let stop = when_ended(ctx, move || {
        // Whoever asked for it learns from the query how it has ended.
        if let Err(error) = cancel() {
            eprintln!("postgres: cancel: {}", database::in_full(&*error));
        }
    });
    let answer = block_on(database.client.simple_query(text));
    drop(stop);
    for message in answer? {
        if let SimpleQueryMessage::Row(row) = message {
            let columns: Vec<_> = (0..row.len()).map(|column| row.get(column).unwrap_or("NULL")).collect();
            println!("{}", columns.join("\t"));
        }
    }
    database.close()
}

/// Prints what is said on a channel until it is told to stop.
fn listen(config: &Config, channel: &str, ctx: &Context) -> Outcome {
    let database = Database::connect(config)?;
    // The name of a channel is an identifier, and in quotes may be anything.
    block_on(database.client.batch_execute(&format!("LISTEN \"{}\"", channel.replace('"', "\"\""))))?;
    println!("listening to {channel}");
    // An error is that the context has ended, or the connection; then `close` tells why.
    while let Ok(notification) = database.notifications.recv_ctx(ctx) {
        println!("{}: {}", notification.channel(), notification.payload());
    }
    database.close()
}
