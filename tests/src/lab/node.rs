//! A machine of the lab.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Instant,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{Holder, Process, rtnl};

/// An address of an interface, as `ip addr` shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Address {
    /// The interface.
    pub interface: String,
    /// The address, of either family, as text.
    pub address: String,
    /// The prefix length.
    pub prefix: u64,
    /// The label, of IPv4 addresses.
    pub label: Option<String>,
}

/// A machine with `eth0` on the LAN, its own `/run`, `/sys` and BPF file system, and a directory for its files.
#[derive(Debug)]
pub struct Node {
    pub(super) name: String,
    pub(super) address: Ipv4Addr,
    pub(super) mac: [u8; 6],
    pub(super) dir: PathBuf,
    /// Its port on the switch.
    pub(super) port: String,
    pub(super) holder: Holder,
    pub(super) switch: Arc<Holder>,
}

impl Node {
    /// Returns its host name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its address on the LAN.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Returns the MAC address of its `eth0`.
    pub fn mac(&self) -> [u8; 6] {
        self.mac
    }

    /// Returns its namespaces.
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// Writes a file into its directory and returns the path.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write(&self, file: &str, text: &str) -> Result<PathBuf> {
        let path = self.dir.join(file);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }

    /// Returns its directory, which is removed with the LAN.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns a command that will run in the node.
    ///
    /// # Errors
    ///
    /// When the node's namespaces cannot be handed over.
    pub fn command(&self, program: &str) -> Result<Command> {
        self.holder.command(program)
    }

    /// Runs a program to its end and returns what it wrote to standard output.
    ///
    /// # Errors
    ///
    /// When it cannot be run or fails; the error shows what it said.
    pub fn run<const N: usize>(&self, argv: [&str; N]) -> Result<String> {
        run(&self.holder, &self.name, &argv)
    }

    /// Starts a program that goes on running; it ends with the returned value or with the thread that started it.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn spawn(&self, command: Command) -> Result<Process> {
        let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy();
        Process::spawn(format!("{program} on {}", self.name), command)
    }

    /// Returns the addresses of all its interfaces.
    ///
    /// # Errors
    ///
    /// When `ip` fails or speaks in another format.
    pub fn addresses(&self) -> Result<Vec<Address>> {
        let links: Value =
            serde_json::from_str(&self.run(["ip", "-j", "addr"])?).context("reading ip -j addr")?;
        let mut addresses = Vec::new();
        for link in links.as_array().context("ip -j addr gave no list")? {
            let text =
                |value: &Value, field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
            for info in link.get("addr_info").and_then(Value::as_array).into_iter().flatten() {
                addresses.push(Address {
                    interface: text(link, "ifname").context("a link without a name")?,
                    address: text(info, "local").context("an address without a value")?,
                    prefix: info
                        .get("prefixlen")
                        .and_then(Value::as_u64)
                        .context("an address without a length")?,
                    label: text(info, "label"),
                });
            }
        }
        Ok(addresses)
    }

    /// Returns whether one of its interfaces has `address`.
    ///
    /// # Errors
    ///
    /// As [`Self::addresses`].
    pub fn holds(&self, address: Ipv4Addr) -> Result<bool> {
        Ok(self.addresses()?.iter().any(|held| held.address == address.to_string()))
    }

    /// Cuts its line without a trace: its port neither takes nor gives frames, and the node still sees a carrier.
    ///
    /// # Errors
    ///
    /// When the switch refuses.
    pub fn cut(&self) -> Result<()> {
        self.switch.in_net(|| rtnl::forwarding(&self.port, false)?.make())
    }

    /// Does so at this time. Returns when it had not happened yet, and when it had for certain.
    ///
    /// # Errors
    ///
    /// As [`Self::cut`].
    pub fn cut_at(&self, at: Instant) -> Result<[Instant; 2]> {
        self.switch.in_net(|| rtnl::forwarding(&self.port, false)?.make_at(at))
    }

    /// Mends what [`Self::cut`] cut.
    ///
    /// # Errors
    ///
    /// When the switch refuses.
    pub fn mend(&self) -> Result<()> {
        self.switch.in_net(|| rtnl::forwarding(&self.port, true)?.make())
    }

    /// Leads what it sends to this UDP port astray, into another node's line: it leaves, and what others send to that port
    /// still arrives.
    ///
    /// # Errors
    ///
    /// When the switch or the routes cannot be set.
    pub fn misdirect_udp(&self, port: u16, into: &Self) -> Result<()> {
        const NOBODY: &str = "02:00:00:00:00:fe";
        const ASTRAY: &str = "10.77.255.254";
        let fdb = ["bridge", "fdb", "replace", NOBODY, "dev", &into.port, "master", "static"];
        run(&self.switch, "switch", &fdb)?;
        self.run(["ip", "neigh", "replace", ASTRAY, "lladdr", NOBODY, "dev", "eth0"])?;
        self.run(["ip", "route", "add", "10.77.0.0/16", "via", ASTRAY, "dev", "eth0", "table", "100"])?;
        self.run(["ip", "rule", "add", "ipproto", "udp", "dport", &port.to_string(), "lookup", "100"])
            .map(drop)
    }

    /// Takes `eth0` down, as an administrator does.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn link_down(&self) -> Result<()> {
        self.holder.in_net(|| rtnl::up("eth0", false)?.make())
    }

    /// Does so at this time. Returns when it had not happened yet, and when it had for certain.
    ///
    /// # Errors
    ///
    /// As [`Self::link_down`].
    pub fn link_down_at(&self, at: Instant) -> Result<[Instant; 2]> {
        self.holder.in_net(|| rtnl::up("eth0", false)?.make_at(at))
    }

    /// Brings `eth0` up.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn link_up(&self) -> Result<()> {
        self.holder.in_net(|| rtnl::up("eth0", true)?.make())
    }

    /// Takes the carrier from `eth0` by taking down the switch's end of the line, or gives it back.
    ///
    /// # Errors
    ///
    /// When the switch refuses.
    pub fn carrier(&self, up: bool) -> Result<()> {
        self.switch.in_net(|| rtnl::up(&self.port, up)?.make())
    }
}

/// Runs a program in a holder's namespaces and returns its standard output.
pub(super) fn run(holder: &Holder, place: &str, argv: &[&str]) -> Result<String> {
    let Some((program, arguments)) = argv.split_first() else { bail!("no program to run in {place}") };
    let what = || format!("running {} in {place}", argv.join(" "));
    let output = holder.command(program)?.args(arguments).output().with_context(what)?;
    if !output.status.success() {
        bail!("{}: {}: {}", what(), output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(what)
}
