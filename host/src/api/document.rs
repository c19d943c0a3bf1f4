//! The contract as an OpenAPI 3.1 document, and `GET /v1/openapi.json`. What follows from a promise by itself (a body
//! may be malformed, a token may be missing, storage may be away) is written here once for all operations.

use std::collections::BTreeSet;

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::answer::FailureBody;
use super::contract::{Content, Entry, Operation, SchemaOf, Who, op};
use super::pages::etag;

/// Where it is served.
const PATH: &str = "/v1/openapi.json";

/// Statuses of refusals: status, name, and what it means.
const REFUSALS: [(u16, &str, &str); 10] = [
    (400, "BadRequest", "The request is not what this document says (`bad_frame`, `invalid`)."),
    (401, "Unauthorized", "No valid token."),
    (403, "Forbidden", "A valid token, but not for this; or a page that may not ask."),
    (404, "NotFound", "There is none, or it is not yours to see."),
    (409, "Conflict", "Not in this state."),
    (413, "TooLarge", "The body is larger than its limit."),
    (415, "Unsupported", "A file of a kind that is not taken."),
    (422, "Blocked", "The filter refuses the message."),
    (429, "RateLimited", "Too fast; `Retry-After` says when to try again."),
    (503, "Unavailable", "Not now; nothing was kept. `Retry-After` says when to try again."),
];

/// The document, served under its own address. It is made once, when the server starts.
pub(super) fn route<S: Clone + Send + Sync + 'static>(text: String) -> Router<S> {
    let tag = etag(text.as_bytes());
    let serve = move |asked: HeaderMap| async move { answer(&asked, &tag, text) };
    Router::new().route(PATH, get(serve))
}

fn answer(asked: &HeaderMap, tag: &str, text: String) -> Response {
    let known =
        asked.get(header::IF_NONE_MATCH).is_some_and(|given| given.as_bytes() == tag.as_bytes());
    let mut response = match known {
        true => axum::http::StatusCode::NOT_MODIFIED.into_response(),
        false => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
    };
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// All entries as text, with the document's own.
pub(super) fn text(entries: &[Entry]) -> String {
    let own = op("getOpenApi", "This document.", Who::Anyone)
        .gives_bytes(200, "application/json")
        .tagged();
    let mut entries: Vec<Entry> = entries.to_vec();
    entries.push(Entry::new("get", PATH, own));
    let mut text = serde_json::to_string_pretty(&sorted(whole(&entries))).unwrap_or_default();
    text.push('\n');
    text
}

fn whole(entries: &[Entry]) -> Value {
    let answers = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    // Bodies are written out where they are taken: what may be left out there is always there in answers.
    let questions = SchemaSettings::draft2020_12().for_deserialize().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schemas =
        Schemas { given: answers.into_generator(), taken: questions.into_generator() };
    let mut paths = Map::new();
    for entry in entries {
        let operation = schemas.operation(entry);
        let methods = paths.entry(entry.path).or_insert_with(|| json!({}));
        methods[entry.method] = operation;
    }
    let failure = schemas.given(|generator| generator.subschema_for::<FailureBody>());
    let failure = json!({ "application/json": { "schema": failure } });
    let mut refusals = Map::new();
    for (status, name, meaning) in REFUSALS {
        let mut refusal = json!({ "description": meaning, "content": failure });
        if matches!(status, 429 | 503) {
            refusal["headers"] = json!({ "Retry-After": {
                "required": true, "description": "Seconds.", "schema": { "type": "integer", "minimum": 0 },
            } });
        }
        refusals.insert(name.into(), refusal);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "kefu",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "HTTP API of kefu, a self-hosted customer-service server. Ids are decimal strings, times are \
                milliseconds since 1970 by the server's clock. Every answer carries `X-Request-Id`, the one the client \
                sent or one made up, which the server's log names too. Any operation may be refused with a status \
                that is not listed (a proxy's, or 500): the body then need not be JSON. docs/PROTOCOL.md explains \
                the frames.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas.given.take_definitions(true),
            "responses": refusals,
            "securitySchemes": {
                "bearer": {
                    "type": "http", "scheme": "bearer",
                    "description": "A token from POST /v1/login (agents) or POST /v1/visitors (visitors).",
                },
                "cookie": {
                    "type": "apiKey", "in": "cookie", "name": super::who::COOKIE,
                    "description": "Set by POST /v1/login; counts only from the server's own pages.",
                },
            },
        },
    })
}

/// Two ways to write a type down: as it is answered, and as it is taken.
struct Schemas {
    given: SchemaGenerator,
    taken: SchemaGenerator,
}

impl Schemas {
    fn given(&mut self, make: SchemaOf) -> Value {
        make(&mut self.given).to_value()
    }

    fn taken(&mut self, make: SchemaOf) -> Value {
        make(&mut self.taken).to_value()
    }

