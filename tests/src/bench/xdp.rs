//! What one packet costs in the XDP program, and in the classifier of what leaves.
//!
//! Every run begins with the packet restored by a small program that then becomes the measured one by a tail call. The
//! same program becoming an empty one is the floor, which is subtracted. What is measured is the program that the daemon
//! loads, with its maps. The classifier changes no packet that is measured, so it runs by itself, and its floor is an empty
//! one.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use anyhow::{Context, Result, ensure};
use aya::{
    Ebpf,
    maps::{Array, ProgramArray},
    programs::{ProgramFd, SchedClassifier, TestRun, TestRunOptions, Xdp as XdpProgram},
};
use hadp::{
    datapath::{BENCH_OBJECT, Datapath, Plan, PlannedSession},
    units::Time,
};
use hadp_common::stats::Counter;
use nix::{
    sched::{CpuSet, sched_getcpu, sched_setaffinity},
    unistd::Pid,
};

use crate::prog::{
    Arp, Frame, IFINDEX, Ip, Runner,
    bfd::{self, Bfd},
    context, plans, v2, v3,
};

/// How much is measured.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Options {
    /// How often each program is measured; the median counts
    #[arg(long, default_value_t = 101)]
    pub rounds: usize,
    /// How often a program runs each time
    #[arg(long, default_value_t = 30_000)]
    pub repeat: u32,
}

impl Default for Options {
    /// Returns what the command line has when nothing is said.
    fn default() -> Self {
        Self { rounds: 41, repeat: 100_000 }
    }
}

/// Measures, and returns a table in Markdown.
///
/// # Errors
///
/// Without root, or when a packet did not take the path that was to be measured.
pub fn run(options: &Options) -> Result<String> {
    let mut bench = Bench::new(*options)?;
    let mut samples = rows();
    pin_to_this_cpu()?;
    for _ in 0..options.rounds {
        for row in &mut samples {
            let nanos = bench.measure(row)?;
            row.nanos.push(nanos);
        }
    }
    bench.check_paths(options)?;
    Ok(table(&samples, options))
}

/// Which program is measured.
#[derive(Clone, Copy)]
enum Program {
    /// One that passes everything.
    Empty,
    /// One that reads the clock.
    ClockRead,
    /// The datapath.
    Datapath,
    /// A classifier that passes everything.
    EmptyEgress,
    /// The classifier of what leaves.
    Egress,
}

/// One line of the table.
struct Row {
    name: &'static str,
    program: Program,
    frame: [u8; FRAME_LEN],
    verdict: u32,
    /// The most it should cost, in nanoseconds above the floor.
    mark: Option<f64>,
    nanos: Vec<f64>,
}

impl Row {
    /// Returns the median of what each round took more than the same round of `floor`: what slows the machine down for a
    /// while slows both.
    fn median_above(&self, floor: &[f64]) -> f64 {
        let mut above: Vec<f64> = self.nanos.iter().zip(floor).map(|(nanos, floor)| nanos - floor).collect();
        above.sort_by(f64::total_cmp);
        above.get(above.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// Returns what the fastest round took.
    fn least(&self) -> f64 {
        self.nanos.iter().copied().fold(f64::INFINITY, f64::min)
    }
}

/// The longest frame is a BFD packet over IPv6, of 86 octets; in words of 8.
const FRAME_LEN: usize = 88;
const PASS: u32 = 2;
const TX: u32 = 3;
/// What a classifier returns for the next program to decide.
const NEXT: u32 = u32::MAX;

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 9);
const PEER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
const PASSWORD: [u8; 8] = *b"1111\0\0\0\0";

/// The frames that are measured.
struct Frames {
    unrelated: [u8; FRAME_LEN],
    to_vip: [u8; FRAME_LEN],
    from_vip: [u8; FRAME_LEN],
    arp: [u8; FRAME_LEN],
    v2: [u8; FRAME_LEN],
    v3: [u8; FRAME_LEN],
    bfd_v4: [u8; FRAME_LEN],
    bfd_v6: [u8; FRAME_LEN],
    unrelated_v6: [u8; FRAME_LEN],
}

fn frames() -> Frames {
    let padded = |frame: Frame| {
        let mut octets = frame.octets();
        octets.resize(FRAME_LEN, 0);
        octets.try_into().unwrap_or([0; FRAME_LEN])
    };
    let [bfd_v4, bfd_v6] = sessions().map(|session| {
        let own = if session.remote.is_ipv4() { OWN_V4 } else { OWN_V6 };
        Bfd::new(session.remote, own, &bfd::up(&session))
    });
    Frames {
        unrelated: padded(Frame::ip(&Ip::udp(CLIENT, Ipv4Addr::new(10, 77, 3, 7)))),
        to_vip: padded(Frame::ip(&Ip::udp(CLIENT, VIP))),
        from_vip: padded(Frame::ip(&Ip::udp(VIP, CLIENT))),
        arp: padded(Frame::arp(&Arp::request(CLIENT, VIP))),
        v2: padded(Frame::ip(&Ip::vrrp(PEER, v2(52, 200, 1, Some(PASSWORD), &[VIP])))),
        v3: padded(Frame::ip(&Ip::vrrp(PEER, v3(PEER, 53, 200, 100, &[VIP])))),
        unrelated_v6: padded(Bfd { port: 80, ..bfd_v6.clone() }.frame()),
        bfd_v4: padded(bfd_v4.frame()),
        bfd_v6: padded(bfd_v6.frame()),
    }
}

const OWN_V4: IpAddr = IpAddr::V4(plans::OWN);
const OWN_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));
const PEER_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2));

