//! The shipped plugins, embedded in the program: at the first start they are installed, and one of each point serves.

use rust_embed::RustEmbed;

use super::StartError;
use crate::plugins::{Install, Plugins};
use crate::storage;

/// Those that serve from the first start; whatever else was built (test plugins) is not shipped.
const SERVING: [&str; 3] = ["weighted-router", "message-filter", "quality-inspector"];
/// Further policies, at hand for whoever activates one.
const FURTHER: [&str; 4] = ["round-robin", "least-busy", "longest-idle", "returning-visitor-first"];

/// `target/plugins`, as `build.rs` found it.
#[derive(RustEmbed)]
#[folder = "$OUT_DIR/plugins"]
#[allow_missing = true]
struct Components;

/// Installs what is embedded, where no generation was ever installed. One that does not work is left out: its point's
/// fall-back answers.
pub(super) async fn install(
    plugins: &Plugins,
    storage: &storage::Handle,
) -> Result<(), StartError> {
    if !storage.generations().await?.is_empty() {
        return Ok(());
    }
    let serving = SERVING.map(|name| (name, true));
    for (name, serves) in serving.into_iter().chain(FURTHER.map(|name| (name, false))) {
        let Some(file) = Components::get(&format!("{name}.wasm")) else { continue };
        let install = Install {
            name: name.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            component: file.data.into_owned(),
            config: "{}".into(),
            created_by: "kefu".into(),
        };
        let outcome = match plugins.install(install).await {
            Ok(generation) if serves => plugins.activate(generation.id).await,
            installed => installed,
        };
        if let Err(error) = outcome {
            tracing::error!(%error, plugin = name, "a shipped plugin is left out");
        }
    }
    Ok(())
}
