//! The reader: takes keys out of a table one by one, with defaults and rules, and collects problems instead of stopping
//! at the first. What nobody took is an unknown key.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;

use toml::{Table, Value};

/// One thing wrong with the config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, or the environment variable.
    pub place: String,
    /// `section.key`.
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
            write!(f, "\n  {place}: {key}: expected {expected}")?;
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
    /// `section.key` → the variable that set it.
    overridden: BTreeMap<String, String>,
    problems: Vec<Problem>,
    asked: Vec<(String, Value)>,
}

impl Reader {
    pub(super) fn new(
        file: &str,
        text: &str,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Problems> {
        let root = text.parse::<Table>().map_err(|error| {
            let expected = format!("TOML: {}", error.to_string().trim_end().replace('\n', " "));
            Problems(vec![Problem { place: file.into(), key: String::new(), expected }])
        })?;
        let mut reader = Self {
            file: file.into(),
            section: "",
            root,
            overridden: BTreeMap::new(),
            problems: Vec::new(),
            asked: Vec::new(),
        };
        for (variable, value) in environment {
            reader.set_from_environment(&variable, &value);
        }
        Ok(reader)
    }

    /// `KEFU__SECTION__KEY=value`: the value is TOML (`5`, `true`, `["a"]`), or else a plain string.
    fn set_from_environment(&mut self, variable: &str, value: &str) {
        let Some(path) = variable.strip_prefix("KEFU__") else { return };
        let path = path.to_ascii_lowercase();
        let Some((section, key)) = path.split_once("__") else {
            let expected = "KEFU__SECTION__KEY".to_owned();
            self.problems.push(Problem { place: variable.into(), key: path, expected });
            return;
        };
        let parsed = format!("v = {value}").parse::<Table>().ok().and_then(|mut t| t.remove("v"));
        let value = parsed.unwrap_or_else(|| Value::String(value.into()));
        let entry = self.root.entry(section).or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(table) = entry {
            table.insert(key.into(), value);
            self.overridden.insert(format!("{section}.{key}"), variable.into());
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
                self.problem(key, "no such key");
            }
        }
        section
    }

    /// All problems, if any.
    pub(super) fn finish(mut self) -> Result<(), Problems> {
        for key in std::mem::take(&mut self.root).keys() {
            let (place, key) = (self.file.clone(), key.clone());
            self.problems.push(Problem { place, key, expected: "no such section".into() });
        }
        if self.problems.is_empty() { Ok(()) } else { Err(Problems(self.problems)) }
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

    /// A duration, in milliseconds.
    pub(super) fn duration(&mut self, key: &str, default: &str, most: &str) -> u64 {
        let expected =
            format!("a duration up to {most}, as \"250ms\", \"45s\", \"5m\", \"12h\" or \"30d\"");
        let most = parse_duration(most).unwrap_or(u64::MAX);
        let read = |value: &Value| parse_duration(value.as_str()?).filter(|ms| *ms <= most);
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
        let read = |value: &Value| rule(value.as_str()?);
        self.value(key, Value::String(default.into()), expected, read)
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
        let key = format!("{}.{key}", self.section);
        let place = self.overridden.get(&key).unwrap_or(&self.file).clone();
        self.problems.push(Problem { place, key, expected: expected.into() });
    }
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
