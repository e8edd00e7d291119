//! Programs that listen for signals.
//!
//! Why here: driven by `tests/signals.rs`, which sends the signals.
//!
//! *Invariants*
//! - SG1. A program prints `ready` when everything that it is about is in place.
//! - SG2. Which signals a program is about stands in its arguments, by number.
//!
//! *Locks*: none.
//!
//! *Go:* os/signal/signal_test.go.

use std::io::{self, Read, Write};
use std::process::{Command, exit};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use goruntime::channel::{Receiver, Sender, TryRecvError, bounded, unbounded};
use goruntime::context::{self, ContextError};
use goruntime::net::{TcpListener, TcpStream};
use goruntime::runtime::{self, goexit, lock_os_thread, yield_now};
use goruntime::signal::{self, Signal, SignalReceived, notify, notify_context, raise};
use goruntime::time::sleep;
use goruntime::{go, select, spawn};

use crate::Program::{Body, Plain};
use crate::Table;

pub(crate) const PROGRAMS: Table = &[
    ("sig_raise", Body(|| arguments().into_iter().for_each(|signal| raise(signal).unwrap()))),
    ("sig_print", Body(print)),
    ("sig_print_library", Plain(print)),
    ("sig_init", Body(init)),
    ("sig_init_library", Plain(init)),
    ("sig_all", Body(all)),
    ("sig_undo", Body(undo)),
    ("sig_undo_library", Plain(undo)),
    ("sig_ignore", Body(ignore)),
    ("sig_wait_for_children", Body(wait_for_children)),
    ("sig_full", Body(full)),
    ("sig_union", Body(union)),
    ("sig_one_by_one", Body(one_by_one)),
    ("sig_storm", Body(storm)),
    ("sig_atomic_stop", Body(atomic_stop)),
    ("sig_contexts", Body(contexts)),
    ("sig_server", Body(server)),
    ("sig_busy", Body(busy)),
    ("sig_dead_after_stop", Body(dead_after_stop)),
    ("sig_dead_after_thread", Body(dead_after_thread)),
    ("sig_alive", Body(alive)),
    ("sig_exit_in_a_storm", Body(exit_in_a_storm)),
];

/// The signals in the arguments (SG2).
fn arguments() -> Vec<Signal> {
    let numbers = std::env::args().skip(2).map_while(|text| text.parse().ok());
    numbers.map(|number| Signal::from_raw(number).unwrap()).collect()
}

pub(crate) fn listen(room: usize, signals: &[Signal]) -> (Sender<Signal>, Receiver<Signal>) {
    let (tx, rx) = bounded(room);
    notify(&tx, signals).unwrap();
    (tx, rx)
}

/// Sleeps, which is no deadlock.
pub(crate) fn forever() -> ! {
    loop {
        sleep(Duration::from_secs(3600));
    }
}

/// Prints what comes; the last of the arguments ends it. On a plain thread if it is the body of a library program.
fn print() {
    let signals = arguments();
    let (_tx, rx) = listen(signals.len(), &signals);
    println!("ready");
    for signal in &rx {
        println!("{signal:?}: {signal}");
        if Some(&signal) == signals.last() {
            break;
        }
    }
}

static OF_INIT: Mutex<Option<Receiver<Signal>>> = Mutex::new(None);

/// An init function listens. In a library it runs while the first use of the runtime waits, which is to listen, too.
pub(crate) fn listen_in_an_init() {
    let (_tx, rx) = listen(1, &[Signal::USR1]);
    *OF_INIT.lock().unwrap() = Some(rx);
}

fn init() {
    let (_tx, rx) = listen(1, &[Signal::USR2]);
    raise(Signal::USR1).unwrap();
    raise(Signal::USR2).unwrap();
    let of_init = OF_INIT.lock().unwrap().take().unwrap();
    println!("{:?} {:?}", of_init.recv(), rx.recv());
}

/// Gets everything that can be caught.
fn all() {
    let (_tx, rx) = listen(100, &[]);
    println!("ready");
    let mut last = None;
    while last != Some(Signal::TERM) {
        // A stray SIGCHLD or the like is no matter.
        last = rx.recv().ok();
        println!("{:?}", last.unwrap());
    }
}

