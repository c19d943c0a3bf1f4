//! The JSON Schema that a component carries for its config, in the custom section `kefu:config-schema`. The host holds
//! every config against it before the plugin sees it.
//!
//! A schema comes from whoever wrote the plugin, so it is bounded: in bytes, in parts once its references are written
//! out, and its patterns run on an engine that takes linear time. It refers to nothing outside itself. A component
//! without a schema is given any JSON object; its own `configure` decides.

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;
use wasmparser::{Parser, Payload};

const SECTION: &str = "kefu:config-schema";
const LARGEST: usize = 64 << 10;
/// Parts (objects, lists, values) of a schema with every reference written out.
const MOST_PARTS: usize = 20_000;
const DEEPEST: usize = 64;
/// Broken rules that one refusal names.
const MOST_NAMED: usize = 5;
const LONGEST_WORDS: usize = 200;

/// Holds a config against the schema its component carries.
///
/// # Errors
/// Which values break which rule; or what is wrong with the schema.
pub(super) fn check(component: &[u8], config: &str) -> Result<(), String> {
    let Some(schema) = carried(component)? else { return Ok(()) };
    hold(schema, config)
}

/// Holds a package's schema against the component: it is a schema, and, if the component carries one, the same.
///
/// # Errors
/// What is wrong with it.
pub(super) fn carries(component: &[u8], schema: &[u8]) -> Result<(), String> {
    rules(schema)?;
    let Some(own) = carried(component)? else { return Ok(()) };
    let read = |schema: &[u8]| serde_json::from_slice::<Value>(schema).ok();
    match read(own) == read(schema) {
        true => Ok(()),
        false => Err("config.schema.json is not the schema that the component carries".into()),
    }
}

/// Holds a config against a schema.
///
/// # Errors
/// As [`check`].
pub(super) fn hold(schema: &[u8], config: &str) -> Result<(), String> {
    let rules = rules(schema)?;
    let config: Value =
        serde_json::from_str(config).map_err(|error| format!("config: not JSON: {error}"))?;
    let broken: Vec<String> = rules
        .iter_errors(&config)
        .take(MOST_NAMED)
        .map(|error| match error.instance_path().as_str() {
            "" => short(error.to_string()),
            path => format!("{path}: {}", short(error.to_string())),
        })
        .collect();
    if broken.is_empty() { Ok(()) } else { Err(format!("config: {}", broken.join("; "))) }
}

fn rules(schema: &[u8]) -> Result<Validator, String> {
    if schema.len() > LARGEST {
        return Err(format!("its config schema has {} bytes, at most {LARGEST}", schema.len()));
    }
    let schema: Value = serde_json::from_slice(schema)
        .map_err(|error| format!("its config schema is not JSON: {error}"))?;
    let mut left = MOST_PARTS;
    measure(&schema, &schema, &mut left, 0).map_err(|why| format!("its config schema {why}"))?;
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(PatternOptions::regex())
        .build(&schema)
        .map_err(|error| format!("its config schema is wrong: {}", short(error.to_string())))
}

/// The schema's bytes: in the component, or in the module inside it, where the linker left them.
fn carried(component: &[u8]) -> Result<Option<&[u8]>, String> {
    let mut found = None;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.map_err(|error| format!("its sections cannot be read: {error}"))?;
        if let Payload::CustomSection(section) = payload
            && section.name() == SECTION
            && found.replace(section.data()).is_some()
        {
            return Err("it carries more than one config schema".into());
        }
    }
    Ok(found)
}

/// Counts parts down, following references: one that goes round, or out of the document, is refused.
fn measure(root: &Value, part: &Value, left: &mut usize, depth: usize) -> Result<(), String> {
    if *left == 0 || depth > DEEPEST {
        return Err("is too large, or refers to itself".into());
    }
    *left -= 1;
    match part {
        Value::Array(parts) => {
            parts.iter().try_for_each(|part| measure(root, part, left, depth + 1))
        }
        Value::Object(parts) => parts.iter().try_for_each(|(key, part)| match key.as_str() {
            "$ref" => {
                let pointer = part.as_str().and_then(|to| to.strip_prefix('#'));
                let target = pointer.and_then(|pointer| root.pointer(pointer));
                let target = target.ok_or_else(|| format!("refers to {part}, not a part of it"))?;
                measure(root, target, left, depth + 1)
            }
            "$dynamicRef" | "$recursiveRef" => Err(format!("may not use {key}")),
            "$id" if depth > 0 => Err("may have an $id only at its root".into()),
            _ => measure(root, part, left, depth + 1),
        }),
        _ => Ok(()),
    }
}

fn short(mut words: String) -> String {
    if words.len() > LONGEST_WORDS {
        words.truncate(words.floor_char_boundary(LONGEST_WORDS));
        words.push('…');
    }
    words
}

#[cfg(test)]
mod tests;
