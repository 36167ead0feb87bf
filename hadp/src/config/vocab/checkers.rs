//! The health checkers of a `real_server`.

use super::{ANY, Keyword, Vocab, kw};

/// The keywords of every checker that connects, and then its own.
macro_rules! checker {
    ($name:literal, $($own:expr),* $(,)?) => {
        Vocab {
            name: $name,
            keywords: &[
                kw("connect_ip", 1, 1),
                kw("connect_port", 1, 1),
                kw("bindto", 1, 1),
                kw("bind_port", 1, 1),
                kw("bind_if", 1, 1),
                kw("fwmark", 1, 1),
                CONNECT_TIMEOUT,
                RETRY,
                NB_GET_RETRY,
                DELAY_BEFORE_RETRY,
                WARMUP,
                DELAY_LOOP,
                ALPHA,
                LOG_ALL_FAILURES,
                $($own),*
            ],
        }
    };
}

const CONNECT_TIMEOUT: Keyword = kw("connect_timeout", 1, 1);
const RETRY: Keyword = kw("retry", 1, 1);
const NB_GET_RETRY: Keyword = kw("nb_get_retry", 1, 1).obsolete("use `retry`");
const DELAY_BEFORE_RETRY: Keyword = kw("delay_before_retry", 1, 1);
const WARMUP: Keyword = kw("warmup", 1, 1);
const DELAY_LOOP: Keyword = kw("delay_loop", 1, 1);
const ALPHA: Keyword = kw("alpha", 0, 1);
const LOG_ALL_FAILURES: Keyword = kw("log_all_failures", 0, 1);

/// `HTTP_GET` and `SSL_GET`.
pub(super) static HTTP: Vocab = checker!(
    "HTTP_GET",
    kw("virtualhost", 1, 1),
    kw("http_protocol", 1, 1),
    kw("enable_sni", 0, 1),
    kw("sni_name", 1, 1),
    kw("fast_recovery", 0, 1),
    kw("tls_compliant", 0, 1),
    kw("url", 0, 0).block(&URL),
);

/// `url`.
pub(super) static URL: Vocab = Vocab {
    name: "url",
    keywords: &[
        kw("path", 1, 1),
        kw("digest", 1, 1),
        kw("status_code", 1, ANY),
        kw("virtualhost", 1, 1),
        kw("regex", 1, 1),
        kw("regex_no_match", 0, 1),
        kw("regex_options", 1, ANY),
        kw("regex_min_offset", 1, 1),
        kw("regex_max_offset", 1, 1),
        kw("regex_stack", 1, 2),
        kw("tls_compliant", 0, 1),
    ],
};

/// `TCP_CHECK`.
pub(super) static TCP: Vocab = checker!("TCP_CHECK",);

/// `PING_CHECK`.
pub(super) static PING: Vocab = checker!("PING_CHECK",);

/// `UDP_CHECK`.
pub(super) static UDP: Vocab = checker!(
    "UDP_CHECK",
    kw("payload", 1, ANY),
    kw("require_reply", 0, ANY),
    kw("min_reply_length", 1, 1),
    kw("max_reply_length", 1, 1),
);

/// `SMTP_CHECK`.
pub(super) static SMTP: Vocab = checker!("SMTP_CHECK", kw("helo_name", 1, 1), kw("host", 0, 0).block(&HOST));

/// `host` of `SMTP_CHECK`.
pub(super) static HOST: Vocab = checker!("host",);

/// `DNS_CHECK`.
pub(super) static DNS: Vocab = checker!("DNS_CHECK", kw("type", 1, 1), kw("name", 1, 1));

/// `MISC_CHECK`.
pub(super) static MISC: Vocab = Vocab {
    name: "MISC_CHECK",
    keywords: &[
        kw("misc_path", 1, ANY),
        kw("misc_timeout", 1, 1),
        kw("misc_dynamic", 0, 1),
        kw("user", 1, 2),
        CONNECT_TIMEOUT,
        RETRY,
        NB_GET_RETRY,
        DELAY_BEFORE_RETRY,
        WARMUP,
        DELAY_LOOP,
        ALPHA,
        LOG_ALL_FAILURES,
    ],
};

/// `FILE_CHECK`.
pub(super) static FILE: Vocab = Vocab {
    name: "FILE_CHECK",
    keywords: &[kw("track_file", 1, 1), kw("weight", 1, 2), kw("dynamic", 0, 1)],
};

/// `BFD_CHECK`.
pub(super) static BFD: Vocab = Vocab { name: "BFD_CHECK", keywords: &[kw("name", 1, 1), ALPHA] };
