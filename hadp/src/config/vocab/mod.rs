//! The vocabulary: every keyword that keepalived knows, by the block it stands in.

mod bfd;
mod checkers;
mod global;
mod group;
mod instance;
mod server;
mod top;
mod track;

#[cfg(test)]
mod tests;

pub(super) use top::TOP;

/// A keyword.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keyword {
    /// The keyword.
    pub(super) name: &'static str,
    /// The fewest parameters it takes.
    pub(super) min: usize,
    /// The most parameters it takes.
    pub(super) max: usize,
    /// What hadp does with it.
    pub(super) status: Status,
    /// What its block holds.
    pub(super) body: Body,
}

/// What hadp does with a keyword.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Status {
    /// It is in effect.
    Implemented,
    /// It is named in a warning that does not count.
    Unsupported,
    /// It has had no meaning for years; the text says what to write instead.
    Obsolete(&'static str),
}

/// What a keyword's block holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body {
    /// It has none.
    None,
    /// Entries that are not keywords.
    Entries,
    /// Keywords.
    Keywords(&'static Vocab),
}

/// The keywords of a block.
#[derive(Debug)]
pub(super) struct Vocab {
    /// The block's own name.
    pub(super) name: &'static str,
    /// Its keywords.
    pub(super) keywords: &'static [Keyword],
}

/// No limit to the parameters.
const ANY: usize = usize::MAX;

/// Builds a keyword with `min` to `max` parameters, no block and no implementation.
const fn kw(name: &'static str, min: usize, max: usize) -> Keyword {
    Keyword { name, min, max, status: Status::Unsupported, body: Body::None }
}

impl Keyword {
    const fn done(self) -> Self {
        Self { status: Status::Implemented, ..self }
    }

    const fn obsolete(self, instead: &'static str) -> Self {
        Self { status: Status::Obsolete(instead), ..self }
    }

    const fn entries(self) -> Self {
        Self { body: Body::Entries, ..self }
    }

    const fn block(self, vocab: &'static Vocab) -> Self {
        Self { body: Body::Keywords(vocab), ..self }
    }
}

impl Vocab {
    /// Returns a keyword by its name.
    pub(super) fn find(&self, name: &str) -> Option<&'static Keyword> {
        self.keywords.iter().find(|keyword| keyword.name == name)
    }
}

/// Every vocabulary, for a keyword that stands in the wrong block.
pub(super) static ALL: &[&Vocab] = &[
    &top::TOP,
    &global::GLOBAL,
    &instance::INSTANCE,
    &instance::AUTHENTICATION,
    &instance::AUTH_HMAC,
    &group::SYNC_GROUP,
    &group::GARP_GROUP,
    &group::TRACK_GROUP,
    &track::SCRIPT,
    &track::PROCESS,
    &track::FILE,
    &bfd::INSTANCE,
    &server::SERVER,
    &server::REAL_SERVER,
    &server::SSL,
    &checkers::HTTP,
    &checkers::URL,
    &checkers::TCP,
    &checkers::UDP,
    &checkers::SMTP,
    &checkers::HOST,
    &checkers::DNS,
    &checkers::MISC,
    &checkers::PING,
    &checkers::FILE,
    &checkers::BFD,
];

/// Returns whether a keyword's parameters are read as a shell reads them.
pub(super) fn takes_script(keyword: &str) -> bool {
    keyword.starts_with("notify")
        || keyword.ends_with("fifo_script")
        || ["script", "process", "misc_path", "quorum_up", "quorum_down", "startup_script", "shutdown_script"]
            .contains(&keyword)
}
