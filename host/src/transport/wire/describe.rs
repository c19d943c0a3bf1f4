//! What frames look like, as JSON schemas: made from the types that decode and encode them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::out::Out;
use super::{
    Addressed, Hello, Mark, OpenFields, RateFields, SeenFields, SendFields, StatusFields,
    TransferFields, TypingFields,
};

/// A frame from a client.
#[derive(Debug)]
pub struct ClientFrame;

/// A frame from the server.
#[derive(Debug)]
pub struct ServerFrame;

impl JsonSchema for ServerFrame {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "AnyServerFrame".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Out<'static>>()
    }
}

impl JsonSchema for ClientFrame {
    fn schema_name() -> Cow<'static, str> {
        "ClientFrame".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let addressed = || vec![Addressed::json_schema as Part];
        let drafts: [(&str, Vec<Part>); 15] = [
            ("hello", vec![Hello::json_schema]),
            ("open", vec![OpenFields::json_schema]),
            ("send", vec![Addressed::json_schema, SendFields::json_schema]),
            ("close", addressed()),
            ("rate", vec![Addressed::json_schema, RateFields::json_schema]),
            ("transfer", vec![Addressed::json_schema, TransferFields::json_schema]),
            ("take", addressed()),
            ("status", vec![StatusFields::json_schema]),
            ("follow", vec![Mark::json_schema]),
            ("unfollow", addressed()),
            ("typing", vec![TypingFields::json_schema]),
            ("seen", vec![SeenFields::json_schema]),
            ("ping", Vec::new()),
            ("pong", Vec::new()),
            ("bye", Vec::new()),
        ];
        let kinds: Vec<Value> =
            drafts.into_iter().map(|(kind, parts)| frame(generator, kind, &parts)).collect();
        json_schema!({ "oneOf": kinds })
    }
}

type Part = fn(&mut SchemaGenerator) -> Schema;

/// One kind: its `type` and the fields of all its parts.
fn frame(generator: &mut SchemaGenerator, kind: &str, parts: &[Part]) -> Value {
    let mut frame = json!({
        "type": "object",
        "properties": { "type": { "const": kind } },
        "required": ["type"],
    });
    for part in parts {
        let part = part(generator).to_value();
        for (name, schema) in part["properties"].as_object().into_iter().flatten() {
            frame["properties"][name] = schema.clone();
        }
        let needed = part["required"].as_array().into_iter().flatten().cloned();
        if let Some(required) = frame["required"].as_array_mut() {
            required.extend(needed);
        }
    }
    frame
}
