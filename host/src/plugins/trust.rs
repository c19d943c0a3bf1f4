//! Whether a plugin may serve here: who signed it, whom the operator trusts, and what was revoked. Decides; storing and
//! what follows from a change is `authority`'s.

pub(super) mod revocations;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::package::Package;
use crate::domain::plugin::Require;
use crate::storage::PublisherKey;
pub use revocations::{LARGEST as LARGEST_LIST, Revocations};

/// Everything the decision depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PluginTrust")]
pub struct Trust {
    /// The operator's rule.
    pub require: Require,
    /// Keys, each trusted for one publisher.
    pub keys: Vec<PublisherKey>,
    /// The last list of each publisher that has one.
    pub revocations: Vec<Revocations>,
}

impl Trust {
    /// Whether a package, or what came without one, may serve.
    ///
    /// # Errors
    /// Which rule forbids it.
    pub fn examine(&self, package: Option<&Package>) -> Result<(), String> {
        self.judge(package).map_err(|why| format!("trust: {why}"))
    }

    fn judge(&self, package: Option<&Package>) -> Result<(), String> {
        let require = format!("plugins.require = \"{}\"", self.require.word());
        let Some(package) = package else {
            return match self.require {
                Require::None => Ok(()),
                _ => Err(format!("{require} takes packages (.kplug); this is a bare component")),
            };
        };
        self.not_revoked(package)?;
        let Some(signer) = package.signer() else {
            return match self.require {
                Require::None => Ok(()),
                _ => Err(format!("{require}: the package is not signed")),
            };
        };
        if self.require != Require::Trusted {
            return Ok(());
        }
        let publisher = &package.manifest().publisher;
        match self.publisher_of(&signer.to_string()) {
            Some(known) if known == publisher => Ok(()),
            Some(known) => Err(format!(
                "{require}: it says it is {publisher}'s, its key {signer} is trusted for {known}"
            )),
            None => Err(format!(
                "{require}: its key {signer} is not trusted here; if it is {publisher}'s: kefu \
                 plugin key trust {publisher} {signer}"
            )),
        }
    }

    /// Whether a list may be taken in: its signer speaks for its publisher and is not revoked, it names no key of another
    /// publisher, and it follows the last one.
    ///
    /// # Errors
    /// Which rule it breaks.
    pub fn may_revoke(&self, list: &Revocations) -> Result<(), String> {
        let Revocations { publisher, signer, .. } = list;
        if self.publisher_of(signer) != Some(publisher) {
            return Err(format!("revocations: {signer} is not trusted for {publisher} here"));
        }
        if let Some(before) = self.revoking(signer) {
            return Err(format!("revocations: {signer} is revoked by {before}"));
        }
        for key in &list.keys {
            if let Some(owner) = self.publisher_of(key).filter(|owner| *owner != publisher) {
                return Err(format!("revocations: {key} is {owner}'s, not {publisher}'s"));
            }
        }
        match self.revocations.iter().find(|before| before.publisher == *publisher) {
            Some(before) => list.follows(before),
            None => Ok(()),
        }
    }

    /// For which publisher a key is trusted.
    pub(super) fn publisher_of(&self, key: &str) -> Option<&String> {
        self.keys.iter().find(|one| one.key == key).map(|one| &one.publisher)
    }

    /// The list that revokes a key: any that names it, unless the key is trusted for another publisher, whose keys are
    /// not the list's business.
    pub(super) fn revoking(&self, key: &str) -> Option<&Revocations> {
        let owner = self.publisher_of(key);
        self.revocations.iter().find(|list| {
            list.keys.contains(key) && owner.is_none_or(|owner| *owner == list.publisher)
        })
    }

    /// A list revokes packages of its own publisher only.
    fn not_revoked(&self, package: &Package) -> Result<(), String> {
        let signer = package.signer().map(ToString::to_string);
        if let Some((key, list)) = signer.and_then(|key| Some((key.clone(), self.revoking(&key)?)))
        {
            return Err(format!("its key {key} is revoked by {list}"));
        }
        let digest = package.digest();
        let publisher = &package.manifest().publisher;
        let mut lists = self.revocations.iter();
        match lists.find(|list| list.publisher == *publisher && list.packages.contains(digest)) {
            Some(list) => Err(format!("the package {digest} is revoked by {list}")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
