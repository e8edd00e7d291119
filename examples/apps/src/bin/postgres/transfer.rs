//! Transfers between accounts: many connections that write, and one that many goroutines read by.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use goruntime::context::Context;
use goruntime::future::block_on;
use goruntime::scope;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, IsolationLevel};

use crate::Outcome;
use crate::database::Database;

/// Accounts, and what is in each at the beginning.
const ACCOUNTS: u32 = 10;
const BALANCE: i64 = 100;
/// Goroutines that look whether money appears or vanishes, by the same connection.
const READERS: usize = 4;

/// What the workers have done.
#[derive(Debug, Default)]
struct Totals {
    made: AtomicU64,
    refused: AtomicU64,
    again: AtomicU64,
}

/// How a transfer has ended.
#[derive(Debug)]
enum Transfer {
    Made,
    /// There was not enough.
    Refused,
    /// It got into the way of another one.
    Again,
}

/// Makes `count` transfers in each of `workers` goroutines, or as many as it can until `ctx` ends.
pub(crate) fn run(config: &Config, workers: u32, count: u32, ctx: &Context) -> Outcome {
    let database = Database::connect(config)?;
    block_on(database.client.batch_execute(&format!(
        "DROP TABLE IF EXISTS accounts; CREATE TABLE accounts (id integer PRIMARY KEY, balance bigint NOT NULL);
         INSERT INTO accounts SELECT id, {BALANCE} FROM generate_series(1, {ACCOUNTS}) AS id"
    )))?;
    let (totals, over) = (Totals::default(), AtomicBool::new(false));
    let (reads, outcomes) = scope(|s| {
        let readers: Vec<_> = (0..READERS).map(|_| s.spawn(|| read(&database, &over))).collect();
        let write = |worker| {
            s.spawn({
                let totals = &totals;
                move || write(config, worker, count, ctx, totals)
            })
        };
        let writers: Vec<_> = (0..workers).map(write).collect();
        let outcomes: Vec<_> =
            writers.into_iter().map(|writer| writer.join().expect("a writer does not panic")).collect();
        over.store(true, Ordering::Relaxed);
        let reads: Vec<_> = readers.into_iter().map(|reader| reader.join().expect("a reader does not panic")).collect();
        (reads, outcomes)
    });
    outcomes.into_iter().collect::<Outcome>()?;
    let sums: u64 = reads.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().sum();
    println!("{sums} sums were right");
    let of = |total: &AtomicU64| total.load(Ordering::Relaxed);
    println!("{} transfers, {} refused, {} tried again", of(&totals.made), of(&totals.refused), of(&totals.again));
    database.close()
}

/// Adds up the accounts until the others are done.
fn read(database: &Database, over: &AtomicBool) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
    let mut reads = 0;
    loop {
        let is_last = over.load(Ordering::Relaxed);
        let row = block_on(database.client.query_one("SELECT sum(balance)::bigint FROM accounts", &[]))?;
        let sum: i64 = row.get(0);
        if sum != i64::from(ACCOUNTS) * BALANCE {
            return Err(format!("the accounts add up to {sum}").into());
        }
        reads += 1;
        if is_last {
            return Ok(reads);
        }
    }
}

/// Makes transfers by a connection of its own.
fn write(config: &Config, worker: u32, count: u32, ctx: &Context, totals: &Totals) -> Outcome {
    let mut database = Database::connect(config)?;
    for number in 0..count {
        // Any way to choose does, if it lets workers meet.
        let (from, to) = ((worker + number) % ACCOUNTS + 1, (worker + 3 * number + 1) % ACCOUNTS + 1);
        let amount = i64::from(number % 50) + 1;
        while ctx.err().is_none() {
            match transfer(&mut database, from as i32, to as i32, amount)? {
                Transfer::Made => totals.made.fetch_add(1, Ordering::Relaxed),
                Transfer::Refused => totals.refused.fetch_add(1, Ordering::Relaxed),
                Transfer::Again => {
                    totals.again.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
            };
            break;
        }
    }
    database.close()
}

/// Makes a transfer, if nobody gets into its way.
fn transfer(database: &mut Database, from: i32, to: i32, amount: i64) -> Result<Transfer, tokio_postgres::Error> {
    let in_the_way = [Some(&SqlState::T_R_SERIALIZATION_FAILURE), Some(&SqlState::T_R_DEADLOCK_DETECTED)];
    match block_on(transaction(database, from, to, amount)) {
        Err(error) if in_the_way.contains(&error.code()) => Ok(Transfer::Again),
        other => other,
    }
}

/// One transaction, as isolated as can be: the server refuses what could not have happened one after the other.
async fn transaction(
    database: &mut Database,
    from: i32,
    to: i32,
    amount: i64,
) -> Result<Transfer, tokio_postgres::Error> {
    let transaction = database.client.build_transaction().isolation_level(IsolationLevel::Serializable).start().await?;
    let row = transaction.query_one("SELECT balance FROM accounts WHERE id = $1", &[&from]).await?;
    if row.get::<_, i64>(0) < amount {
        transaction.rollback().await?;
        return Ok(Transfer::Refused);
    }
    let change = "UPDATE accounts SET balance = balance + $2 WHERE id = $1";
    transaction.execute(change, &[&from, &-amount]).await?;
    transaction.execute(change, &[&to, &amount]).await?;
    // Listeners hear of it with the commit.
    transaction.execute("SELECT pg_notify('transfers', $1)", &[&format!("{amount} from {from} to {to}")]).await?;
    transaction.commit().await?;
    Ok(Transfer::Made)
}
