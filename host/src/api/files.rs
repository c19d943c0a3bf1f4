//! `POST /v1/conversations/{id}/files`: an upload, streamed to disk. `GET /v1/files/{secret}`: a download, by an address
//! that cannot be guessed, so that a page on another origin may show a picture.
//!
//! Nothing that is served here may act: only images are shown, everything else is saved; types are not guessed again;
//! what is opened by itself is in a sandbox without origin or sources.

use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http_body_util::BodyExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::Shared;
use super::answer::{Answer, Failure};
use super::body::{Asked, Place};
use super::contract::{Routes, Who, op};
use super::who::Person;
use crate::domain::file::{Attachment, Kind, StoredFile};
use crate::domain::ids::ConversationId;
use crate::domain::refusal::Refusal;

/// Longest wait for the next bytes, and for all of them.
const NEXT_BYTES: Duration = Duration::from_secs(30);
const ALL_BYTES: Duration = Duration::from_secs(900);
/// What is still read of a refused upload, so that its sender gets to the answer instead of a broken connection.
const DRAIN_BYTES: usize = 16 << 20;
const DRAIN: Duration = Duration::from_secs(10);
/// Bytes read from disk at once.
const CHUNK: usize = 64 << 10;

pub(super) fn routes() -> Routes<Shared> {
    Routes::new()
        .post(
            "/v1/conversations/{id}/files",
            upload,
            op("uploadFile", "Keeps a file, to be sent in a message of its sender.", Who::Session)
                .at::<ConversationId>()
                .asks::<Named>()
                .takes_bytes("*/*")
                .gives::<Uploaded>(201)
                .may(&[404, 409, 415, 429]),
        )
        .get(
            "/v1/files/{secret}",
            download,
            op("downloadFile", "A file, for whoever knows its address.", Who::Anyone)
                .at::<String>()
                .gives_bytes(200, "*/*")
                .tagged()
                .may(&[404, 503]),
        )
}

#[derive(Serialize, JsonSchema)]
struct Uploaded {
    file: Attachment,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Named {
    /// What people call it.
    #[serde(default)]
    name: String,
}

async fn upload(
    State(api): State<Shared>,
    Person(who): Person,
    Place(id): Place<ConversationId>,
    Asked(named): Asked<Named>,
    request: Request,
) -> Answer<Response> {
    let (parts, mut body) = request.into_parts();
    let text = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let size = text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
    let claimed = text(header::CONTENT_TYPE).unwrap_or_default();
    let arrives = async {
        let mut upload = api.conversations.upload(&who, id, size).await?;
        while let Some(bytes) = next(&mut body).await? {
            upload.take(&bytes).await?;
        }
        api.conversations.uploaded(upload, &named.name, claimed).await
    };
    let slow = Refusal::BadFrame("the upload takes too long".into());
    match tokio::time::timeout(ALL_BYTES, arrives).await.unwrap_or(Err(slow)) {
        Ok(file) => Ok((StatusCode::CREATED, Json(Uploaded { file })).into_response()),
        Err(refusal) => {
            drain(&mut body).await;
            Err(refusal.into())
        }
    }
}

async fn next(body: &mut Body) -> Result<Option<Bytes>, Refusal> {
    let broken = |why: &str| Refusal::BadFrame(format!("the upload {why}"));
    loop {
        let frame = tokio::time::timeout(NEXT_BYTES, body.frame()).await;
        match frame.map_err(|_| broken("stopped half-way"))? {
            None => return Ok(None),
            Some(Err(_)) => return Err(broken("ended half-way")),
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
        }
    }
}

async fn drain(body: &mut Body) {
    let rest = async {
        let mut left = DRAIN_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            let Some(less) = left.checked_sub(bytes) else { break };
            left = less;
        }
    };
    drop(tokio::time::timeout(DRAIN, rest).await);
}

async fn download(
    State(api): State<Shared>,
    Place(secret): Place<String>,
    asked: HeaderMap,
) -> Answer<Response> {
    let gone = || Failure(Refusal::NotFound("file"));
    let file = api.storage.file_at(&format!("/v1/files/{secret}")).await?.ok_or_else(gone)?;
    let tag = format!("\"{}\"", &file.sha256);
    let known =
        asked.get(header::IF_NONE_MATCH).is_some_and(|given| given.as_bytes() == tag.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let bytes = api.files.read(file.shown.id).await.map_err(|error| {
            tracing::error!(%error, file = %file.shown.id, "a file cannot be read");
            Refusal::Unavailable { reason: "the disk for files", retry_after_ms: 5000 }
        })?;
        let mut response = body_of(bytes.ok_or_else(gone)?).into_response();
        response.headers_mut().insert(header::CONTENT_LENGTH, file.shown.size.into());
        response
    };
    for (name, value) in headers(&file, &tag) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

fn body_of(file: File) -> Body {
    Body::from_stream(stream::try_unfold(file, |mut file| async move {
        let mut bytes = Vec::with_capacity(CHUNK);
        let read = file.read_buf(&mut bytes).await?;
        Ok::<_, std::io::Error>((read > 0).then(|| (Bytes::from(bytes), file)))
    }))
}

fn headers(file: &StoredFile, tag: &str) -> [(HeaderName, String); 7] {
    [
        (header::CONTENT_TYPE, file.shown.kind.clone()),
        (header::CONTENT_DISPOSITION, disposition(&file.shown)),
        (header::ETAG, tag.into()),
        (header::CACHE_CONTROL, "private, immutable, max-age=31536000".into()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".into()),
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'".into()),
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin".into()),
    ]
}

/// RFC 6266: shown or saved, and under which name (RFC 8187, since names are not ASCII).
fn disposition(shown: &Attachment) -> String {
    let image = Kind::named(&shown.kind).is_some_and(|kind| kind.is_image());
    let how = if image { "inline" } else { "attachment" };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let name: String = shown
        .name
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).into() } else { format!("%{byte:02X}") })
        .collect();
    format!("{how}; filename*=UTF-8''{name}")
}