/// The BFD sessions: one over each family.
fn sessions() -> [PlannedSession; 2] {
    let single_hop =
        |index, remote, local| PlannedSession { local: Some(local), ..bfd::session(index, remote) };
    [single_hop(1, PEER.into(), OWN_V4), single_hop(2, PEER_V6, OWN_V6)]
}

/// The row that those of the classifier are measured above.
const EGRESS_FLOOR: &str = "leaving: floor";

fn rows() -> Vec<Row> {
    let frames = frames();
    let row =
        |name, program, frame, verdict, mark| Row { name, program, frame, verdict, mark, nanos: Vec::new() };
    vec![
        row("floor", Program::Empty, frames.unrelated, PASS, None),
        row("one read of `bpf_ktime_get_ns`", Program::ClockRead, frames.unrelated, PASS, None),
        row("unrelated traffic", Program::Datapath, frames.unrelated, PASS, Some(10.0)),
        row("traffic to an owned VIP", Program::Datapath, frames.to_vip, PASS, Some(20.0)),
        row("ARP answer", Program::Datapath, frames.arp, TX, Some(50.0)),
        row("valid advert recorded, v2 PASS", Program::Datapath, frames.v2, PASS, Some(75.0)),
        row("valid advert recorded, v3", Program::Datapath, frames.v3, PASS, Some(75.0)),
        row("unrelated traffic, IPv6", Program::Datapath, frames.unrelated_v6, PASS, Some(10.0)),
        row("BFD packet, nothing new, IPv4", Program::Datapath, frames.bfd_v4, PASS, Some(75.0)),
        row("BFD packet, nothing new, IPv6", Program::Datapath, frames.bfd_v6, PASS, Some(75.0)),
        row(EGRESS_FLOOR, Program::EmptyEgress, frames.unrelated, NEXT, None),
        row("leaving: unrelated traffic", Program::Egress, frames.unrelated, NEXT, Some(15.0)),
        row("leaving: traffic from an owned VIP", Program::Egress, frames.from_vip, NEXT, Some(20.0)),
    ]
}

/// The loaded programs.
struct Bench {
    runner: Runner,
    ebpf: Ebpf,
    options: Options,
}

impl Bench {
    /// Loads everything: this node owns a router with 255 addresses, is Backup for a v2 and a v3 router, and watches two
    /// neighbours.
    fn new(options: Options) -> Result<Self> {
        let mut runner = Runner::new()?;
        let vips: Vec<_> = (0..255).map(|n| Ipv4Addr::from_bits(VIP.to_bits() - 100 + 1 + n)).collect();
        let backup_v2 = plans::v2_router(plans::router(1, 52, &[]), 1, Some(PASSWORD));
        let routers = vec![plans::router(0, 51, &vips), backup_v2, plans::router(2, 53, &[])];
        runner.apply(&Plan { routers })?;
        runner.xdp.apply_bfd(&sessions())?;
        runner.xdp.election().set_lease(plans::slot(0), Time::from_nanos(u64::MAX));
        let mut ebpf = Ebpf::load(BENCH_OBJECT).context("loading the measuring programs")?;
        for name in ["restore_empty", "restore_clock", "restore_datapath", "empty", "clock_read"] {
            let program: &mut XdpProgram = ebpf.program_mut(name).context(name)?.try_into()?;
            program.load()?;
        }
        let empty_egress: &mut SchedClassifier =
            ebpf.program_mut("empty_egress").context("empty_egress")?.try_into()?;
        empty_egress.load()?;
        let mut bench = Self { runner, ebpf, options };
        bench.put(0, &bench.program("empty")?.fd()?.try_clone()?)?;
        bench.put(1, &bench.program("clock_read")?.fd()?.try_clone()?)?;
        bench.put(2, &bench.runner.xdp.program()?.fd()?.try_clone()?)?;
        Ok(bench)
    }

