//! `swap`: the filter is swapped again and again for one that the server has not seen, as an operator does it — uploaded,
//! compiled, examined, activated — while messages flow; nothing may be refused or lost, and the latency must not move.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use kefu_tests::http::Ask;
use kefu_tests::server::{Server, Setup};
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use crate::ack::{self, Pace};
use crate::cluster::Place;
use crate::figures::{Figures, say};
use crate::filter;

/// From one swap to the next.
const SPACING: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Swaps.
    #[arg(long, default_value_t = 30)]
    swaps: u32,
    /// Messages per second meanwhile.
    #[arg(long, default_value_t = 2_000)]
    rate: u64,
    /// The filter's component [default: the shipped one, as `cargo xtask plugins` built it].
    #[arg(long)]
    component: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let component = filter::component(args.component, "message-filter")?;
    let setup = Setup::default().unlimited().with("KEFU__PLUGINS__REQUIRE", "none");
    let (setup, _servers) = args.place.setup(setup)?;
    let server = Server::start(setup).await?;
    let token = server.agent_token("admin").await?;
    let links = ack::links(&server, 50).await?;
    let calm = ack::load(links, Pace::soon(args.rate, Duration::from_secs(5))).await?;
    let links = ack::links(&server, 50).await?;
    let mut figures = Figures::begin("swap");
    let begun = Instant::now();
    let lasting = SPACING * (args.swaps + 2);
    let load = kefu::runtime::spawn(ack::load(links, Pace::soon(args.rate, lasting)));
    figures.add("place", args.place.word());
    let mut refused = 0_u32;
    for swap in 1..=args.swaps {
        sleep_until(begun + SPACING * swap).await;
        if let Err(why) = swaps(&server, &token, variant(&component, swap), swap).await {
            say(&format!("swap {swap}: {why:#}"));
            refused += 1;
        }
    }
    let late = begun.elapsed() > lasting;
    let measured = load.await??;
    figures.until_here();
    figures.add("swaps", args.swaps - refused);
    figures.add("swaps_refused", refused);
    figures.times("calm_ack", "ms", &calm.latency);
    ack::report(&mut figures, "ack", &measured);
    if refused > 0 {
        figures.void("not every swap was made");
    }
    if late {
        figures.void("the last swap came after the last message");
    }
    figures.print()
}

/// Installs a component and lets it serve.
async fn swaps(
    server: &Server,
    token: &str,
    component: Vec<u8>,
    number: u32,
) -> anyhow::Result<()> {
    let path = format!("/v1/plugins?name=message-filter&version=0.0.{number}&config=%7B%7D");
    let ask = Ask { method: "POST", path: &path, body: component.into(), ..Ask::default() };
    let ask = ask.bearer(token).header("content-type", "application/wasm");
    let installed = server.asks(ask).await?.ok()?;
    let id = installed.json["generation"]["id"].as_str().context("no id")?;
    let path = format!("/v1/plugins/{id}/activate");
    server.asks(Ask::post(&path, json!({})).bearer(token)).await?.ok()?;
    Ok(())
}

/// The same plugin in other bytes, so that no compiled code is there yet: with one more custom section (id 0, its size, a
/// name and what is in it; the lengths are below 128 and so one byte each).
fn variant(component: &[u8], number: u32) -> Vec<u8> {
    let (name, content) = (b"kefu-bench", number.to_le_bytes());
    let mut bytes = component.to_vec();
    bytes.extend([0, (1 + name.len() + content.len()) as u8, name.len() as u8]);
    bytes.extend(name);
    bytes.extend(content);
    bytes
}
