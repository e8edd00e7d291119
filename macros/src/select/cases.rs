//! The cases of a select, from tokens.
//!
//! Why here: the parser is a plain function from tokens to cases and errors, which tests and fuzzers can call.
//!
//! *Invariants*
//! - CA1. Whatever the tokens are, the parser ends, and either reports an error or returns all cases.
//! - CA2. An error in one case does not hide those of the next: after it the parser goes on behind the body.
//!
//! *Locks*: none.
//!
//! *Go:* `selectStmt` of cmd/compile/internal/syntax.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

use crate::cut::{end_of_expression, is, is_arrow, is_word, step_in_pattern};
use crate::errors::Errors;
use crate::expressions::{block, expression, in_parentheses, without_invisible_groups};
use crate::select::is_group;

const EXPECTED: &str =
    "expected `recv(receiver) -> result => ..`, `send(sender, message) -> result => ..` or `default => ..`";

/// What a case does.
#[derive(Debug)]
pub(crate) enum Kind {
    /// From this receiver.
    Recv(TokenStream),
    /// By this sender, this message.
    Send(TokenStream, TokenStream),
    /// Nothing; after this duration, if there is one.
    Default(Option<TokenStream>),
}

/// One case.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) kind: Kind,
    /// The pattern; empty for a default.
    pub(crate) result: TokenStream,
    /// A block.
    pub(crate) body: TokenStream,
}

/// A pattern for a `let`, where alternatives are in parentheses.
fn pattern(tokens: &[TokenTree]) -> TokenStream {
    let written: TokenStream = tokens.iter().cloned().collect();
    if has_alternatives(written.clone()) { in_parentheses(written) } else { written }
}

fn has_alternatives(pattern: TokenStream) -> bool {
    without_invisible_groups(pattern).iter().any(|token| is(Some(token), '|'))
}

/// Reads all cases; what is wrong is reported.
pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Vec<Case> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut parser = Parser { tokens: &tokens, at: 0, errors };
    let mut cases = Vec::new();
    let mut has_default = false;
    while parser.at < tokens.len() {
        let name = parser.tokens[parser.at].span();
        let Some(case) = parser.case() else { continue };
        if let Kind::Default(_) = case.kind {
            if has_default {
                parser.errors.at(name, "a second `default`; expected one at most");
            }
            has_default = true;
        }
        cases.push(case);
    }
    cases
}

struct Parser<'a> {
    tokens: &'a [TokenTree],
    /// The next token.
    at: usize,
    errors: &'a mut Errors,
}