/// Gets a signal once, takes that back in the way that the first environment variable says, and raises it again.
fn undo() {
    let signal = arguments()[0];
    let how = std::env::var("UNDO").unwrap();
    if how == "handle" {
        let (ctx, stop) = notify_context(&context::background(), &[signal]).unwrap();
        raise(signal).unwrap();
        ctx.done().recv().unwrap_err();
        println!("{}", ctx.cause().unwrap());
        stop.stop();
    } else {
        let (tx, rx) = listen(1, &[signal]);
        raise(signal).unwrap();
        println!("{:?}", rx.recv().unwrap());
        match how.as_str() {
            "stop" => signal::stop(&tx),
            "reset" => signal::reset(&[signal]).unwrap(),
            "reset_all" => signal::reset(&[]).unwrap(),
            "ignore" => {
                signal::ignore(&[signal]).unwrap();
                raise(signal).unwrap();
                assert!(signal::is_ignored(signal));
                signal::reset(&[signal]).unwrap();
                assert!(!signal::is_ignored(signal));
            }
            "again" => {
                signal::stop(&tx);
                notify(&tx, &[signal]).unwrap();
                raise(signal).unwrap();
                println!("{:?}", rx.recv().unwrap());
                signal::stop(&tx);
            }
            other => panic!("UNDO={other}"),
        }
    }
    raise(signal).unwrap();
    // If the signal has no effect this is reached; what has one comes at the latest while this sleeps.
    println!("raised");
    std::thread::sleep(Duration::from_millis(100));
    println!("went on");
    forever();
}

fn ignore() {
    signal::ignore(&[Signal::INT, Signal::TERM, Signal::QUIT]).unwrap();
    for signal in [Signal::INT, Signal::TERM, Signal::QUIT] {
        raise(signal).unwrap();
    }
    println!("{} {}", signal::is_ignored(Signal::INT), signal::is_ignored(Signal::HUP));
    // Listening takes it back.
    let (_tx, rx) = listen(1, &[Signal::INT]);
    raise(Signal::INT).unwrap();
    println!("{:?} {}", rx.recv().unwrap(), signal::is_ignored(Signal::INT));
    // Ignored, this one has no effect on children that are waited for.
    signal::ignore(&[Signal::CHLD]).unwrap();
    println!("{}", Command::new("true").status().unwrap().success() && signal::is_ignored(Signal::CHLD));
    assert!(signal::ignore(&[Signal::KILL]).is_err() && signal::reset(&[Signal::SEGV]).is_err());
    assert!(notify(&bounded(1).0, &[Signal::INT, Signal::STOP]).is_err());
}

/// Waits for a child, before somebody has listened for the ends of children and afterwards.
fn wait_for_children() {
    let succeeds = || Command::new("true").status().is_ok_and(|status| status.success());
    let before = succeeds();
    let (tx, rx) = listen(1, &[Signal::CHLD]);
    raise(Signal::CHLD).unwrap();
    let heard = rx.recv().unwrap();
    signal::stop(&tx);
    println!("{before} {heard:?} {}", succeeds());
}

/// A channel without room gets nothing, and takes nothing from others.
fn full() {
    let (small, small_rx) = listen(1, &[Signal::USR1, Signal::USR2]);
    let (_none, none_rx) = listen(0, &[Signal::USR1, Signal::USR2]);
    let (_large, large_rx) = listen(10, &[Signal::USR1, Signal::USR2]);
    for signal in [Signal::USR1, Signal::USR2, Signal::USR1] {
        raise(signal).unwrap();
        // The channels get it in the order in which they were registered.
        assert_eq!(large_rx.recv(), Ok(signal));
    }
    signal::stop(&small);
    println!("{:?} {:?} {:?}", small_rx.try_recv(), small_rx.try_recv(), none_rx.try_recv());
}

/// One channel twice is one with both; what is stopped gets nothing, and others go on.
fn union() {
    let (tx, rx) = unbounded();
    let (_other, other_rx) = listen(10, &[Signal::USR1, Signal::USR2, Signal::WINCH]);
    for signal in [Signal::USR1, Signal::USR2, Signal::USR1] {
        notify(&tx, &[signal]).unwrap();
    }
    for signal in [Signal::USR1, Signal::USR2] {
        raise(signal).unwrap();
        println!("{:?} {:?}", rx.recv().unwrap(), other_rx.recv().unwrap());
    }
    signal::reset(&[Signal::USR1]).unwrap();
    signal::stop(&tx);
    signal::stop(&tx);
    // No effect, in a program with the attribute.
    raise(Signal::USR1).unwrap();
    raise(Signal::WINCH).unwrap();
    println!("{:?} {:?}", other_rx.recv().unwrap(), rx.try_recv());
    drop(tx);
    println!("{:?}", rx.try_recv() == Err(TryRecvError::Disconnected));
}

