//! `weight N [reverse]`: what a tracked object does to a priority.

use super::value::signed;
use crate::{
    config::{ast::Word, diag::Problems},
    model::Effect,
};

/// The largest weight to either side: between the priorities 1 and 254.
const MAX: i32 = 253;

/// What is said about a weight.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weight {
    /// `weight`.
    pub(super) value: Option<i16>,
    /// `reverse`, or `noreverse`.
    pub(super) reverse: Option<bool>,
}

impl Weight {
    /// Returns the weight, with what another one says where this one says nothing.
    pub(super) fn or(self, default: Self) -> Self {
        Self { value: self.value.or(default.value), reverse: self.reverse.or(default.reverse) }
    }

    /// Returns what it does: by default, the router cannot run.
    pub(super) const fn effect(self) -> Effect {
        match self.value {
            None | Some(0) => Effect::Fault,
            Some(weight) => Effect::Weight(weight),
        }
    }
}

/// Reads a weight.
pub(super) fn value(word: &Word, problems: &mut Problems) -> Option<i16> {
    signed("weight", word, -MAX..=MAX, problems).and_then(|weight| i16::try_from(weight).ok())
}

/// Reads what may follow a weight; `None` if it is something else.
pub(super) fn direction(word: &Word) -> Option<bool> {
    match word.text.as_str() {
        "reverse" => Some(true),
        "noreverse" => Some(false),
        _ => None,
    }
}
