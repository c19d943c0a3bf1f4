//! The reader: takes keys out of a table one by one, with defaults and rules, and collects problems instead of stopping
//! at the first. What nobody took is an unknown key.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;

use toml::{Table, Value};

use super::address::{Address, without_password};
use crate::domain::rate::Rate;

const NO_KEY: &str = "no such key";
const NO_SECTION: &str = "no such section";

/// One thing wrong with the config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, or the environment variable.
    pub place: String,
    /// `section.key`; empty when it is the whole file.
    pub key: String,
    /// What should be there.
    pub expected: String,
}

/// Everything wrong with the config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    pub(super) fn unreadable(path: &Path, why: &str) -> Self {
        let place = path.display().to_string();
        Self(vec![Problem {
            place,
            key: String::new(),
            expected: format!("a readable file: {why}"),
        }])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the config has {} problem(s):", self.0.len())?;
        for Problem { place, key, expected } in &self.0 {
            let expected = match expected.starts_with("no such") {
                true => expected.clone(),
                false => format!("expected {expected}"),
            };
            match key.is_empty() {
                true => write!(f, "\n  {place}: {expected}")?,
                false => write!(f, "\n  {place}: {key}: {expected}")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// See the module.
pub(super) struct Reader {
    file: String,
    section: &'static str,
    root: Table,
    /// The file could be read: what is not in `root` is not set.
    whole: bool,
    /// `section.key` → the variable that set it, and to what.
    overridden: BTreeMap<String, (String, String)>,
    /// Variables that begin like ours and set nothing.
    strays: Vec<String>,
    problems: Vec<Problem>,
    asked: Vec<(String, Value)>,
}

impl Reader {
    pub(super) fn new(
        file: &str,
        text: &str,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Self {
        // A file that is no TOML hides what is wrong in it, not what is wrong in the environment.
        let mut problems = Vec::new();
        let root = text.parse::<Table>().unwrap_or_else(|error| {
            let expected = format!("TOML: {}", error.to_string().trim_end().replace('\n', " "));
            problems.push(Problem { place: file.into(), key: String::new(), expected });
            Table::new()
        });
        let mut reader = Self {
            file: file.into(),
            section: "",
            root,
            whole: problems.is_empty(),
            overridden: BTreeMap::new(),
            strays: Vec::new(),
            problems,
            asked: Vec::new(),
        };
        for (variable, value) in environment {
            match (variable.to_str(), value.to_str()) {
                (Some(variable), Some(value)) => reader.set_from_environment(variable, value),
                _ => reader.not_text(&variable),
            }
        }
        reader
    }

    /// Whether keys can be held against each other: not where the file is no TOML.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// A variable whose name or value is not UTF-8, if it is one of ours.
    fn not_text(&mut self, variable: &OsStr) {
        let place = variable.to_string_lossy().into_owned();
        let Some(path) = place.strip_prefix("KEFU__") else { return };
        let key = path.to_ascii_lowercase().replacen("__", ".", 1);
        self.problems.push(Problem { place, key, expected: "text in UTF-8".into() });
    }

    /// `KEFU__SECTION__KEY=value`: the value is TOML (`5`, `true`, `["a"]`), or else a plain string.
    fn set_from_environment(&mut self, variable: &str, text: &str) {
        let Some(path) = variable.strip_prefix("KEFU__") else {
            self.strays.extend(variable.starts_with("KEFU_").then(|| variable.to_owned()));
            return;
        };
        let path = path.to_ascii_lowercase();
        let Some((section, key)) = path.split_once("__") else {
            let expected = "KEFU__SECTION__KEY".to_owned();
            self.problems.push(Problem { place: variable.into(), key: path, expected });
            return;
        };
        let parsed = format!("v = {text}").parse::<Table>().ok().and_then(|mut t| t.remove("v"));
        let value = parsed.unwrap_or_else(|| Value::String(text.into()));
        let entry = self.root.entry(section).or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(table) = entry {
            table.insert(key.into(), value);
            let path = format!("{section}.{key}");
            self.overridden.insert(path, (variable.into(), text.into()));
        }
    }

    /// Reads one section.
    pub(super) fn section<T>(&mut self, name: &'static str, read: fn(&mut Self) -> T) -> T {
        self.section = name;
        let given = self.root.remove(name).unwrap_or_else(|| Value::Table(Table::new()));
        if given.is_table() {
            self.root.insert(name.into(), given);
        } else {
            self.problem("", "a section: `[name]` and its keys below");
        }
        let section = read(self);
        if let Some(Value::Table(left)) = self.root.remove(name) {
            for key in left.keys() {
                self.problem(key, NO_KEY);
            }
        }
        section
    }

    /// A rule between two keys, said of the first. Only where each of them is good by itself.
    pub(super) fn rule(&mut self, [path, other]: [&str; 2], holds: bool, expected: &str) {
        let bad = |problem: &Problem| problem.key == path || problem.key == other;
        if holds || self.problems.iter().any(bad) {
            return;
        }
        let found = |wanted| self.asked.iter().find(|(asked, _)| asked == wanted);
        let words = |(path, value): &(String, Value)| format!("{path} = {value}");
        let found: Vec<_> = [path, other].into_iter().filter_map(found).map(words).collect();
        self.problem_at(path.into(), format!("{expected}; found {}", found.join(", ")));
    }

    /// All problems, if any.
    pub(super) fn finish(mut self) -> Result<(), Problems> {
        for (section, given) in &std::mem::take(&mut self.root) {
            self.no_section(section, given);
        }
        let keys = || self.asked.iter().map(|(path, _)| path.as_str());
        for problem in &mut self.problems {
            let meant = match problem.expected.as_str() {
                NO_KEY => nearest(&problem.key, keys()),
                NO_SECTION => {
                    nearest(&problem.key, keys().filter_map(|path| path.split('.').next()))
                }
                _ => continue,
            };
            if let Some(meant) = meant {
                problem.expected.push_str(&format!(" (did you mean `{meant}`?)"));
            }
        }
        let missed = self.strays.iter().filter_map(|stray| missed(stray, keys()));
        self.problems.extend(missed);
        if self.problems.is_empty() { Ok(()) } else { Err(Problems(self.problems)) }
    }

    /// A section that nobody read: said of the file if it has it, and of each variable that set a key in it.
    fn no_section(&mut self, section: &str, given: &Value) {
        let within = format!("{section}.");
        let set = self.overridden.iter().filter(|(path, _)| path.starts_with(&within));
        let mut places: Vec<String> = set.map(|(_, (variable, _))| variable.clone()).collect();
        let keys = given.as_table().map_or(0, Table::len);
        if keys == 0 || keys > places.len() {
            places.insert(0, self.file.clone());
        }
        let problem =
            |place| Problem { place, key: section.to_owned(), expected: NO_SECTION.into() };
        self.problems.extend(places.into_iter().map(problem));
    }

    /// Every key that was asked for, with the value in force.
    pub(super) fn asked(&self) -> &[(String, Value)] {
        &self.asked
    }

    /// A whole number.
    pub(super) fn number(&mut self, key: &str, default: u64, allowed: RangeInclusive<u64>) -> u64 {
        let (low, high) = (*allowed.start(), *allowed.end());
        let expected = format!("a whole number from {low} to {high}");
        let default = Value::Integer(i64::try_from(default).unwrap_or(i64::MAX));
        self.value(key, default, &expected, |value| {
            let number = value.as_integer().and_then(|number| u64::try_from(number).ok())?;
            allowed.contains(&number).then_some(number)
        })
        .unwrap_or(low)
    }

    /// Yes or no.
    pub(super) fn flag(&mut self, key: &str, default: bool) -> bool {
        self.value(key, Value::Boolean(default), "true or false", Value::as_bool)
            .unwrap_or_default()
    }

    /// A number with a fraction.
    pub(super) fn fraction(
        &mut self,
        key: &str,
        default: f64,
        allowed: RangeInclusive<f64>,
    ) -> f64 {
        let (low, high) = (*allowed.start(), *allowed.end());
        let expected = format!("a number from {low} to {high}");
        self.value(key, Value::Float(default), &expected, |value| {
            let whole = value.as_integer().map(|number| number as f64);
            value.as_float().or(whole).filter(|number| allowed.contains(number))
        })
        .unwrap_or(low)
    }

    /// `<name>_per_second` and `<name>_burst`.
    pub(super) fn rate(&mut self, name: &str, (per_second, burst): (f64, f64)) -> Rate {
        Rate {
            per_second: self.fraction(&format!("{name}_per_second"), per_second, 0.01..=100_000.0),
            burst: self.fraction(&format!("{name}_burst"), burst, 1.0..=1_000_000.0),
        }
    }

    /// A duration, in milliseconds.
    pub(super) fn duration(&mut self, key: &str, default: &str, [least, most]: [&str; 2]) -> u64 {
        let units = "as \"250ms\", \"45s\", \"5m\", \"12h\" or \"30d\"";
        let expected = format!("a duration from {least} to {most}, {units}");
        let allowed = parse_duration(least).unwrap_or(0)..=parse_duration(most).unwrap_or(u64::MAX);
        let read =
            |value: &Value| parse_duration(value.as_str()?).filter(|ms| allowed.contains(ms));
        self.value(key, Value::String(default.into()), &expected, read).unwrap_or_default()
    }

    /// A text that a rule turns into something.
    pub(super) fn text<T>(
        &mut self,
        key: &str,
        default: &str,
        expected: &str,
        rule: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        // A variable is a text even where it reads as a number.
        let path = format!("{}.{key}", self.section);
        let told = self.overridden.get(&path).map(|(_, text)| text.clone());
        let read = |value: &Value| rule(value.as_str().or(told.as_deref())?);
        self.value(key, Value::String(default.into()), expected, read)
    }

    /// Where a server is, "" for none. What is printed of it, mistakes too, has no password in it.
    pub(super) fn address(
        &mut self,
        key: &str,
        expected: &str,
        fits: impl Fn(&str) -> bool,
    ) -> Address {
        let rule = |text: &str| fits(text).then(|| Address::new(text));
        let problems = self.problems.len();
        let address = self.text(key, "", expected, rule).unwrap_or_default();
        for problem in &mut self.problems[problems..] {
            problem.expected = expected.into();
        }
        if let Some((_, Value::String(text))) = self.asked.last_mut() {
            *text = without_password(text);
        }
        address
    }

    /// A list of texts, each turned into something by a rule.
    pub(super) fn list<T>(
        &mut self,
        key: &str,
        default: &[&str],
        expected: &str,
        rule: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let read = |value: &Value| {
            value.as_array()?.iter().map(|item| rule(item.as_str()?)).collect::<Option<Vec<T>>>()
        };
        let default = default.iter().map(|text| Value::String((*text).into())).collect();
        self.value(key, Value::Array(default), expected, read).unwrap_or_default()
    }

    fn value<T>(
        &mut self,
        key: &str,
        default: Value,
        expected: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Option<T> {
        let table = self.root.get_mut(self.section).and_then(Value::as_table_mut);
        let given = table.and_then(|table| table.remove(key)).unwrap_or_else(|| default.clone());
        let outcome = read(&given);
        if outcome.is_none() {
            self.problem(key, &format!("{expected}; found {given}"));
        }
        self.asked.push((format!("{}.{key}", self.section), given));
        outcome.or_else(|| read(&default))
    }

    fn problem(&mut self, key: &str, expected: &str) {
        self.problem_at(format!("{}.{key}", self.section), expected.into());
    }

    fn problem_at(&mut self, key: String, expected: String) {
        let place = self.overridden.get(&key).map_or(&self.file, |(variable, _)| variable).clone();
        self.problems.push(Problem { place, key, expected });
    }
}

/// What someone who wrote `wrong` may have meant: a name at most two letters away, or the same key of another section.
fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let key = |path: &str| path.split_once('.').map(|(_, key)| key.to_owned());
    let far = |name: &str| match key(name) == key(wrong) && key(name).is_some() {
        true => 0,
        false => letters_apart(wrong, name),
    };
    let near = names.map(|name| (far(name), name)).min_by_key(|(far, _)| *far)?;
    (near.0 <= 2).then_some(near.1)
}

/// A variable that was to set a key and does not: `KEFU_SERVER_LISTEN`, `KEFU_LISTEN`. The others that begin with `KEFU_`
/// are none of ours: Kubernetes makes some for a service named `kefu`.
fn missed<'a>(variable: &str, keys: impl Iterator<Item = &'a str>) -> Option<Problem> {
    let wrong = variable.strip_prefix("KEFU_")?.to_ascii_lowercase().replace("__", "_");
    let far = |path: &str| match path.split_once('.') {
        Some((_, key)) if key == wrong => 0,
        _ => letters_apart(&wrong, &path.replace('.', "_")),
    };
    let (far, path) = keys.map(|path| (far(path), path)).min_by_key(|(far, _)| *far)?;
    let meant = path.replace('.', "__").to_uppercase();
    (far <= 2).then(|| Problem {
        place: variable.into(),
        key: String::new(),
        expected: format!("no such variable (did you mean `KEFU__{meant}`?)"),
    })
}

/// Edit distance (Levenshtein): letters to put in, take out or change.
fn letters_apart(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let changed = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = changed.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// `45s` → 45,000.
fn parse_duration(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match &text[digits..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(unit)
}
