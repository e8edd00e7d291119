//! Runs what was parsed.

use std::env;

use goruntime::fs::{File, OpenOptions};
use goruntime::io::{self, PipeWriter, Write, pipe};
use goruntime::os::unix::process::ExitStatusExt;
use goruntime::process::{Child, Command, ExitStatus, Stdio};
use goruntime::signal::Signal;
use goruntime::{JoinHandle, spawn};

use crate::parse::{self, List, Piece, Redirection, Word};

/// Statuses of commands that do not run.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

/// What a shell remembers.
#[derive(Debug, Default)]
pub(crate) struct Shell {
    status: u8,
    exited: bool,
}

/// A part of a pipeline that runs.
#[derive(Debug)]
enum Part {
    Process(Child),
    /// Something built in, which prints.
    Goroutine(JoinHandle<io::Result<()>>),
    /// It has ended already, or never begun.
    Ended(u8),
}

/// Where a part reads from and prints to.
#[derive(Debug, Default)]
struct Streams {
    /// None is the shell's.
    input: Option<Stdio>,
    output: Option<Output>,
}

/// Where a part prints to, if not to where the shell does.
#[derive(Debug)]
enum Output {
    File(File),
    Pipe(PipeWriter),
}

impl Shell {
    /// The status of the last command.
    pub(crate) fn status(&self) -> u8 {
        self.status
    }

    /// Whether the command `exit` was run.
    pub(crate) fn has_exited(&self) -> bool {
        self.exited
    }

    /// Has something failed that is no command.
    pub(crate) fn fail(&mut self, status: u8) {
        self.status = status;
    }

    /// Runs the lists of a line. False if one of them had `exit` in it.
    pub(crate) fn run(&mut self, lists: &[List]) -> bool {
        for list in lists {
            for pipeline in list {
                self.status = self.pipeline(pipeline);
                if self.exited {
                    return false;
                }
                if self.status != 0 {
                    break;
                }
            }
        }
        true
    }

    /// Runs the commands of a pipeline at the same time, and returns the status of the last.
    fn pipeline(&mut self, commands: &[parse::Command]) -> u8 {
        let mut parts = Vec::new();
        let mut input = None;
        for (place, command) in commands.iter().enumerate() {
            let mut streams = Streams { input: input.take(), output: None };
            if place + 1 < commands.len() {
                match pipe() {
                    Ok((reader, writer)) => {
                        input = Some(Stdio::from(reader));
                        streams.output = Some(Output::Pipe(writer));
                    }
                    Err(error) => {
                        parts.push(Part::Ended(complain("pipe", &error, 1)));
                        break;
                    }
                }
            }
            parts.push(self.start(command, streams, commands.len() == 1));
        }
        parts.into_iter().map(Part::wait).last().unwrap_or(0)
    }

    /// Starts a command. If it is alone, what is built in changes the shell.
    fn start(&mut self, command: &parse::Command, mut streams: Streams, alone: bool) -> Part {
        let words: Vec<_> = command.words.iter().map(|word| self.expand(word)).collect();
        for (redirection, name) in &command.redirections {
            let name = self.expand(name);
            if let Err(error) = streams.redirect(*redirection, &name) {
                return Part::Ended(complain(&name, &error, 1));
            }
        }
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        match &words[..] {
            [] => Part::Ended(0),
            ["cd", rest @ ..] => Part::Ended(change_directory(rest, alone)),
            ["exit", rest @ ..] => Part::Ended(self.exit(rest, alone)),
            ["echo", rest @ ..] => streams.print(rest.join(" ") + "\n"),
            ["pwd"] => streams.print(format!("{}\n", env::current_dir().unwrap_or_default().display())),
            [program, args @ ..] => streams.start(program, args),
        }
    }

    fn exit(&mut self, args: &[&str], alone: bool) -> u8 {
        self.exited = alone;
        match args {
            [] => self.status,
            [status] => match status.parse::<u32>() {
                // The system keeps eight bits.
                Ok(status) => status as u8,
                Err(_) => complain("exit", &format!("`{status}` is no status"), 2),
            },
            _ => complain("exit", &"more than one status", 2),
        }
    }

    fn expand(&self, word: &Word) -> String {
        let text = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Variable(name) if name == "?" => self.status.to_string(),
            Piece::Variable(name) => env::var(name).unwrap_or_default(),
        };
        word.iter().map(text).collect()
    }
}

impl Streams {
    fn redirect(&mut self, redirection: Redirection, name: &str) -> io::Result<()> {
        let mut options = OpenOptions::new();
        match redirection {
            Redirection::Read => self.input = Some(File::open(name)?.into()),
            Redirection::Write => {
                self.output = Some(Output::File(options.write(true).create(true).truncate(true).open(name)?));
            }
            Redirection::Append => self.output = Some(Output::File(options.append(true).create(true).open(name)?)),
        }
        Ok(())
    }

    fn start(self, program: &str, args: &[&str]) -> Part {
        let output = self.output.map_or(Stdio::inherit(), |output| match output {
            Output::File(file) => file.into(),
            Output::Pipe(writer) => writer.into(),
        });
        let mut command = Command::new(program);
        match command.args(args).stdin(self.input.unwrap_or(Stdio::inherit())).stdout(output).spawn() {
            Ok(child) => Part::Process(child),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Part::Ended(complain(program, &"command not found", NOT_FOUND))
            }
            Err(error) => Part::Ended(complain(program, &error, NOT_EXECUTABLE)),
        }
    }

    /// Prints in a goroutine: the next part has to start before it takes anything.
    fn print(self, text: String) -> Part {
        Part::Goroutine(spawn(move || match self.output {
            None => io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()),
            Some(Output::File(mut file)) => file.write_all(text.as_bytes()),
            Some(Output::Pipe(mut writer)) => writer.write_all(text.as_bytes()),
        }))
    }
}

impl Part {
    fn wait(self) -> u8 {
        match self {
            Part::Ended(status) => status,
            Part::Process(mut child) => match child.wait() {
                Ok(status) => status_of(status),
                Err(error) => complain("wait", &error, 1),
            },
            Part::Goroutine(handle) => match handle.join().expect("printing does not panic") {
                // As the signal that a process gets for this.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => 128 + Signal::PIPE.as_raw() as u8,
                Err(error) => complain("echo", &error, 1),
                Ok(()) => 0,
            },
        }
    }
}

fn status_of(status: ExitStatus) -> u8 {
    // One of the two is there.
    status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or_default() as u8
}

fn change_directory(args: &[&str], alone: bool) -> u8 {
    let directory = match args {
        [] => env::var("HOME").unwrap_or_default(),
        [directory] => (*directory).to_owned(),
        _ => return complain("cd", &"more than one directory", 2),
    };
    let before = env::current_dir();
    match env::set_current_dir(&directory) {
        // As a part of a pipeline it shows whether it could, as in a process of its own.
        Ok(()) if !alone => {
            before.and_then(env::set_current_dir).map_or_else(|error| complain("cd", &error, 2), |()| 0)
        }
        Ok(()) => 0,
        Err(error) => complain(&format!("cd: {directory}"), &error, 2),
    }
}

/// Says what is wrong, and returns the status.
fn complain(what: &str, wrong: &dyn std::fmt::Display, status: u8) -> u8 {
    eprintln!("shell: {what}: {wrong}");
    status
}
