//! A package (`.kplug`): one file with everything about a plugin, and its publisher's signature over all of it.
//! `docs/PLUGINS.md` describes it byte for byte. Whether its publisher may be believed is `trust`'s business.

pub(super) mod cases;
mod container;
mod manifest;

use std::sync::Arc;

use semver::Version;

use super::keys::{PublicKey, SecretKey, sha256};
use super::{schema, shape};
use cases::Case;
pub use container::{LARGEST, Members};
pub use manifest::{Manifest, name, scopes};

/// How the text begins whose SHA-256 is a package's digest.
const DIGEST: &str = "kefu-package-v1\n";
/// What a signature of one is for.
const PURPOSE: &str = "kefu-package-signature-v1";
/// How the member `signature` begins; the signer's key and the signature follow, a line each.
const OPENING: &str = "kefu-signature-v1\n";

pub(super) const MANIFEST: &str = "plugin.toml";
pub(super) const COMPONENT: &str = "component.wasm";
pub(super) const SCHEMA: &str = "config.schema.json";
const SIGNATURE: &str = "signature";
/// Without one of these it is no package.
const REQUIRED: [&str; 5] = ["LICENSE", "README.md", COMPONENT, SCHEMA, MANIFEST];

/// A package that is sound by itself: its members fit each other, and if it is signed, the signature is good.
#[derive(Debug)]
pub struct Package {
    members: Members,
    manifest: Manifest,
    digest: String,
    signer: Option<PublicKey>,
    cases: Vec<Case>,
}

impl Package {
    /// Whether these bytes set out to be one: a tar archive.
    #[must_use]
    pub fn is_meant(bytes: &[u8]) -> bool {
        container::is_tar(bytes)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Which rule it breaks.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        Self::of(container::read(bytes)?)
    }

    /// Puts one together.
    ///
    /// # Errors
    /// Which rule it breaks.
    pub fn of(members: Members) -> Result<Self, String> {
        container::check(&members)?;
        if let Some(name) = REQUIRED.into_iter().find(|name| !members.contains_key(*name)) {
            return Err(format!("container: there is no {name}"));
        }
        let digest = digest(&members);
        let signer = members.get(SIGNATURE).map(|text| signer(text, &digest)).transpose()?;
        for (name, bytes) in &members {
            if name != COMPONENT && std::str::from_utf8(bytes).is_err() {
                return Err(format!("container: {name} is not UTF-8"));
            }
        }
        let manifest = Manifest::read(&members[MANIFEST])?;
        let cases = members
            .iter()
            .filter_map(|(name, bytes)| Some((cases::name(name)?, bytes)))
            .map(|(name, bytes)| Case::read(name, bytes, manifest.point))
            .collect::<Result<Vec<_>, _>>()?;
        schema::carries(&members[COMPONENT], &members[SCHEMA])
            .map_err(|why| format!("schema: {why}"))?;
        Ok(Self { members, manifest, digest, signer, cases })
    }

    /// From what is stored: everything but the component, and the component.
    ///
    /// # Errors
    /// As [`Package::read`].
    pub(super) fn rejoined(rest: &[u8], component: &[u8]) -> Result<Self, String> {
        let mut members = container::read(rest)?;
        members.insert(COMPONENT.into(), component.to_vec());
        Self::of(members)
    }

    /// Everything but the component.
    ///
    /// # Errors
    /// None with members that were read.
    pub(super) fn rest(&self) -> Result<Vec<u8>, String> {
        let rest = self.members.iter().filter(|(name, _)| *name != COMPONENT);
        container::write(&rest.map(|(name, bytes)| (name.clone(), bytes.clone())).collect())
    }

    /// The same, signed by this key instead of whoever signed it before.
    ///
    /// # Errors
    /// None with a package that was read.
    pub fn signed_by(mut self, key: &SecretKey) -> Result<Self, String> {
        let signature = key.sign(PURPOSE, &self.digest);
        let text = format!("{OPENING}{}\n{signature}\n", key.public());
        self.members.insert(SIGNATURE.into(), text.into());
        Self::of(self.members)
    }

    /// Whether the component is what the manifest says: it serves that point, and imports nothing.
    ///
    /// # Errors
    /// What it is instead.
    pub fn fits(&self) -> Result<(), String> {
        shape::fits(&self.members[COMPONENT], &self.manifest)
            .map_err(|why| format!("contract: {why}"))
    }

    /// Whether it fits, and this host is one it runs on.
    ///
    /// # Errors
    /// Which rule it breaks.
    pub fn suits(&self, host: &Version) -> Result<(), String> {
        self.manifest.suits(host)?;
        shape::served(&self.manifest)?;
        self.fits()
    }

    /// The file: one for one content.
    ///
    /// # Errors
    /// When it is larger than a package may be.
    pub fn bytes(&self) -> Result<Vec<u8>, String> {
        container::write(&self.members)
    }

    /// What it says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// SHA-256 over all members but the signature, hex: the same whoever signed it.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Whose good signature it bears.
    #[must_use]
    pub fn signer(&self) -> Option<&PublicKey> {
        self.signer.as_ref()
    }

    /// Names and sizes of its members.
    pub fn contents(&self) -> impl Iterator<Item = (&str, usize)> {
        self.members.iter().map(|(name, bytes)| (name.as_str(), bytes.len()))
    }

    /// The component.
    #[must_use]
    pub fn component(&self) -> Arc<[u8]> {
        self.members[COMPONENT].as_slice().into()
    }

    pub(super) fn schema(&self) -> &[u8] {
        &self.members[SCHEMA]
    }

    pub(super) fn cases(&self) -> &[Case] {
        &self.cases
    }
}

/// SHA-256 of a text with a line for each member but the signature, by name: `<sha256>  <bytes>  <name>`.
fn digest(members: &Members) -> String {
    let mut text = DIGEST.to_owned();
    for (name, bytes) in members.iter().filter(|(name, _)| *name != SIGNATURE) {
        text.push_str(&format!("{}  {}  {name}\n", sha256(bytes), bytes.len()));
    }
    sha256(text.as_bytes())
}

/// Who signed this digest.
fn signer(member: &[u8], digest: &str) -> Result<PublicKey, String> {
    let lines = std::str::from_utf8(member)
        .ok()
        .and_then(|text| text.strip_prefix(OPENING)?.strip_suffix('\n')?.split_once('\n'));
    let Some((key, signature)) = lines else {
        return Err("signature: it is not the three lines of kefu-signature-v1".into());
    };
    let key = key.parse::<PublicKey>().map_err(|why| format!("signature: {why}"))?;
    if key.signed(PURPOSE, digest, signature) {
        return Ok(key);
    }
    Err(format!("signature: {key} did not sign this content, or it was changed afterwards"))
}

#[cfg(test)]
mod tests;
