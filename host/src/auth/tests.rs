//! Tokens that must and must not be believed; guessing that must end.

use std::net::IpAddr;

use super::identity::Identity;
use super::throttle::Throttle;
use super::token::{Claims, open, seal};
use super::{password, token};
use crate::domain::ids::{AgentId, SiteId, VisitorId};
use crate::domain::rate::Rate;
use crate::domain::refusal::Refusal;

const KEY: [u8; 32] = [7; 32];

fn agent() -> Claims {
    Claims::Agent { agent: AgentId::new(5).unwrap(), epoch: 3, expires_at: 99 }
}

#[test]
fn a_token_says_what_was_signed() {
    let visitor = Claims::Visitor {
        site: SiteId::new(1).unwrap(),
        visitor: VisitorId::new(u64::MAX >> 1).unwrap(),
        expires_at: 12,
    };
    for claims in [agent(), visitor] {
        assert_eq!(open(&KEY, &seal(&KEY, &claims)), Some(claims));
    }
}

#[test]
fn a_changed_token_is_not_believed() {
    let good = seal(&KEY, &agent());
    for at in 0..good.len() {
        let mut bad = good.clone().into_bytes();
        bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
        let bad = String::from_utf8(bad).unwrap();
        assert!(open(&KEY, &bad).is_none_or(|claims| claims == agent() && at + 1 == good.len()));
    }
    assert_eq!(token::open(&[8; 32], &good), None);
    for bad in ["", ".", "a.b", &"x".repeat(9000)] {
        assert_eq!(open(&KEY, bad), None);
    }
}

#[test]
fn guessing_ends_per_address_and_login_and_a_right_password_forgives() {
    let throttle = Throttle::new(Rate { per_second: 0.1, burst: 2.0 });
    let (here, there) = (IpAddr::from([1, 1, 1, 1]), IpAddr::from([2, 2, 2, 2]));
    assert!(throttle.take(here, "amy", 0).is_ok() && throttle.take(here, "amy", 0).is_ok());
    let refused = throttle.take(here, "amy", 0).unwrap_err();
    assert_eq!(refused, Refusal::RateLimited { retry_after_ms: 10_000 });
    assert!(throttle.take(there, "amy", 0).is_ok());
    assert!(throttle.take(here, "bob", 0).is_ok());
    throttle.forgive(here, "amy");
    assert!(throttle.take(here, "amy", 0).is_ok());
}

#[tokio::test]
async fn a_password_matches_itself_only_and_nobody_has_none() {
    assert!(argon2::password_hash::phc::PasswordHash::new(password::NOBODY).is_ok());
    let hasher = password::Hasher::new();
    let hash = hasher.hash("correct horse").await.unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert!(hasher.verify("correct horse", Some(hash.clone())).await.unwrap());
    assert!(!hasher.verify("correct hors", Some(hash)).await.unwrap());
    assert!(!hasher.verify("correct horse", None).await.unwrap());
}

#[test]
fn a_made_up_password_is_long_and_readable() {
    let made = password::made_up();
    assert_eq!(made.len(), 23);
    assert!(!made.contains(['l', '1', 'o', '0', 'i']));
    assert_ne!(made, password::made_up());
}

/// Made elsewhere: `printf 'u-17\n李雷\nli@shop.example' | openssl dgst -sha256 -hmac kis_test`.
const SIGNATURE: &str = "cfcff706190e3b39e1b3c8cf98b6a885046c54468c2c9808a833b6a7ed4621b6";

fn li() -> Identity<'static> {
    Identity { id: "u-17", name: "李雷", email: "li@shop.example" }
}

#[test]
fn an_identity_counts_only_as_it_was_signed() {
    assert!(li().is_signed("kis_test", SIGNATURE));
    assert!(li().is_signed("kis_test", &SIGNATURE.to_uppercase()));
    assert!(!li().is_signed("kis_other", SIGNATURE), "another site's secret");
    let nothing = "";
    for forged in [
        Identity { id: "u-18", ..li() },
        Identity { name: "韩梅梅", ..li() },
        Identity { name: nothing, ..li() },
        Identity { email: "eve@evil.example", ..li() },
        Identity { email: nothing, ..li() },
        Identity { id: "u-17\n李雷", name: "li@shop.example", email: nothing },
    ] {
        assert!(!forged.is_signed("kis_test", SIGNATURE), "{forged:?}");
    }
    for at in 0..64 {
        let digit = if SIGNATURE.as_bytes()[at] == b'0' { "1" } else { "0" };
        let mut forged = SIGNATURE.to_owned();
        forged.replace_range(at..=at, digit);
        assert!(!li().is_signed("kis_test", &forged), "digit {at}");
    }
    for broken in
        ["", &SIGNATURE[..62], &format!("{SIGNATURE}00"), &"é".repeat(32), &"+1".repeat(32)]
    {
        assert!(!li().is_signed("kis_test", broken), "{broken}");
    }
}

#[test]
fn an_identity_cannot_be_read_in_two_ways() {
    assert!(li().check().is_ok());
    assert!(Identity { name: "", email: "", ..li() }.check().is_ok());
    let long = "x".repeat(129);
    for bad in [
        Identity { id: "", ..li() },
        Identity { id: " ", ..li() },
        Identity { id: "u\n17", ..li() },
        Identity { name: "a\nb", ..li() },
        Identity { email: "a\0", ..li() },
        Identity { id: &long, ..li() },
    ] {
        assert!(matches!(bad.check(), Err(Refusal::Invalid { .. })), "{bad:?}");
    }
}
