//! What became of a reload, as it is told.

use serde::{Deserialize, Serialize};

/// What became of a reload that was asked for.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reload {
    /// The configuration is in force, but for what waits for a router that is being handed over.
    Done(Box<Reloaded>),
    /// It was refused, and nothing has changed.
    Refused {
        /// Why, one line each, with file, line and column.
        problems: Vec<String>,
    },
}

/// What a reload has done.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Reloaded {
    /// Keywords of `global_defs` that count from now on.
    #[serde(default)]
    pub global: Vec<String>,
    /// The virtual routers.
    pub routers: Changes,
    /// The BFD sessions.
    pub sessions: Changes,
    /// What is not as it should be.
    pub warnings: Vec<String>,
}

/// What has changed among routers or sessions, by name.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Changes {
    /// How many stay as they were.
    pub same: usize,
    /// Those that are new.
    pub added: Vec<String>,
    /// Those that changed while they run.
    pub changed: Vec<String>,
    /// Those that are handed over or ended, and then begun anew.
    pub anew: Vec<String>,
    /// Those that are handed over or ended.
    pub removed: Vec<String>,
    /// Those that come, change or leave once another one has left.
    #[serde(default)]
    pub waiting: Vec<String>,
}

impl Reloaded {
    /// Says in one line what was done.
    pub fn summary(&self) -> String {
        let mut parts = self.routers.parts();
        parts.extend(self.sessions.parts().into_iter().map(|part| format!("BFD {part}")));
        if !self.global.is_empty() {
            parts.push(format!("taken up {}", self.global.join(", ")));
        }
        if parts.is_empty() { "nothing has changed".to_owned() } else { parts.join("; ") }
    }
}

impl Changes {
    fn parts(&self) -> Vec<String> {
        let lists = [
            ("reconfigured", &self.changed),
            ("added", &self.added),
            ("removed", &self.removed),
            ("started anew", &self.anew),
            ("waiting", &self.waiting),
        ];
        let named = lists.into_iter().filter(|(_, names)| !names.is_empty());
        named.map(|(what, names)| format!("{what} {}", names.join(", "))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_names_what_changed() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(Reloaded::default().summary(), "nothing has changed");
        let routers =
            Changes { same: 4, added: names(&["A", "B"]), removed: names(&["C"]), ..Changes::default() };
        let sessions = Changes { changed: names(&["P"]), ..Changes::default() };
        let done = Reloaded { routers, sessions, ..Reloaded::default() };
        assert_eq!(done.summary(), "added A, B; removed C; BFD reconfigured P");
        let done = Reloaded { global: names(&["router_id", "on_daemon_death"]), ..Reloaded::default() };
        assert_eq!(done.summary(), "taken up router_id, on_daemon_death");
        let routers = Changes { waiting: names(&["A"]), ..Changes::default() };
        assert_eq!(Reloaded { routers, ..Reloaded::default() }.summary(), "waiting A");
    }
}
