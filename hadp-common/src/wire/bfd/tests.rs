use super::*;
use crate::bfd::BfdSession;

const CONTROL: Control = Control {
    diag: 3,
    state: SessionState::Up,
    flags: POLL,
    multiplier: 3,
    my_discriminator: 0x0102_0304,
    your_discriminator: 0x0506_0708,
    desired_min_tx_us: 250,
    required_min_rx_us: 1_000_000,
    required_min_echo_rx_us: 50_000,
};

#[test]
fn rfc5880_4_1_layout() {
    #[rustfmt::skip]
    let expected = [
        0x23, 0xe0, 3, 24, 1, 2, 3, 4, 5, 6, 7, 8,
        0, 0, 0, 250, 0, 0x0f, 0x42, 0x40, 0, 0, 0xc3, 0x50,
    ];
    assert_eq!(CONTROL.encode(24), expected);
    assert_eq!(Control::decode(&expected), Ok((CONTROL, &[][..])));
}

#[test]
fn every_state_and_flag_survives_the_round_trip() {
    for state in [SessionState::AdminDown, SessionState::Down, SessionState::Init, SessionState::Up] {
        for flags in (0..=FLAGS_MASK).filter(|flags| flags & (MULTIPOINT | AUTHENTICATED) == 0) {
            let control = Control { state, flags, diag: flags & DIAG_MASK, ..CONTROL };
            assert_eq!(Control::decode(&control.encode(24)), Ok((control, &[][..])));
        }
    }
}

#[test]
fn the_authentication_section_ends_where_the_length_says() {
    let control = Control { flags: AUTHENTICATED, ..CONTROL };
    let payload = [&control.encode(28)[..], &[1, 2, 3, 4, 5, 6]].concat();
    assert_eq!(Control::decode(&payload), Ok((control, &[1, 2, 3, 4][..])));
    // What follows a packet in its datagram is not part of it.
    let payload = [&CONTROL.encode(24)[..], &[9; 8]].concat();
    assert_eq!(Control::decode(&payload), Ok((CONTROL, &[][..])));
}

/// RFC 5880 §6.8.6, one check a row: the octet changed, its value, and the error.
#[test]
fn rfc5880_6_8_6_stateless_checks() {
    let rows = [
        ("version 0", 0, 0x00, DecodeError::Version(0)),
        ("version 2", 0, 0x40, DecodeError::Version(2)),
        ("length 23", 3, 23, DecodeError::Short(23)),
        ("length beyond the payload", 3, 25, DecodeError::Long { length: 25, payload: 24 }),
        ("multiplier 0", 2, 0, DecodeError::NoMultiplier),
        ("multipoint", 1, 0xc1, DecodeError::Multipoint),
    ];
    for (name, octet, value, error) in rows {
        let mut packet = CONTROL.encode(24);
        packet[octet] = value;
        assert_eq!(Control::decode(&packet), Err(error), "{name}");
    }
    let nobody = Control { my_discriminator: 0, ..CONTROL };
    assert_eq!(Control::decode(&nobody.encode(24)), Err(DecodeError::NoMyDiscriminator));
    assert_eq!(Control::decode(&CONTROL.encode(24)[..23]), Err(DecodeError::Truncated { got: 23 }));
    assert_eq!(Control::decode(&[]), Err(DecodeError::Truncated { got: 0 }));
}

#[test]
fn rfc5880_6_8_6_a_packet_with_authentication_is_longer() {
    let control = Control { flags: AUTHENTICATED, ..CONTROL };
    for (length, expected) in
        [(24, Err(DecodeError::Short(24))), (25, Err(DecodeError::Short(25))), (26, Ok(()))]
    {
        let payload = [&control.encode(length)[..], &[0; 28]].concat();
        assert_eq!(Control::decode(&payload).map(|_| ()), expected, "{length}");
    }
}

#[test]
fn rfc5880_6_8_6_your_discriminator_may_be_zero_only_while_down() {
    let rows = [
        (SessionState::AdminDown, Ok(())),
        (SessionState::Down, Ok(())),
        (SessionState::Init, Err(DecodeError::NoYourDiscriminator)),
        (SessionState::Up, Err(DecodeError::NoYourDiscriminator)),
    ];
    for (state, expected) in rows {
        let control = Control { state, your_discriminator: 0, ..CONTROL };
        assert_eq!(Control::decode(&control.encode(24)).map(|_| ()), expected, "{state:?}");
    }
}

#[test]
fn a_record_holds_the_packet() {
    let [version_diag, state_flags, ..] = CONTROL.encode(24);
    let session = BfdSession {
        last_seen_ns: 1,
        packets: 1,
        remote_discriminator: CONTROL.my_discriminator,
        your_discriminator: CONTROL.your_discriminator,
        desired_min_tx_us: CONTROL.desired_min_tx_us,
        required_min_rx_us: CONTROL.required_min_rx_us,
        version_diag,
        state_flags,
        multiplier: CONTROL.multiplier,
        reserved: [0; 5],
    };
    assert_eq!(session.control(), Control { required_min_echo_rx_us: 0, ..CONTROL });
}
