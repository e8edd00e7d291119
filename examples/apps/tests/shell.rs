//! The shell, beside bash, and on a terminal.

mod common;

use std::fs;
use std::process::Command;

use common::{Directory, Output, Running, program, run};

const PATH: &str = env!("CARGO_BIN_EXE_shell");

/// Scripts that bash and the shell run alike.
const SCRIPTS: [&str; 24] = [
    "",
    "# nothing",
    "echo one;echo two ; echo three;",
    "echo 'a  b'  \"c  d\" e\\ f '' \"\" g#h # the end",
    "echo a\"b\"'c'\\d \"\\\"\\\\ \\a\" '\\'",
    "echo $HOME \"$HOME\" '$HOME' a$HOME/b $ $NOBODY-",
    "printf 'b\\na\\nc\\n' | sort | head -n 2",
    "seq 100000 | sort -n | tail -n 1",
    "yes | head -n 3",
    "echo built-in | cat | cat | cat",
    "seq 3 > out ; cat < out ; cat out out | wc -l",
    "echo 1 > out ; echo 2 >> out ; echo 3 >>out; cat out",
    "> empty ; cat empty ; wc -c < empty",
    "< out cat | wc -l",
    "true && echo yes && false && echo no ; echo $?",
    "false ; echo $? ; sh -c 'exit 77' ; echo $?",
    "sh -c 'kill -TERM $$' ; echo $?",
    "false | true ; echo $? ; true | false ; echo $?",
    "mkdir -p d/e && cd d && cd e && pwd > here ; cat here ; cd .. ; cat e/here ; cd /",
    "cd /usr | pwd ; exit 3 | cat ; echo $?",
    "echo on ; exit 5 ; echo off",
    "exit",
    "cat\nfor cat, not for the shell\n",
    "head -n 1\nfor head\necho done\n",
];

/// Runs a script on standard input in a new directory.
fn interpret(shell: &str, script: &str) -> Output {
    // One for both shells, so that its path is the same; the tests that use it are one.
    let directory = Directory::new("shell-scripts");
    fs::write(directory.file("out"), "old\n").unwrap();
    run(program(shell).current_dir(directory.path()).env("HOME", "/home/nobody"), script.as_bytes())
}

#[test]
fn scripts_do_what_they_do_in_bash() {
    for script in SCRIPTS {
        let (ours, theirs) = (interpret(PATH, script), interpret("bash", script));
        assert_eq!(ours.stdout, theirs.stdout, "{script}\n{}", ours.stderr);
        assert_eq!(ours.status.code(), theirs.status.code(), "{script}\n{}", ours.stderr);
    }
}

#[test]
fn a_pipeline_is_as_long_as_it_is_told() {
    let script = format!("seq 1000 {} | tail -n 1", "| cat ".repeat(100));
    assert_eq!(run(program(PATH).args(["-c", &script]), b"").stdout, "1000\n");
}

#[test]
fn what_is_built_in_waits_for_its_reader_and_ends_without_one() {
    // More than a pipe holds.
    let text = "x".repeat(100_000);
    let out = run(&mut program(PATH), format!("echo {text} | wc -c ; echo {text} | true ; echo $?\n").as_bytes());
    assert_eq!((out.stdout.as_str(), out.stderr.as_str()), ("100001\n0\n", ""));
}

#[test]
fn a_line_that_is_no_command_is_refused_with_the_reason() {
    let cases = [
        ("| cat", "there is no command before `|`"),
        ("cat |", "there is no command behind `|`"),
        ("cat | | cat", "there is no command before `|`"),
        ("&& cat", "there is no command before `&&`"),
        ("true &&", "there is no command behind `&&`"),
        ("; true", "there is no command before `;`"),
        ("echo a >", "there is no file name behind `>`"),
        ("echo a >> | cat", "there is no file name behind `>>`"),
        ("cat < > out", "there is no file name behind `<`"),
        ("echo 'a", "a `'` is never closed"),
        ("echo \"a", "a `\"` is never closed"),
        ("echo a\\", "there is nothing behind `\\`"),
        ("true || false", "`||` is not supported"),
        ("cat << end", "`<<` is not supported"),
        ("sleep 1 &", "`&` is not supported"),
        ("(true)", "`(` is not supported"),
        ("echo $(true)", "`$(` is not supported"),
        ("echo `true`", "a backtick is not supported"),
    ];
    for (line, reason) in cases {
        let out = run(program(PATH).args(["-c", &format!("{line}\necho not reached")]), b"");
        assert_eq!(out.stderr, format!("shell: syntax error: {reason}\n"), "{line}");
        assert_eq!((out.status.code(), out.stdout.as_str()), (Some(2), ""), "{line}");
    }
}

#[test]
fn what_cannot_run_is_told_with_the_usual_status() {
    let directory = Directory::new("shell-errors");
    fs::write(directory.file("data"), "").unwrap();
    let cases = [
        ("no-such-command", 127, "shell: no-such-command: command not found\n"),
        ("echo lost | no-such-command", 127, "shell: no-such-command: command not found\n"),
        ("no-such-command | cat", 0, "shell: no-such-command: command not found\n"),
        ("./data", 126, "shell: ./data: Permission denied (os error 13)\n"),
        ("cat < missing", 1, "shell: missing: No such file or directory (os error 2)\n"),
        ("echo a > missing/file", 1, "shell: missing/file: No such file or directory (os error 2)\n"),
        ("cd missing", 2, "shell: cd: missing: No such file or directory (os error 2)\n"),
        ("exit now", 2, "shell: exit: `now` is no status\n"),
    ];
    for (line, status, stderr) in cases {
        let out = run(program(PATH).args(["-c", line]).current_dir(directory.path()), b"");
        assert_eq!((out.status.code(), out.stdout.as_str(), out.stderr.as_str()), (Some(status), "", stderr), "{line}");
    }
}

#[test]
fn on_a_terminal_it_prompts_and_ctrl_c_ends_the_command_alone() {
    let directory = Directory::new("shell-terminal");
    // `script` gives its command a terminal and types what it reads. Its own shell is another in each environment, and must
    // not be there when Ctrl-C is typed: some die of it.
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &format!("exec '{PATH}'"), "/dev/null"]);
    script.env("SHELL", "/bin/sh").current_dir(directory.path());
    let mut script = Running::start(&mut script);
    script.write(b"echo 'unclosed\n");
    script.line_with("shell: syntax error: a `'` is never closed");
    // What is typed is on the terminal, too; only what is printed has no quotes in it.
    script.write(b"sh -c 'echo sta''rted ; exec sleep 1000'\n");
    script.line_with("started");
    script.write(b"\x03echo sta''tus $?\n");
    script.line_with("status 130");
    script.write(b"exit 7\n");
    let out = script.wait();
    assert_eq!(out.status.code(), Some(7), "{out:#?}");
    let prompt = format!("{}$ ", directory.path().canonicalize().unwrap().display());
    assert!(out.stdout.matches(&prompt).count() >= 4, "{out:#?}");
}
