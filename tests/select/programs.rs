//! The classic programs of channels and select.
//!
//! Why here: a part of `select`; each is small and known to find errors.
//!
//! *Invariants*: T1 and T2 of `common/procs`.
//!
//! *Locks*: none.
//!
//! *Go:* test/chan/{doubleselect,fifo,goroutines,nonblock,powser1,select3,select7,sieve1,sieve2}.go.

use goruntime::channel::{Receiver, RecvError, Sender, TryRecvError, bounded, never, select, unbounded};
use goruntime::sync::WaitGroup;
use goruntime::{go, spawn};

use super::procs::{settle, with_procs};

/// Doubled selects over four channels deliver each value once.
#[test]
fn doubleselect_delivers_no_value_twice() {
    const VALUES: usize = 10_000;
    for procs in [1, 2, 4] {
        with_procs(procs, || {
            let (channels, results) = ([(); 4].map(|()| bounded(0)), unbounded());
            let senders = channels.each_ref().map(|(tx, _): &(Sender<usize>, _)| tx.clone());
            go(move || {
                let [a, b, c, d] = &senders;
                for i in 0..VALUES {
                    select! {
                        send(a, i) -> sent => sent.unwrap(),
                        send(b, i) -> sent => sent.unwrap(),
                        send(c, i) -> sent => sent.unwrap(),
                        send(d, i) -> sent => sent.unwrap(),
                    }
                }
            });
            for (tx, rx) in channels {
                drop(tx);
                let results = results.0.clone();
                go(move || {
                    let nothing = never::<usize>();
                    loop {
                        // Twice on one channel.
                        let value = select! {
                            recv(rx) -> value => value,
                            recv(nothing) -> value => value,
                            recv(rx) -> value => value,
                        };
                        let Ok(value) = value else { return };
                        results.send(value).unwrap();
                    }
                });
            }
            drop(results.0);
            let mut values: Vec<_> = results.1.iter().collect();
            values.sort_unstable();
            assert!(values.into_iter().eq(0..VALUES));
        });
    }
}

/// A chain in which each waits for the one before: values leave the last one in order.
#[test]
fn fifo_through_a_chain_of_selects() {
    with_procs(1, || {
        for cap in [0, 10] {
            let (first, mut rx) = bounded(cap);
            for _ in 0..100 {
                let (tx, next) = bounded(cap);
                let before = std::mem::replace(&mut rx, next);
                go(move || {
                    loop {
                        let value = select! { recv(before) -> value => value, recv(never()) -> value => value };
                        let Ok(value) = value else { return };
                        select! { send(tx, value) -> sent => sent.unwrap(), recv(never::<()>()) -> _ => {} }
                    }
                });
            }
            go(move || (0..50).for_each(|i| first.send(i).unwrap()));
            assert!(rx.iter().eq(0..50));
        }
    });
}

/// The daisy chain: ten thousand goroutines, each adds one.
#[test]
fn a_chain_of_ten_thousand_goroutines() {
    for procs in [1, 2] {
        with_procs(procs, || {
            let (leftmost, first) = bounded(0);
            let mut left = leftmost;
            for _ in 0..10_000 {
                let (right, from_right) = bounded(0);
                let to_left = std::mem::replace(&mut left, right);
                go(move || {
                    select! {
                        recv(from_right) -> value => to_left.send(value.unwrap() + 1).unwrap(),
                        recv(never::<()>()) -> _ => {}
                    }
                });
            }
            go(move || left.send(1).unwrap());
            assert_eq!(first.recv(), Ok(10_001));
        });
    }
}

