//! Plans and clocks.

use super::*;

#[test]
fn a_plan_disturbs_no_router_that_stays() {
    let mut runner = Runner::new().unwrap();
    let first =
        Plan { routers: vec![router(0, 10, &[vip(0)]), router(1, 11, &[vip(1)]), router(2, 12, &[vip(2)])] };
    runner.apply(&first).unwrap();
    (0..3).for_each(|index| runner.xdp.set_lease(slot(index), FOREVER));
    assert_eq!((hear(&mut runner, 10), hear(&mut runner, 11), hear(&mut runner, 12)), (1, 1, 1));
    let before = runner.router(0).unwrap();
    // Slot 0 stays with another address, slot 1 leaves, slot 2 goes to another router.
    let second = Plan { routers: vec![router(0, 10, &[vip(5)]), router(2, 22, &[vip(2)])] };
    runner.apply(&second).unwrap();
    assert_eq!(runner.router(0).unwrap(), before, "lease, generation and identity stay");
    assert_eq!(
        (answers(&mut runner, vip(5)), answers(&mut runner, vip(0))),
        (Action::Transmit, Action::Pass)
    );
    assert_eq!(runner.xdp.peers(slot(0)).len(), 1);

    let left = runner.router(1).unwrap();
    assert_eq!((left.lease_until_ns, left.ifindex, left.vrid, left.mac), (0, 0, 0, [0; 6]));
    assert_eq!((answers(&mut runner, vip(1)), runner.xdp.peers(slot(1)).len()), (Action::Pass, 0));

    let taken = runner.router(2).unwrap();
    assert_eq!((taken.lease_until_ns, taken.vrid, taken.generation), (0, 22, 2));
    assert_eq!((answers(&mut runner, vip(2)), runner.xdp.peers(slot(2)).len()), (Action::Drop, 0));
    assert_eq!(hear(&mut runner, 12), 0, "the former router's adverts are nobody's");
    assert_eq!(hear(&mut runner, 22), 1);
}

#[test]
fn a_plan_that_does_not_fit_changes_nothing() {
    let mut runner = Runner::new().unwrap();
    runner.apply(&Plan { routers: vec![router(0, 10, &[vip(0)])] }).unwrap();
    runner.xdp.set_lease(slot(0), FOREVER);
    let too_many: Vec<_> = (0..20_000).map(vip).collect();
    let error = runner.apply(&Plan { routers: vec![router(0, 11, &too_many)] }).unwrap_err();
    assert_eq!(error.to_string(), "too many virtual addresses: 20000");
    assert_eq!((answers(&mut runner, vip(0)), hear(&mut runner, 10)), (Action::Transmit, 1));
}

#[test]
fn one_store_moves_a_thousand_addresses() {
    let mut runner = Runner::new().unwrap();
    let vips: Vec<_> = (0..1_000).map(vip).collect();
    runner.apply(&Plan { routers: vec![vmac_router(router(7, 10, &vips))] }).unwrap();
    for (until, action) in [(FOREVER, Action::Transmit), (Time::ZERO, Action::Drop)] {
        runner.xdp.set_lease(slot(7), until);
        assert!(vips.iter().all(|addr| answers(&mut runner, *addr) == action), "{action:?}");
    }
}

#[test]
fn the_time_of_a_tick_is_never_behind_and_at_most_two_ticks_ahead() {
    let runner = Runner::new().unwrap();
    let map = runner.pinned("SETTINGS").unwrap();
    let settings = Array::<_, Settings>::try_from(&map).unwrap().get(&0, 0).unwrap();
    assert!((1_000_000..=10_000_000).contains(&settings.tick_ns), "a tick of {} ns", settings.tick_ns);
    // A machine that stops between the two reads makes a sample worthless; a wrong calibration shows in all near a tick's
    // end.
    let (mut behind, mut ahead) = (0, 0);
    for _ in 0..50_000 {
        let sample = runner.xdp.clock_sample().unwrap();
        let tick = (sample.jiffies + 1).wrapping_mul(settings.tick_ns).wrapping_add(settings.tick_offset_ns);
        let lead = tick.wrapping_sub(sample.ktime_ns).cast_signed();
        behind += u32::from(lead < 0);
        ahead = ahead.max(lead);
    }
    assert!(behind <= 25, "behind in {behind} of 50,000 samples");
    assert!(ahead <= 2 * settings.tick_ns.cast_signed(), "ahead by up to {ahead} ns");
}
