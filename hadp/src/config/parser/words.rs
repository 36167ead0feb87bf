//! From characters to words and braces.

use std::{iter::Peekable, str::CharIndices};

use super::escape;
use crate::config::{ast::Word, diag::Problems, diag::Span, text::Line, vocab};

/// A word or a brace.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Token {
    /// A word.
    Word(Word),
    /// `{`.
    Open(Span),
    /// `}`.
    Close(Span),
}

/// Splits a line without comments into words and braces.
///
/// `"..."` is one word. Behind a keyword that takes a script, quotes, `'` too, join to what they touch and backslashes
/// escape, as in a shell. `${...}` that no macro has replaced is part of its word.
pub(super) fn tokens(line: &Line, problems: &mut Problems) -> Vec<Token> {
    let mut lexer = Lexer { line, chars: line.text().char_indices().peekable(), script: false, problems };
    let mut tokens: Vec<Token> = Vec::new();
    while let Some(&(at, c)) = lexer.chars.peek() {
        let brace = line.span(at..at + c.len_utf8());
        match c {
            '{' | '}' => {
                lexer.chars.next();
                lexer.script = false;
                tokens.push(if c == '{' { Token::Open(brace) } else { Token::Close(brace) });
            }
            c if c.is_whitespace() => drop_one(&mut lexer.chars),
            _ => {
                let word = lexer.word(at);
                let first = !matches!(tokens.last(), Some(Token::Word(_)));
                lexer.script |= first && vocab::takes_script(&word.text);
                tokens.push(Token::Word(word));
            }
        }
    }
    tokens
}

fn drop_one(chars: &mut Peekable<CharIndices<'_>>) {
    chars.next();
}

struct Lexer<'a> {
    line: &'a Line,
    chars: Peekable<CharIndices<'a>>,
    /// Whether the statement's keyword takes a script.
    script: bool,
    problems: &'a mut Problems,
}

impl Lexer<'_> {
    /// Reads the word that starts at `start`.
    fn word(&mut self, start: usize) -> Word {
        let mut text = String::new();
        let mut end = start;
        while let Some(&(at, c)) = self.chars.peek() {
            let reference = c == '{' && text.ends_with('$');
            if c.is_whitespace() || c == '}' || (c == '{' && !reference) {
                break;
            }
            if c == '"' && !self.script && at > start {
                break;
            }
            self.chars.next();
            match c {
                '"' if !self.script => {
                    self.quoted(at, c, &mut text);
                    end = self.position();
                    break;
                }
                '"' => self.quoted(at, c, &mut text),
                '\'' if self.script => self.quoted(at, c, &mut text),
                '\\' => self.escape(&mut text),
                '{' => {
                    text.push(c);
                    while let Some((_, c)) = self.chars.next_if(|&(_, c)| c != '}' && !c.is_whitespace()) {
                        text.push(c);
                    }
                    text.extend(self.chars.next_if(|&(_, c)| c == '}').map(|(_, c)| c));
                }
                _ => text.push(c),
            }
            end = self.position();
        }
        Word { text, span: self.line.span(start..end) }
    }

    /// Returns where the next character is.
    fn position(&mut self) -> usize {
        self.chars.peek().map_or(self.line.text().len(), |&(next, _)| next)
    }

    /// Reads up to the closing quote.
    fn quoted(&mut self, start: usize, quote: char, text: &mut String) {
        while let Some((_, c)) = self.chars.next() {
            match c {
                c if c == quote => return,
                '\\' if self.script && quote == '"' => text.extend(escape::read(&mut self.chars)),
                c => text.push(c),
            }
        }
        let span = self.line.span(start..self.line.text().len());
        self.problems
            .error(span, format!("the quote `{quote}` is not closed on this line"))
            .label("opened here");
    }

    /// Reads what follows a backslash outside quotes.
    fn escape(&mut self, text: &mut String) {
        if self.script {
            text.extend(escape::read(&mut self.chars));
            return;
        }
        match self.chars.next_if(|&(_, c)| c == '#' || c == '!' || c == '"') {
            Some((_, c)) => text.push(c),
            None => text.push('\\'),
        }
    }
}
