//! `filter`: one call of the shipped filter on a message of 200 bytes, warm.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use kefu::domain::ids::SiteId;
use kefu::domain::plugin::{FilterInput, Outcome};
use kefu::plugins::{Install, Plugins, PluginsConfig};
use kefu::runtime::Clock;
use kefu::storage::{Origin, StorageConfig};
use tempfile::TempDir;

use crate::cluster::target;
use crate::figures::{Figures, histogram};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Calls measured.
    #[arg(long, default_value_t = 50_000)]
    calls: u32,
    /// The filter's component [default: the shipped one, as `cargo xtask plugins` built it].
    #[arg(long)]
    component: Option<PathBuf>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let component = component(args.component, "message-filter")?;
    let (_data, plugins) = plugins(component, "message-filter").await?;
    let text = "您好，我昨天买的杯子还没有收到，麻烦帮我查一下物流，谢谢。 My order number is 20240618, \
                could you please look it up for me? Thank you very much for your help. Regards, Li.";
    let input = FilterInput {
        now: 1_800_000_000_000,
        seed: 7,
        site: SiteId::new(1).context("id")?,
        from_visitor: true,
        text: text.to_owned(),
        attrs: vec![("language".into(), "zh-CN".into())],
    };
    let mut figures = Figures::begin("filter");
    let mut nanos = histogram()?;
    let mut errors = 0_u64;
    for call in 0..args.calls + 1000 {
        let begun = Instant::now();
        let answer = plugins.judge(&input);
        let took = begun.elapsed().as_nanos() as u64;
        errors += u64::from(answer.outcome != Outcome::Answered);
        if call >= 1000 {
            nanos.saturating_record(took);
        }
    }
    figures.add("text_bytes", input.text.len());
    figures.times("", "us", &nanos);
    figures.add("errors", errors);
    if errors > 0 {
        figures.void("the filter did not answer");
    }
    figures.print()
}

/// A component: the one given, else the shipped one beside this program, wherever that is called from.
pub(crate) fn component(given: Option<PathBuf>, name: &str) -> anyhow::Result<Vec<u8>> {
    let path = match given {
        Some(path) => path,
        None => target()?.join("plugins").join(format!("{name}.wasm")),
    };
    std::fs::read(&path).with_context(|| format!("{} (cargo xtask plugins)", path.display()))
}

/// A plugin host of its own with one component active.
pub(crate) async fn plugins(
    component: Vec<u8>,
    name: &str,
) -> anyhow::Result<(TempDir, Arc<Plugins>)> {
    let data = tempfile::tempdir()?;
    let storage = kefu::storage::open(&StorageConfig::Sqlite(data.path().into())).await?.storage;
    let plugins = Plugins::open(storage, PluginsConfig::default(), Clock::system()).await?;
    let install = Install {
        bytes: component,
        named: (name.to_owned(), "0.0.1".to_owned()),
        origin: Origin::Shipped,
        config: "{}".to_owned(),
        created_by: "bench".to_owned(),
    };
    let generation = plugins.install(install).await?;
    plugins.activate(generation.id).await?;
    Ok((data, plugins))
}
