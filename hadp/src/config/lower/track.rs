//! `track_interface` and `track_bfd` of an instance.

use std::collections::BTreeMap;

use super::{
    draft::Draft,
    sessions::{Session, Sessions},
    value::interface,
    weight::{self, Weight},
};
use crate::{
    config::{
        ast::{Node, Word},
        diag::{Problems, Span},
        suggest,
    },
    model::{Effect, Track, Tracked},
    units::Priority,
};

/// What may follow the name of a tracked object.
const OPTIONS: [&str; 3] = ["weight", "reverse", "noreverse"];

/// Which block an entry stands in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// `track_interface`.
    Interface,
    /// `track_bfd`.
    Bfd,
}

/// An entry, before it is known what its name refers to.
#[derive(Clone, Debug)]
pub(super) struct Entry<'a> {
    kind: Kind,
    name: &'a Word,
    weight: Weight,
}

impl<'a> Entry<'a> {
    /// Reads `NAME [weight N] [reverse|noreverse]`.
    pub(super) fn read(kind: Kind, node: &'a Node, problems: &mut Problems) -> Option<Self> {
        let name = node.keyword()?;
        if let Some(block) = &node.block {
            problems.error(block.open, "a tracked object takes no block").label("unexpected `{`");
        }
        let mut weight = Weight::default();
        let mut words = node.words.iter().skip(1);
        while let Some(option) = words.next() {
            if let Some(reverse) = weight::direction(option) {
                weight.reverse = Some(reverse);
            } else if option.text != "weight" {
                unknown(option, problems);
            } else if let Some(value) = words.next() {
                weight.value = read_weight(kind, value, problems);
            } else {
                let problem = problems.error(option.span, "`weight` needs a number");
                problem.label("a parameter is missing");
            }
        }
        Some(Self { kind, name, weight })
    }
}

/// Reads a weight; like keepalived, takes 254 of an interface for 253.
fn read_weight(kind: Kind, word: &Word, problems: &mut Problems) -> Option<i16> {
    let taken = match (kind, word.text.as_str()) {
        (Kind::Interface, "254") => 253,
        (Kind::Interface, "-254") => -253,
        _ => return weight::value(word, problems),
    };
    problems
        .warning(word.span, format!("weight {} is taken for {taken}", word.text))
        .label("from -253 to 253");
    Some(taken)
}

fn unknown(option: &Word, problems: &mut Problems) {
    let message = format!("unknown option `{}` of a tracked object", option.text);
    let problem = problems.warning(option.span, message);
    problem.label("skipped");
    if let Some(near) = suggest::nearest(&option.text, OPTIONS) {
        problem.help(format!("did you mean `{near}`?"));
    }
}

impl Draft<'_> {
    /// Returns where the instance says that it cannot run while this session is down, if it says that.
    pub(super) fn needs(&self, session: &Session) -> Option<Span> {
        let named = |entry: &&Entry<'_>| entry.kind == Kind::Bfd && entry.name.text == session.instance.name;
        let entry = self.tracks.iter().find(named)?;
        let weight = entry.weight.or(session.weight);
        (weight.effect() == Effect::Fault && weight.reverse != Some(true)).then_some(entry.name.span)
    }

    /// Returns what the instance tracks; what keepalived leaves out with a warning is left out with one.
    pub(super) fn tracks(
        &self,
        own: Option<&str>,
        priority: Priority,
        sessions: &Sessions,
        problems: &mut Problems,
    ) -> Vec<Track> {
        let mut seen: BTreeMap<Tracked, Span> = BTreeMap::new();
        let mut tracks = Vec::new();
        for entry in &self.tracks {
            let Some(track) = self.resolve(entry, own, sessions, problems) else { continue };
            let span = entry.name.span;
            if let Some(&first) = seen.get(&track.object) {
                let problem = problems.warning(span, format!("`{}` is tracked twice", entry.name.text));
                problem.label("ignored").related(first, "tracked here first");
                continue;
            }
            seen.insert(track.object.clone(), span);
            if priority == Priority::OWNER && track.effect != Effect::Fault {
                let message = format!("the weight of `{}` has no effect with priority 255", entry.name.text);
                problems.warning(span, message).label("ignored").help("an owner's priority does not change");
                continue;
            }
            tracks.push(track);
        }
        tracks
    }

    fn resolve(
        &self,
        entry: &Entry<'_>,
        own: Option<&str>,
        sessions: &Sessions,
        problems: &mut Problems,
    ) -> Option<Track> {
        let (object, weight) = match entry.kind {
            Kind::Interface => {
                let name = interface("track_interface", entry.name, problems)?;
                if own == Some(&name) {
                    let message = format!("`{name}` is the interface of `{}` itself", self.name.text);
                    let problem = problems.warning(entry.name.span, message);
                    problem.label("ignored").help("an instance tracks its own interface in any case");
                    return None;
                }
                (Tracked::Interface(name), entry.weight)
            }
            Kind::Bfd => {
                let session = sessions.find("track_bfd", entry.name, problems)?;
                let weight = entry.weight.or(session.weight);
                (Tracked::Bfd(session.instance.name.clone()), weight)
            }
        };
        Some(Track { object, effect: weight.effect(), reverse: weight.reverse.unwrap_or(false) })
    }
}
