//! Addresses and origins: what may and what must not be believed.

use axum::http::HeaderMap;

use super::{address, origin, rules};
use crate::config::Network;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

#[test]
fn forwarded_for_counts_only_from_trusted_proxies_and_from_the_right() {
    let told = headers(&[("x-forwarded-for", "6.6.6.6, 1.2.3.4, 10.0.0.7")]);
    let proxies = [Network::parse("10.0.0.0/8").unwrap()];
    let client = |peer: &str, trusted: &[Network]| {
        address::client(peer.parse().unwrap(), &told, trusted).to_string()
    };
    assert_eq!(client("10.0.0.9", &proxies), "1.2.3.4");
    assert_eq!(client("9.9.9.9", &proxies), "9.9.9.9");
    assert_eq!(client("10.0.0.9", &[]), "10.0.0.9");
}

#[test]
fn our_own_origin_is_the_public_url_or_else_the_host_asked_for() {
    let asked = headers(&[("host", "127.0.0.1:8030")]);
    assert!(origin::is_ours("http://127.0.0.1:8030", &asked, ""));
    assert!(!origin::is_ours("http://127.0.0.1:8031", &asked, ""));
    assert!(!origin::is_ours("null", &asked, ""));
    assert!(origin::is_ours("https://chat.example", &asked, "https://chat.example"));
    assert!(!origin::is_ours("http://127.0.0.1:8030", &asked, "https://chat.example"));
}

#[test]
fn logins_are_lowered_and_held_to_their_letters() {
    assert_eq!(rules::login(" Amy.W@shop ").unwrap(), "amy.w@shop");
    assert!(rules::login("a").is_err() && rules::login("a b").is_err());
}
