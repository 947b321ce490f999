//! The routes of protocol.md.

use super::data::{self, BRANDS, Row};
use super::gate::{Live, Shared, TRACKING_TOKEN, gate};
use super::refusal::Refusal;
use super::{SERVER_ROLE, tokens};
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::HashMap;
use tower_http::compression::CompressionLayer;

const CHAT_SESSIONS: &str = "/c/v1/chat/sessions";
const SERVER_SESSIONS: &str = "/v2.1/chat/sessions";
const MAX_PAGE_SIZE: u64 = 100;

type Parameters = HashMap<String, String>;
type Document = Result<Json<Value>, Refusal>;

pub fn router(shared: Shared) -> Router {
    Router::new()
        .route("/p/v1/chat/settings", get(settings))
        .route("/c/v1/tracking/tokens/current", get(current_token))
        .route("/c/v1/tracking/tokens", post(reset))
        .route("/c/v1/identity", post(identity))
        .route(CHAT_SESSIONS, get(visitor_conversations))
        .route("/c/v1/chat/customers/stats", get(stats))
        .route(SERVER_SESSIONS, get(server_conversations))
        .fallback(async || Refusal::new(StatusCode::NOT_FOUND, "no such route"))
        .method_not_allowed_fallback(async || Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "not with this method"))
        .layer(middleware::from_fn_with_state(shared.clone(), gate))
        .layer(CompressionLayer::new().gzip(true))
        .with_state(shared)
}

async fn settings(State(shared): State<Shared>, Query(parameters): Query<Parameters>) -> Json<Value> {
    let language = parameters.get("lang").map_or("en", |lang| lang.split(['-', '_']).next().unwrap());
    let (greeting, away) = match language {
        "ar" => ("مرحبًا! كيف يمكننا مساعدتك؟", "نحن غير متصلين حاليًا."),
        "de" => ("Hallo! Wie können wir helfen?", "Wir sind gerade nicht da."),
        "fr" => ("Bonjour ! Comment pouvons-nous vous aider ?", "Nous sommes absents pour le moment."),
        _ => ("Hi! How can we help?", "We are away right now."),
    };
    Json(json!({"data": {
        "type": "chat_settings",
        "id": "5f1d0b7eab3e4f0012a40002",
        "attributes": {
            "enabled": true, "noHistory": shared.lock().options.no_history, "closableChat": true,
            "teamName": "Sandbox Support", "teamIconUrl": "https://cdn.example.com/team.png",
            "greeting": greeting, "offhoursDisplay": "online", "offhoursMessage": away,
            "activeAssistant": "5f1d0b7eab3e4f0012a4d001", "brandId": BRANDS[0],
            "knowledgeBaseId": "5f1d0b7eab3e4f0012a4e001",
            "widgetColor": "#1f6feb", "waitMessage": null, "volumeControl": {"enabled": false},
            "updatedAt": "2026-06-02T08:30:00.000Z",
        },
    }}))
}

async fn current_token(State(shared): State<Shared>, headers: HeaderMap) -> Document {
    let mut live = shared.lock();
    let tracking_id = match token_owner(&live, &headers, live.options.renews_expired)? {
        Some(saved) => saved,
        None => live.world.new_visitor(),
    };
    let sent = headers.get(TRACKING_TOKEN).and_then(|token| token.to_str().ok());
    Ok(token_document(&mut live, sent, &tracking_id))
}

/// Logout: a visitor nobody knows.
async fn reset(State(shared): State<Shared>, body: Bytes) -> Document {
    json_object(&body)?;
    let mut live = shared.lock();
    let tracking_id = live.world.new_visitor();
    Ok(token_document(&mut live, None, &tracking_id))
}

fn token_document(live: &mut Live, sent: Option<&str>, tracking_id: &str) -> Json<Value> {
    let token = live.world.current_token(sent, tracking_id, live.options.token_life_s);
    let verified = live.world.visitor(tracking_id).verified;
    Json(json!({"data": {
        "type": "tracking_token",
        "id": tracking_id,
        "attributes": {"trackingId": tracking_id, "token": token, "verified": verified},
    }}))
}

