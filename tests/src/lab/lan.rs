//! A LAN of the lab.

use std::{
    fs, io,
    net::Ipv4Addr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Context, Result, bail};

use super::{Holder, Node, guardian, node, procfs};

/// The last octet of the client's address.
const CLIENT: u8 = 50;

/// A switch with nodes `n1`, `n2`, ... at 10.77.0.1, 10.77.0.2, ... and a client at 10.77.0.50, all in 10.77.0.0/16.
///
/// Dropping it kills everything in it and removes everything it made.
#[derive(Debug)]
pub struct Lan {
    nodes: Vec<Node>,
    client: Node,
    switch: Arc<Holder>,
    dir: LabDir,
}

impl Lan {
    /// Makes a LAN with `nodes` nodes.
    ///
    /// # Errors
    ///
    /// Without root, or where namespaces and virtual links cannot be made.
    pub fn new(nodes: u8) -> Result<Self> {
        procfs::sweep();
        guardian::post()?;
        let dir = LabDir::new()?;
        let switch = Arc::new(Holder::new("switch")?);
        // Snooping would hold multicast back until a group has been joined, and reports take their time.
        for line in [
            "link add br0 type bridge mcast_snooping 0 stp_state 0 forward_delay 0",
            "link set br0 addrgenmode none",
            "link set br0 up",
        ] {
            ip(&switch, "switch", line)?;
        }
        switch.in_net(leave_frames_alone)?;
        let client = connect(&switch, &dir, "client", CLIENT)?;
        let nodes =
            (1..=nodes).map(|n| connect(&switch, &dir, &format!("n{n}"), n)).collect::<Result<_>>()?;
        Ok(Self { nodes, client, switch, dir })
    }

    /// Adds a machine called `name` at 10.77.0.`last`, such as a real server.
    ///
    /// # Errors
    ///
    /// As [`Self::new`], and when the address is taken.
    pub fn add_host(&self, name: &str, last: u8) -> Result<Node> {
        connect(&self.switch, &self.dir, name, last)
    }

    /// Has the switch do its work on the last processor, whoever sends: a switch is a machine of its own. Without this, who
    /// sends a frame also carries it to every other port.
    ///
    /// # Errors
    ///
    /// When the kernel cannot steer packets.
    pub fn set_switch_apart(&self) -> Result<()> {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let mask = format!("{:x}", 1_u64 << (processors - 1).min(63));
        for machine in self.machines() {
            let line = format!("echo {mask} > /sys/class/net/{}/queues/rx-0/rps_cpus", machine.port);
            node::run(&self.switch, "switch", &["sh", "-c", &line])?;
        }
        Ok(())
    }

    /// Returns the nodes, `n1` first.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Returns the first two nodes.
    ///
    /// # Errors
    ///
    /// When there are not two.
    pub fn pair(&self) -> Result<(&Node, &Node)> {
        match self.nodes.as_slice() {
            [first, second, ..] => Ok((first, second)),
            [] | [_] => bail!("the LAN has no two nodes"),
        }
    }

    /// Returns the client.
    pub fn client(&self) -> &Node {
        &self.client
    }

    /// Returns every machine, the client last.
    pub fn machines(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().chain([&self.client])
    }
}

/// Makes a machine and plugs it into the switch.
fn connect(switch: &Arc<Holder>, dir: &LabDir, name: &str, last: u8) -> Result<Node> {
    let holder = Holder::new(name)?;
    let (port, pid) = (format!("p{last}"), holder.pid());
    // Locally administered, and readable in a capture: the address is in it.
    let mac = format!("02:00:0a:4d:00:{last:02x}");
    for line in [
        &format!("link add {port} type veth peer name eth0 address {mac} netns {pid}"),
        &format!("link set {port} addrgenmode none"),
        &format!("link set {port} master br0 up"),
    ] {
        ip(switch, "switch", line)?;
    }
    // No link-local address: router solicitations and the like would be noise in every capture.
    for line in [
        "link set eth0 addrgenmode none",
        "link set lo up",
        &format!("addr add 10.77.0.{last}/16 brd + dev eth0"),
        "link set eth0 up",
    ] {
        ip(&holder, name, line)?;
    }
    let dir = dir.0.join(name);
    fs::create_dir(&dir).with_context(|| format!("creating {}", dir.display()))?;
    Ok(Node {
        name: name.to_owned(),
        address: Ipv4Addr::new(10, 77, 0, last),
        mac: [2, 0, 10, 77, 0, last],
        dir,
        port,
        holder,
        switch: Arc::clone(switch),
    })
}

fn ip(holder: &Holder, place: &str, line: &str) -> Result<()> {
    let argv: Vec<&str> = ["ip"].into_iter().chain(line.split(' ')).collect();
    node::run(holder, place, &argv).map(drop)
}

/// The directory of a lab's files.
#[derive(Debug)]
struct LabDir(PathBuf);

impl LabDir {
    fn new() -> Result<Self> {
        static SERIAL: AtomicUsize = AtomicUsize::new(0);
        let path = procfs::lab_dir(SERIAL.fetch_add(1, Ordering::Relaxed));
        fs::create_dir(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for LabDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // the next lab sweeps what cannot be removed now
    }
}

/// Keeps the host's packet filter off the switch, which has none: where the kernel has bridge netfilter, every frame would
/// go through it.
fn leave_frames_alone() -> Result<()> {
    for family in ["ip", "ip6", "arp"] {
        let path = format!("/proc/sys/net/bridge/bridge-nf-call-{family}tables");
        match fs::write(&path, "0") {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("writing {path}"));
            }
            _ => {}
        }
    }
    Ok(())
}
