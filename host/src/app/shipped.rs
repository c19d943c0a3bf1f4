//! The shipped plugins, embedded in the program: at the first start they are installed, and one of each point serves.
//! A program that brings further policies installs those at its next start, and leaves who serves alone.

use rust_embed::RustEmbed;

use super::StartError;
use crate::domain::plugin::Point;
use crate::plugins::{Install, Plugins, Refused};
use crate::storage::{self, Generation, Origin};

/// Those that serve from the first start; whatever else was built (test plugins) is not shipped.
const SERVING: [&str; 3] = ["weighted-router", "message-filter", "quality-inspector"];
/// Further policies, at hand for whoever activates one.
const FURTHER: [&str; 4] = ["round-robin", "least-busy", "longest-idle", "returning-visitor-first"];

/// `target/plugins`, as `build.rs` found it.
#[derive(RustEmbed)]
#[folder = "$OUT_DIR/plugins"]
#[allow_missing = true]
struct Components;

/// Installs what is embedded: all of it where no generation was ever installed, else the further policies of which there
/// is none by that name. One that does not work is left out: its point's fall-back answers.
pub(super) async fn install(
    plugins: &Plugins,
    storage: &storage::Handle,
) -> Result<(), StartError> {
    let kept = storage.generations().await?;
    let serving = SERVING.into_iter().filter(|_| kept.is_empty()).map(|name| (name, true));
    let new = |name: &&str| kept.iter().all(|row| row.name != *name);
    let further = FURTHER.into_iter().filter(new).map(|name| (name, false));
    for (name, serves) in serving.chain(further) {
        let Some(file) = Components::get(&format!("{name}.wasm")) else { continue };
        let install = Install {
            bytes: file.data.into_owned(),
            named: (name.into(), env!("CARGO_PKG_VERSION").into()),
            origin: Origin::Shipped,
            config: "{}".into(),
            created_by: "kefu".into(),
        };
        let outcome = if serves {
            serve(plugins, install).await
        } else {
            plugins.shelve(install, Point::Routing).await
        };
        if let Err(error) = outcome {
            tracing::error!(%error, plugin = name, "a shipped plugin is left out");
        }
    }
    Ok(())
}

async fn serve(plugins: &Plugins, install: Install) -> Result<Generation, Refused> {
    let generation = plugins.install(install).await?;
    plugins.activate(generation.id).await
}

#[cfg(test)]
mod tests;
