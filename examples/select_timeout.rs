//! Waiting for whichever comes first: an answer, a deadline, a heartbeat, or a request to stop.
//!
//! Prints what each wait has come to.

use goruntime::channel::{Receiver, after, bounded, tick};
use goruntime::time::{Duration, sleep};
use goruntime::{go, select};

/// Answers after a while.
fn ask(question: &'static str, takes: Duration) -> Receiver<String> {
    let (tx, rx) = bounded(1);
    go(move || {
        sleep(takes);
        // Nobody may be waiting any more.
        _ = tx.send(format!("{question}: yes"));
    });
    rx
}

#[goruntime::main]
fn main() {
    let (soon, late) = (Duration::from_millis(5), Duration::from_secs(60));

    let answer = ask("is it quick", soon);
    select! {
        recv(answer) -> text => println!("{}", text.unwrap()),
        default(late) => println!("no answer"),
    }

    let answer = ask("is it slow", late);
    select! {
        recv(answer) -> text => println!("{}", text.unwrap()),
        recv(after(soon)) -> _ => println!("is it slow: no answer in time"),
    }

    // Three heartbeats, then somebody asks to stop.
    let (heartbeat, (stop, stopped)) = (tick(soon), bounded::<()>(0));
    let mut beats = 0;
    let mut stop = Some(stop);
    loop {
        select! {
            recv(heartbeat) -> _ => {
                beats += 1;
                if beats == 3 {
                    drop(stop.take());
                }
            }
            recv(stopped) -> _ => break,
        }
    }
    println!("stopped after at least 3 heartbeats: {}", beats >= 3);

    // Nothing is ready, and nobody waits.
    let (_tx, rx) = bounded::<()>(0);
    select! {
        recv(rx) -> _ => unreachable!("nobody sends"),
        default => println!("nothing there"),
    }
}
