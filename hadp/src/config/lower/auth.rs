//! `authentication`.

use super::{
    draft::Attempt,
    value::{Given, choice},
};
use crate::{
    config::{ast::Node, diag::Problems, diag::Span},
    model::Auth,
};

/// How many octets of a password count (RFC 2338 §5.3.10).
const PASSWORD: usize = 8;

/// An `authentication` block.
#[derive(Clone, Debug)]
pub(super) struct Authentication {
    span: Span,
    kind: Attempt<Given<Kind>>,
    password: Option<Given<[u8; PASSWORD]>>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Pass,
    Ah,
}

impl Authentication {
    /// Reads the block.
    pub(super) fn read(node: &Node, problems: &mut Problems) -> Self {
        let mut this = Self { span: node.span(), kind: Attempt::Missing, password: None };
        for node in node.children() {
            let Some(word) = node.param(0) else { continue };
            match node.name() {
                "auth_type" => {
                    let kind = choice("auth_type", word, &[("PASS", Kind::Pass), ("AH", Kind::Ah)], problems);
                    this.kind =
                        kind.map_or(Attempt::Wrong, |value| Attempt::Given(Given { value, span: word.span }));
                }
                "auth_pass" => {
                    let octets = word.text.as_bytes();
                    if octets.len() > PASSWORD {
                        let problem = problems.warning(word.span, "auth_pass is cut to its first 8 octets");
                        problem.label(format!("{} octets", octets.len()));
                    }
                    let mut value = [0; PASSWORD];
                    for (to, from) in value.iter_mut().zip(octets) {
                        *to = *from;
                    }
                    this.password = Some(Given { value, span: word.span });
                }
                _ => {}
            }
        }
        this
    }

    /// Returns what a v2 router authenticates with.
    ///
    /// Like keepalived, half a block authenticates nothing. AH is refused: without it the others would discard this
    /// node's adverts and both sides would be Active.
    pub(super) fn v2(&self, problems: &mut Problems) -> Auth {
        match (&self.kind, self.password) {
            (Attempt::Given(Given { value: Kind::Ah, span }), _) => {
                let problem = problems.error(*span, "auth_type AH is not implemented");
                problem.label("hadp sends and accepts PASS only");
                problem.help(
                    "use `auth_type PASS` on all routers of this VRID, or version 3 without authentication",
                );
                Auth::None
            }
            (Attempt::Given(Given { value: Kind::Pass, .. }), Some(password)) => Auth::Pass(password.value),
            (Attempt::Wrong, _) => Auth::None,
            (Attempt::Given(_), None) => {
                let problem = problems.warning(self.span, "authentication without auth_pass is ignored");
                problem.label("`auth_pass` is missing");
                Auth::None
            }
            (Attempt::Missing, password) => {
                let span = password.map_or(self.span, |password| password.span);
                let problem = problems.warning(span, "authentication without auth_type is ignored");
                problem.label("has no effect").help("add `auth_type PASS`");
                Auth::None
            }
        }
    }

    /// Warns that v3 has no authentication (RFC 9568 §9).
    pub(super) fn ignored_in_v3(&self, problems: &mut Problems) {
        let problem =
            problems.warning(self.span, "VRRP version 3 has no authentication: the block is ignored");
        problem.label("has no effect").help("remove it, or set `version 2`");
    }
}
