//! Schemas carried by components, good and bad.

use super::{LARGEST, SECTION, check};

/// A component that carries these sections of the schema's name.
fn carrying(schemas: &[&str]) -> Vec<u8> {
    let mut component = wat::parse_str("(component)").unwrap();
    for schema in schemas {
        append(&mut component, schema.as_bytes());
    }
    component
}

fn append(to: &mut Vec<u8>, data: &[u8]) {
    let mut body = Vec::new();
    leb(&mut body, SECTION.len());
    body.extend_from_slice(SECTION.as_bytes());
    body.extend_from_slice(data);
    to.push(0);
    leb(to, body.len());
    to.extend_from_slice(&body);
}

fn leb(to: &mut Vec<u8>, mut number: usize) {
    while number > 127 {
        to.push((number & 127) as u8 | 128);
        number >>= 7;
    }
    to.push(number as u8);
}

#[test]
fn without_a_schema_any_config_passes() {
    assert_eq!(check(&carrying(&[]), r#"{"anything":1}"#), Ok(()));
}

#[test]
fn a_broken_rule_is_named_with_its_place() {
    let schema = r##"{"type":"object","additionalProperties":false,"required":["a"],
        "properties":{"a":{"$ref":"#/$defs/share"},"b":{"items":{"pattern":"^x+$"}}},
        "$defs":{"share":{"type":"number","maximum":1}}}"##;
    let component = carrying(&[schema]);
    assert_eq!(check(&component, r#"{"a":0.5,"b":["xx"]}"#), Ok(()));
    for (config, words) in [
        (r#"{"a":1.5}"#, "config: /a: 1.5 is greater than the maximum of 1"),
        (r#"{"a":1,"b":["x","y"]}"#, "config: /b/1: \"y\" does not match"),
        (r#"{}"#, "\"a\" is a required property"),
        (r#"{"a":1,"z":1}"#, "'z' was unexpected"),
        (r#"{"a":2,"b":["y"]}"#, "; "),
        ("{", "config: not JSON"),
    ] {
        let refused = check(&component, config).unwrap_err();
        assert!(refused.contains(words), "{refused}");
    }
}

#[test]
fn a_refusal_stays_short() {
    let component = carrying(&[r#"{"additionalProperties":{"type":"number"}}"#]);
    let keys: Vec<String> = (0..50).map(|n| format!(r#""k{n}":"{}""#, "长".repeat(500))).collect();
    let refused = check(&component, &format!("{{{}}}", keys.join(","))).unwrap_err();
    assert!(refused.len() < 1500, "{} bytes", refused.len());
}

#[test]
fn schemas_that_are_none_are_refused() {
    let large = format!(r#"{{"description":"{}"}}"#, "x".repeat(LARGEST));
    // Each level refers to the next one ten times: 10^9 parts when written out.
    let levels: Vec<String> = (0..9)
        .map(|n| {
            let refs = vec![format!(r##"{{"$ref":"#/$defs/l{}"}}"##, n + 1); 10].join(",");
            format!(r#""l{n}":{{"allOf":[{refs}]}}"#)
        })
        .collect();
    let bomb = format!(r##"{{"$ref":"#/$defs/l0","$defs":{{{},"l9":{{}}}}}}"##, levels.join(","));
    for (schema, words) in [
        ("", "not JSON"),
        ("{", "not JSON"),
        (r#"{"type":"fruit"}"#, "is wrong"),
        (r#"{"pattern":"("}"#, "is wrong"),
        (large.as_str(), "at most"),
        (r##"{"$ref":"#"}"##, "refers to itself"),
        (bomb.as_str(), "too large"),
        (r#"{"$ref":"https://example.com/x.json"}"#, "not a part of it"),
        (r#"{"$ref":"file:///etc/passwd"}"#, "not a part of it"),
        (r##"{"$dynamicRef":"#a"}"##, "$dynamicRef"),
        (r##"{"properties":{"a":{"$id":"b","$ref":"#/properties"}}}"##, "$id"),
    ] {
        let refused = check(&carrying(&[schema]), "{}").expect_err(schema);
        assert!(refused.contains("its config schema") && refused.contains(words), "{refused}");
    }
    let refused = check(&carrying(&["{}", "{}"]), "{}").unwrap_err();
    assert!(refused.contains("more than one"), "{refused}");
}