async fn identity(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Document {
    let mut live = shared.lock();
    let tracking_id = visitor(&live, &headers)?;
    let body = json_object(&body)?;
    let token = body["externalToken"].as_str();
    let token = token.ok_or_else(|| Refusal::bad_request("the body has no externalToken"))?;
    let name = tokens::read_login(token).map_err(Refusal::unauthorized)?;
    let customer_id = live.world.login(&tracking_id, &name);
    Ok(Json(json!({"data": {"type": "customer", "id": customer_id, "attributes": {"verified": true}}})))
}

async fn visitor_conversations(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Refusal> {
    let mut live = shared.lock();
    let customer_id = customer(&mut live, &headers)?;
    if live.options.no_history && parameters.get("active").is_none_or(|active| active != "true") {
        return Err(Refusal::bad_parameter("active", "must be true, as the settings say noHistory"));
    }
    page(&live, CHAT_SESSIONS, &parameters, |row| row.customer_id == customer_id)
}

async fn server_conversations(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Refusal> {
    let expected = format!("Bearer {}", tokens::key(SERVER_ROLE));
    if headers.get("authorization").is_none_or(|given| given.as_bytes() != expected.as_bytes()) {
        return Err(Refusal::unauthorized("invalid API key"));
    }
    let (customer_id, tracking_id) = (parameters.get("customerId"), parameters.get("trackingId"));
    if customer_id.is_none() && tracking_id.is_none() {
        return Err(Refusal::bad_parameter("customerId", "customerId or trackingId is required"));
    }
    page(&shared.lock(), SERVER_SESSIONS, &parameters, |row| {
        customer_id == Some(&row.customer_id) || tracking_id == Some(&row.tracking_id)
    })
}

/// How one finds out cheaply whether the list has changed.
async fn stats(State(shared): State<Shared>, headers: HeaderMap) -> Document {
    let mut live = shared.lock();
    let customer_id = customer(&mut live, &headers)?;
    let rows = live.world.rows(|row| row.customer_id == customer_id);
    let last_activity = rows.iter().filter_map(|row| row.last_message_ms()).max();
    Ok(Json(json!({"data": {
        "type": "customer_chat_stats",
        "id": customer_id,
        "attributes": {"lastActivity": last_activity.map(data::timestamp), "conversationCount": rows.len()},
    }})))
}

/// Whose tracking token was sent. Without a good one nobody gets past here.
fn visitor(live: &Live, headers: &HeaderMap) -> Result<String, Refusal> {
    let owner = token_owner(live, headers, false)?;
    owner.ok_or_else(|| Refusal::unauthorized("a tracking token is required"))
}

/// None: no token was sent.
fn token_owner(live: &Live, headers: &HeaderMap, expired_will_do: bool) -> Result<Option<String>, Refusal> {
    let Some(token) = headers.get(TRACKING_TOKEN) else {
        return Ok(None);
    };
    match live.world.read_token(token.to_str().unwrap_or_default()) {
        Some((_, true)) if !expired_will_do => Err(Refusal::unauthorized("the tracking token has expired")),
        Some((tracking_id, _)) => Ok(Some(tracking_id)),
        None => Err(Refusal::unauthorized("invalid tracking token")),
    }
}

fn customer(live: &mut Live, headers: &HeaderMap) -> Result<String, Refusal> {
    let tracking_id = visitor(live, headers)?;
    Ok(live.world.visitor(&tracking_id).customer_id.clone())
}

#[derive(Serialize)]
struct Page<'a> {
    meta: Value,
    links: Value,
    data: Vec<&'a RawValue>,
}

fn page(live: &Live, path: &str, parameters: &Parameters, belongs: impl Fn(&Row) -> bool) -> Result<Response, Refusal> {
    let number = positive(parameters, "page", 1)?;
    let size = positive(parameters, "pageSize", MAX_PAGE_SIZE)?.min(MAX_PAGE_SIZE);
    let active = active(parameters)?;
    let brand_id = parameters.get("brandId").map(String::as_str);
    let rows = live.world.rows(|row| {
        belongs(row)
            && active.is_none_or(|active| active != row.is_ended())
            && brand_id.is_none_or(|brand_id| row.brand_id() == Some(brand_id))
    });

    let total_pages = (rows.len() as u64).div_ceil(size);
    let first_row = (number - 1).saturating_mul(size).min(rows.len() as u64) as usize;
    let link = |number: u64| link(path, parameters, number, size);
    let page = Page {
        meta: json!({"page": number, "pageSize": size, "total": rows.len(), "totalPages": total_pages}),
        links: json!({
            "self": link(number),
            "first": link(1),
            "prev": (number > 1).then(|| link(number - 1)),
            "next": (number < total_pages).then(|| link(number + 1)),
        }),
        data: rows[first_row..].iter().take(size as usize).map(|row| row.resource()).collect(),
    };
    Ok(Json(page).into_response())
}

/// The request's own address with another page number.
fn link(path: &str, parameters: &Parameters, number: u64, size: u64) -> String {
    let mut link = format!("{path}?page={number}&pageSize={size}");
    for name in ["customerId", "trackingId", "active", "brandId"] {
        if let Some(value) = parameters.get(name) {
            link += &format!("&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
        }
    }
    link
}

fn positive(parameters: &Parameters, name: &'static str, default: u64) -> Result<u64, Refusal> {
    let Some(text) = parameters.get(name) else {
        return Ok(default);
    };
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| Refusal::bad_parameter(name, "must be a positive number"))
}

fn active(parameters: &Parameters) -> Result<Option<bool>, Refusal> {
    let parse = |text: &String| text.parse().map_err(|_| Refusal::bad_parameter("active", "must be true or false"));
    parameters.get("active").map(parse).transpose()
}

fn json_object(body: &[u8]) -> Result<Value, Refusal> {
    let value = serde_json::from_slice(body).ok().filter(Value::is_object);
    value.ok_or_else(|| Refusal::bad_request("the body is not a JSON object"))
}
