//! The token's format: `base64url(claims) . base64url(HMAC-SHA256(claims))`, claims as text:
//! `v1:site:visitor:expiry` or `a1:agent:epoch:expiry`, all numbers decimal. The letter says who, the digit is the
//! format's version.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::ids::{AgentId, Millis, SiteId, VisitorId};

/// Longest token that is looked at.
const LONGEST: usize = 512;

/// What a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claims {
    /// A visitor of a site.
    Visitor { site: SiteId, visitor: VisitorId, expires_at: Millis },
    /// An account at an epoch.
    Agent { agent: AgentId, epoch: u32, expires_at: Millis },
}

impl Claims {
    pub(super) fn expires_at(&self) -> Millis {
        match *self {
            Self::Visitor { expires_at, .. } | Self::Agent { expires_at, .. } => expires_at,
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Visitor { site, visitor, expires_at } => {
                format!("v1:{site}:{visitor}:{expires_at}")
            }
            Self::Agent { agent, epoch, expires_at } => format!("a1:{agent}:{epoch}:{expires_at}"),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (kind, a, b, expiry) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let expires_at = expiry.parse().ok()?;
        match (kind, parts.next()) {
            ("v1", None) => {
                let (site, visitor) = (a.parse().ok()?, b.parse().ok()?);
                Some(Self::Visitor { site, visitor, expires_at })
            }
            ("a1", None) => {
                let (agent, epoch) = (a.parse().ok()?, b.parse().ok()?);
                Some(Self::Agent { agent, epoch, expires_at })
            }
            _ => None,
        }
    }
}

/// Signs.
pub(super) fn seal(key: &[u8; 32], claims: &Claims) -> String {
    let claims = claims.write();
    let mac = mac(key, claims.as_bytes()).finalize().into_bytes();
    format!("{}.{}", URL_SAFE_NO_PAD.encode(claims), URL_SAFE_NO_PAD.encode(mac))
}

/// Checks the signature in constant time, then reads; `None` for anything not signed with this key.
pub(super) fn open(key: &[u8; 32], token: &str) -> Option<Claims> {
    if token.len() > LONGEST {
        return None;
    }
    let (claims, tag) = token.split_once('.')?;
    let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
    let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
    mac(key, &claims).verify_slice(&tag).ok()?;
    Claims::read(std::str::from_utf8(&claims).ok()?)
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
pub(super) fn mac(key: &[u8], message: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac
}
