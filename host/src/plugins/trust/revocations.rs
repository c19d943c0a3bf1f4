//! A publisher's list of what it takes back: keys and packages. `docs/PLUGINS.md` describes it byte for byte.
//!
//! A list is the whole list: it has a higher serial than the one before and takes nothing of it back. Whoever steals a
//! key can therefore revoke with it, but not undo a revocation.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plugins::keys::{PublicKey, SecretKey, sha256, unhex};
use crate::plugins::package;

/// How it begins.
const OPENING: &str = "kefu-revocations-v1";
/// What a signature of one is for.
const PURPOSE: &str = "kefu-revocations-signature-v1";
/// The highest serial: it is a signed number in SQL.
const HIGHEST: u64 = i64::MAX as u64;
/// Most bytes of one.
pub const LARGEST: usize = 256 << 10;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Revocations {
    /// Whose keys and packages.
    pub publisher: String,
    /// Rises with each list of this publisher.
    pub serial: u64,
    /// Keys whose signatures count for nothing any more.
    pub keys: BTreeSet<String>,
    /// Digests of packages that must not serve, whoever signed them.
    pub packages: BTreeSet<String>,
    /// Who signed it.
    pub signer: String,
}

impl fmt::Display for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "revocation list {} of {}", self.serial, self.publisher)
    }
}

impl Revocations {
    /// Reads a signed list.
    ///
    /// # Errors
    /// Which rule it breaks; also when its signature is not good.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.len() > LARGEST {
            return Err(format!("revocations: {} bytes, at most {LARGEST}", text.len()));
        }
        Self::lines(text).map_err(|why| format!("revocations: {why}"))
    }

    fn lines(text: &str) -> Result<Self, String> {
        let unsigned = "its last line must be `signed`, a key and a signature";
        let (body, last) =
            text.strip_suffix('\n').and_then(|text| text.rsplit_once('\n')).ok_or(unsigned)?;
        let (key, signature) =
            last.strip_prefix("signed ").and_then(|rest| rest.split_once(' ')).ok_or(unsigned)?;
        let signer: PublicKey = key.parse()?;
        let mut lines = body.lines();
        if lines.next() != Some(OPENING) {
            return Err(format!("its first line must be {OPENING}"));
        }
        let mut told = |word: &str| {
            let told = lines.next().and_then(|line| line.strip_prefix(word)?.strip_prefix(' '));
            told.ok_or_else(|| format!("there is no line `{word}`"))
        };
        let publisher = told("publisher")?.to_owned();
        package::name("publisher", &publisher)?;
        let serial = told("serial")?;
        let number = serial.parse::<u64>().ok().filter(|number| (1..=HIGHEST).contains(number));
        let serial = number.ok_or_else(|| format!("serial: `{serial}`: 1 to {HIGHEST}"))?;
        let mut list = Self {
            publisher,
            serial,
            keys: BTreeSet::new(),
            packages: BTreeSet::new(),
            signer: key.to_owned(),
        };
        for line in lines {
            match line.split_once(' ') {
                Some(("key", key)) => {
                    list.keys.insert(key.parse::<PublicKey>()?.to_string());
                }
                Some(("package", digest)) if unhex::<32>(digest).is_some() => {
                    list.packages.insert(digest.to_owned());
                }
                _ => return Err(format!("`{line}`: neither `key KEY` nor `package DIGEST`")),
            }
        }
        let body = format!("{body}\n");
        if list.body() != body {
            return Err("its lines are not in their one order (docs/PLUGINS.md)".into());
        }
        if !signer.signed(PURPOSE, &sha256(body.as_bytes()), signature) {
            return Err(format!("{signer} did not sign this list, or it was changed afterwards"));
        }
        Ok(list)
    }

    /// The signed text; says that this key signed it.
    #[must_use]
    pub fn signed_by(&self, key: &SecretKey) -> String {
        let body = self.body();
        let signature = key.sign(PURPOSE, &sha256(body.as_bytes()));
        format!("{body}signed {} {signature}\n", key.public())
    }

    fn body(&self) -> String {
        let Self { publisher, serial, keys, packages, .. } = self;
        let keys = keys.iter().map(|key| format!("key {key}\n"));
        let packages = packages.iter().map(|digest| format!("package {digest}\n"));
        let entries: String = keys.chain(packages).collect();
        format!("{OPENING}\npublisher {publisher}\nserial {serial}\n{entries}")
    }

    /// Whether this list may follow that one.
    ///
    /// # Errors
    /// Which rule it breaks.
    pub(in crate::plugins) fn follows(&self, before: &Self) -> Result<(), String> {
        if self.serial <= before.serial {
            return Err(format!(
                "revocations: serial {} is not above {}, the last one taken",
                self.serial, before.serial
            ));
        }
        let gone = before.keys.difference(&self.keys).next();
        match gone.or_else(|| before.packages.difference(&self.packages).next()) {
            Some(gone) => Err(format!("revocations: {before} revokes {gone}, this takes it back")),
            None => Ok(()),
        }
    }
}
