//! postgres, with a real server and psql at its other end.

mod common;

use common::{Output, Postgres, Running, program, run, until};

const PATH: &str = env!("CARGO_BIN_EXE_postgres");

fn start(config: &str, args: &[&str]) -> Running {
    Running::start(program(PATH).arg(config).args(args))
}

fn sql(config: &str, text: &str) -> Output {
    run(program(PATH).args([config, "sql", text]), b"")
}

#[test]
fn rows_come_as_psql_shows_them() {
    let server = Postgres::get();
    let config = server.database("rows");
    let text = "CREATE TABLE t (n integer, text text);
        INSERT INTO t SELECT n, repeat('x', n) FROM generate_series(1, 2000) AS n;
        INSERT INTO t VALUES (0, NULL), (-1, 'Grüße')";
    assert_eq!(sql(&config, text).stdout, "1 goroutine left\n");
    let query = "SELECT n, coalesce(text, 'NULL') FROM t ORDER BY n";
    let (ours, theirs) = (sql(&config, query), server.psql("rows", query));
    let theirs = theirs.stdout.replace('|', "\t") + "1 goroutine left\n";
    assert!(ours.stdout == theirs, "psql shows something else: {}", ours.stderr);
    assert_eq!(sql(&config, "SELECT text FROM t WHERE n < 1 ORDER BY n").stdout, "Grüße\nNULL\n1 goroutine left\n");
}

#[test]
fn errors_are_the_servers() {
    let server = Postgres::get();
    let config = server.database("errors");
    let out = sql(&config, "SELECT nothing");
    assert_eq!((out.status.code(), out.stdout.as_str()), (Some(1), "1 goroutine left\n"));
    assert!(out.stderr.contains("column \"nothing\" does not exist"), "{}", out.stderr);
    let out = sql(&server.config("nowhere"), "SELECT 1");
    assert!(out.stderr.contains("database \"nowhere\" does not exist"), "{}", out.stderr);
    let out = sql("host=127.0.0.1 port=1 user=app", "SELECT 1");
    assert!(out.stderr.contains("127.0.0.1:1: Connection refused"), "{}", out.stderr);
    assert_eq!(run(&mut program(PATH), b"").status.code(), Some(2));
}

#[test]
fn what_psql_notifies_is_heard() {
    let server = Postgres::get();
    let mut listener = start(&server.database("notify"), &["listen", "some \"news\""]);
    assert_eq!(listener.next_line(), "listening to some \"news\"");
    let notify = |payload: &str| format!("NOTIFY \"some \"\"news\"\"\", '{payload}'");
    server.psql("notify", &notify("first"));
    server.psql("notify", &format!("BEGIN; {}; ROLLBACK; NOTIFY others", notify("never")));
    server.psql("notify", &notify("second"));
    assert_eq!(listener.next_line(), "some \"news\": first");
    assert_eq!(listener.next_line(), "some \"news\": second");
    listener.signal("TERM");
    listener.ends_well();
}

#[test]
fn sigint_cancels_the_query_that_runs() {
    let server = Postgres::get();
    let sleeper = start(&server.database("cancel"), &["sql", "SELECT pg_sleep(1000)"]);
    let asleep = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'cancel' AND wait_event = 'PgSleep'";
    until("the query runs", || server.psql("postgres", asleep).stdout == "1\n");
    sleeper.signal("INT");
    let out = sleeper.wait();
    assert_eq!((out.status.code(), out.stdout.as_str()), (Some(1), "1 goroutine left\n"), "{out:#?}");
    assert!(out.stderr.contains("canceling statement due to user request"), "{}", out.stderr);
}

#[test]
fn a_connection_that_the_server_ends_is_told() {
    let server = Postgres::get();
    let mut listener = start(&server.database("ended"), &["listen", "news"]);
    assert_eq!(listener.next_line(), "listening to news");
    server.psql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'ended'");
    let out = listener.wait();
    assert_eq!((out.status.code(), out.stdout.lines().last()), (Some(1), Some("1 goroutine left")), "{out:#?}");
    assert!(out.stderr.contains("terminating connection due to administrator command"), "{}", out.stderr);
}

#[test]
fn transfers_at_the_same_time_lose_nothing() {
    let server = Postgres::get();
    let config = server.database("bank");
    let mut listener = start(&config, &["listen", "transfers"]);
    assert_eq!(listener.next_line(), "listening to transfers");
    let out = start(&config, &["transfer", "8", "25"]).ends_well();
    let count = |name: &str| -> u64 {
        let (before, _) = out.stdout.split_once(name).unwrap_or_else(|| panic!("{out:#?}"));
        before.rsplit(['\n', ' ']).next().unwrap().parse().unwrap()
    };
    assert_eq!(count(" transfers") + count(" refused"), 200, "{out:#?}");
    assert!(count(" sums were right") >= 4, "{out:#?}");
    // Each commit has said so, and nothing else has.
    for _ in 0..count(" transfers") {
        assert!(listener.next_line().starts_with("transfers: "));
    }
    listener.signal("TERM");
    listener.ends_well();
    assert_eq!(
        server.psql("bank", "SELECT count(*), sum(balance), min(balance) >= 0 FROM accounts").stdout,
        "10|1000|t\n"
    );
}
