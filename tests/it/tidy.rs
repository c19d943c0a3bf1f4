//! Hygiene as ordinary tests: module order, vendors' names, headers, sizes, names that say nothing.

use std::fs;
use std::path::{Path, PathBuf};

/// Most lines in a file.
const LINES: usize = 500;

/// Names that say nothing about what is inside.
const BANNED: [&str; 5] = ["util", "helper", "common", "manager", "misc"];

/// A vendor's crate, and the only places in `host/src` where it is named.
const VENDORS: [(&str, &[&str]); 18] = [
    ("sqlx", &["storage/"]),
    ("rusqlite", &["stream/"]),
    ("redis", &["stream/redis/"]),
    ("rdkafka", &["journal/kafka"]),
    ("crc32c", &["spool/"]),
    ("wasmtime", &["plugins/"]),
    ("jsonschema", &["plugins/"]),
    ("ed25519_dalek", &["plugins/keys"]),
    ("tar", &["plugins/package/"]),
    ("prometheus", &["telemetry"]),
    ("tracing_subscriber", &["telemetry", "config/telemetry"]),
    ("argon2", &["auth/"]),
    ("hmac", &["auth/"]),
    ("rust_embed", &["api/pages", "plugins/shipped"]),
    ("imagesize", &["files/"]),
    ("jiff", &["domain/opening", "config/warmup", "cli/explain"]),
    ("clap", &["cli"]),
    ("axum", &["transport", "api", "health", "app", "cli/link"]),
];

struct Source {
    /// From the folder it was looked for in.
    path: String,
    text: String,
}

impl Source {
    fn is_test(&self) -> bool {
        self.path.ends_with("tests.rs") || self.path.contains("/tests/")
    }

    /// Lines of code, without comments.
    fn code(&self) -> impl Iterator<Item = &str> {
        self.text.lines().filter(|line| !line.trim_start().starts_with("//"))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Every Rust source below a folder of the repository, generated ones excepted.
fn sources(folder: &str) -> Vec<Source> {
    let base = root().join(folder);
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![base.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("target") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(&base).unwrap().display().to_string();
                found.push(Source { path, text });
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}

fn everything() -> Vec<Source> {
    let folders = ["host", "plugin-sdk/src", "plugins", "tests", "bench/src", "xtask/src"];
    folders.iter().flat_map(|folder| sources(folder)).collect()
}

/// The modules in the order of `lib.rs`.
fn order() -> Vec<String> {
    let lib = fs::read_to_string(root().join("host/src/lib.rs")).unwrap();
    let modules = lib.lines().filter_map(|line| line.strip_prefix("pub mod "));
    let modules: Vec<_> = modules.map(|name| name.trim_end_matches(';').to_owned()).collect();
    assert!(modules.len() > 15, "lib.rs is read wrongly: {modules:?}");
    modules
}

/// Modules named by `crate::…` in a line or in a `use crate::{…}`.
fn named(source: &Source) -> Vec<String> {
    let code = source.code().collect::<Vec<_>>().join("\n");
    let word = |text: &str| {
        text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
    };
    let mut found = Vec::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => found.push(word(rest)),
            Some(group) => {
                let mut depth = 0;
                let mut starts = true;
                for (at, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => starts = true,
                        c if starts && c.is_alphabetic() => {
                            found.push(word(&group[at..]));
                            starts = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

#[test]
fn a_module_uses_only_those_above_it() {
    let order = order();
    let place = |name: &str| order.iter().position(|module| module == name);
    let mut wrong = Vec::new();
    for source in sources("host/src").iter().filter(|source| !source.is_test()) {
        let module = source.path.split(['/', '.']).next().unwrap_or_default();
        let Some(own) = place(module) else { continue };
        for name in named(source) {
            if place(&name).is_some_and(|other| other > own) {
                wrong.push(format!("{} uses {name}, which is below it in lib.rs", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_vendor_is_named_only_where_it_is_adapted() {
    let mut wrong = Vec::new();
    for source in sources("host/src").iter().filter(|source| !source.is_test()) {
        for (vendor, places) in VENDORS {
            let path = format!("{vendor}::");
            let named = source.code().any(|line| {
                // `self::redis::…` is a module of ours.
                let more = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
                line.match_indices(&path).any(|(at, _)| !line[..at].ends_with(more))
            });
            let may = |place: &&str| {
                let file = format!("{}.rs", place.trim_end_matches('/'));
                source.path.starts_with(*place) || source.path == file
            };
            if named && !places.iter().any(may) {
                wrong.push(format!("{} names {vendor}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is() {
    let all = everything();
    let silent = all.iter().filter(|source| {
        let first = source.text.lines().find(|line| !line.starts_with("#!["));
        !first.is_some_and(|line| line.starts_with("//!"))
    });
    let silent: Vec<_> = silent.map(|source| source.path.as_str()).collect();
    assert!(silent.is_empty(), "no `//!` at the top of {silent:?}");
}

#[test]
fn no_file_is_too_long() {
    let all = everything();
    let long = all.iter().filter(|source| source.text.lines().count() > LINES);
    let long: Vec<_> = long.map(|source| source.path.as_str()).collect();
    assert!(long.is_empty(), "more than {LINES} lines: {long:?}");
}

#[test]
fn no_file_has_a_name_that_says_nothing() {
    let all = everything();
    let vague = all.iter().filter(|source| {
        let mut words = source.path.split(['/', '.', '_', '-']);
        words.any(|word| BANNED.iter().any(|bad| word == *bad || word == format!("{bad}s")))
    });
    let vague: Vec<_> = vague.map(|source| source.path.as_str()).collect();
    assert!(vague.is_empty(), "name what is inside: {vague:?}");
}

#[test]
fn the_map_is_short_and_knows_every_module() {
    let text = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    assert!(text.lines().count() <= 250, "ARCHITECTURE.md is a map, not a book");
    for module in order() {
        assert!(text.contains(&format!("`{module}`")), "ARCHITECTURE.md does not know `{module}`");
    }
}
