//! The shipped plugins, embedded in the program: at the first start they are installed and serve.

use rust_embed::RustEmbed;

use super::StartError;
use crate::plugins::{Install, Plugins};
use crate::storage;

/// Their names; whatever else was built (examples, test plugins) is not shipped.
const NAMES: [&str; 3] = ["weighted-router", "message-filter", "quality-inspector"];

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
    for name in NAMES {
        let Some(file) = Components::get(&format!("{name}.wasm")) else { continue };
        let install = Install {
            bytes: file.data.into_owned(),
            named: (name.into(), env!("CARGO_PKG_VERSION").into()),
            shipped: true,
            config: "{}".into(),
            created_by: "kefu".into(),
        };
        let outcome = match plugins.install(install).await {
            Ok(generation) => plugins.activate(generation.id).await,
            Err(refused) => Err(refused),
        };
        if let Err(error) = outcome {
            tracing::error!(%error, plugin = name, "a shipped plugin does not serve");
        }
    }
    Ok(())
}
