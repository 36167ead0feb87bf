//! What instances share: a name, a VRID on an interface and an address only one may have, and all have room for so many.

use std::{collections::HashMap, net::IpAddr};

use hadp_common::addr::Family;

use super::{limits::Limits, vip::VipDraft};
use crate::{
    config::{
        ast::Word,
        diag::{Problems, Span},
    },
    units::Vrid,
};

/// What the instances so far have.
#[derive(Debug, Default)]
pub(super) struct Unique {
    names: HashMap<String, Span>,
    keys: HashMap<(String, Family, Vrid), (String, Span)>,
    vips: HashMap<(String, IpAddr), (String, Span)>,
    /// How many routers and addresses there is room for.
    pub(super) limits: Limits,
}

impl Unique {
    /// Takes a name; false, and an error, if another instance has it.
    pub(super) fn name(&mut self, name: &Word, problems: &mut Problems) -> bool {
        if let Some(&first) = self.names.get(&name.text) {
            let problem =
                problems.error(name.span, format!("vrrp_instance `{}` is defined twice", name.text));
            problem.label("defined again").related(first, "defined here first");
            return false;
        }
        self.names.insert(name.text.clone(), name.span);
        true
    }

    /// Takes a VRID; false, and an error, if another instance has it on this interface and family.
    pub(super) fn key(
        &mut self,
        name: &Word,
        interface: &str,
        family: Family,
        vrid: Vrid,
        problems: &mut Problems,
    ) -> bool {
        let key = (interface.to_owned(), family, vrid);
        if let Some((other, first)) = self.keys.get(&key) {
            let v = family as u8;
            let message =
                format!("`{other}` and `{}` both have VRID {vrid} with IPv{v} on {interface}", name.text);
            let problem = problems.error(name.span, message);
            problem.label("the second one").related(*first, "the first one");
            return false;
        }
        self.keys.insert(key, (name.text.clone(), name.span));
        true
    }

    /// Takes the addresses of an instance, and reports those that another instance has on the same interface.
    ///
    /// An address without an interface, which its instance lacks, is not compared.
    pub(super) fn vips<'a>(
        &mut self,
        name: &Word,
        vips: impl IntoIterator<Item = &'a VipDraft>,
        problems: &mut Problems,
    ) {
        for VipDraft { span, vip } in vips.into_iter().filter(|entry| !entry.vip.dev.is_empty()) {
            let key = (vip.dev.clone(), vip.addr);
            if let Some((other, first)) = self.vips.get(&key) {
                let problem =
                    problems.error(*span, format!("`{other}` has `{}` on {} already", vip.addr, vip.dev));
                problem.label("two routers cannot move one address").related(*first, "the first one");
            } else {
                self.vips.insert(key, (name.text.clone(), *span));
            }
        }
    }
}
