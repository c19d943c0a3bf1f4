//! The client's address: the peer's, or what the nearest *trusted* proxies say.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;

use super::Api;
use crate::config::Network;

/// Where a request comes from.
pub(super) struct Address(pub(super) IpAddr);

impl FromRequestParts<Arc<Api>> for Address {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Ok(Self(client(peer, &parts.headers, &api.trusted_proxies)))
    }
}

/// Walks `X-Forwarded-For` from the right for as long as the one who added the entry is trusted.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
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