/// None of a thousand is lost, if each is waited for.
fn one_by_one() {
    let (_tx, rx) = listen(1, &[Signal::USR1]);
    for _ in 0..1_000 {
        raise(Signal::USR1).unwrap();
        assert_eq!(rx.recv(), Ok(Signal::USR1));
    }
    println!("{:?}", rx.try_recv());
}

static WEATHER: AtomicBool = AtomicBool::new(true);

/// Talks to a server of its own, a line at a time; returns how often.
fn chatter() -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let echo = spawn(move || {
        let mut byte = [0];
        while server.read(&mut byte).unwrap() == 1 {
            server.write_all(&byte).unwrap();
        }
    });
    let mut rounds = 0;
    while rounds < 500 || WEATHER.load(Ordering::Relaxed) {
        client.write_all(&[rounds as u8]).unwrap();
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        assert_eq!(byte, [rounds as u8]);
        rounds += 1;
    }
    drop(client);
    echo.join().unwrap();
    rounds
}

/// System calls of std that the runtime knows nothing of.
fn plain_calls() -> usize {
    let (mut reader, mut writer) = io::pipe().unwrap();
    let thread = std::thread::spawn(move || {
        let mut sum = 0;
        let mut byte = [0];
        while reader.read(&mut byte).unwrap() == 1 {
            sum += usize::from(byte[0]);
        }
        sum
    });
    let mut rounds = 0;
    while rounds < 100 || WEATHER.load(Ordering::Relaxed) {
        writer.write_all(&[1]).unwrap();
        std::thread::sleep(Duration::from_micros(50));
        assert!(!std::fs::read("/proc/self/stat").unwrap().is_empty());
        rounds += 1;
    }
    drop(writer);
    assert_eq!(thread.join().unwrap(), rounds);
    rounds
}

/// Thousands of signals that nobody waits for, while everything else goes on: nothing fails, and nothing is lost.
fn storm() {
    let (_tx, rx) = listen(1, &[Signal::USR1, Signal::USR2, Signal::ALRM, Signal::WINCH, Signal::CHLD]);
    let work = [spawn(chatter), spawn(chatter), spawn(plain_calls), spawn(naps), spawn(switches)];
    // With the number of a thread the kernel takes that one, if it can.
    let thunder =
        "for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do for signal in USR1 USR2 ALRM WINCH; do
        for thread in $(ls /proc/$0/task); do kill -$signal $thread; kill -$signal $0; done; done; done 2>/dev/null";
    for _ in 0..3 {
        let id = std::process::id().to_string();
        assert!(Command::new("sh").args(["-c", thunder, &id]).status().unwrap().success());
    }
    WEATHER.store(false, Ordering::Relaxed);
    assert!(work.into_iter().all(|handle| handle.join().unwrap() > 0));
    // After the storm each one counts again.
    let (_tx, quiet) = listen(1, &[Signal::IO]);
    raise(Signal::IO).unwrap();
    println!("{:?} {}", quiet.recv(), rx.len());
}

fn naps() -> usize {
    let mut rounds = 0;
    while rounds < 20 || WEATHER.load(Ordering::Relaxed) {
        sleep(Duration::from_micros(200));
        let (ctx, _cancel) = context::with_timeout(&context::background(), Duration::from_micros(100));
        ctx.done().recv().unwrap_err();
        assert_eq!(ctx.err(), Some(ContextError::DeadlineExceeded));
        rounds += 1;
    }
    rounds
}

fn switches() -> usize {
    let (there, here) = (bounded(0), bounded(0));
    let echo = spawn(move || there.1.iter().for_each(|number: usize| here.0.send(number).unwrap()));
    let mut rounds = 0;
    while rounds < 1_000 || WEATHER.load(Ordering::Relaxed) {
        there.0.send(rounds).unwrap();
        assert_eq!(here.1.recv(), Ok(rounds));
        rounds += 1;
    }
    drop(there.0);
    echo.join().unwrap();
    rounds
}

/// A signal that comes while a channel is stopped is delivered, or it ends the program.
fn atomic_stop() {
    for round in 0..500 {
        let (tx, rx) = listen(1, &[Signal::INT]);
        let raiser = std::thread::spawn(|| raise(Signal::INT).unwrap());
        (0..round % 50).for_each(|_| yield_now());
        signal::stop(&tx);
        raiser.join().unwrap();
        if rx.try_recv().is_err() {
            // It was sent again, and is on its way to end the program.
            std::thread::sleep(Duration::from_secs(20));
            println!("lost");
            return;
        }
    }
    println!("always before the stop");
}

