//! From lines to statements and blocks.

mod escape;
mod words;

use super::{
    ast::{Block, Node, Word},
    diag::{Problems, Span},
    text::Line,
};
use words::Token;

/// How deep blocks may nest; keepalived's own go to six.
const MAX_DEPTH: usize = 32;

/// Keywords that only ever stand outside all blocks: one inside a block shows where a `}` is missing.
const TOP_LEVEL: [&str; 6] =
    ["global_defs", "vrrp_instance", "vrrp_sync_group", "vrrp_script", "virtual_server", "bfd_instance"];

/// Builds the statements of a configuration, line by line.
#[derive(Debug, Default)]
pub(super) struct Parser {
    done: Vec<Node>,
    /// The statements whose block is open, the innermost last.
    open: Vec<Node>,
    /// How many blocks beyond [`MAX_DEPTH`] are open.
    too_deep: usize,
}

impl Parser {
    /// Takes a line.
    pub(super) fn feed(&mut self, line: &Line, problems: &mut Problems) {
        let mut words = Vec::new();
        for token in words::tokens(line, problems) {
            match token {
                Token::Word(word) => {
                    if words.is_empty() && TOP_LEVEL.contains(&word.text.as_str()) && !self.open.is_empty() {
                        self.close_all(&format!("`{}` begins", word.text), Some(word.span), problems);
                    }
                    words.push(word);
                }
                Token::Open(span) => self.open(std::mem::take(&mut words), span, problems),
                Token::Close(span) => {
                    self.statement(std::mem::take(&mut words));
                    self.close(span, problems);
                }
            }
        }
        self.statement(words);
    }

    /// Returns the statements, and reports the blocks that are still open.
    pub(super) fn finish(mut self, problems: &mut Problems) -> Vec<Node> {
        self.close_all("the configuration ends", None, problems);
        self.done
    }

    fn current(&mut self) -> &mut Vec<Node> {
        match self.open.last_mut().and_then(|node| node.block.as_mut()) {
            Some(block) => &mut block.nodes,
            None => &mut self.done,
        }
    }

    fn statement(&mut self, words: Vec<Word>) {
        if !words.is_empty() {
            self.current().push(Node { words, block: None });
        }
    }

    /// Opens the block of these words, or of the statement before if the brace stands by itself.
    fn open(&mut self, words: Vec<Word>, span: Span, problems: &mut Problems) {
        if self.open.len() >= MAX_DEPTH {
            if self.too_deep == 0 {
                problems.error(span, format!("blocks nest more than {MAX_DEPTH} deep"));
            }
            self.too_deep += 1;
            return;
        }
        let mut node = Node { words, block: None };
        if node.words.is_empty() {
            match self.current().pop_if(|last| last.block.is_none()) {
                Some(last) => node = last,
                None => {
                    let problem = problems.error(span, "`{` follows no keyword");
                    problem.label("this block belongs to nothing");
                }
            }
        }
        node.block = Some(Block { open: span, nodes: Vec::new() });
        self.open.push(node);
    }

    fn close(&mut self, span: Span, problems: &mut Problems) {
        if self.too_deep > 0 {
            self.too_deep -= 1;
            return;
        }
        match self.open.pop() {
            Some(node) => self.current().push(node),
            None => {
                problems.error(span, "`}` closes nothing").label("no block is open here");
            }
        }
    }

    /// Closes every open block, which is an error for each.
    fn close_all(&mut self, event: &str, at: Option<Span>, problems: &mut Problems) {
        self.too_deep = 0;
        while let Some(node) = self.open.pop() {
            let span = node.block.as_ref().map_or_else(|| node.span(), |block| block.open);
            let name = if node.name().is_empty() {
                "a block".into()
            } else {
                format!("the block of `{}`", node.name())
            };
            let message = format!("missing `}}`: {name} is still open where {event}");
            let problem = problems.error(span, message).label("opened here");
            if let Some(at) = at {
                problem.related(at, "still inside the block here");
            }
            self.current().push(node);
        }
    }
}
