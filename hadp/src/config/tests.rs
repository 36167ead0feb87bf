//! Tests of the whole way from text to model.

mod bad_input;
mod bfd;
mod meaning;
mod realtime;
mod robust;
mod scenarios;
mod size;
mod text;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use super::{Kind, Loaded, Options, Severity, Source, load_from};
use crate::model::{Config, Router};

/// Files in memory.
#[derive(Debug, Default)]
struct Memory(BTreeMap<PathBuf, Vec<u8>>);

impl Source for Memory {
    fn kind(&self, path: &Path) -> Kind {
        let below = |file: &PathBuf| file.starts_with(path) && file != path;
        match self.0.contains_key(path) {
            true => Kind::File,
            false if self.0.keys().any(below) => Kind::Directory,
            false => Kind::Missing,
        }
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, dir: &Path) -> Vec<String> {
        let below = self.0.keys().filter_map(|file| file.strip_prefix(dir).ok()?.iter().next()?.to_str());
        let mut names: Vec<String> = below.map(str::to_owned).collect();
        names.dedup();
        names
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        path.into()
    }
}

/// Reads these files, `/etc/hadp.conf` first, as the node `n1`.
fn load_files(files: &[(&str, &[u8])]) -> Loaded {
    let memory = Memory(files.iter().map(|(path, text)| (PathBuf::from(path), text.to_vec())).collect());
    load_from(&memory, Path::new("/etc/hadp.conf"), &options())
}

fn load_text(text: &str) -> Loaded {
    load_files(&[("/etc/hadp.conf", text.as_bytes())])
}

fn options() -> Options {
    Options { id: Some("n1".into()), strict: false, env: |name| (name == "IFACE").then(|| "eth7".to_owned()) }
}

/// Reads a text that must be without any problem.
fn clean(text: &str) -> Config {
    let loaded = load_text(text);
    assert_eq!(lines(&loaded), Vec::<String>::new(), "{text}");
    loaded.config.unwrap()
}

/// Reads an instance with these statements and without problems; its name, interface, VRID and address are given.
fn router(statements: &str) -> Router {
    clean(&instance(statements)).routers.remove(0)
}

/// Returns a complete instance, these statements on its fifth line and behind it.
fn instance(statements: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\ninterface eth0\nvirtual_router_id 51\n\
         virtual_ipaddress {{ 10.77.0.100 }}\n{statements}\n}}\n"
    )
}

/// Returns every problem as `LINE:COLUMN severity message`.
fn lines(loaded: &Loaded) -> Vec<String> {
    let line = |diagnostic: &super::Diagnostic| {
        let severity = match diagnostic.severity {
            Severity::Unsupported => "unsupported",
            Severity::Warning => "warning",
            Severity::Error => "error",
            Severity::Security => "security",
        };
        format!("{}:{} {severity} {}", diagnostic.line, diagnostic.column, diagnostic.message)
    };
    loaded.report.diagnostics().iter().map(line).collect()
}
