//! Virtual addresses, and the MAC that answers for them.

use super::*;

#[test]
fn addresses_come_and_go_while_the_others_are_served() -> Result<()> {
    unspoilt(AT_TEN_MILLISECONDS, |_| {
        let conf = |priority, vips: &[Ipv4Addr]| router(55, priority, 0.05, vips, "");
        let before = [OTHER, VIP];
        let scene = Scene::new([&conf(150, &before), &conf(100, &before)], PROBE)?;
        let (n1, _) = scene.nodes()?;
        wait_owner(&scene.lan, n1, OTHER, PATIENCE)?;
        let new = ArpProber::start(scene.lan.client(), THIRD, MILLISECOND)?;
        let old = ArpProber::start(scene.lan.client(), OTHER, MILLISECOND)?;
        reloaded(n1, &conf(150, &[VIP, THIRD]), "reconfigured VI_55")?;
        wait_owner(&scene.lan, n1, THIRD, SECOND)?;
        wait_until("the other one is off", SECOND, || Ok(!n1.holds(OTHER)?))?;
        thread::sleep(AFTERMATH);
        let late = Instant::now();
        thread::sleep(AFTERMATH);
        scene.is_served()?;
        assert_eq!(owners_since(&new, scene.start), [mac(n1)]);
        assert_eq!(owners_since(&old, late), [], "{}", scene.logs());
        ensure!(n1.holds(VIP)? && !scene.first.log().text().contains("put back"), "{}", scene.logs());
        undisturbed(&scene.first)
    })
}

/// With the first address of a subnet the kernel takes off the others, unless it is told to promote one.
#[test]
fn the_first_address_of_a_subnet_goes_and_the_next_one_stays() -> Result<()> {
    unspoilt(MILLISECOND, |_| {
        let lan = Lan::new(1)?;
        let [node] = lan.nodes() else { unreachable!() };
        node.run(["sysctl", "-qw", "net.ipv4.conf.eth0.promote_secondaries=0"])?;
        node.run(["sysctl", "-qw", "net.ipv4.conf.all.promote_secondaries=0"])?;
        let [first, second] = [1, 2].map(|last| Ipv4Addr::new(10, 88, 0, last));
        let daemon = Software::Hadp.start_with(node, &router(55, 150, 0.05, &[first, second], ""))?;
        wait_owner(&lan, node, second, PATIENCE)?;
        let probes = Prober::start(lan.client(), second, MILLISECOND)?;
        probes.wait_served(5 * SECOND)?;
        let start = Instant::now();
        reloaded(node, &router(55, 150, 0.05, &[second], ""), "reconfigured VI_55")?;
        wait_until("the first one is off", SECOND, || Ok(!node.holds(first)?))?;
        thread::sleep(AFTERMATH);
        ensure!(node.holds(second)?, "{}", daemon.log().text());
        let report = probes.stop();
        ensure!(report.lost_since(start) <= 1, "{:?}: {}", report.outage(start), daemon.log().text());
        undisturbed(&daemon)
    })
}

#[test]
fn the_virtual_mac_comes_and_goes() -> Result<()> {
    unspoilt(AT_TEN_MILLISECONDS, |_| {
        let scene = Scene::of_router(0.05)?;
        let (n1, _) = scene.nodes()?;
        let conf = |more: &str| router(55, 150, 0.05, &[VIP], more);
        for more in ["use_vmac", "", "use_vmac"] {
            reloaded(n1, &conf(more), "reconfigured VI_55")?;
            thread::sleep(SECOND / 2);
        }
        reloaded(n1, &conf(""), "reconfigured VI_55")?;
        // Until the virtual MAC is given up for good, a second later, and what follows.
        thread::sleep(5 * SECOND / 2);
        scene.is_served()?;
        let (own, virtual_mac) = (mac(n1), Mac([0, 0, 0x5e, 0, 1, 55]));
        scene.answered(&[own, virtual_mac, own, virtual_mac, own])?;
        undisturbed(&scene.first)
    })
}
