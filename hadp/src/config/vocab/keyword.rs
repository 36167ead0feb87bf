//! What is known of a keyword.

/// A keyword.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct Keyword {
    /// The keyword.
    pub(in crate::config) name: &'static str,
    /// The fewest parameters it takes.
    pub(in crate::config) min: usize,
    /// The most parameters it takes.
    pub(in crate::config) max: usize,
    /// What hadp does with it.
    pub(in crate::config) status: Status,
    /// What its block holds.
    pub(in crate::config) body: Body,
}

/// What hadp does with a keyword.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::config) enum Status {
    /// It is in effect.
    Implemented,
    /// It is named in a warning that does not count.
    Unsupported,
    /// It has had no meaning for years; the text says what to write instead.
    Obsolete(&'static str),
}

/// What a keyword's block holds.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) enum Body {
    /// It has none.
    None,
    /// Entries that are not keywords.
    Entries,
    /// Keywords.
    Keywords(&'static Vocab),
}

/// The keywords of a block.
#[derive(Debug)]
pub(in crate::config) struct Vocab {
    /// The block's own name.
    pub(in crate::config) name: &'static str,
    /// Its keywords.
    pub(in crate::config) keywords: &'static [Keyword],
}

/// No limit to the parameters.
pub(super) const ANY: usize = usize::MAX;

/// Builds a keyword with `min` to `max` parameters, no block and no implementation.
pub(super) const fn kw(name: &'static str, min: usize, max: usize) -> Keyword {
    Keyword { name, min, max, status: Status::Unsupported, body: Body::None }
}

impl Keyword {
    pub(super) const fn done(self) -> Self {
        Self { status: Status::Implemented, ..self }
    }

    pub(super) const fn obsolete(self, instead: &'static str) -> Self {
        Self { status: Status::Obsolete(instead), ..self }
    }

    pub(super) const fn entries(self) -> Self {
        Self { body: Body::Entries, ..self }
    }

    pub(super) const fn block(self, vocab: &'static Vocab) -> Self {
        Self { body: Body::Keywords(vocab), ..self }
    }
}

impl Vocab {
    /// Returns a keyword by its name.
    pub(in crate::config) fn find(&self, name: &str) -> Option<&'static Keyword> {
        self.keywords.iter().find(|keyword| keyword.name == name)
    }
}

/// Returns whether a keyword's parameters are read as a shell reads them.
pub(in crate::config) fn takes_script(keyword: &str) -> bool {
    keyword.starts_with("notify")
        || keyword.ends_with("fifo_script")
        || ["script", "process", "misc_path", "quorum_up", "quorum_down", "startup_script", "shutdown_script"]
            .contains(&keyword)
}