    fn operation(&mut self, entry: &Entry) -> Value {
        let Entry { path, operation, .. } = entry;
        let mut written = json!({
            "operationId": operation.id,
            "summary": operation.summary,
            "tags": [tag(path)],
            "description": whom(operation.who),
            "security": security(operation.who),
        });
        let parameters = self.parameters(path, operation);
        if !parameters.is_empty() {
            written["parameters"] = parameters.into();
        }
        if let Some(body) = operation.body {
            let content = match body {
                Content::Json(make) => {
                    json!({ "application/json": { "schema": self.taken(make) } })
                }
                Content::Of(kind) => json!({ kind: {} }),
                Content::Empty => json!({}),
            };
            written["requestBody"] = json!({ "required": true, "content": content });
        }
        let mut answers = Map::new();
        for (status, content) in &operation.answers {
            answers.insert(status.to_string(), self.answer(*status, content, operation.tagged));
        }
        if operation.tagged {
            answers.insert("304".into(), json!({ "description": "As the given tag says." }));
        }
        for status in refusals(operation) {
            if let Some((_, name, _)) = REFUSALS.iter().find(|(known, _, _)| *known == status) {
                let named = json!({ "$ref": format!("#/components/responses/{name}") });
                answers.insert(status.to_string(), named);
            }
        }
        written["responses"] = answers.into();
        written
    }

    fn answer(&mut self, status: u16, content: &Content, tagged: bool) -> Value {
        let mut answer = json!({ "description": described(status) });
        match content {
            Content::Json(make) => {
                answer["content"] = json!({ "application/json": { "schema": self.given(*make) } });
            }
            Content::Of(kind) => answer["content"] = json!({ *kind: {} }),
            Content::Empty => {}
        }
        if tagged {
            answer["headers"] = json!({ "ETag": { "schema": { "type": "string" } } });
        }
        answer
    }

    fn parameters(&mut self, path: &str, operation: &Operation) -> Vec<Value> {
        let mut parameters = Vec::new();
        for name in path.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
            let schema = operation.place.map(|make| self.taken(make));
            let schema = schema.unwrap_or_else(|| json!({ "type": "string" }));
            parameters
                .push(json!({ "name": name, "in": "path", "required": true, "schema": schema }));
        }
        let query = operation.query.map(|make| self.taken(make)).unwrap_or_default();
        let required = query["required"].as_array().cloned().unwrap_or_default();
        for (name, schema) in query["properties"].as_object().into_iter().flatten() {
            let mut schema = without_null(schema);
            let said = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let needed = required.iter().any(|one| one == name);
            let mut parameter =
                json!({ "name": name, "in": "query", "required": needed, "schema": schema });
            if let Some(said) = said {
                parameter["description"] = said;
            }
            parameters.push(parameter);
        }
        parameters
    }
}

/// What may be left out of a query is left out, not null.
fn without_null(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(first) = schema["anyOf"].as_array().and_then(|any| any.first()).cloned() {
        let said = schema["description"].take();
        schema = first;
        if said.is_string() {
            schema["description"] = said;
        }
    }
    if let Some(kinds) = schema["type"].as_array() {
        let kind = kinds.iter().find(|kind| *kind != "null").cloned();
        schema["type"] = kind.unwrap_or_default();
    }
    if let Some(values) = schema["enum"].as_array_mut() {
        values.retain(|value| !value.is_null());
    }
    if let Some(object) = schema.as_object_mut() {
        object.retain(|key, value| !(key == "default" || value.is_null()));
    }
    schema
}

fn refusals(operation: &Operation) -> BTreeSet<u16> {
    let mut statuses: BTreeSet<u16> = operation.refusals.iter().copied().collect();
    if operation.who != Who::Anyone {
        statuses.extend([401, 403, 503]);
    }
    if operation.place.is_some() || operation.query.is_some() {
        statuses.insert(400);
    }
    if operation.body.is_some() {
        statuses.extend([400, 413, 503]);
    }
    statuses
}

fn security(who: Who) -> Value {
    match who {
        Who::Anyone => json!([]),
        Who::Visitor => json!([{ "bearer": [] }]),
        Who::Session | Who::Agent | Who::Supervisor | Who::Admin => {
            json!([{ "bearer": [] }, { "cookie": [] }])
        }
    }
}

fn whom(who: Who) -> &'static str {
    match who {
        Who::Anyone => "For anyone.",
        Who::Session => "For visitors and agents.",
        Who::Visitor => "For visitors.",
        Who::Agent => "For agents.",
        Who::Supervisor => "For supervisors and admins.",
        Who::Admin => "For admins.",
    }
}

/// The first word of an address after its version.
fn tag(path: &str) -> &str {
    path.trim_start_matches("/v1").split('/').find(|word| !word.is_empty()).unwrap_or("kefu")
}

fn described(status: u16) -> &'static str {
    match status {
        101 => "The connection is a WebSocket from here on.",
        201 => "Made.",
        204 => "Done.",
        _ => "Good.",
    }
}

/// Keys in order, whatever order the maps in use keep: the file is the same on every machine.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut pairs: Vec<_> = map.into_iter().collect();
            pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(pairs.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        Value::Array(all) => Value::Array(all.into_iter().map(sorted).collect()),
        other => other,
    }
}
