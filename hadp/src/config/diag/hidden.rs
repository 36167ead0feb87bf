//! What is shown of a file while some of its words must not be.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

use hadp_common::bfd::MAX_BFD_SESSIONS;

use super::{Files, Span, span::File};

impl Files {
    /// Returns the files with these words made unreadable, where nothing else moves.
    ///
    /// A word out of a macro stands elsewhere than where it is used: all that reads like it is hidden then. That is done
    /// for as many words as a configuration may have keys, lest a file of nothing but keys take forever.
    pub(crate) fn hiding<'a>(mut self, words: impl IntoIterator<Item = (Span, &'a str)>) -> Self {
        let mut places: BTreeMap<u32, Vec<Range<usize>>> = BTreeMap::new();
        let mut elsewhere = BTreeSet::new();
        for (span, word) in words {
            let place = span.start as usize..span.end() as usize;
            let written = self.file(span.file).and_then(|file| file.text.get(place.clone()));
            if !word.is_empty() && !written.is_some_and(|written| written.contains(word)) {
                elsewhere.insert(word);
            }
            places.entry(span.file).or_default().push(place);
        }
        for (number, places) in places {
            let Some(file) = self.0.get_mut(number as usize) else { continue };
            let text = hide(&file.text, places);
            replace(file, text);
        }
        for word in elsewhere.into_iter().take(MAX_BFD_SESSIONS as usize) {
            for file in &mut self.0 {
                let text = file.text.replace(word, &masked(word));
                replace(file, text);
            }
        }
        self
    }
}

fn replace(file: &mut Arc<File>, text: String) {
    if *file.text != text {
        Arc::make_mut(file).text = text.into();
    }
}

/// Returns a text with these places masked.
fn hide(text: &str, mut places: Vec<Range<usize>>) -> String {
    places.sort_by_key(|place| place.start);
    let mut out = String::with_capacity(text.len());
    for place in places {
        // A place within the one before is done with.
        let start = place.start.max(out.len());
        let (Some(between), Some(word)) = (text.get(out.len()..start), text.get(start..place.end)) else {
            continue;
        };
        out.push_str(between);
        out.push_str(&masked(word));
    }
    out.push_str(text.get(out.len()..).unwrap_or_default());
    out
}

/// Returns as many characters, each of as many octets, that say nothing.
fn masked(text: &str) -> String {
    let mask = |c: char| match c.len_utf8() {
        _ if c == '\n' => c,
        1 => '*',
        2 => '\u{d7}',
        3 => '\u{2022}',
        _ => '\u{1f7b6}',
    };
    text.chars().map(mask).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn nothing_moves() {
        let text = "auth 1 ünïcode€𝄞 x\nauth 2 b\n";
        let at =
            |word: &str| Span { file: 0, start: text.find(word).unwrap() as u32, len: word.len() as u32 };
        let mut files = Files::default();
        files.add(Path::new("f"), text.into());
        let words = [(at("b\n"), "b"), (at("ünïcode€𝄞"), "ünïcode€𝄞"), (at("ïco"), "ïco")];
        let hidden = files.hiding(words);
        let shown = &hidden.file(0).unwrap().text;
        assert_eq!(&**shown, "auth 1 ×*×****•🞶 x\nauth 2 *\n");
        assert_eq!(shown.len(), text.len());
    }

    #[test]
    fn what_a_macro_stood_for_is_hidden_where_it_is_defined() {
        let mut files = Files::default();
        files.add(Path::new("f"), "$KEY=abc\nauth 1 $KEY\n".into());
        let hidden = files.hiding([(Span { file: 0, start: 16, len: 4 }, "abc")]);
        assert_eq!(&*hidden.file(0).unwrap().text, "$KEY=***\nauth 1 ****\n");
    }
}
