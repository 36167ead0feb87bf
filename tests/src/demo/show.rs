//! The failover, step by step.

use std::{
    net::Ipv4Addr,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::{
    screen::{Screen, Style},
    timeline::{Entry, from_client, from_log},
    view::View,
};
use crate::{
    client::{Mac, Prober, Report},
    lab::{Lan, Node, Pair, Software},
};

/// The virtual address of the scenario.
const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
const SCENARIO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/scenarios/single");
/// How often the nodes are asked for their state.
const REFRESH: Duration = Duration::from_millis(200);
/// How often the client probes: often enough for an outage of seconds, and no load.
const PROBE: Duration = Duration::from_millis(1);
/// How long to wait for an election or a takeover.
const PATIENCE: Duration = Duration::from_secs(12);

/// Makes the LAN, runs `software` on both nodes, kills the Active one and shows what came of it.
///
/// # Errors
///
/// When a daemon does not start, or nobody takes over.
pub fn run(software: Software) -> Result<()> {
    let mut screen = Screen::new();
    let lan = Lan::new(2)?;
    introduce(&mut screen, software)?;
    let conf = |node: &str| Path::new(SCENARIO).join(node).with_extension("conf");
    let mut pair = Pair::start(&lan, software, [&conf("n1"), &conf("n2")])?;
    let prober = Prober::start(lan.client(), VIP, PROBE)?;
    let mut show = Show { lan: &lan, prober: &prober, screen, n1_on: true };

    show.until(&pair, "an Active and a Backup", |[n1, n2]| active(n1) && n2.state == "Backup").with_context(
        || format!("log of n1:\n{}\nlog of n2:\n{}", pair.first.log().text(), pair.second.log().text()),
    )?;
    show.for_some_time(&pair, Duration::from_secs(2))?;

    let (n1, n2) = lan.pair()?;
    let fault = Instant::now();
    n1.cut()?;
    pair.first.crash()?;
    // What is answered from now on, n2 answers.
    let cut = Instant::now();
    show.n1_on = false;
    show.screen.keep();
    let blow = show.screen.style(Style::Red, "n1 loses power: its port goes silent, its daemon is killed");
    show.screen.line(&format!("\n{blow}\n"))?;
    let patience = Instant::now() + PATIENCE;
    while prober.answers_since(cut) < 10 && Instant::now() < patience {
        show.refresh(&pair)?;
    }
    show.for_some_time(&pair, Duration::from_secs(1))?;
    show.screen.keep();

    let mut screen = show.screen;
    let report = prober.stop();
    conclude(&mut screen, &report, fault, &pair, [n1, n2])
}

fn introduce(screen: &mut Screen, software: Software) -> Result<()> {
    let title = screen.style(Style::Bold, &format!("{software}: a failover on a LAN in network namespaces"));
    screen.line(&format!("{title}\n"))?;
    for line in [
        "   n1 10.77.0.1       n2 10.77.0.2       client 10.77.0.50",
        "   priority 150       priority 100       asks the virtual address",
        "        |                  |             10.77.0.100 every ms",
        "        +------ switch ----+------------------+",
        "",
    ] {
        screen.line(line)?;
    }
    Ok(())
}

fn active(view: &View) -> bool {
    view.state == "Active" && view.has_vip
}

/// What is shown while the nodes run.
struct Show<'a> {
    lan: &'a Lan,
    prober: &'a Prober,
    screen: Screen,
    n1_on: bool,
}

impl Show<'_> {
    /// Shows both nodes until `done` says so.
    fn until(&mut self, pair: &Pair, what: &str, done: impl Fn([&View; 2]) -> bool) -> Result<()> {
        let patience = Instant::now() + PATIENCE;
        loop {
            let views = self.refresh(pair)?;
            if done(views.each_ref()) {
                return Ok(());
            }
            if Instant::now() > patience {
                anyhow::bail!("{what}: not within {PATIENCE:?}");
            }
        }
    }

    fn for_some_time(&mut self, pair: &Pair, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.refresh(pair)?;
        }
        Ok(())
    }

    /// Shows both nodes and the client once, and waits a little.
    fn refresh(&mut self, pair: &Pair) -> Result<[View; 2]> {
        let (n1, n2) = self.lan.pair()?;
        let first = if self.n1_on { View::of(n1, &pair.first, VIP) } else { View::off() };
        let views = [first, View::of(n2, &pair.second, VIP)];
        let served = self.prober.answers_since(Instant::now() - REFRESH) > 0;
        let client = if served {
            self.screen.style(Style::Green, "is served")
        } else {
            self.screen.style(Style::Red, "has no answer")
        };
        let [first, second] = views.each_ref().map(|view| self.describe(view));
        self.screen.live(vec![
            format!("  n1      {first}"),
            format!("  n2      {second}"),
            format!("  client  {client}"),
        ])?;
        thread::sleep(REFRESH);
        Ok(views)
    }

    fn describe(&self, View { state, facts, lease_ms, has_vip }: &View) -> String {
        let style = match state.as_str() {
            "Active" => Style::Green,
            "off" => Style::Red,
            _ => Style::Yellow,
        };
        let state = self.screen.style(style, &format!("{state:<10}"));
        let vip = if *has_vip { format!("has {VIP}") } else { " ".repeat("has 10.77.0.100".len()) };
        // It runs down all the time, and each step would be a line where lines stay.
        let lease = match lease_ms {
            1.. if self.screen.is_terminal() => format!(", lease {:.1} s", *lease_ms as f64 / 1e3),
            _ => String::new(),
        };
        format!("{state} {vip}  {}", self.screen.style(Style::Dim, &(facts.clone() + &lease)))
            .trim_end()
            .to_owned()
    }
}

/// Prints the outage and the timeline.
fn conclude(
    screen: &mut Screen,
    report: &Report,
    fault: Instant,
    pair: &Pair,
    nodes: [&Node; 2],
) -> Result<()> {
    let name = |mac: Mac| {
        let node = nodes.iter().find(|node| node.mac() == mac.0);
        node.map_or_else(|| mac.to_string(), |node| node.name().to_owned())
    };
    let mut entries = from_client(report, fault, name);
    entries.extend(from_log("n1", pair.first.log()));
    entries.extend(from_log("n2", pair.second.log()));
    entries.push(Entry::new(fault, "n1", "loses power"));
    entries.sort_by_key(|entry| entry.at);

    let heading = screen.style(Style::Bold, "Timeline, in seconds from the fault");
    screen.line(&format!("\n{heading}\n"))?;
    for Entry { at, who, what } in &entries {
        let seconds = match at.checked_duration_since(fault) {
            Some(after) => after.as_secs_f64(),
            None => -(fault - *at).as_secs_f64(),
        };
        let time = screen.style(Style::Dim, &format!("{seconds:+9.4}"));
        screen.line(&format!("  {time}  {who:<7} {what}"))?;
    }
    let outage = report.outage(fault).context("the client noticed no outage: nothing was cut")?;
    outage.until.context("nobody took over")?;
    let text = format!(
        "Outage seen by the client: {:.2} s ({} probes lost). With adverts each second a Backup of priority 100 waits \
         3 s + 156/256 s after the last one.",
        outage.duration.as_secs_f64(),
        outage.lost
    );
    screen.line(&format!("\n{}", screen.style(Style::Bold, &text)))?;
    Ok(())
}
