//! Admission: rates by address, and what a request says about its page.

use super::*;

#[test]
fn an_address_has_a_rate_and_loopback_has_none() {
    let addresses = Addresses::new(Rate { per_second: 1.0, burst: 2.0 });
    let there: IpAddr = "192.0.2.1".parse().unwrap();
    assert_eq!(addresses.take(there, 0), Ok(()));
    assert_eq!(addresses.take(there, 0), Ok(()));
    assert_eq!(addresses.take(there, 0), Err(Refusal::RateLimited { retry_after_ms: 1000 }));
    assert_eq!(addresses.take(there, 1000), Ok(()));
    for _ in 0..10 {
        assert_eq!(addresses.take("127.0.0.1".parse().unwrap(), 0), Ok(()));
    }
}

#[test]
fn an_ipv6_customer_has_one_rate_for_all_its_addresses() {
    let addresses = Addresses::new(Rate { per_second: 1.0, burst: 2.0 });
    let take = |address: &str| addresses.take(address.parse().unwrap(), 0);
    assert_eq!(take("2001:db8:1:2::1"), Ok(()));
    assert_eq!(take("2001:db8:1:2:ffff::2"), Ok(()));
    assert_eq!(take("2001:db8:1:2::3"), Err(Refusal::RateLimited { retry_after_ms: 1000 }));
    assert_eq!(take("2001:db8:1:3::1"), Ok(()));
    assert_eq!(take("::1"), Ok(()));
}

fn asker(headers: &[(&str, &str)]) -> Asker {
    asker_at("", headers)
}

fn asker_at(own: &str, headers: &[(&str, &str)]) -> Asker {
    let mut request = axum::http::Request::new(());
    for (name, value) in headers {
        let name: axum::http::HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let config = TransportConfig { public_url: own.into(), ..TransportConfig::default() };
    Asker::of(&request.into_parts().0, &config)
}

#[test]
fn a_cookie_counts_only_on_our_own_pages() {
    let cookie = ("cookie", "a=b; kefu_session=tok; c=d");
    let own = asker(&[cookie, ("origin", "https://kefu.example"), ("host", "kefu.example")]);
    assert_eq!(own.token(None), Ok("tok"));
    let named = asker_at(
        "https://help.example",
        &[cookie, ("origin", "https://help.example"), ("host", "10.0.0.1")],
    );
    assert_eq!(named.token(None), Ok("tok"));
    let same = asker(&[cookie, ("sec-fetch-site", "same-origin")]);
    assert_eq!(same.token(None), Ok("tok"));
    for foreign in [
        asker(&[cookie, ("origin", "https://evil.example"), ("host", "kefu.example")]),
        asker(&[cookie, ("origin", "null"), ("host", "kefu.example")]),
        asker(&[cookie, ("host", "kefu.example")]),
        asker_at(
            "https://a.example",
            &[cookie, ("origin", "https://b.example"), ("host", "b.example")],
        ),
    ] {
        assert!(foreign.token(None).is_err());
        assert_eq!(foreign.token(Some("frame")), Ok("frame"));
    }
    assert_eq!(asker(&[("authorization", "bearer  t1")]).token(None), Ok("t1"));
    assert!(asker(&[("authorization", "Basic t1")]).token(None).is_err());
}