/// Non-blocking operations, of no type in particular, see exactly what is there.
#[test]
fn nonblock_sees_what_is_there() {
    fn check<T: Clone + PartialEq + std::fmt::Debug + Send + 'static>(value: T) {
        for cap in [0, 1, 10] {
            let (tx, rx) = bounded(cap);
            select! { recv(rx) -> _ => panic!("nothing was sent"), default => {} }
            let (asked, reached) = unbounded();
            go({
                let rx = rx.clone();
                move || asked.send(rx.recv().unwrap()).unwrap()
            });
            settle();
            select! { send(tx, value.clone()) -> sent => sent.unwrap(), default => panic!("a receiver waits") }
            assert_eq!(reached.recv(), Ok(value.clone()));
            for room in (0..=cap).rev() {
                let sent = select! { send(tx, value.clone()) -> _ => true, default => false };
                assert_eq!(sent, room > 0);
            }
            assert_eq!(rx.try_iter().count(), cap);
        }
    }
    with_procs(1, || {
        check(7u8);
        check(String::from("text"));
        check(());
        check([1.5f64; 40]);
    });
}

type Make = fn() -> (Sender<i32>, Receiver<i32>);

/// What blocks and what does not, for channels of all kinds.
#[test]
fn the_table_of_what_blocks() {
    fn blocks(operation: impl FnOnce() + Send + 'static) -> bool {
        let worker = spawn(operation);
        settle();
        let finished = worker.is_finished();
        // Those that block stay until their channels go, which the others hold.
        if finished {
            worker.join().unwrap();
        }
        !finished
    }
    fn closed() -> (Sender<i32>, Receiver<i32>) {
        let (tx, rx) = bounded(0);
        tx.close();
        (tx, rx)
    }
    fn full() -> (Sender<i32>, Receiver<i32>) {
        let (tx, rx) = bounded(1);
        tx.send(1).unwrap();
        (tx, rx)
    }
    with_procs(1, || {
        let mut held = Vec::new();
        let table: [(Make, bool, bool); 4] =
            [(|| bounded(0), true, true), (closed, false, false), (full, true, false), (|| bounded(1), false, true)];
        for (make, send_blocks, recv_blocks) in table {
            let ((tx, rx), (sender, receiver), (other, another)) = (make(), make(), make());
            let (tx2, rx2, other2) = (tx.clone(), another.clone(), other.clone());
            held.extend([(tx2, rx), (sender, rx2), (other2, receiver.clone())]);
            assert_eq!(blocks(move || select! { send(tx, 1) -> _ => {} recv(never::<()>()) -> _ => {} }), send_blocks);
            assert_eq!(
                blocks(move || select! { recv(receiver) -> _ => {} recv(never::<()>()) -> _ => {} }),
                recv_blocks
            );
            assert!(!blocks(move || select! { send(other, 1) -> _ => {} recv(another) -> _ => {} default => {} }));
        }
        let nothing = never::<i32>();
        assert!(blocks(move || select! { recv(nothing) -> _ => {} }));
        assert!(blocks(|| select! {}));
        assert!(!blocks(|| select! { default => {} }));
    });
}

/// Both forms of a receive in a loop with a default, while the sender is slower.
#[test]
fn receives_in_all_forms_get_every_value() {
    with_procs(2, || {
        for cap in [0, 1, 3] {
            let (tx, rx) = bounded(cap);
            go(move || (0..300).for_each(|i| tx.send(i).unwrap()));
            let mut values = Vec::new();
            while values.len() < 300 {
                match values.len() % 5 {
                    0 => values.push(rx.recv().unwrap()),
                    1 => select! { recv(rx) -> value => values.push(value.unwrap()) },
                    2 => {
                        select! { recv(rx) -> value => values.push(value.unwrap()), default => goruntime::runtime::yield_now() }
                    }
                    3 => select! { recv(rx) -> value => values.push(value.unwrap()), recv(never::<()>()) -> _ => {} },
                    _ => match rx.try_recv() {
                        Ok(value) => values.push(value),
                        Err(TryRecvError::Empty) => goruntime::runtime::yield_now(),
                        Err(TryRecvError::Disconnected) => panic!("{} of 300", values.len()),
                    },
                }
            }
            assert!(values.into_iter().eq(0..300) && rx.recv() == Err(RecvError));
        }
    });
}

