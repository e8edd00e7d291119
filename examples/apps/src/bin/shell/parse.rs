//! From a line to what it says.
//!
//! ```text
//! line     = [list] {";" [list]}
//! list     = pipeline {"&&" pipeline}
//! pipeline = command {"|" command}
//! command  = (word | redirection) {word | redirection}
//! ```

use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

/// Pipelines, each of which runs if the one before it has succeeded.
pub(crate) type List = Vec<Pipeline>;
/// Commands, each of which reads what the one before it prints.
pub(crate) type Pipeline = Vec<Command>;
/// A word, in pieces.
pub(crate) type Word = Vec<Piece>;

/// What is to be run, and what its streams are.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Command {
    pub(crate) words: Vec<Word>,
    pub(crate) redirections: Vec<(Redirection, Word)>,
}

/// What becomes of a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Redirection {
    /// `<`
    Read,
    /// `>`
    Write,
    /// `>>`
    Append,
}

/// A piece of a word.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    Text(String),
    /// `$NAME`, or `$?`.
    Variable(String),
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(Word),
    Redirection(Redirection),
    Pipe,
    And,
    Semicolon,
}

/// Why a line is no command.
#[derive(Debug, PartialEq)]
pub(crate) struct SyntaxError(String);

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "syntax error: {}", self.0)
    }
}

fn error<T>(text: impl Into<String>) -> Result<T, SyntaxError> {
    Err(SyntaxError(text.into()))
}

/// Parses a line.
pub(crate) fn line(text: &str) -> Result<Vec<List>, SyntaxError> {
    let tokens = tokens(text)?;
    let lists = tokens.split(|token| *token == Token::Semicolon).collect::<Vec<_>>();
    let last = lists.len() - 1;
    let mut parsed = Vec::new();
    for (place, list) in lists.into_iter().enumerate() {
        match list {
            // A line may be empty, and end in a semicolon.
            [] if place == last => {}
            [] => return error("there is no command before `;`"),
            list => parsed.push(parts(list, &Token::And)?.into_iter().map(pipeline).collect::<Result<_, _>>()?),
        }
    }
    Ok(parsed)
}

fn pipeline(tokens: &[Token]) -> Result<Pipeline, SyntaxError> {
    parts(tokens, &Token::Pipe)?.into_iter().map(command).collect()
}

/// What is between separators, of which none may be without something before and behind it.
fn parts<'a>(tokens: &'a [Token], separator: &Token) -> Result<Vec<&'a [Token]>, SyntaxError> {
    let parts: Vec<_> = tokens.split(|token| token == separator).collect();
    let name = if *separator == Token::And { "&&" } else { "|" };
    match parts.iter().position(|part| part.is_empty()) {
        Some(place) if place + 1 == parts.len() => error(format!("there is no command behind `{name}`")),
        Some(_) => error(format!("there is no command before `{name}`")),
        None => Ok(parts),
    }
}

fn command(tokens: &[Token]) -> Result<Command, SyntaxError> {
    let mut command = Command::default();
    let mut tokens = tokens.iter();
    while let Some(token) = tokens.next() {
        match token {
            Token::Word(word) => command.words.push(word.clone()),
            Token::Redirection(redirection) => match tokens.next() {
                Some(Token::Word(word)) => command.redirections.push((*redirection, word.clone())),
                _ => return error(format!("there is no file name behind `{}`", redirection.sign())),
            },
            Token::Pipe | Token::And | Token::Semicolon => unreachable!("the tokens were split at these"),
        }
    }
    Ok(command)
}

impl Redirection {
    fn sign(self) -> &'static str {
        match self {
            Redirection::Read => "<",
            Redirection::Write => ">",
            Redirection::Append => ">>",
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, SyntaxError> {
    let mut chars = text.chars().peekable();
    let mut tokens = Vec::new();
    while let Some(&first) = chars.peek() {
        let mut followed_by = |c| {
            chars.next();
            chars.next_if_eq(&c).is_some()
        };
        let token = match first {
            '#' => break,
            ' ' | '\t' | '\r' => {
                chars.next();
                continue;
            }
            ';' if !followed_by(';') => Token::Semicolon,
            '<' if !followed_by('<') => Token::Redirection(Redirection::Read),
            '>' if followed_by('>') => Token::Redirection(Redirection::Append),
            '>' => Token::Redirection(Redirection::Write),
            '|' if !followed_by('|') => Token::Pipe,
            '&' if followed_by('&') => Token::And,
            ';' | '<' | '|' => return error(format!("`{first}{first}` is not supported")),
            '`' => return error("a backtick is not supported"),
            '&' | '(' | ')' => return error(format!("`{first}` is not supported")),
            _ => Token::Word(word(&mut chars)?),
        };
        tokens.push(token);
    }
    Ok(tokens)
}

/// Reads a word up to a blank or an operator that is in no quotes.
fn word(chars: &mut Peekable<Chars<'_>>) -> Result<Word, SyntaxError> {
    let mut word = vec![Piece::Text(String::new())];
    while let Some(c) = chars.next_if(|c| !" \t\r;<>|&()`".contains(*c)) {
        match c {
            '\'' => loop {
                match chars.next() {
                    Some('\'') => break,
                    Some(c) => push(&mut word, c),
                    None => return error("a `'` is never closed"),
                }
            },
            '"' => loop {
                match chars.next() {
                    Some('"') => break,
                    Some('$') => variable(chars, &mut word)?,
                    Some('\\') if chars.peek().is_some_and(|c| "\"\\$`".contains(*c)) => {
                        push(&mut word, chars.next().expect("it was seen"))
                    }
                    Some('`') => return error("a backtick is not supported"),
                    Some(c) => push(&mut word, c),
                    None => return error("a `\"` is never closed"),
                }
            },
            '\\' => match chars.next() {
                Some(c) => push(&mut word, c),
                None => return error("there is nothing behind `\\`"),
            },
            '$' => variable(chars, &mut word)?,
            c => push(&mut word, c),
        }
    }
    Ok(word)
}

fn push(word: &mut Word, c: char) {
    match word.last_mut() {
        Some(Piece::Text(text)) => text.push(c),
        _ => word.push(Piece::Text(c.into())),
    }
}

/// Reads what is behind a `$`.
fn variable(chars: &mut Peekable<Chars<'_>>, word: &mut Word) -> Result<(), SyntaxError> {
    let mut name = String::new();
    if chars.next_if_eq(&'?').is_some() {
        name.push('?');
    }
    while name != "?"
        && let Some(c) = chars.next_if(|c| c.is_alphanumeric() || *c == '_')
    {
        name.push(c);
    }
    match chars.peek() {
        _ if !name.is_empty() => word.push(Piece::Variable(name)),
        Some(c @ ('(' | '{')) => return error(format!("`${c}` is not supported")),
        _ => push(word, '$'),
    }
    Ok(())
}
