//! Answers: a refusal as status, `Retry-After` and JSON body, the same everywhere.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::domain::refusal::{Code, Refusal};
use crate::storage::StorageError;

/// A refusal on its way out.
#[derive(Debug)]
pub struct Failure(pub Refusal);

/// Result of a handler.
pub(super) type Answer<T> = Result<T, Failure>;

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
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
        let mut error = json!({ "code": refusal.code(), "message": refusal.to_string() });
        if let Some(wait) = refusal.retry_after_ms() {
            error["retry_after_ms"] = wait.into();
        }
        let mut response = (status, Json(json!({ "error": error }))).into_response();
        if let Some(wait) = refusal.retry_after_ms() {
            let seconds = HeaderValue::from(wait.div_ceil(1000).max(1));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

/// For an address that is none.
pub(super) async fn nothing_here() -> Failure {
    Failure(Refusal::NotFound("page"))
}

/// For an address that knows other methods.
pub(super) async fn wrong_method() -> Response {
    let error = json!({ "code": Code::BadFrame, "message": "this address knows other methods" });
    (StatusCode::METHOD_NOT_ALLOWED, Json(json!({ "error": error }))).into_response()
}
