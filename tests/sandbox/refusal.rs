//! The service's errors: JSON:API error documents.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An answer that says no, and why.
pub struct Refusal {
    status: StatusCode,
    detail: String,
    parameter: Option<&'static str>,
}

impl Refusal {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Refusal {
        Refusal { status, detail: detail.into(), parameter: None }
    }

    pub fn bad_request(detail: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, detail)
    }

    pub fn bad_parameter(parameter: &'static str, detail: impl Into<String>) -> Refusal {
        Refusal { parameter: Some(parameter), ..Refusal::bad_request(detail) }
    }

    pub fn unauthorized(detail: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::UNAUTHORIZED, detail)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let mut error = json!({
            "status": self.status.as_str(),
            "code": title.to_lowercase().replace(' ', "_"),
            "title": title,
            "detail": self.detail,
        });
        if let Some(parameter) = self.parameter {
            error["source"] = json!({"parameter": parameter});
        }
        (self.status, Json(json!({"errors": [error]}))).into_response()
    }
}