impl Parser<'_> {
    fn next(&self) -> Option<&TokenTree> {
        self.tokens.get(self.at)
    }

    /// Reports at the next token, or, where there is none, at the last.
    fn report(&mut self, text: impl AsRef<str>) {
        let token = self.next().or(self.tokens.last());
        self.errors.at(token.map_or_else(Span::call_site, TokenTree::span), text);
    }

    /// Reads one case with its comma. None: it was wrong, and that was said.
    fn case(&mut self) -> Option<Case> {
        let name = match self.next() {
            Some(TokenTree::Ident(name)) if ["recv", "send", "default"].iter().any(|known| name == known) => {
                name.clone()
            }
            Some(TokenTree::Ident(name)) => {
                let text = format!("unknown case `{name}`; {EXPECTED}");
                self.report(text);
                return self.skip_case();
            }
            Some(token) if is(Some(token), ',') => {
                self.report("unexpected `,`; expected a case");
                self.at += 1;
                return None;
            }
            _ => {
                self.report(EXPECTED);
                return self.skip_case();
            }
        };
        self.at += 1;
        let Some(list) = self.list(&name) else { return self.skip_case() };
        // Wrong arguments do not keep the rest of the case from being read (CA2).
        let kind = self.kind(&name, &list);
        let result = if name == "default" { self.default_arrow() } else { self.result(&name) };
        let Some(result) = result else { return self.skip_case() };
        let body = self.body()?;
        Some(Case { kind: kind?, result, body })
    }

    /// The parentheses with the arguments; empty ones if there are none after `default`.
    fn list(&mut self, name: &Ident) -> Option<Group> {
        match self.next() {
            Some(TokenTree::Group(list)) if list.delimiter() == Delimiter::Parenthesis => {
                let list = list.clone();
                self.at += 1;
                Some(list)
            }
            _ if name == "default" => Some(Group::new(Delimiter::Parenthesis, TokenStream::new())),
            _ => {
                let form = if name == "recv" { "(receiver)" } else { "(sender, message)" };
                self.report(format!("expected `{form}` after `{name}`"));
                None
            }
        }
    }

    /// What the case does, by its arguments.
    fn kind(&mut self, name: &Ident, list: &Group) -> Option<Kind> {
        let mut arguments = self.arguments(list)?;
        let count = arguments.len();
        let second = arguments.pop();
        match (name.to_string().as_str(), arguments.pop(), second) {
            ("recv", None, Some(receiver)) => Some(Kind::Recv(receiver)),
            ("send", Some(sender), Some(message)) if count == 2 => Some(Kind::Send(sender, message)),
            ("default", None, limit) => Some(Kind::Default(limit)),
            (name, ..) => {
                let expected = match name {
                    "recv" => "one argument, a receiver",
                    "send" => "two arguments, a sender and a message",
                    _ => "one argument at most, a duration",
                };
                self.errors.at(list.span(), format!("`{name}` takes {expected}; found {count}"));
                None
            }
        }
    }

    fn arguments(&mut self, list: &Group) -> Option<Vec<TokenStream>> {
        let tokens: Vec<TokenTree> = list.stream().into_iter().collect();
        let (mut arguments, mut at) = (Vec::new(), 0);
        while at < tokens.len() {
            let end = end_of_expression(&tokens, at);
            let is_comma = end == tokens.len() || is(tokens.get(end), ',');
            if end == at || !is_comma {
                self.errors.at(tokens[end.min(tokens.len() - 1)].span(), "expected an expression, or `,` after one");
                return None;
            }
            arguments.push(expression(&tokens[at..end]));
            at = end + 1;
        }
        Some(arguments)
    }

    /// The `=>` of a default.
    fn default_arrow(&mut self) -> Option<TokenStream> {
        if is_arrow(self.tokens, self.at, '=') {
            self.at += 2;
            return Some(TokenStream::new());
        }
        if is_arrow(self.tokens, self.at, '-') {
            self.report("`default` has no result; expected `=>`");
        } else if is_group(self.tokens.get(self.at - 1), Delimiter::Parenthesis) {
            self.report("expected `=>` after `default(..)`");
        } else {
            self.report("expected `=>` or `(duration)` after `default`");
        }
        None
    }

    /// `-> pattern =>`.
    fn result(&mut self, name: &Ident) -> Option<TokenStream> {
        if !is_arrow(self.tokens, self.at, '-') {
            self.report(format!("expected `-> result` after `{name}(..)`: a pattern for the result, or `_`"));
            return None;
        }
        self.at += 2;
        let from = self.at;
        while self.at < self.tokens.len() && !is_arrow(self.tokens, self.at, '=') {
            let text = if is_arrow(self.tokens, self.at, '-') {
                "a second `->`; expected `=>`"
            } else if self.ends_pattern() {
                "expected `=>` after the pattern"
            } else if self.is_lone_colon() {
                "a result has no type; expected `=>`"
            } else if is_word(self.next(), "if") {
                "a case has no condition; expected `=>`"
            } else {
                self.at = step_in_pattern(self.tokens, self.at);
                continue;
            };
            self.report(text);
            return None;
        }
        if self.at == self.tokens.len() {
            self.report("expected `=>` after the pattern");
            return None;
        }
        if self.at == from {
            self.report("expected a pattern between `->` and `=>`");
            return None;
        }
        let pattern = pattern(&self.tokens[from..self.at]);
        self.at += 2;
        Some(pattern)
    }

    /// Whether here stands what a pattern has in brackets only; the `=` of `..=` is part of it.
    fn ends_pattern(&self) -> bool {
        let is_equals = is(self.next(), '=') && !is(self.tokens.get(self.at - 1), '.');
        is_equals || is(self.next(), ',') || is(self.next(), ';')
    }

    /// Whether here stands a colon that is not half of `::`.
    fn is_lone_colon(&self) -> bool {
        let is_colon = |at: usize| is(self.tokens.get(at), ':');
        is_colon(self.at) && !is_colon(self.at + 1) && !is_colon(self.at - 1)
    }

    /// The expression, as a block, and what separates it from the next case.
    fn body(&mut self) -> Option<TokenStream> {
        let from = self.at;
        if is_group(self.next(), Delimiter::Brace) && self.ends_at(from + 1) {
            self.at = from + 1;
        } else {
            self.at = end_of_expression(self.tokens, from);
        }
        let end = self.at;
        if is_arrow(self.tokens, end, '=') {
            self.missing_comma(from);
            return None;
        }
        if end == from {
            self.report("expected an expression after `=>`");
            self.at += usize::from(end < self.tokens.len());
            return None;
        }
        if is(self.next(), ';') {
            self.report("unexpected `;`; expected `,` between cases");
            self.at += 1;
            return None;
        }
        self.at += usize::from(is(self.next(), ','));
        Some(block(expression(&self.tokens[from..end])))
    }

    /// Whether a block, which ends at `at`, is the whole body: it is not if an operator follows.
    fn ends_at(&self, at: usize) -> bool {
        match self.tokens.get(at) {
            Some(TokenTree::Punct(punct)) => matches!(punct.as_char(), ',' | ';'),
            Some(TokenTree::Ident(word)) => word != "as",
            _ => true,
        }
    }

    /// A `=>` came before the comma: the next case has begun.
    fn missing_comma(&mut self, from: usize) {
        let begins = |at: &usize| {
            let name = ["recv", "send", "default"].iter().any(|name| is_word(self.tokens.get(*at), name));
            let is_part = is(self.tokens.get(*at - 1), '.') || is(self.tokens.get(*at - 1), ':');
            let list = usize::from(is_group(self.tokens.get(at + 1), Delimiter::Parenthesis));
            let arrow = at + 1 + list;
            name && !is_part && (is_arrow(self.tokens, arrow, '-') || is_arrow(self.tokens, arrow, '='))
        };
        match (from + 1..self.at).find(begins) {
            Some(next) => {
                self.at = next;
                self.report("expected `,` before the next case");
            }
            None => {
                self.report("unexpected `=>`; expected `,` after the expression");
                self.at += 2;
                self.skip_case();
            }
        }
    }

    /// After an error: goes on behind the body of the case, if it has one, else at the end.
    fn skip_case(&mut self) -> Option<Case> {
        while self.at < self.tokens.len() && !is_arrow(self.tokens, self.at, '=') {
            self.at += 1;
        }
        if self.at < self.tokens.len() {
            self.at += 2;
            let from = self.at;
            self.at = if is_group(self.next(), Delimiter::Brace) && self.ends_at(from + 1) {
                from + 1
            } else {
                end_of_expression(self.tokens, from)
            };
            self.at += usize::from(is(self.next(), ',') || is(self.next(), ';'));
        }
        None
    }
}