fn contexts() {
    let background = context::background();
    let (ctx, stop) = notify_context(&background, &[Signal::INT, Signal::TERM]).unwrap();
    raise(Signal::INT).unwrap();
    ctx.done().recv().unwrap_err();
    let cause = ctx.cause().unwrap();
    println!("{cause} {:?} {:?}", cause.downcast_ref::<SignalReceived>().unwrap().signal(), ctx.err().unwrap());
    // Still caught, and without effect.
    raise(Signal::TERM).unwrap();
    stop.stop();
    println!("{}", ctx.cause().unwrap());

    let (ctx, stop) = notify_context(&background, &[Signal::INT]).unwrap();
    stop.stop();
    println!("{} {:?}", ctx.cause().unwrap(), ctx.err().unwrap());

    let (parent, cancel) = context::with_cancel_cause(&background);
    let (ctx, _stop) = notify_context(&parent, &[Signal::INT]).unwrap();
    cancel.cancel("out of cheese");
    println!("{}", ctx.cause().unwrap());
    let (ctx, _stop) = notify_context(&parent, &[Signal::INT]).unwrap();
    println!("{}", ctx.cause().unwrap());

    // Several contexts and a channel.
    let (_tx, rx) = listen(1, &[Signal::HUP]);
    let all: Vec<_> = (0..3).map(|_| notify_context(&background, &[Signal::HUP]).unwrap()).collect();
    raise(Signal::HUP).unwrap();
    for (ctx, _stop) in &all {
        ctx.done().recv().unwrap_err();
    }
    println!("{:?} {}", rx.recv(), all[2].0.cause().unwrap());
    assert!(notify_context(&background, &[Signal::KILL]).is_err());
}

/// Serves until it is told to stop, finishes what it has begun, and says so.
fn server() {
    let (ctx, stop) = notify_context(&context::background(), &[Signal::TERM]).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap());
    let handle = listener.try_clone().unwrap();
    let closer = spawn(move || {
        ctx.done().recv().unwrap_err();
        handle.close().unwrap();
        println!("{}", ctx.cause().unwrap());
    });
    let mut talks = Vec::new();
    while let Ok((mut stream, _)) = listener.accept() {
        println!("accepted");
        talks.push(spawn(move || {
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            stream.write_all(text.to_uppercase().as_bytes()).unwrap();
        }));
    }
    closer.join().unwrap();
    stop.stop();
    talks.into_iter().for_each(|talk| talk.join().unwrap());
    println!("served");
}

/// The only processor computes.
fn busy() {
    let (_tx, rx) = listen(1, &[Signal::TERM]);
    go(move || {
        rx.recv().unwrap();
        exit(7);
    });
    go(|| {
        println!("ready");
        loop {
            std::hint::spin_loop();
        }
    });
    goexit();
}

fn dead_after_stop() {
    let (tx, rx) = listen(1, &[Signal::USR1, Signal::USR2]);
    let (other, _other_rx) = listen(1, &[Signal::USR1]);
    raise(Signal::USR2).unwrap();
    rx.recv().unwrap();
    signal::stop(&tx);
    signal::reset(&[Signal::USR1]).unwrap();
    // It has the sender, so nobody closes it.
    let _keep = (tx, other);
    rx.recv().unwrap();
}

/// The last listener is stopped by a plain thread, which ends; main waits meanwhile.
fn dead_after_thread() {
    let (tx, rx) = listen(1, &[Signal::USR1]);
    let keep = tx.clone();
    std::thread::spawn(move || signal::stop(&tx));
    rx.recv().unwrap();
    drop(keep);
}

/// Nobody but a signal can wake anybody.
fn alive() {
    let (_tx, rx) = listen(1, &[Signal::TERM]);
    let (_never, nothing) = bounded::<()>(0);
    println!("ready");
    select! {
        recv(rx) -> signal => println!("{:?}", signal.unwrap()),
        recv(nothing) -> _ => unreachable!(),
    }
}

/// The main thread handles one signal after the other, and another thread leaves the program.
fn exit_in_a_storm() {
    // From here on the main thread is nobody else's.
    lock_os_thread();
    let (_tx, rx) = listen(1, &[Signal::USR1]);
    std::thread::spawn(|| {
        loop {
            // SAFETY: sends a signal that is caught to this process.
            unsafe { libc::kill(libc::getpid(), libc::SIGUSR1) };
        }
    });
    go(move || {
        rx.iter().take(3).for_each(drop);
        println!("leaving");
        runtime::exit(0)
    });
    forever()
}
