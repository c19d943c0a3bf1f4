//! Admission: who may connect at all. Addresses have a rate, connections a number, pages an origin.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, header};
use parking_lot::Mutex;

use super::{Transport, TransportConfig};
use crate::config::Network;
use crate::domain::ids::Millis;
use crate::domain::people::{Principal, Proven};
use crate::domain::rate::{Buckets, Rate, network};
use crate::domain::refusal::Refusal;

/// Most networks remembered.
const MOST: usize = 65_536;

/// Buckets by address, of IPv6 by /64.
pub(super) struct Addresses {
    rate: Rate,
    buckets: Mutex<Buckets<IpAddr>>,
}

impl Addresses {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, buckets: Mutex::new(Buckets::new(MOST)) }
    }

    /// One more connect or hello from there.
    pub(super) fn take(&self, address: IpAddr, now: Millis) -> Result<(), Refusal> {
        if address.is_loopback() {
            return Ok(());
        }
        let taken = self.buckets.lock().take(network(address), self.rate, now);
        taken.map_err(|retry_after_ms| Refusal::RateLimited { retry_after_ms })
    }
}

/// What a request says about whom it comes from, kept until the token is known.
pub(super) struct Asker {
    address: Option<IpAddr>,
    /// `Authorization: Bearer`.
    bearer: Option<String>,
    /// The `kefu_session` cookie.
    cookie: Option<String>,
    origin: Option<String>,
    /// The request came from our own pages.
    own: bool,
}

impl Asker {
    pub(super) fn of(parts: &axum::http::request::Parts, config: &TransportConfig) -> Self {
        let headers = &parts.headers;
        let origin = text(headers, header::ORIGIN.as_str());
        let host = text(headers, header::HOST.as_str());
        let own = match (origin, host) {
            (Some(origin), _) if !config.public_url.is_empty() => {
                origin.eq_ignore_ascii_case(&config.public_url)
            }
            (Some(origin), host) => {
                let bare = origin.strip_prefix("https://").or(origin.strip_prefix("http://"));
                bare.zip(host).is_some_and(|(bare, host)| bare.eq_ignore_ascii_case(host))
            }
            (None, _) => text(headers, "sec-fetch-site") == Some("same-origin"),
        };
        let cookie = text(headers, header::COOKIE.as_str()).and_then(|cookies| {
            let mut pairs = cookies.split(';').map(str::trim);
            pairs.find_map(|pair| pair.strip_prefix("kefu_session="))
        });
        let bearer = text(headers, header::AUTHORIZATION.as_str())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim());
        let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Self {
            address: connected.map(|info| client(info.0.ip(), headers, &config.trusted_proxies)),
            bearer: bearer.map(str::to_owned),
            cookie: cookie.map(str::to_owned),
            origin: origin.map(str::to_owned),
            own,
        }
    }

    /// The token: the frame's, the bearer's, or the cookie's if our own page asks.
    fn token<'a>(&'a self, frame: Option<&'a str>) -> Result<&'a str, Refusal> {
        let cookie = self.cookie.as_deref().filter(|_| self.own);
        frame
            .or(self.bearer.as_deref())
            .or(cookie)
            .ok_or(Refusal::Unauthorized("a token is needed"))
    }
}

/// The client's address: the peer's, or what the nearest *trusted* proxies say. `X-Forwarded-For` is walked from the
/// right for as long as the one who added the entry is trusted.
pub fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |ip: IpAddr| trusted.iter().any(|network| network.contains(ip));
    let told = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let told: Vec<&str> = told.flat_map(|value| value.split(',')).map(str::trim).collect();
    let mut client = peer;
    for entry in told.into_iter().rev() {
        let (true, Ok(before)) = (is_trusted(client), entry.parse::<IpAddr>()) else { break };
        client = before;
    }
    client.to_canonical()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A place among the connections, given back on drop.
pub(super) struct Place(Arc<Transport>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::AcqRel);
        self.0.one_less.notify_one();
    }
}

impl Transport {
    /// Refused while draining, and when the address is too fast.
    pub(super) fn admit(&self, asker: &Asker) -> Result<(), Refusal> {
        if self.draining.load(Ordering::Acquire) {
            return Err(Refusal::Unavailable { reason: "draining", retry_after_ms: 2000 });
        }
        match asker.address {
            Some(address) => self.addresses.take(address, self.parts.clock.now()),
            None => Ok(()),
        }
    }

    /// A place for one more WebSocket.
    pub(super) fn place(self: &Arc<Self>) -> Result<Place, Refusal> {
        let before = self.connections.fetch_add(1, Ordering::AcqRel);
        let place = Place(self.clone());
        if before >= self.config.connections {
            return Err(Refusal::Unavailable {
                reason: "all connections are taken",
                retry_after_ms: 5000,
            });
        }
        Ok(place)
    }

    /// Who asks: a good token, from a page that may use it.
    pub(super) async fn identify(
        &self,
        asker: &Asker,
        frame_token: Option<&str>,
    ) -> Result<Proven, Refusal> {
        let proven = self.parts.auth.prove(asker.token(frame_token)?).await?;
        let Some(origin) = asker.origin.as_deref().filter(|_| !asker.own) else {
            return Ok(proven);
        };
        let refused = Refusal::Forbidden("this page may not connect");
        let Principal::Visitor { site, .. } = proven.principal else { return Err(refused) };
        let site = self.parts.storage.site(site).await.map_err(|error| {
            tracing::warn!(%error, "cannot look up a site's origins");
            Refusal::Unavailable { reason: "storage", retry_after_ms: 1000 }
        })?;
        let listed = |site: crate::domain::people::Site| {
            site.origins.iter().any(|o| o.eq_ignore_ascii_case(origin))
        };
        if site.is_some_and(listed) { Ok(proven) } else { Err(refused) }
    }
}

#[cfg(test)]
mod tests;
