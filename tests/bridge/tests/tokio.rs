//! Crates that insist on tokio: its sockets, timers and tasks from goroutines.
//!
//! Why here: in a package of its own, see `src/lib.rs`.
//!
//! *Invariants*
//! - TK1. The context of tokio is there in every poll and at the end of a future, and nowhere else.
//!
//! *Locks*: none.
//!
//! *Go:* none.

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use goruntime::future::{block_on, spawn, tokio_handle, with_tokio};
use goruntime_bridge_tests::run;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Handle;

fn is_inside() -> bool {
    Handle::try_current().is_ok()
}

#[test]
fn tokios_timers_wake_goroutines() {
    run(|| {
        let begin = Instant::now();
        let sleepers: Vec<_> =
            (0..100).map(|_| spawn(with_tokio(async { tokio::time::sleep(Duration::from_millis(5)).await }))).collect();
        for sleeper in sleepers {
            sleeper.join().unwrap();
        }
        assert!(begin.elapsed() >= Duration::from_millis(5));
    });
}

#[test]
fn tokios_sockets_serve_goroutines() {
    run(|| {
        let (tx, rx) = goruntime::channel::bounded(1);
        let server = spawn(with_tokio(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            tx.send(listener.local_addr().unwrap()).unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            text
        }));
        let addr = rx.recv().unwrap();
        block_on(with_tokio(async move {
            let mut stream = tokio::net::TcpStream::connect(addr).await.unwrap();
            for _ in 0..1000 {
                stream.write_all(b"hello ").await.unwrap();
            }
        }));
        assert_eq!(server.join().unwrap(), "hello ".repeat(1000));
    });
}

#[test]
fn the_context_is_there_in_polls_and_at_the_end_and_nowhere_else() {
    struct Guard(goruntime::channel::Sender<bool>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.send(is_inside()).unwrap();
        }
    }
    run(|| {
        assert!(!is_inside());
        let (tx, rx) = goruntime::channel::bounded(2);
        let guard = Guard(tx.clone());
        let polls = block_on(with_tokio(async move {
            let _guard = guard;
            let before = is_inside();
            let mut again = false;
            poll_fn(|cx| {
                cx.waker().wake_by_ref();
                if std::mem::replace(&mut again, true) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            (before, is_inside())
        }));
        assert_eq!((polls, rx.recv()), ((true, true), Ok(true)));
        assert!(!is_inside());

        let guard = Guard(tx);
        let given_up = goruntime::future::timeout(
            Duration::ZERO,
            with_tokio(async move {
                let _guard = guard;
                std::future::pending::<()>().await;
            }),
        );
        assert!(block_on(given_up).is_err());
        assert_eq!(rx.recv(), Ok(true));
        assert!(!is_inside());
    });
}

/// Goroutines that meet inside of polls change threads everywhere else, and the guards are dropped where they were made.
#[test]
fn a_poll_that_parks_keeps_its_thread() {
    run(|| {
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                spawn(with_tokio(async {
                    for _ in 0..20 {
                        goruntime::runtime::yield_now();
                        goruntime::spawn(goruntime::runtime::yield_now).join().unwrap();
                        assert!(is_inside());
                        tokio::task::yield_now().await;
                    }
                }))
            })
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
        assert!(!is_inside());
    });
}

#[test]
fn tasks_of_tokio_and_goroutines_wait_for_each_other() {
    run(|| {
        let (to_tokio, mut from_goroutine) = tokio::sync::mpsc::channel(1);
        let (to_goroutine, mut from_tokio) = tokio::sync::mpsc::channel(1);
        let task = tokio_handle().spawn(async move {
            while let Some(number) = from_goroutine.recv().await {
                to_goroutine.send(number + 1).await.unwrap();
            }
        });
        block_on(async {
            for number in 0..1000 {
                to_tokio.send(number).await.unwrap();
                assert_eq!(from_tokio.recv().await, Some(number + 1));
            }
        });
        drop(to_tokio);
        block_on(task).unwrap();
    });
}

#[test]
fn a_panic_leaves_the_context() {
    run(|| {
        let outcome = spawn(with_tokio(async { panic!("inside") })).join();
        assert_eq!(*outcome.unwrap_err().downcast::<&str>().unwrap(), "inside");
        assert!(!is_inside());
        block_on(with_tokio(async { tokio::time::sleep(Duration::from_millis(1)).await }));
    });
}
