//! A whole configuration.

use super::{global::Defaults, instance, sessions::Sessions, unique::Unique};
use crate::{
    config::{ast::Node, diag::Problems},
    model::Config,
};

/// Builds the configuration; it is complete only if no error was reported.
pub(in crate::config) fn lower(nodes: &[Node], problems: &mut Problems) -> Config {
    let mut defaults = Defaults::default();
    // All of global_defs first: it holds for the instances before it as well.
    for node in nodes.iter().filter(|node| node.name() == "global_defs") {
        defaults.read(node.children(), problems);
    }
    // As for global_defs: an instance may name a session that stands behind it.
    let sessions = Sessions::read(nodes, problems);
    let mut unique = Unique::default();
    let mut routers = Vec::new();
    for node in nodes.iter().filter(|node| node.name() == "vrrp_instance") {
        let Some(name) = node.param(0) else {
            // That it has no name was reported by the vocabulary; its values are looked at all the same.
            node.keyword().into_iter().for_each(|word| drop(instance::read(node, word, problems)));
            continue;
        };
        let first = unique.name(name, problems);
        let draft = instance::read(node, name, problems);
        if first {
            routers.extend(draft.finish(&defaults, &sessions, &mut unique, problems));
        } else {
            // It is looked at by itself: what it has in common with the first one is not another mistake.
            draft.finish(&defaults, &sessions, &mut Unique::default(), problems);
        }
    }
    Config { global: defaults.global, routers, bfd: sessions.into_model() }
}
