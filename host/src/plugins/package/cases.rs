//! Admission cases of a package: an input each, and what the plugin must answer. They are asked before it is kept and
//! before it serves, each with its own config, in the budgets that the generation will have.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::container;
use crate::domain::plugin::{FilterInput, InspectionInput, Outcome, Point, RoutingInput};

/// Numbers that differ by less are the same.
const SAME: f64 = 1e-9;

/// One case.
#[derive(Debug)]
pub(in crate::plugins) struct Case {
    pub(in crate::plugins) name: String,
    /// The config it is asked with, JSON.
    pub(in crate::plugins) config: String,
    pub(in crate::plugins) input: Input,
    expect: Expected,
}

/// What it is asked.
#[derive(Debug)]
pub(in crate::plugins) enum Input {
    Routing(RoutingInput),
    Filter(FilterInput),
    Inspection(InspectionInput),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    config: Map<String, Value>,
    input: Value,
    expect: Expected,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    outcome: Outcome,
    value: Option<Value>,
}

/// The name of the case that a member is.
pub(super) fn name(member: &str) -> Option<&str> {
    container::case(member)
}

impl Case {
    pub(super) fn read(name: &str, bytes: &[u8], point: Point) -> Result<Self, String> {
        let wrong = |why: String| format!("case {name}: {why}");
        let told: Written = serde_json::from_slice(bytes).map_err(|why| wrong(why.to_string()))?;
        if matches!(told.expect.outcome, Outcome::Fault | Outcome::Absent) {
            return Err(wrong("expect.outcome: answered, no_opinion or error".into()));
        }
        let input = Input::read(told.input, point).map_err(|why| wrong(format!("input: {why}")))?;
        let config = Value::Object(told.config).to_string();
        Ok(Self { name: name.into(), config, input, expect: told.expect })
    }

    /// Holds what was answered against what is expected.
    ///
    /// # Errors
    /// Where it differs.
    pub(in crate::plugins) fn judge(
        &self,
        outcome: Outcome,
        value: Option<Value>,
        detail: Option<&str>,
    ) -> Result<(), String> {
        if outcome != self.expect.outcome {
            let said = detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
            let (wanted, got) = (word(self.expect.outcome), word(outcome));
            return Err(format!("expected {wanted}, got {got}{said}"));
        }
        match (&self.expect.value, value) {
            (Some(wanted), got) => within(&got.unwrap_or(Value::Null), wanted, "value"),
            (None, _) => Ok(()),
        }
    }
}

impl Input {
    fn read(told: Value, point: Point) -> Result<Self, String> {
        let wrong = |why: serde_json::Error| why.to_string();
        Ok(match point {
            Point::Routing => {
                let input: RoutingInput = serde_json::from_value(told).map_err(wrong)?;
                let wanted = input.candidates.len() * input.needs.len();
                if input.levels.len() != wanted {
                    let got = input.levels.len();
                    return Err(format!("levels: {got}, and candidates x needs are {wanted}"));
                }
                Self::Routing(input)
            }
            Point::Filter => Self::Filter(serde_json::from_value(told).map_err(wrong)?),
            Point::Inspection => Self::Inspection(serde_json::from_value(told).map_err(wrong)?),
        })
    }
}

/// Everything that is wanted is there; more may be.
fn within(got: &Value, wanted: &Value, place: &str) -> Result<(), String> {
    match (got, wanted) {
        (Value::Object(got), Value::Object(wanted)) => {
            wanted.iter().try_for_each(|(key, wanted)| {
                let got = got.get(key).unwrap_or(&Value::Null);
                within(got, wanted, &format!("{place}.{key}"))
            })
        }
        (Value::Array(all), Value::Array(wanted)) if all.len() == wanted.len() => {
            let mut pairs = all.iter().zip(wanted).enumerate();
            pairs.try_for_each(|(at, (got, wanted))| within(got, wanted, &format!("{place}[{at}]")))
        }
        (Value::Number(a), Value::Number(b)) if close(a.as_f64(), b.as_f64()) => Ok(()),
        _ if got == wanted => Ok(()),
        _ => Err(format!("{place}: expected {wanted}, got {got}")),
    }
}

fn close(a: Option<f64>, b: Option<f64>) -> bool {
    a.zip(b).is_some_and(|(a, b)| (a - b).abs() < SAME)
}

fn word(outcome: Outcome) -> String {
    serde_json::to_string(&outcome).unwrap_or_default().replace('"', "")
}
