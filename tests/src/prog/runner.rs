//! Running the loaded programs on packets.

use anyhow::{Context, Result, bail};
use aya::{
    maps::{Array, Map, MapData},
    programs::{TestRun, TestRunOptions},
};
use hadp::datapath::{EventRecord, Events, PinLock, Plan, Xdp};
use hadp_common::{
    event::LIMITS_LEN,
    router::Router,
    settings::Settings,
    stats::{Counter, DropReason, Drops, Stats},
    table::{PROBES, vip_index},
    vip::{VIPS_LEN, Vip},
};

use super::Sandbox;

/// The loopback interface, which every network namespace has: the kernel wants one that exists.
pub const IFINDEX: u32 = 1;

/// What became of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// XDP_DROP.
    Drop,
    /// XDP_PASS.
    Pass,
    /// XDP_TX.
    Transmit,
}

/// All that one packet brought about.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The verdict.
    pub action: Action,
    /// The packet afterwards.
    pub packet: Vec<u8>,
    /// The reasons counted.
    pub dropped: Vec<DropReason>,
    /// The counters that went up.
    pub counted: Vec<Counter>,
    /// The events sent.
    pub events: Vec<EventRecord>,
}

/// The loaded, not attached, programs.
pub struct Runner {
    /// The datapath.
    pub xdp: Xdp,
    sandbox: Sandbox,
    events: Events,
    stats: Stats,
    drops: Drops,
}

impl Runner {
    /// Loads the programs in namespaces of the calling thread.
    ///
    /// # Errors
    ///
    /// Without root, or when the kernel refuses the program.
    pub fn new() -> Result<Self> {
        let sandbox = Sandbox::enter()?;
        let mut xdp = Xdp::open(PinLock::take(sandbox.pins())?).context("opening the datapath")?;
        let events = xdp.events()?.context("the ring buffer was taken already")?;
        Ok(Self { xdp, sandbox, events, stats: Stats::default(), drops: Drops::default() })
    }

    /// Puts a plan in force.
    ///
    /// # Errors
    ///
    /// When it does not fit.
    pub fn apply(&mut self, plan: &Plan) -> Result<()> {
        Ok(self.xdp.apply(plan)?)
    }

    /// Runs the XDP program on one packet.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the run.
    pub fn run(&mut self, packet: &[u8]) -> Result<Outcome> {
        let mut out = vec![0; packet.len() + 256];
        let context = context(packet.len(), IFINDEX);
        let options = TestRunOptions {
            data_in: Some(packet),
            data_out: Some(&mut out),
            ctx_in: Some(&context),
            ..TestRunOptions::default()
        };
        let result = self.xdp.program()?.test_run(options).context("BPF_PROG_TEST_RUN")?;
        out.truncate(usize::try_from(result.data_size_out)?);
        let action = match result.return_value {
            1 => Action::Drop,
            2 => Action::Pass,
            3 => Action::Transmit,
            other => bail!("the program returned {other}"),
        };
        self.outcome(action, out)
    }

    /// Runs the classifier on one packet that would leave by [`IFINDEX`].
    ///
    /// # Errors
    ///
    /// When the kernel refuses the run.
    pub fn leave(&mut self, packet: &[u8]) -> Result<Outcome> {
        let mut out = vec![0; packet.len() + 256];
        let options = TestRunOptions {
            data_in: Some(packet),
            data_out: Some(&mut out),
            ..TestRunOptions::default() // the interface is then the loopback one
        };
        let result = self.xdp.egress_program()?.test_run(options).context("BPF_PROG_TEST_RUN")?;
        out.truncate(usize::try_from(result.data_size_out)?);
        let action = match result.return_value.cast_signed() {
            -1 => Action::Pass, // to the next program
            2 => Action::Drop,
            other => bail!("the classifier returned {other}"),
        };
        self.outcome(action, out)
    }

