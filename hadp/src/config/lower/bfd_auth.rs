//! `auth_sha1`. The secret is in no message: what is wrong with it is said in other words.

use crate::{
    config::{
        ast::{Node, Word},
        diag::Problems,
    },
    model::BfdAuth,
};

/// How long a SHA1 key may be (RFC 5880 §6.7.4).
const MAX_SECRET: usize = 20;

/// Reads `auth_sha1 KEY_ID SECRET [meticulous]`.
pub(super) fn read(node: &Node, problems: &mut Problems) -> Option<BfdAuth> {
    let key_id = node.param(0).and_then(|word| key_id(word, problems));
    let key = node.param(1).and_then(|word| key(word, problems));
    let meticulous = node.param(2).map(|word| meticulous(word, problems));
    let (key_id, key) = key_id.zip(key)?;
    Some(BfdAuth { key_id, key, meticulous: meticulous.unwrap_or(Some(false))? })
}

fn key_id(word: &Word, problems: &mut Problems) -> Option<u8> {
    let digits = word.text.bytes().all(|c| c.is_ascii_digit());
    let key_id = word.text.parse().ok().filter(|_| digits);
    if key_id.is_none() {
        let problem = problems.error(word.span, "auth_sha1 begins with the number of the key");
        problem.label("from 0 to 255").help("write `auth_sha1 KEY_ID SECRET [meticulous]`");
    }
    key_id
}

fn key(word: &Word, problems: &mut Problems) -> Option<[u8; MAX_SECRET]> {
    let octets = word.text.as_bytes();
    if octets.is_empty() || octets.len() > MAX_SECRET {
        let message = format!("the secret of auth_sha1 has 1 to {MAX_SECRET} octets");
        problems.error(word.span, message).label(format!("{} octets", octets.len()));
        return None;
    }
    let mut key = [0; MAX_SECRET];
    for (to, from) in key.iter_mut().zip(octets) {
        *to = *from;
    }
    Some(key)
}

/// Reads the last word, which in a secret with a space in it is the secret's end.
fn meticulous(word: &Word, problems: &mut Problems) -> Option<bool> {
    if word.text == "meticulous" {
        return Some(true);
    }
    let problem = problems.error(word.span, "only `meticulous` may follow the secret of auth_sha1");
    problem.label("not understood").help("put quotes around a secret with spaces");
    None
}
