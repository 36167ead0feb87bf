//! Whether every statement is one of its block's, with the parameters and the block it takes.

use super::{
    ast::{Node, Word},
    diag::Problems,
    suggest,
    vocab::{self, Body, Keyword, Status, Vocab},
};

/// Checks statements against the vocabulary of their block.
///
/// `covered` is set inside a block that is itself unsupported: its keywords are not named again, but its mistakes are.
pub(super) fn check(nodes: &[Node], vocab: &Vocab, covered: bool, problems: &mut Problems) {
    for node in nodes {
        // A block without a keyword was reported when it was read.
        let Some(word) = node.keyword() else { continue };
        match vocab.find(&word.text) {
            Some(keyword) => statement(node, word, keyword, covered, problems),
            None => unknown(node, word, vocab, problems),
        }
    }
}

fn statement(node: &Node, word: &Word, keyword: &Keyword, covered: bool, problems: &mut Problems) {
    let name = keyword.name;
    match keyword.status {
        Status::Unsupported if !covered => {
            let message = format!("`{name}` is not implemented yet and has no effect");
            problems.unsupported(word.span, message).label("has no effect");
        }
        Status::Obsolete(instead) => {
            problems.warning(word.span, format!("`{name}` is obsolete")).label("obsolete").help(instead);
        }
        Status::Implemented | Status::Unsupported => {}
    }
    parameters(node, word, keyword, problems);
    let covered = covered || keyword.status == Status::Unsupported;
    match (keyword.body, &node.block) {
        (Body::Keywords(inner), Some(block)) => check(&block.nodes, inner, covered, problems),
        (Body::None, None) | (Body::Entries, Some(_)) => {}
        (Body::None, Some(block)) => {
            problems.error(block.open, format!("`{name}` takes no block")).label("unexpected `{`");
        }
        (Body::Entries | Body::Keywords(_), None) => {
            let problem = problems.error(word.span, format!("`{name}` needs a block"));
            problem.label("`{` is missing").help(format!("write `{name} ... {{ ... }}`"));
        }
    }
}

fn parameters(node: &Node, word: &Word, keyword: &Keyword, problems: &mut Problems) {
    let count = node.words.len().saturating_sub(1);
    let name = keyword.name;
    if count < keyword.min {
        let parameters =
            if keyword.min == 1 { "a parameter".into() } else { format!("{} parameters", keyword.min) };
        problems.error(word.span, format!("`{name}` needs {parameters}")).label("a parameter is missing");
    }
    if let Some(extra) = node.param(keyword.max) {
        let takes = match keyword.max {
            0 => "no parameter".into(),
            1 => "one parameter".into(),
            most => format!("{most} parameters at most"),
        };
        problems.warning(extra.span, format!("`{name}` takes {takes}")).label("ignored");
    }
}

fn unknown(node: &Node, word: &Word, vocab: &Vocab, problems: &mut Problems) {
    let (name, block) = (&word.text, vocab.name);
    let skipped = if node.block.is_some() { "skipped with its whole block" } else { "skipped" };
    let home = vocab::ALL.iter().find(|other| other.find(name).is_some());
    let near = suggest::nearest(name, vocab.keywords.iter().map(|keyword| keyword.name));
    let message = match home {
        Some(_) => format!("`{name}` is not a keyword of {}", quoted(block)),
        None => format!("unknown keyword `{name}` in {}", quoted(block)),
    };
    let far =
        || suggest::nearest(name, vocab::ALL.iter().flat_map(|other| other.keywords).map(|other| other.name));
    let problem = problems.warning(word.span, message);
    problem.label(skipped);
    if let Some(home) = home {
        problem.help(format!("it belongs in {}", quoted(home.name)));
    } else if let Some(near) = near.or_else(far) {
        problem.help(format!("did you mean `{near}`?"));
    }
}

/// Returns the name of a block as it is spoken of.
fn quoted(name: &str) -> String {
    if name.contains(' ') { name.into() } else { format!("`{name}`") }
}
