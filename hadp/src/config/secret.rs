//! Words that are never shown: the keys of `auth_sha1`, whatever else is shown of their lines.

use super::{
    ast::{Node, Word},
    suggest,
};

/// The keyword whose parameters hold a key.
const KEYWORD: &str = "auth_sha1";

/// Returns every word that holds, or may be meant to hold, a key: a misspelt keyword's too, and in whatever block.
pub(super) fn find(nodes: &[Node]) -> Vec<&Word> {
    let mut found = Vec::new();
    for node in nodes {
        if suggest::nearest(node.name(), [KEYWORD]).is_some() {
            let public =
                |word: &Word| word.text == "meticulous" || word.text.bytes().all(|c| c.is_ascii_digit());
            // A number is the key's number only where that stands.
            let secret = |(n, word): &(usize, &Word)| !public(word) || (*n == 1 && word.text != "meticulous");
            found.extend(node.words.iter().skip(1).enumerate().filter(secret).map(|(_, word)| word));
        }
        found.extend(find(node.children()));
    }
    found
}
