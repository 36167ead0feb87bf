use super::{ALL, Status, TOP, Vocab, bfd, checkers, global::GLOBAL, group, instance, server, track};

/// Every keyword of keepalived's parsers, `PARSER KEYWORD` a line.
const KEYWORDS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/keepalived-keywords.txt"));

/// Returns the blocks whose keywords one of keepalived's parsers registers.
fn blocks(parser: &str) -> Vec<&'static Vocab> {
    match parser {
        "global_parser" => vec![&TOP, &GLOBAL],
        "vrrp_parser" => vec![
            &TOP,
            &instance::INSTANCE,
            &instance::AUTHENTICATION,
            &instance::AUTH_HMAC,
            &group::SYNC_GROUP,
            &group::GARP_GROUP,
            &group::TRACK_GROUP,
            &track::SCRIPT,
            &track::PROCESS,
        ],
        "check_parser" => vec![&TOP, &server::SSL, &server::SERVER, &server::REAL_SERVER],
        "bfd_parser" => vec![&TOP, &bfd::INSTANCE],
        "track_file" => vec![&TOP, &track::FILE],
        "check_api" => vec![&checkers::TCP, &checkers::HTTP],
        "check_http" => vec![&checkers::HTTP, &checkers::URL],
        "check_udp" => vec![&server::REAL_SERVER, &checkers::UDP],
        "check_misc" => vec![&server::REAL_SERVER, &checkers::MISC],
        "check_dns" => vec![&server::REAL_SERVER, &checkers::DNS],
        "check_smtp" => vec![&server::REAL_SERVER, &checkers::SMTP],
        "check_file" => vec![&server::REAL_SERVER, &checkers::FILE],
        "check_bfd" => vec![&server::REAL_SERVER, &checkers::BFD],
        other => panic!("the list names a parser that is not known: {other}"),
    }
}

#[test]
fn every_keyword_of_keepalived_is_known_in_its_block() {
    let rows: Vec<(&str, &str)> = KEYWORDS.lines().filter_map(|line| line.split_once(' ')).collect();
    assert!(rows.len() >= 415, "the list holds {} keywords", rows.len());
    for (parser, keyword) in rows {
        let known = blocks(parser).iter().any(|vocab| vocab.find(keyword).is_some());
        assert!(known, "{parser}: {keyword}");
    }
}

#[test]
fn no_block_lists_a_keyword_twice_or_with_impossible_parameters() {
    for vocab in ALL {
        for (index, keyword) in vocab.keywords.iter().enumerate() {
            assert!(keyword.min <= keyword.max, "{}: {}", vocab.name, keyword.name);
            let later = &vocab.keywords[index + 1..];
            assert!(later.iter().all(|other| other.name != keyword.name), "{}: {}", vocab.name, keyword.name);
        }
    }
}

#[test]
fn what_tutorials_use_is_known_and_obsolete() {
    for (vocab, keyword) in [
        (&server::SERVER, "nat_mask"),
        (&checkers::HTTP, "nb_get_retry"),
        (&checkers::TCP, "nb_get_retry"),
        (&instance::INSTANCE, "lvs_sync_daemon_interface"),
    ] {
        assert!(matches!(vocab.find(keyword).unwrap().status, Status::Obsolete(_)), "{keyword}");
    }
}
