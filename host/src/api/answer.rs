//! Answers: a refusal as status, `Retry-After` and JSON body, the same everywhere.

use axum::Json;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::refusal::{Code, Refusal};
use crate::storage::StorageError;

/// A refusal on its way out.
#[derive(Debug)]
pub struct Failure(pub Refusal);

/// The body of a refusal.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Failure")]
pub(super) struct FailureBody {
    error: ErrorBody,
}

/// What was refused and why.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Error")]
struct ErrorBody {
    /// For programs.
    code: Code,
    /// For people: what, which and why.
    message: String,
    /// When to try again, if waiting helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

/// Result of a handler.
pub(super) type Answer<T> = Result<T, Failure>;

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl Failure {
    /// A failed write of something whose `field` nobody else may have.
    pub(super) fn of_write(error: StorageError, field: &'static str, value: &str) -> Self {
        match error {
            StorageError::Taken(what) if what == field => {
                Self(Refusal::Invalid { field, rule: format!("`{value}` is already taken") })
            }
            other => other.into(),
        }
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self(match error {
            StorageError::Taken(what) => {
                Refusal::Invalid { field: what, rule: "is already taken".into() }
            }
            StorageError::Full => {
                Refusal::Unavailable { reason: "disk full", retry_after_ms: 30_000 }
            }
            other => {
                tracing::warn!(error = %other, "storage did not answer");
                Refusal::Unavailable { reason: "storage", retry_after_ms: 1000 }
            }
        })
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let refusal = self.0;
        let status = match refusal.code() {
            Code::BadFrame | Code::Invalid => StatusCode::BAD_REQUEST,
            Code::Unauthorized => StatusCode::UNAUTHORIZED,
            Code::Forbidden => StatusCode::FORBIDDEN,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::Conflict => StatusCode::CONFLICT,
            Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::Blocked => StatusCode::UNPROCESSABLE_ENTITY,
            Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        let error = ErrorBody {
            code: refusal.code(),
            message: refusal.to_string(),
            retry_after_ms: refusal.retry_after_ms(),
        };
        let mut response = (status, Json(FailureBody { error })).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
        }
        if let Some(wait) = refusal.retry_after_ms() {
            let seconds = HeaderValue::from(wait.div_ceil(1000).max(1));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

/// For an address that is none.
pub(super) async fn nothing_here(uri: Uri) -> Response {
    let message = format!("no such address: {}; /v1/openapi.json lists all", uri.path());
    let error = ErrorBody { code: Code::NotFound, message, retry_after_ms: None };
    (StatusCode::NOT_FOUND, Json(FailureBody { error })).into_response()
}

/// For an address that knows other methods; axum adds `Allow`.
pub(super) async fn wrong_method(method: Method, uri: Uri) -> Response {
    let message = format!("{} does not answer {method}; Allow says which it does", uri.path());
    let error = ErrorBody { code: Code::BadFrame, message, retry_after_ms: None };
    (StatusCode::METHOD_NOT_ALLOWED, Json(FailureBody { error })).into_response()
}
