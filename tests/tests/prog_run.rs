use hadp_tests::prog::{Action, Frame, Ip, Runner};
#[test]
fn smoke() {
    let mut r = Runner::new().unwrap();
    let o = r.run(&Frame::ip(&Ip::udp([10, 0, 0, 1].into(), [10, 0, 0, 2].into())).octets()).unwrap();
    assert_eq!(o.action, Action::Pass);
    println!("{o:?}");
}
