//! `plugin.toml`: what a plugin says of itself, checked for its form. Whether it fits this host is asked when it is
//! installed ([`Manifest::suits`]), so that any host can show any package.

use std::collections::BTreeMap;

use semver::Version;
use serde::Deserialize;

use crate::domain::plugin::Point;

const LONGEST_NAME: usize = 64;
const LONGEST_REASON: usize = 200;

/// What a plugin of a point is given, by part, and what is in it.
type Scopes = &'static [(&'static str, &'static str)];

const ROUTING: Scopes = &[
    ("attrs", "the visitor's language and the site's own fields"),
    ("candidates", "who is there: number, load, capacity, quality, idle time, skill levels"),
    ("conversation", "its number, site, team, priority, waiting time"),
    ("needs", "the skills asked for"),
];
const FILTER: Scopes = &[
    ("attrs", "the visitor's language"),
    ("sender", "whether a visitor or an agent wrote"),
    ("text", "every message, whole"),
];
const INSPECTION: Scopes = &[
    ("attrs", "language and rating"),
    ("transcript", "every line of a closed conversation: who, when, what was said"),
];

/// The parts of a point's input.
#[must_use]
pub fn scopes(point: Point) -> Scopes {
    match point {
        Point::Routing => ROUTING,
        Point::Filter => FILTER,
        Point::Inspection => INSPECTION,
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The plugin.
    pub id: String,
    /// Its version.
    pub version: Version,
    /// Whose it is.
    pub publisher: String,
    /// The oldest host it runs on, and the newest if it knows one.
    pub hosts: (Version, Option<Version>),
    /// The point it serves.
    pub point: Point,
    /// The version of the point's WIT package.
    pub wit: Version,
    /// Which parts of the point's input it asks for, and why.
    pub scopes: BTreeMap<String, String>,
    /// What a call of it may use, where it says so.
    pub budgets: Asked,
}

/// What a plugin asks for one call; what is left out is the operator's setting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Asked {
    /// Fuel.
    pub fuel: Option<u64>,
    /// Wall time, ms.
    pub deadline_ms: Option<u32>,
    /// Memory of an instance, MiB.
    pub memory_mb: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: u32,
    id: String,
    version: String,
    publisher: String,
    host: Hosts,
    points: BTreeMap<Point, String>,
    #[serde(default)]
    scopes: BTreeMap<String, String>,
    #[serde(default)]
    budgets: Asked,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hosts {
    min: String,
    max: Option<String>,
}

impl Manifest {
    /// Reads it.
    ///
    /// # Errors
    /// Which key breaks which rule.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        Self::check(bytes).map_err(|why| format!("manifest: {why}"))
    }

    fn check(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
        let told: Written =
            toml::from_str(text).map_err(|why| why.to_string().trim_end().replace('\n', " "))?;
        if told.format != 1 {
            return Err(format!("format: {} is unknown, this host reads 1", told.format));
        }
        name("id", &told.id)?;
        name("publisher", &told.publisher)?;
        let hosts = (
            version("host.min", &told.host.min)?,
            told.host.max.map(|max| version("host.max", &max)).transpose()?,
        );
        let points: Vec<_> = told.points.into_iter().collect();
        let [(point, wit)] = points.as_slice() else {
            return Err(format!("points: a plugin serves one point, this says {}", points.len()));
        };
        for (scope, reason) in &told.scopes {
            if !scopes(*point).iter().any(|(known, _)| known == scope) {
                let known: Vec<_> = scopes(*point).iter().map(|(known, _)| *known).collect();
                let (point, known) = (point.word(), known.join(", "));
                return Err(format!("scopes.{scope}: {point} has no such part, it has {known}"));
            }
            if reason.is_empty() || reason.len() > LONGEST_REASON {
                return Err(format!("scopes.{scope}: a reason of 1 to {LONGEST_REASON} bytes"));
            }
        }
        Ok(Self {
            id: told.id,
            version: version("version", &told.version)?,
            publisher: told.publisher,
            hosts,
            point: *point,
            wit: version(&format!("points.{}", point.word()), wit)?,
            scopes: told.scopes,
            budgets: told.budgets,
        })
    }

    /// Whether it runs on a host of this version.
    ///
    /// # Errors
    /// What it asks for instead.
    pub fn suits(&self, host: &Version) -> Result<(), String> {
        let (least, most) = &self.hosts;
        if host < least {
            return Err(format!("manifest: host.min is {least}, this is kefu {host}"));
        }
        match most {
            Some(most) if host > most => {
                Err(format!("manifest: host.max is {most}, this is kefu {host}"))
            }
            _ => Ok(()),
        }
    }
}

/// A name that is also part of file names and lists.
///
/// # Errors
/// When it is none; `key` says of what.
pub fn name(key: &str, text: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(1..=LONGEST_NAME).contains(&text.len()) || !text.bytes().all(plain) {
        return Err(format!("{key}: `{text}`: 1 to {LONGEST_NAME} of a-z, 0-9 and -"));
    }
    Ok(())
}

fn version(key: &str, text: &str) -> Result<Version, String> {
    Version::parse(text).map_err(|why| format!("{key}: `{text}` is no version as 1.2.3: {why}"))
}