/// The sieve that merges streams of multiples with selects instead of a chain of filters.
#[test]
fn a_sieve_of_selects_finds_the_primes() {
    fn multiples(of: u32, last: u32) -> Receiver<u32> {
        let (tx, rx) = bounded(0);
        go(move || {
            (of..=last / of).map(|factor| factor * of).take_while(|&multiple| tx.send(multiple).is_ok()).for_each(drop)
        });
        rx
    }
    for procs in [1, 2] {
        with_procs(procs, || {
            const LAST: u32 = 400;
            let streams: Vec<_> = (2..=20).map(|of| multiples(of, LAST)).collect();
            let mut is_prime = vec![true; LAST as usize + 1];
            let (merged, all) = unbounded();
            let group = WaitGroup::new();
            for pair in streams.chunks(2) {
                let (a, b, merged) = (pair[0].clone(), pair.get(1).cloned().unwrap_or_else(never), merged.clone());
                let alone = pair.len() == 1;
                group.go(move || {
                    let (mut a, mut b, mut open) = (a, b, if alone { 1 } else { 2 });
                    while open > 0 {
                        let ended = select! {
                            recv(a) -> value => match value { Ok(value) => { merged.send(value).unwrap(); None } Err(RecvError) => Some(0) },
                            recv(b) -> value => match value { Ok(value) => { merged.send(value).unwrap(); None } Err(RecvError) => Some(1) },
                        };
                        match ended {
                            Some(0) => a = never(),
                            Some(_) => b = never(),
                            None => continue,
                        }
                        open -= 1;
                    }
                });
            }
            drop((merged, streams));
            group.wait();
            all.iter().for_each(|multiple| is_prime[multiple as usize] = false);
            let primes: Vec<_> = (2..=LAST).filter(|&number| is_prime[number as usize]).collect();
            assert_eq!(primes.len(), 78);
            assert_eq!((primes[..10].to_vec(), primes[77]), (vec![2, 3, 5, 7, 11, 13, 17, 19, 23, 29], 397));
        });
    }
}

/// Power series as endless streams of coefficients: the product of two, checked against 1/(1-x)^2 = 1 + 2x + 3x^2 ...
#[test]
fn power_series_multiply() {
    fn ones() -> Receiver<i64> {
        let (tx, rx) = bounded(0);
        go(move || while tx.send(1).is_ok() {});
        rx
    }
    /// Sends each coefficient to two readers, whoever is ready first.
    fn split(series: Receiver<i64>) -> [Receiver<i64>; 2] {
        let ((tx1, rx1), (tx2, rx2)) = (unbounded(), unbounded());
        go(move || {
            while let Ok(value) = series.recv() {
                let (sent, other) = select! {
                    send(tx1, value) -> sent => (sent, &tx2),
                    send(tx2, value) -> sent => (sent, &tx1),
                };
                if sent.is_err() || other.send(value).is_err() {
                    return;
                }
            }
        });
        [rx1, rx2]
    }
    /// The Cauchy product, coefficient by coefficient.
    fn product(a: Receiver<i64>, b: Receiver<i64>) -> Receiver<i64> {
        let (tx, rx) = bounded(0);
        go(move || {
            let (mut left, mut right) = (Vec::new(), Vec::new());
            loop {
                for _ in 0..2 {
                    let (need_a, need_b) = (left.len() <= right.len(), right.len() <= left.len());
                    let (idle_a, idle_b) = (never(), never());
                    let (a, b) = (if need_a { &a } else { &idle_a }, if need_b { &b } else { &idle_b });
                    select! {
                        recv(a) -> value => match value { Ok(value) => left.push(value), Err(RecvError) => return },
                        recv(b) -> value => match value { Ok(value) => right.push(value), Err(RecvError) => return },
                    }
                }
                let coefficient = left.iter().zip(right.iter().rev()).map(|(a, b)| a * b).sum();
                if tx.send(coefficient).is_err() {
                    return;
                }
            }
        });
        rx
    }
    for procs in [1, 2] {
        with_procs(procs, || {
            let [a, b] = split(ones());
            let square = product(a, b);
            let fourth = product(square, product(ones(), ones()));
            // 1/(1-x)^4: the coefficients are the tetrahedral numbers.
            assert!(fourth.iter().take(30).eq((1..=30).map(|n| n * (n + 1) * (n + 2) / 6)));
        });
    }
}
