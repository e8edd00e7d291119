//! Publish and subscribe: a broker goroutine that owns the list of subscribers, and talks to everybody by channels alone.
//!
//! Prints what each subscriber got, and who was too slow.

use goruntime::channel::{Receiver, Select, Sender, bounded, unbounded};
use goruntime::{go, select, spawn};

/// Owns the subscribers, so that nobody needs a lock. Ends when all publishers are gone; returns how many messages were dropped.
fn broker(messages: Receiver<String>, joins: Receiver<Sender<String>>) -> usize {
    let (mut subscribers, mut dropped): (Vec<Sender<String>>, _) = (Vec::new(), 0);
    loop {
        select! {
            recv(joins) -> join => subscribers.extend(join),
            recv(messages) -> message => {
                let Ok(message) = message else { return dropped };
                // A subscriber that has gone is forgotten; one whose buffer is full misses the message.
                subscribers.retain(|subscriber| {
                    match subscriber.try_send(message.clone()) {
                        Ok(()) => true,
                        Err(error) if error.is_full() => { dropped += 1; true }
                        Err(_) => false,
                    }
                });
            }
        }
    }
}

#[goruntime::main]
fn main() {
    let ((publish, messages), (join, joins)) = (unbounded(), bounded(0));
    let broker = spawn(move || broker(messages, joins));
    let subscribers: Vec<_> = [8, 8, 2]
        .into_iter()
        .map(|room| {
            let (tx, rx) = bounded(room);
            join.send(tx).expect("the broker listens");
            rx
        })
        .collect();
    // The third never reads before the end, and there is room for two.
    for number in 1..=5 {
        publish.send(format!("news {number}")).expect("the broker listens");
    }
    let reader = spawn({
        let subscribers = subscribers.clone();
        move || {
            // Whoever has something first: a list of channels that is not known beforehand.
            let mut select = Select::new();
            subscribers[..2].iter().for_each(|rx| _ = select.recv(rx));
            let mut counts = [0; 2];
            while counts != [5; 2] {
                let operation = select.select();
                let index = operation.index();
                counts[index] += operation.recv(&subscribers[index]).map_or(0, |_| 1);
            }
            counts
        }
    });
    println!("the readers got {:?}", reader.join().expect("it does not panic"));
    go(move || drop(publish));
    println!("the broker dropped {}", broker.join().expect("it does not panic"));
    println!("the slow one got {:?}", subscribers[2].iter().collect::<Vec<_>>());
}
