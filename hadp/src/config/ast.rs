//! The shape of a configuration before its words mean anything.

use super::diag::Span;

/// A word: a keyword, a parameter or an entry of a value block.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Word {
    /// The text, without its quotes and with its escapes resolved.
    pub(super) text: String,
    /// Where it stands; for text out of a macro, where the macro is used.
    pub(super) span: Span,
}

/// A statement: a keyword, its parameters and perhaps a block.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Node {
    /// The keyword and its parameters; empty for a `{` that follows no keyword.
    pub(super) words: Vec<Word>,
    /// What stands between its braces.
    pub(super) block: Option<Block>,
}

/// What stands between two braces.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Block {
    /// The opening brace.
    pub(super) open: Span,
    /// The statements, in order.
    pub(super) nodes: Vec<Node>,
}

impl Node {
    /// Returns the keyword.
    pub(super) fn keyword(&self) -> Option<&Word> {
        self.words.first()
    }

    /// Returns the keyword's text, empty for a stray block.
    pub(super) fn name(&self) -> &str {
        self.keyword().map_or("", |word| &word.text)
    }

    /// Returns the `n`th parameter, counted from 0.
    pub(super) fn param(&self, n: usize) -> Option<&Word> {
        self.words.get(n.checked_add(1)?)
    }

    /// Returns the statements of the block, none if there is no block.
    pub(super) fn children(&self) -> &[Self] {
        self.block.as_ref().map_or(&[], |block| &block.nodes)
    }

    /// Returns where the statement stands.
    pub(super) fn span(&self) -> Span {
        match (self.keyword(), &self.block) {
            (Some(word), _) => word.span,
            (None, Some(block)) => block.open,
            (None, None) => Span::default(),
        }
    }
}
