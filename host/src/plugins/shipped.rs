//! The shipped plugins, embedded in the program: at the first start they are installed, and one of each point serves.
//! A program that brings further policies installs those at its next start, and leaves who serves alone. What an operator
//! removed stays away until it is asked for.

use rust_embed::RustEmbed;

use super::{Install, Plugins, Refused};
use crate::domain::plugin::Point;
use crate::storage::{Generation, Origin};

/// Those that serve from the first start; whatever else was built (test plugins) is not shipped.
const SERVING: [&str; 3] = ["weighted-router", "message-filter", "quality-inspector"];
/// Further policies, at hand for whoever activates one.
const FURTHER: [&str; 4] = ["round-robin", "least-busy", "longest-idle", "returning-visitor-first"];

/// `target/plugins`, as `build.rs` found it.
#[derive(RustEmbed)]
#[folder = "$OUT_DIR/plugins"]
#[allow_missing = true]
struct Components;

impl Plugins {
    /// Installs what is embedded: all of it where no generation was ever installed, else the further policies of which there
    /// is none by that name and none was removed. One that does not work is left out: its point's fall-back answers.
    ///
    /// # Errors
    /// When storage is away.
    pub async fn install_shipped(&self) -> Result<(), Refused> {
        let storage = &self.parts()?.storage;
        let (kept, removed) = (storage.generations().await?, storage.removed_shipped().await?);
        let first = kept.is_empty() && removed.is_empty();
        let serving = SERVING.into_iter().filter(|_| first).map(|name| (name, true));
        let new = |name: &&str| {
            kept.iter().all(|row| row.name != *name) && removed.iter().all(|gone| gone != name)
        };
        let further = FURTHER.into_iter().filter(new).map(|name| (name, false));
        for (name, serves) in serving.chain(further) {
            let Some(install) = shipped(name, "kefu".into()) else { continue };
            let outcome = match serves {
                true => self.serve_at_once(install).await,
                false => self.shelve(install, Point::Routing).await,
            };
            if let Err(error) = outcome {
                tracing::error!(%error, plugin = name, "a shipped plugin is left out");
            }
        }
        Ok(())
    }

    /// Installs a shipped plugin as this program brings it, removed or not. It does not serve yet.
    ///
    /// # Errors
    /// [`Refused::Rejected`] when none of that name is shipped, or it does not work.
    pub async fn restore_shipped(&self, name: &str, by: String) -> Result<Generation, Refused> {
        let all = || SERVING.into_iter().chain(FURTHER);
        let found = all().find(|one| *one == name).and_then(|name| shipped(name, by));
        let Some(install) = found else {
            let all = all().collect::<Vec<_>>().join(", ");
            let why = format!("`{name}` does not come with this program; these do: {all}");
            return Err(Refused::Rejected(why));
        };
        let restored = self.install(install).await?;
        self.parts()?.storage.forget_removal(name).await?;
        Ok(restored)
    }

    async fn serve_at_once(&self, install: Install) -> Result<Generation, Refused> {
        let generation = self.install(install).await?;
        self.activate(generation.id).await
    }
}

/// An embedded plugin; none in a program that was built without it.
fn shipped(name: &str, by: String) -> Option<Install> {
    let file = Components::get(&format!("{name}.wasm"))?;
    Some(Install {
        bytes: file.data.into_owned(),
        named: (name.into(), env!("CARGO_PKG_VERSION").into()),
        origin: Origin::Shipped,
        config: "{}".into(),
        created_by: by,
    })
}

#[cfg(test)]
mod tests;
