//! Child processes: their output, their ends, and time limits for them.
//!
//! Why here: what processes and descriptors for them are asked for.
//!
//! *Invariants*: none. *Locks*: none. *Go:* none.

use goruntime::io::Read;
use goruntime::os::unix::process::ExitStatusExt;
use goruntime::process::{Child, Command, Stdio};
use goruntime::spawn;
use goruntime::time::Duration;

use crate::{Table, again};

pub(crate) const PROGRAMS: Table = &[("children", children)];

fn start(command: &mut Command) -> Child {
    again("a child", || command.spawn())
}

fn children() {
    let talkers: Vec<_> = (0..4)
        .map(|index| {
            spawn(move || {
                let mut child = start(Command::new("echo").arg(index.to_string()).stdout(Stdio::piped()));
                let mut output = child.stdout.take().expect("it is a pipe");
                let (mut text, mut buffer) = (Vec::new(), [0; 64]);
                loop {
                    match again("read", || output.read(&mut buffer)) {
                        0 => break,
                        count => text.extend_from_slice(&buffer[..count]),
                    }
                }
                assert_eq!(String::from_utf8_lossy(&text), format!("{index}\n"));
                assert!(again("wait", || child.wait()).success());
            })
        })
        .collect();
    let sleepers: Vec<_> = (0..3)
        .map(|_| {
            spawn(|| {
                // It ends by itself when this program does.
                let mut child = start(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()));
                let waited = again("wait", || child.wait_timeout(Duration::from_millis(3)));
                assert_eq!(waited, None);
                child.kill().expect("it is ours");
                assert_eq!(again("wait", || child.wait()).signal(), Some(libc::SIGKILL));
            })
        })
        .collect();
    talkers.into_iter().for_each(|talker| talker.join().expect("it does not panic"));
    sleepers.into_iter().for_each(|sleeper| sleeper.join().expect("it does not panic"));
}
