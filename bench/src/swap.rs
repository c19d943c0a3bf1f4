//! `swap`: the filter is swapped again and again between two generations while messages flow; nothing may be refused
//! or lost, and the latency must not move.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use kefu_tests::http::Ask;
use kefu_tests::server::{Server, Setup};
use serde_json::json;

use crate::ack::{self, Pace};
use crate::cluster::Place;
use crate::figures::Figures;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Swaps.
    #[arg(long, default_value_t = 30)]
    swaps: u32,
    /// Messages per second meanwhile.
    #[arg(long, default_value_t = 2_000)]
    rate: u64,
    /// The filter's component; `cargo xtask plugins` builds it.
    #[arg(long, default_value = "target/plugins/message-filter.wasm")]
    component: PathBuf,
    #[command(flatten)]
    place: Place,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let component = std::fs::read(&args.component)
        .with_context(|| format!("{} (cargo xtask plugins)", args.component.display()))?;
    let (setup, _servers) =
        args.place.setup(Setup::default().unlimited().with("KEFU__PLUGINS__REQUIRE", "none"))?;
    let server = Server::start(setup).await?;
    let token = server.agent_token("admin").await?;
    let mut ids = Vec::new();
    for version in ["0.0.1", "0.0.2"] {
        let path = format!("/v1/plugins?name=message-filter&version={version}&config=%7B%7D");
        let mut ask = Ask::post(&path, json!(null)).bearer(&token);
        ask.json = None;
        ask.body = component.clone().into();
        let answer = server.asks(ask.header("content-type", "application/wasm")).await?.ok()?;
        ids.push(answer.json["generation"]["id"].as_str().context("no id")?.to_owned());
    }
    let links = ack::links(&server, 50).await?;
    let calm = ack::load(links, Pace::soon(args.rate, Duration::from_secs(5))).await?;
    let links = ack::links(&server, 50).await?;
    let mut figures = Figures::begin("swap");
    let lasting = Duration::from_millis(u64::from(args.swaps) * 300 + 1000);
    let load = kefu::runtime::spawn(ack::load(links, Pace::soon(args.rate, lasting)));
    figures.add("place", args.place.word());
    let mut refused = 0_u32;
    for swap in 0..args.swaps {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let path = format!("/v1/plugins/{}/activate", ids[swap as usize % 2]);
        let answer = server.asks(Ask::post(&path, json!({})).bearer(&token)).await?;
        refused += u32::from(answer.status >= 300);
    }
    let measured = load.await??;
    figures.until_here();
    figures.add("swaps", args.swaps - refused);
    figures.add("swaps_refused", refused);
    figures.times("calm_ack", "ms", &calm.latency);
    ack::report(&mut figures, "ack", &measured);
    if refused > 0 {
        figures.void("not every swap was made");
    }
    figures.print()
}
