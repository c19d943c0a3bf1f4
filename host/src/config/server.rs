//! `[server]`: where it listens, what it is called from outside, where it keeps its files.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::reader::Reader;

/// See `config/kefu.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// TCP address; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// How people reach it, without a slash at the end; empty: `http://` and the address listened on.
    pub public_url: String,
    /// Where the databases, the compiled plugins and the control socket are.
    pub data_dir: PathBuf,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// How long goodbyes, and then the work in hand, may take when it stops, ms.
    pub stop_timeout_ms: u64,
}

impl Server {
    pub(super) fn read(from: &mut Reader) -> Self {
        let listen =
            from.text("listen", "127.0.0.1:8030", "an address `ip:port`", |text| text.parse().ok());
        let url = "`http://…` or `https://…` without a path, or \"\"";
        Self {
            listen: listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8030))),
            public_url: from.text("public_url", "", url, public_url).unwrap_or_default(),
            data_dir: from
                .text("data_dir", "data", "a directory", |text| {
                    (!text.is_empty()).then(|| PathBuf::from(text))
                })
                .unwrap_or_default(),
            trusted_proxies: from.list(
                "trusted_proxies",
                &[],
                "a list of networks, as [\"10.0.0.0/8\", \"::1\"]",
                Network::parse,
            ),
            stop_timeout_ms: from.duration("stop_timeout", "10s", ["100ms", "5m"]),
        }
    }
}

fn public_url(text: &str) -> Option<String> {
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let fits = host.is_some_and(|host| !host.is_empty() && !host.contains('/'));
    (text.is_empty() || fits).then(|| text.to_owned())
}

/// An address range, `10.0.0.0/8`; a bare address is a range of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

impl Network {
    /// From text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (base, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let base: IpAddr = base.parse().ok()?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(most), |bits| bits.parse().ok())?;
        (bits <= most).then_some(Self { base, bits })
    }

    /// Whether an address is in it. An IPv4 address in IPv6 clothing counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let shift = u32::from(32 - self.bits);
                let cut = |bits: u32| bits.checked_shr(shift).unwrap_or(0);
                cut(base.to_bits()) == cut(address.to_bits())
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let shift = u32::from(128 - self.bits);
                let cut = |bits: u128| bits.checked_shr(shift).unwrap_or(0);
                cut(base.to_bits()) == cut(address.to_bits())
            }
            _ => false,
        }
    }
}
