//! Which form of a file a client takes.

use axum::http::{HeaderMap, HeaderValue, header};

use super::accepts;

fn asked(lists: &[&'static str]) -> HeaderMap {
    let list = |list: &&'static str| (header::ACCEPT_ENCODING, HeaderValue::from_static(list));
    lists.iter().map(list).collect()
}

#[test]
fn a_coding_is_taken_when_it_is_named_and_not_refused() {
    for list in ["gzip", "br, GZIP", "deflate;q=1.0, gzip;q=0.5", "br;q=0 , gzip"] {
        assert!(accepts(&asked(&[list]), "gzip"), "{list}");
    }
    assert!(accepts(&asked(&["br", "gzip"]), "gzip"), "in a second line");
    for list in ["", "br", "gzip;q=0", "gzip;q=0.000", "x-gzip", "identity", "gzip;q=much"] {
        assert!(!accepts(&asked(&[list]), "gzip"), "{list}");
    }
    assert!(!accepts(&asked(&[]), "gzip"));
}
