//! FRR's bfdd as a neighbour.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Node, Process, wait_until};

const DIR: &str = "/usr/lib/frr";

/// zebra and bfdd in a node, with directories of their own. Dropping it kills both.
#[derive(Debug)]
pub struct Frr<'n> {
    node: &'n Node,
    dir: PathBuf,
    bfdd: Process,
    _zebra: Process,
}

impl<'n> Frr<'n> {
    /// Starts bfdd with this configuration, and zebra, which tells it of interfaces.
    ///
    /// # Errors
    ///
    /// When FRR is not installed or does not start.
    pub fn start(node: &'n Node, conf: &str) -> Result<Self> {
        let dir = node.dir().join("frr");
        fs::create_dir_all(&dir)?;
        // The daemons run as FRR's own user.
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o777))?;
        for dir in node.dir().ancestors().take(2) {
            fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?;
        }
        fs::write(dir.join("zebra.conf"), "")?;
        fs::write(dir.join("bfdd.conf"), conf)?;
        let start = |program: &str, more: &[&str]| -> Result<Process> {
            let file = |name: String| dir.join(name).to_string_lossy().into_owned();
            let mut command = node.command(&format!("{DIR}/{program}"))?;
            command.args(["-f", &file(format!("{program}.conf")), "-i", &file(format!("{program}.pid"))]);
            command.args(["-z", &file("zserv.api".to_owned()), "--vty_socket", &dir.to_string_lossy()]);
            command.args(["-u", "frr", "-g", "frr"]).args(more);
            let process = node.spawn(command)?;
            let socket = dir.join(format!("{program}.vty"));
            wait_until(&format!("{program} listens"), Duration::from_secs(10), || Ok(socket.exists()))
                .with_context(|| process.log().text())?;
            Ok(process)
        };
        let zebra = start("zebra", &[])?;
        let control = dir.join("bfdd.sock");
        let bfdd = start("bfdd", &["--bfdctl", &control.to_string_lossy()])?;
        Ok(Self { node, dir, bfdd, _zebra: zebra })
    }

    /// Returns what it says of its peers.
    ///
    /// # Errors
    ///
    /// When it does not answer, or not in JSON.
    pub fn peers(&self) -> Result<Value> {
        let text = self.vtysh(&["show bfd peers json"])?;
        serde_json::from_str(&text).with_context(|| format!("reading FRR's peers: {text}"))
    }

    /// Changes its configuration.
    ///
    /// # Errors
    ///
    /// When it does not take a line.
    pub fn configure(&self, lines: &[&str]) -> Result<()> {
        self.vtysh(&[&["configure terminal"], lines].concat()).map(drop)
    }

    /// Kills bfdd without a last word.
    ///
    /// # Errors
    ///
    /// When it has ended already.
    pub fn crash(&mut self) -> Result<()> {
        self.bfdd.crash().map(drop)
    }

    fn vtysh(&self, lines: &[&str]) -> Result<String> {
        let mut command = self.node.command("vtysh")?;
        command.arg("--vty_socket").arg(&self.dir);
        for line in lines {
            command.args(["-c", line]);
        }
        let output = command.output().context("running vtysh")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "vtysh {lines:?}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(text)
    }
}
