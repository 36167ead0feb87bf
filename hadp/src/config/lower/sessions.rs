//! All `bfd_instance`s, and what refers to them.

use std::{collections::HashMap, net::IpAddr};

use hadp_common::bfd::MAX_BFD_SESSIONS;

use super::{bfd::Draft, weight::Weight};
use crate::{
    config::{
        ast::{Node, Word},
        diag::{Problems, Span},
        suggest,
    },
    model::BfdInstance,
};

/// How many there is room for: no discriminator is 0.
const MAX: usize = MAX_BFD_SESSIONS as usize - 1;

/// A session as instances refer to it.
#[derive(Debug)]
pub(super) struct Session {
    /// The session.
    pub(super) instance: BfdInstance,
    /// What it does where the one that tracks it says nothing.
    pub(super) weight: Weight,
    /// Whether `vrrp_instance`s hear of it.
    pub(super) is_for_vrrp: bool,
    span: Span,
}

/// The sessions of a configuration.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    list: Vec<Session>,
    /// Where a name was first given, and its place in the list if nothing is wrong with it.
    names: HashMap<String, (Span, Option<usize>)>,
    /// The first names, in the file's order, for suggestions.
    known: Vec<String>,
    pairs: HashMap<(IpAddr, bool), Vec<usize>>,
}

impl Sessions {
    /// Reads every `bfd_instance`, wherever it stands.
    pub(super) fn read(nodes: &[Node], problems: &mut Problems) -> Self {
        let mut sessions = Self::default();
        let mut count = 0_usize;
        for node in nodes.iter().filter(|node| node.name() == "bfd_instance") {
            let Some(name) = node.param(0) else {
                // As for a vrrp_instance: the missing name was reported.
                node.keyword().into_iter().for_each(|word| drop(Draft::read(node, word, problems)));
                continue;
            };
            if count == MAX {
                let problem = problems.error(name.span, format!("a node has at most {MAX} BFD sessions"));
                problem
                    .label("the first one beyond")
                    .help("one session serves every router towards its neighbour");
            }
            count += 1;
            sessions.add(Draft::read(node, name, problems), name, count <= MAX, problems);
        }
        sessions
    }

    fn add(&mut self, draft: Draft<'_>, name: &Word, has_room: bool, problems: &mut Problems) {
        let (weight, is_for_vrrp, span) = (draft.weight, draft.is_for_vrrp(), draft.span());
        let instance = draft.finish(problems);
        if let Some(&(first, _)) = self.names.get(&name.text) {
            let problem = problems.error(span, format!("bfd_instance `{}` is defined twice", name.text));
            problem.label("defined again").related(first, "defined here first");
            return;
        }
        let index =
            instance.filter(|instance| has_room && self.is_new(instance, span, problems)).map(|instance| {
                let pair = (instance.neighbor, instance.multihop);
                self.pairs.entry(pair).or_default().push(self.list.len());
                self.list.push(Session { instance, weight, is_for_vrrp, span });
                self.list.len() - 1
            });
        self.names.insert(name.text.clone(), (span, index));
        if has_room {
            self.known.push(name.text.clone());
        }
    }

    /// Returns whether packets of this session are told from those of the others, and reports it if not.
    ///
    /// The first packet of a neighbour says only where it comes from, goes to and over how many hops.
    fn is_new(&self, instance: &BfdInstance, span: Span, problems: &mut Problems) -> bool {
        let others = self.pairs.get(&(instance.neighbor, instance.multihop)).into_iter().flatten();
        let mut others = others.filter_map(|&index| self.list.get(index));
        let apart = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
        let same = others.find(|other| {
            let other = &other.instance;
            let sources = matches!((instance.source, other.source), (Some(a), Some(b)) if a != b);
            !sources && !apart(&instance.interface, &other.interface)
        });
        if let Some(same) = same {
            let message = format!(
                "bfd_instance `{}` and `{}` have the same neighbour `{}`",
                same.instance.name, instance.name, instance.neighbor
            );
            let problem = problems.error(span, message);
            problem.label("the second one").related(same.span, "the first one");
            problem
                .help("one session serves every router; two need a source_ip or an interface of their own");
        }
        same.is_none()
    }

    /// Returns whether there is none, right or wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns a session that a router names, if nothing is wrong with it and it is for routers; `keyword` names it.
    pub(super) fn find(&self, keyword: &str, name: &Word, problems: &mut Problems) -> Option<&Session> {
        let Some((span, index)) = self.names.get(&name.text) else {
            let problem =
                problems.error(name.span, format!("{keyword} `{}` is not a bfd_instance", name.text));
            problem.label("not defined");
            match suggest::nearest(&name.text, self.known.iter().map(String::as_str)) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help(format!("add `bfd_instance {} {{ ... }}`", name.text)),
            };
            return None;
        };
        let session = index.and_then(|index| self.list.get(index))?;
        if !session.is_for_vrrp {
            let message = format!("{keyword} `{}` is for checkers alone", name.text);
            let problem = problems.warning(name.span, message);
            problem.label("ignored").related(*span, "says `checker` and not `vrrp`");
            return None;
        }
        Some(session)
    }

    /// Returns the sessions that routers hear of.
    pub(super) fn for_vrrp(&self) -> impl Iterator<Item = &Session> {
        self.list.iter().filter(|session| session.is_for_vrrp)
    }

    /// Returns the sessions.
    pub(super) fn into_model(self) -> Vec<BfdInstance> {
        self.list.into_iter().map(|session| session.instance).collect()
    }
}
