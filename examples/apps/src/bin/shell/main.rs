//! A small shell: pipelines, `<`, `>`, `>>`, `&&`, `;`, quotes, `$NAME` and `$?`, and the built-in commands cd, echo, exit and pwd.
//!
//! Shows child processes and pipes between them. What is built in runs as a goroutine if it is a part of a pipeline, so that it may wait for the next part
//! to take what it prints. Reads commands from standard input, with a prompt on a terminal, or from the argument of `-c`. Ends with the status of the last command.

mod execute;
mod parse;

use std::os::fd::AsFd;

use goruntime::channel::bounded;
use goruntime::fs::File;
use goruntime::io::{self, IsTerminal, Read, Write};
use goruntime::process::ExitCode;
use goruntime::signal::{self, Signal};
use goruntime_apps::usage;

use execute::Shell;

/// The status after a line that is no command.
const SYNTAX_ERROR: u8 = 2;

#[goruntime::main]
fn main() -> io::Result<ExitCode> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let mut shell = Shell::default();
    match &args[..] {
        [] => interpret(&mut shell, &mut Lines::of_stdin()?),
        [option, text] if option == "-c" => text.lines().all(|line| understand(&mut shell, line)),
        _ => return Ok(usage("shell", "that is too much", "[-c COMMANDS]")),
    };
    Ok(ExitCode::from(shell.status()))
}

/// Reads and runs commands until their end, or until one is `exit`.
fn interpret(shell: &mut Shell, lines: &mut Lines) -> bool {
    // Without room: nobody wants to know.
    let (interrupts, _dropped) = bounded(0);
    if lines.prompting {
        // What a terminal sends with Ctrl-C is for the commands. They do not inherit that it is caught.
        signal::notify(&interrupts, &[Signal::INT]).expect("SIGINT can be caught");
    }
    loop {
        match lines.next() {
            Ok(None) => return true,
            // A script that cannot go on at a place may go wrong after it, somebody at a terminal has another try.
            Ok(Some(line)) if understand(shell, &line) || lines.prompting && !shell.has_exited() => {}
            Ok(Some(_)) => return false,
            Err(error) => {
                eprintln!("shell: standard input: {error}");
                shell.fail(1);
                return false;
            }
        }
    }
}

/// Runs a line. False if it is the last.
fn understand(shell: &mut Shell, line: &str) -> bool {
    match parse::line(line) {
        Ok(lists) => shell.run(&lists),
        Err(error) => {
            eprintln!("shell: {error}");
            shell.fail(SYNTAX_ERROR);
            false
        }
    }
}

/// The lines of standard input, without the buffer that [`io::stdin`] has.
#[derive(Debug)]
struct Lines {
    stdin: File,
    prompting: bool,
}

impl Lines {
    fn of_stdin() -> io::Result<Lines> {
        let stdin = io::stdin();
        Ok(Lines { prompting: stdin.is_terminal(), stdin: stdin.as_fd().try_clone_to_owned()?.into() })
    }

    /// Byte by byte: what is behind the line is for the command that it starts.
    fn next(&mut self) -> io::Result<Option<String>> {
        if self.prompting {
            // In one piece, so that nothing that is typed meanwhile comes between.
            let prompt = format!("{}$ ", std::env::current_dir().unwrap_or_default().display());
            io::stderr().write_all(prompt.as_bytes())?;
        }
        let mut line = Vec::new();
        let mut byte = [0];
        loop {
            match self.stdin.read(&mut byte) {
                Ok(0) if line.is_empty() => return Ok(None),
                Ok(0) => break,
                Ok(_) if byte[0] == b'\n' => break,
                Ok(_) => line.push(byte[0]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        String::from_utf8(line).map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}
