//! The signed tokens of the service: keys, tracking tokens and login tokens, all of them HS256 JWTs.

use super::data::ORG_ID;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

const SERVICE_SECRET: &[u8] = b"the sandbox signs its own tokens with this";
/// What the service and an application's own server share; it signs login tokens.
const LOGIN_SECRET: &[u8] = b"the application's server signs logins with this";
const AUDIENCE: &str = "https://sandbox.api.kustomerapp.com";
const ISSUER: &str = "kustomer-sandbox";
/// An older login token is refused.
pub const LOGIN_LIFE_S: u64 = 15 * 60;

/// The claims of a tracking token. `id` is the tracking id.
#[derive(Serialize, Deserialize)]
pub struct Tracking {
    pub id: String,
    pub org: String,
    /// Counts the tokens issued, so that all those issued so far can be called expired.
    pub serial: u64,
    pub iat: u64,
    pub exp: u64,
    pub aud: String,
    pub iss: String,
}

impl Tracking {
    pub fn new(id: &str, serial: u64, life_s: u64) -> Tracking {
        let iat = now_s();
        Tracking {
            id: id.into(),
            org: ORG_ID.into(),
            serial,
            iat,
            exp: iat + life_s,
            aud: AUDIENCE.into(),
            iss: ISSUER.into(),
        }
    }

    pub fn sign(&self) -> String {
        sign(self, SERVICE_SECRET)
    }

    /// The claims of a token of ours, expired or not.
    pub fn read(token: &str) -> Option<Tracking> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.validate_exp = false;
        read(token, SERVICE_SECRET, &validation)
    }
}

/// A key as Kustomer makes them, with one role. The same one on every start.
pub fn key(role: &str) -> String {
    let claims = json!({
        "jti": "64a0f3b2c1d2e30013aa7001", "org": ORG_ID, "orgName": "sandbox", "role": role, "iat": 1_782_000_000,
    });
    sign(&claims, SERVICE_SECRET)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Login {
    external_id: Option<String>,
    email: Option<String>,
    iat: Option<u64>,
}

/// A login token with these claims, as the application's server makes it.
pub fn sign_login(claims: &serde_json::Value) -> String {
    sign(claims, LOGIN_SECRET)
}

/// The name (external id or e-mail address) that a login token proves, or why it proves none.
pub fn read_login(token: &str) -> Result<String, &'static str> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.required_spec_claims.clear();
    validation.validate_aud = false;
    let login: Login = read(token, LOGIN_SECRET, &validation).ok_or("externalToken is not a valid HS256 JWT")?;
    let iat = login.iat.ok_or("externalToken has no iat")?;
    let now = now_s();
    // A minute for clocks that disagree.
    if iat > now + 60 {
        return Err("externalToken was issued in the future");
    }
    if iat + LOGIN_LIFE_S < now {
        return Err("externalToken was issued more than 15 minutes ago");
    }
    let name = login.external_id.or(login.email).filter(|name| !name.is_empty());
    name.ok_or("externalToken has neither externalId nor email")
}

pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn sign(claims: &impl Serialize, secret: &[u8]) -> String {
    jsonwebtoken::encode(&Header::default(), claims, &EncodingKey::from_secret(secret)).unwrap()
}

fn read<T: serde::de::DeserializeOwned>(token: &str, secret: &[u8], validation: &Validation) -> Option<T> {
    let data = jsonwebtoken::decode(token, &DecodingKey::from_secret(secret), validation);
    data.ok().map(|data| data.claims)
}
