use super::*;

const T0: Time = Time::from_nanos(1_000_000_000);
const MIN_RX: Duration = Duration::from_micros(1_000);

/// Packets computed with Python's struct and hashlib: key `secret-key`, key id 7, 250 us, 300 us, multiplier 3.
const METICULOUS_PACKET: &str = "20c403341111111122222222000000fa0000012c00000000051c0700fffffffe\
                                 5ca906f196bafdadf32d44e669cdb63b86604348";
const KEYED_PACKET: &str = "20c403341111111122222222000000fa0000012c00000000041c07000000002a\
                            d9c5c8f1ae4fa51b131cdc7529fd9cfeb032277e";

fn auth(meticulous: bool) -> BfdAuth {
    let mut key = [0; 20];
    key[..10].copy_from_slice(b"secret-key");
    BfdAuth { key_id: 7, key, meticulous }
}

fn control() -> Control {
    Control {
        diag: 0,
        state: hadp_common::wire::bfd::SessionState::Up,
        flags: 0,
        multiplier: 3,
        my_discriminator: 0x1111_1111,
        your_discriminator: 0x2222_2222,
        desired_min_tx_us: 250,
        required_min_rx_us: 300,
        required_min_echo_rx_us: 0,
    }
}

fn octets(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn sealed(meticulous: bool, sequence: u32) -> [u8; AUTH_PACKET_LEN] {
    Sealer::new(auth(meticulous), sequence).seal(&control())
}

/// Verifies packets of these sequence numbers one after the other, all at once.
fn accepted(meticulous: bool, sequences: &[u32]) -> Vec<bool> {
    let mut verifier = Verifier::new(auth(meticulous), MIN_RX);
    let verify = |sequence: &u32| verifier.verify(T0, &sealed(meticulous, *sequence)).is_ok();
    sequences.iter().map(verify).collect()
}

#[test]
fn rfc5880_6_7_4_packets_computed_elsewhere() {
    for (meticulous, sequence, hex) in [(true, 0xffff_fffe, METICULOUS_PACKET), (false, 42, KEYED_PACKET)] {
        assert_eq!(sealed(meticulous, sequence), octets(hex)[..]);
        let heard = Verifier::new(auth(meticulous), MIN_RX).verify(T0, &octets(hex));
        assert_eq!(heard, Ok(Control { flags: AUTHENTICATED, ..control() }));
    }
}

#[test]
fn rfc5880_6_7_4_every_changed_octet_is_noticed() {
    let packet = octets(METICULOUS_PACKET);
    for at in 0..packet.len() {
        let mut forged = packet.clone();
        forged[at] ^= 0x01;
        assert!(Verifier::new(auth(true), MIN_RX).verify(T0, &forged).is_err(), "octet {at}");
    }
}

#[test]
fn rfc5880_6_7_4_what_is_checked_before_the_digest() {
    let other = BfdAuth { key_id: 8, ..auth(true) };
    let wrong_key = BfdAuth { key: [1; 20], ..auth(true) };
    let packet = octets(METICULOUS_PACKET);
    let with = |at: usize, value: u8| {
        let mut packet = packet.clone();
        packet[at] = value;
        packet
    };
    let rows = [
        ("key id", other, packet.clone(), VerifyError::KeyId(7)),
        ("type", auth(false), packet.clone(), VerifyError::Type(5)),
        ("key", wrong_key, packet.clone(), VerifyError::Digest),
        ("auth len", auth(true), with(25, 27), VerifyError::Section),
        ("length", auth(true), with(3, 51), VerifyError::Section),
        ("A clear", auth(true), with(1, 0xc0), VerifyError::NotAuthenticated),
        ("version", auth(true), with(0, 0), VerifyError::Decode(DecodeError::Version(0))),
        (
            "cut",
            auth(true),
            packet[..51].to_vec(),
            VerifyError::Decode(DecodeError::Long { length: 52, payload: 51 }),
        ),
    ];
    for (name, auth, payload, error) in rows {
        assert_eq!(Verifier::new(auth, MIN_RX).verify(T0, &payload), Err(error), "{name}");
    }
}

/// The window is 3 x Detect Mult, here 9.
#[test]
fn rfc5880_6_7_4_the_window_of_sequence_numbers() {
    assert_eq!(accepted(true, &[10, 10, 11, 20, 29, 38, 48]), [true, false, true, true, true, true, false]);
    assert_eq!(accepted(false, &[10, 10, 19, 29, 9]), [true, true, true, false, false]);
    assert_eq!(accepted(true, &[u32::MAX, 0, u32::MAX, 9]), [true, true, false, true]);
}

#[test]
fn rfc5880_6_8_1_a_silent_neighbour_may_begin_anew() {
    let mut verifier = Verifier::new(auth(true), MIN_RX);
    assert!(verifier.verify(T0, &sealed(true, 1_000)).is_ok());
    // Twice 3 x max(1 ms, 250 us).
    let end = T0 + Duration::from_millis(6);
    let early = verifier.verify(end - Duration::from_nanos(1), &sealed(true, 5));
    assert_eq!(early, Err(VerifyError::Sequence(5)));
    assert!(verifier.verify(end, &sealed(true, 5)).is_ok());
}

#[test]
fn a_forged_packet_does_not_move_the_window() {
    let mut verifier = Verifier::new(auth(true), MIN_RX);
    let mut forged = sealed(true, 500);
    forged[51] ^= 1;
    assert_eq!(verifier.verify(T0, &forged), Err(VerifyError::Digest));
    assert!(verifier.verify(T0, &sealed(true, 10)).is_ok());
    forged = sealed(true, 15);
    forged[40] ^= 1;
    assert_eq!(verifier.verify(T0, &forged), Err(VerifyError::Digest));
    assert!(verifier.verify(T0, &sealed(true, 11)).is_ok());
}

#[test]
fn rfc5880_6_7_4_when_the_sequence_grows() {
    let sequence =
        |packet: [u8; AUTH_PACKET_LEN]| u32::from_be_bytes([packet[28], packet[29], packet[30], packet[31]]);
    let polled = Control { flags: POLL, ..control() };
    let slower = Control { desired_min_tx_us: 1_000, ..control() };
    let controls = [control(), control(), polled, slower, slower];
    let mut sealer = Sealer::new(auth(false), u32::MAX);
    assert_eq!(controls.map(|control| sequence(sealer.seal(&control))), [u32::MAX, u32::MAX, u32::MAX, 0, 0]);
    let mut sealer = Sealer::new(auth(true), u32::MAX);
    assert_eq!(controls.map(|control| sequence(sealer.seal(&control))), [u32::MAX, 0, 1, 2, 3]);
}
