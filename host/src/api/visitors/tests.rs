//! How fast visitors are made.

use super::*;

#[test]
fn an_ipv6_customer_has_one_rate_for_all_its_addresses() {
    let (rates, rate) = (Rates::default(), Rate { per_second: 1.0, burst: 2.0 });
    let take = |address: &str| rates.take(address.parse().unwrap(), rate, 0);
    assert_eq!(take("2001:db8:1:2::1"), Ok(()));
    assert_eq!(take("2001:db8:1:2:ffff::2"), Ok(()));
    assert_eq!(take("2001:db8:1:2::3"), Err(Refusal::RateLimited { retry_after_ms: 1000 }));
    assert_eq!(take("2001:db8:1:3::1"), Ok(()));
    assert_eq!(take("192.0.2.1"), Ok(()));
}
