//! A whole configuration.

use super::{global::Defaults, instance, unique::Unique};
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
    let mut unique = Unique::default();
    let mut routers = Vec::new();
    for node in nodes.iter().filter(|node| node.name() == "vrrp_instance") {
        // A block without a name was reported by the vocabulary.
        let Some(name) = node.param(0) else { continue };
        if !unique.name(name, problems) {
            continue;
        }
        let draft = instance::read(node, name, problems);
        if let Some(router) = draft.finish(&defaults, &mut unique, problems) {
            routers.push(router);
        }
    }
    Config { global: defaults.global, routers }
}