    /// Returns what one run takes on average, in nanoseconds.
    fn measure(&mut self, row: &Row) -> Result<f64> {
        let words: [u64; FRAME_LEN / 8] = bytemuck::cast(row.frame);
        let frame = self.ebpf.map_mut("FRAME").context("FRAME")?;
        Array::<_, [u64; FRAME_LEN / 8]>::try_from(frame)?.set(0, words, 0)?;
        let context = context(FRAME_LEN, IFINDEX);
        let (data_in, repeat) = (Some(&row.frame[..]), self.options.repeat);
        let leaving = || TestRunOptions { data_in, repeat, ..TestRunOptions::default() };
        let coming = || TestRunOptions { ctx_in: Some(&context), ..leaving() };
        let result = match row.program {
            Program::Empty => self.program("restore_empty")?.test_run(coming())?,
            Program::ClockRead => self.program("restore_clock")?.test_run(coming())?,
            Program::Datapath => self.program("restore_datapath")?.test_run(coming())?,
            Program::EmptyEgress => self.classifier("empty_egress")?.test_run(leaving())?,
            Program::Egress => self.runner.xdp.egress_program()?.test_run(leaving())?,
        };
        ensure!(result.return_value == row.verdict, "{}: verdict {}", row.name, result.return_value);
        // The kernel leaves out the time in which another thread had the CPU.
        Ok(result.duration.as_nanos() as f64)
    }

    /// Makes a program what tail call `index` becomes.
    fn put(&mut self, index: u32, program: &ProgramFd) -> Result<()> {
        let measured = self.ebpf.map_mut("MEASURED").context("MEASURED")?;
        Ok(ProgramArray::try_from(measured)?.set(index, program, 0)?)
    }

    fn classifier(&self, name: &str) -> Result<&SchedClassifier> {
        Ok(self.ebpf.program(name).with_context(|| name.to_owned())?.try_into()?)
    }

    fn program(&self, name: &str) -> Result<&XdpProgram> {
        Ok(self.ebpf.program(name).with_context(|| name.to_owned())?.try_into()?)
    }

    /// Checks that every packet took the path it was to measure, every time.
    fn check_paths(&self, options: &Options) -> Result<()> {
        let runs = u64::try_from(options.rounds)? * u64::from(options.repeat);
        let stats = self.runner.xdp.stats()?;
        for (counter, expected) in [
            (Counter::VipAdmitted, runs),
            (Counter::ArpAnswered, runs),
            (Counter::AdvertHeard, 2 * runs),
            (Counter::BfdHeard, 2 * runs),
            (Counter::EventSent, 4), // the first packet of each router and session
        ] {
            let count = stats.count(counter);
            ensure!(count == expected, "{} counted {count} instead of {expected}", counter.name());
        }
        Ok(())
    }
}

/// Keeps this thread on the CPU it is on.
fn pin_to_this_cpu() -> Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(sched_getcpu()?)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &cpus)?)
}

/// What a clock read costs on the machine that the marks are for, in nanoseconds.
const MARKED_CLOCK: f64 = 31.0;

/// Prints the medians, and the least in brackets: absolute for the floor, above it for the rest, and as multiples of a
/// clock read.
///
/// The multiples are what is held against the marks, so that a slower machine, or a busier one, does not fail them.
fn table(rows: &[Row], options: &Options) -> String {
    let Some((floor, rest)) = rows.split_first() else { return String::new() };
    let clock = rest.first().map_or(f64::NAN, |row| row.median_above(&floor.nanos));
    let (rest, leaving) =
        rest.split_at(rest.iter().position(|row| row.name == EGRESS_FLOOR).unwrap_or(rest.len()));
    let mut table = format!(
        "Median (and least) of {} rounds of {} runs each, programs interleaved, packet restored before each run.\n\
         The floor, an empty program behind the one that restores the packet, takes {:.0} ({:.0}) ns.\n\n\
         | packet | ns above the floor | clock reads | mark: ns | mark: clock reads | |\n|---|---:|---:|---:|---:|---|\n",
        options.rounds,
        options.repeat,
        floor.median_above(&vec![0.0; floor.nanos.len()]),
        floor.least(),
    );
    let above = |floor, rows| std::iter::zip(std::iter::repeat(floor), rows);
    let leaving = leaving.split_first().into_iter().flat_map(|(floor, rows)| above(floor, rows));
    for (floor, row) in above(floor, rest).chain(leaving) {
        let (nanos, least) = (row.median_above(&floor.nanos), row.least() - floor.least());
        let reads = nanos / clock;
        let mark = row.mark.map_or("| |".to_owned(), |mark| {
            let mark_reads = mark / MARKED_CLOCK;
            let verdict = if reads <= mark_reads { "met" } else { "**missed**" };
            format!("{mark:.0} | {mark_reads:.2} | {verdict}")
        });
        let _ = writeln!(table, "| {} | {nanos:.0} ({least:.0}) | {reads:.2} | {mark} |", row.name);
    }
    table
}