    /// Collects what a run brought about.
    fn outcome(&mut self, action: Action, packet: Vec<u8>) -> Result<Outcome> {
        let mut events = Vec::new();
        self.events.drain(64, |event| events.push(event));
        let (stats, drops) = (self.xdp.stats()?, self.xdp.drops()?);
        let counted = Counter::ALL.iter().filter(|which| stats.count(**which) > self.stats.count(**which));
        let dropped = DropReason::ALL.iter().filter(|which| drops.count(**which) > self.drops.count(**which));
        let (counted, dropped) = (counted.copied().collect(), dropped.copied().collect());
        (self.stats, self.drops) = (stats, drops);
        Ok(Outcome { action, packet, dropped, counted, events })
    }

    /// Returns how many events made no sense.
    pub fn unknown_events(&self) -> u64 {
        self.events.unknown()
    }

    /// Lets every kind of event through again.
    ///
    /// # Errors
    ///
    /// When the map cannot be written.
    pub fn lift_limits(&self) -> Result<()> {
        let mut map = self.pinned("LIMITS")?;
        let mut limits = Array::<_, u64>::try_from(&mut map)?;
        (0..LIMITS_LEN).try_for_each(|index| limits.set(index, 0, 0)).context("clearing LIMITS")
    }

    /// Returns a router's value as the kernel has it.
    ///
    /// # Errors
    ///
    /// When the map cannot be read.
    pub fn router(&self, slot: u32) -> Result<Router> {
        let map = self.pinned("ROUTERS")?;
        Array::<_, Router>::try_from(&map)?.get(&slot, 0).context("reading ROUTERS")
    }

    /// Changes a router's value behind the datapath's back.
    ///
    /// # Errors
    ///
    /// When the map cannot be written.
    pub fn set_router(&self, slot: u32, router: Router) -> Result<()> {
        let mut map = self.pinned("ROUTERS")?;
        Array::<_, Router>::try_from(&mut map)?.set(slot, router, 0).context("writing ROUTERS")
    }

    /// Adds a virtual address on a VLAN, which no plan can yet describe, to the table in force.
    ///
    /// # Errors
    ///
    /// When the maps cannot be used, or the address finds no place.
    pub fn add_vip(&self, vip: Vip) -> Result<()> {
        let settings = self.pinned("SETTINGS")?;
        let settings = Array::<_, Settings>::try_from(&settings)?.get(&0, 0)?;
        let vlans = (u32::from(vip.vlans[0]) << 16) | u32::from(vip.vlans[1]);
        let home = vip_index(vip.addr.words(), vip.ifindex, vlans, settings.seed, VIPS_LEN);
        let mut map = self.pinned("VIPS")?;
        let mut vips = Array::<_, Vip>::try_from(&mut map)?;
        for probe in 0..PROBES {
            let index = settings.half * VIPS_LEN + ((home + probe) & (VIPS_LEN - 1));
            if vips.get(&index, 0)?.ifindex == 0 {
                return Ok(vips.set(index, vip, 0)?);
            }
        }
        bail!("no free entry within reach")
    }

    /// Returns a pinned map.
    ///
    /// # Errors
    ///
    /// When there is none of this name.
    pub fn pinned(&self, name: &str) -> Result<Map> {
        let path = self.sandbox.pins().join(name);
        Ok(Map::from_map_data(
            MapData::from_pin(&path).with_context(|| format!("opening {}", path.display()))?,
        )?)
    }

    /// Returns where the maps are pinned.
    pub fn pins(&self) -> &std::path::Path {
        self.sandbox.pins()
    }
}

/// Returns the `xdp_md` of a packet that came in on an interface: data, data_end, data_meta, ingress_ifindex,
/// rx_queue_index, egress_ifindex.
pub fn context(len: usize, ifindex: u32) -> Vec<u8> {
    let len = u32::try_from(len).expect("a packet is shorter than 4 GiB");
    bytemuck::cast_slice(&[0, len, 0, ifindex, 0, 0]).to_vec()
}
