//! A path in, a configuration and its problems out.

use std::path::Path;

use super::{
    check,
    diag::{Problems, Report},
    lower, secret,
    source::{Disk, Kind, Source},
    text::Reader,
    vocab,
};
use crate::model::Config;

/// What a configuration depends on besides its files.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration id of `@id` lines and `${_INSTANCE}`, keepalived's `-i`; the short host name if there is none.
    pub id: Option<String>,
    /// Whether what is otherwise warned of is an error.
    pub strict: bool,
    /// Looks up an environment variable, for `${_ENV NAME}`.
    pub env: fn(&str) -> Option<String>,
}

impl Default for Options {
    /// Returns what the machine has: its host name and this process's environment.
    fn default() -> Self {
        Self { id: None, strict: false, env: |name| std::env::var(name).ok() }
    }
}

/// What came of reading a configuration.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration; `None` if there is any error.
    pub config: Option<Config>,
    /// Every problem there is.
    pub report: Report,
}

/// Reads a configuration from the file system.
///
/// `path` is a file, a pattern such as `conf.d/*.conf`, or a directory, of which every `*.conf` is read in the order of
/// their names.
pub fn load(path: &Path, options: &Options) -> Loaded {
    load_from(&Disk, path, options)
}

/// Reads a configuration from anywhere.
pub fn load_from(source: &dyn Source, path: &Path, options: &Options) -> Loaded {
    let mut problems = Problems::new(options.strict);
    let id = options.id.clone().unwrap_or_else(|| host_name(source));
    let mut reader = Reader::new(source, &id, options.env, &mut problems);
    match source.kind(path) {
        Kind::Directory => reader.pattern(&path.join("*.conf")),
        Kind::Missing => reader.pattern(path),
        Kind::File | Kind::Other => reader.file(path, None),
    }
    let (files, ast) = reader.finish();
    check::check(&ast, &vocab::TOP, false, &mut problems);
    let config = lower::lower(&ast, &mut problems);
    let secrets = secret::find(&ast).into_iter().map(|word| (word.span, word.text.as_str()));
    let report = Report::new(problems, &files.hiding(secrets));
    Loaded { config: (!report.has_errors()).then_some(config), report }
}

/// Returns the host name up to its first dot.
fn host_name(source: &dyn Source) -> String {
    let name = source.read(Path::new("/proc/sys/kernel/hostname")).unwrap_or_default();
    let name = String::from_utf8_lossy(&name);
    name.trim().split('.').next().unwrap_or("").into()
}
