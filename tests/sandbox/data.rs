//! What the conversations say. A row follows from its number, its time and its visitor, so every start
//! serves the same ones; the traits' periods differ, so that they turn up in every combination.

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::sync::OnceLock;
use time::OffsetDateTime;

pub const ORG_ID: &str = "5f1d0b7eab3e4f0012a40001";
pub const BRANDS: [&str; 3] = ["5f1d0b7eab3e4f0012a4b001", "5f1d0b7eab3e4f0012a4b002", "5f1d0b7eab3e4f0012a4b003"];
/// When the newest conversation was last written to: 2026-10-21T14:05:39.002Z.
pub const NEWEST_MS: i64 = 1_792_591_539_002;

const AGENTS: [&str; 5] = ["Amélie", "Jonas", "Priya", "Omar", "Wei 伟"];
const SUBJECTS: [&str; 6] = ["Delivery", "Return", "Invoice", "Warranty", "Account", "Opening hours"];
const PREVIEWS: [&str; 19] = [
    "Where is my order?",
    "Thank you so much 🎉🎉",
    "I was charged twice for order #48213, could you have a look at it please?",
    "مرحبا، أين طلبي؟",
    "The tracking page says \"delivered\", but nothing has arrived.",
    "שלום, מתי תגיע החבילה שלי?",
    "Can I change the delivery address?",
    "👍🏽",
    "Hallo, ich möchte meine Bestellung zurückgeben – geht das noch?",
    "It does not turn on any more.\nI have tried another cable.",
    "Great, see you tomorrow then!",
    "注文の配送状況を教えてください。",
    "👩‍👩‍👧‍👦 We are moving house next week, so please ship it to the new place",
    "My discount code SPRING-20 does not work",
    "سأدفع نقدًا (COD) عند الاستلام، شكرًا 🙏",
    "C:\\Users\\ada\\invoice.pdf is what I sent you",
    "Bonjour, je n'ai toujours pas reçu ma facture…",
    "<b>Refund</b> & exchange: which form do I need?",
    "I sent a photo of the broken part, the serial number is on the second picture. It came on Monday with the \
     outer box undamaged, so it must have happened before it was packed; I kept all of the wrapping.",
];

/// One conversation of one customer.
#[derive(Clone)]
pub struct Row {
    pub id: String,
    /// The visitor who began it.
    pub tracking_id: String,
    pub customer_id: String,
    number: usize,
    /// When the last message was written, or a draft begun.
    at_ms: i64,
    /// Begun, but nothing sent yet.
    is_draft: bool,
    text: OnceLock<Box<RawValue>>,
}

impl Row {
    pub fn new(number: usize, at_ms: i64, tracking_id: &str, customer_id: &str) -> Row {
        let begun_s = at_ms.div_euclid(1000) as u32;
        let id = format!("{begun_s:08x}{:016x}", hash(tracking_id, number));
        let is_draft = number % 23 == 11;
        Row {
            id,
            tracking_id: tracking_id.into(),
            customer_id: customer_id.into(),
            number,
            at_ms,
            is_draft,
            text: OnceLock::new(),
        }
    }

    /// A whole history, newest first: every seven hours or so, or closer when they are very many.
    pub fn history(count: usize, tracking_id: &str, customer_id: &str) -> Vec<Row> {
        const HOUR_MS: i64 = 3_600_000;
        let three_years_ms = 3 * 365 * 24 * HOUR_MS;
        let spacing_ms = (three_years_ms / count.max(1) as i64).min(7 * HOUR_MS);
        let row = |number: usize| {
            // Uneven, yet never out of order.
            let jitter_ms = hash(tracking_id, number) % (spacing_ms / 2) as u64;
            let at_ms = NEWEST_MS - number as i64 * spacing_ms - jitter_ms as i64;
            Row::new(number, at_ms, tracking_id, customer_id)
        };
        (0..count).map(row).collect()
    }

    /// `lastMessageAt` descending, drafts (which have none) at the end.
    pub fn order(&self) -> (Reverse<Option<i64>>, usize) {
        (Reverse(self.last_message_ms()), self.number)
    }

    pub fn last_message_ms(&self) -> Option<i64> {
        (!self.is_draft).then_some(self.at_ms)
    }

    /// A message arrives.
    pub fn touch(&mut self, at_ms: i64) {
        self.at_ms = at_ms;
        self.is_draft = false;
        self.text.take();
    }

    pub fn belongs_to(&mut self, customer_id: &str) {
        self.customer_id = customer_id.into();
        self.text.take();
    }

    pub fn is_ended(&self) -> bool {
        self.number >= 3 && self.number % 3 != 0 && self.number % 23 != 11
    }

    pub fn brand_id(&self) -> Option<&'static str> {
        BRANDS.get(self.number % 5).copied()
    }

    fn preview(&self) -> Option<&'static str> {
        match self.is_draft {
            true => (self.number % 2 == 0).then_some(""),
            false => Some(PREVIEWS[self.number % PREVIEWS.len()]),
        }
    }

    /// The JSON:API resource, made once: benchmarks and load tests ask for it over and over.
    pub fn resource(&self) -> &RawValue {
        self.text.get_or_init(|| to_raw_value(&self.document()).unwrap())
    }

    fn document(&self) -> Value {
        json!({
            "type": "chat_session",
            "id": self.id,
            "attributes": self.attributes(),
            "relationships": {
                "org": {"data": {"type": "org", "id": ORG_ID}},
                "customer": {
                    "links": {"self": format!("/v1/customers/{}", self.customer_id)},
                    "data": {"type": "customer", "id": self.customer_id},
                },
                "messages": {"links": {"self": format!("/c/v1/chat/sessions/{}/messages", self.id)}},
            },
            "links": {"self": format!("/c/v1/chat/sessions/{}", self.id)},
        })
    }

    fn attributes(&self) -> Map<String, Value> {
        let n = self.number;
        let created_ms = self.at_ms - 1000 * (60 + (hash(&self.id, n) % 86_400) as i64);
        let last_message_at = self.last_message_ms().map(timestamp);
        let agent = n % AGENTS.len();
        let agent_id = format!("5f1d0b7eab3e4f0012a4a{agent:03}");
        let attributes = json!({
            "name": (n % 6 != 5).then(|| format!("{} {}", SUBJECTS[n % SUBJECTS.len()], 48_000 + n)),
            "preview": self.preview(),
            "previewDetails": {
                "lastResponder": {
                    "displayName": AGENTS[agent],
                    "avatarUrl": format!("https://cdn.example.com/avatars/{agent_id}/64x64.png"),
                },
                "messageCreatedAt": last_message_at,
            },
            "trackingId": self.tracking_id,
            "createdAt": timestamp(created_ms),
            "updatedAt": timestamp(self.at_ms + 1_716),
            "lastSeenAt": timestamp(self.at_ms + 1_116),
            "lastMessageAt": last_message_at,
            "lockedAt": self.is_ended().then(|| timestamp(self.at_ms + 600_000)),
            "lastReadMessageId": format!("64aa10f1{:016x}", hash("message", n)),
            "unreadMessageCount": if self.is_ended() { 0 } else { n % 11 % 4 },
            "isDeleted": false,
            "respondingUserIds": [agent_id, null],
            "custom": {
                "orderNumberStr": format!("SO-{}", 48_000 + n), "itemsNum": 1 + n % 7, "giftBool": n % 5 == 0,
                "shippedAt": timestamp(created_ms - 86_400_000),
            },
            "satisfaction": {"id": format!("64aa10f2{:016x}", hash("rating", n)), "status": "scheduled", "lockedAt": null},
        });
        let Value::Object(mut attributes) = attributes else { unreachable!() };
        for (name, value) in self.rare_attributes() {
            attributes.insert(name.into(), value);
        }
        attributes
    }

    /// Those that real rows lack more often than not.
    fn rare_attributes(&self) -> Vec<(&'static str, Value)> {
        let n = self.number;
        let mut rare = Vec::new();
        if let Some(brand_id) = self.brand_id() {
            rare.push(("brandId", json!(brand_id)));
        }
        if self.is_ended() && n % 13 != 0 {
            let by_customer = n % 2 == 0;
            rare.push(("lockReason", json!(if by_customer { "customer_ended" } else { "user_ended" })));
            rare.push(("lockedByCustomer", json!(by_customer)));
        }
        if n % 4 == 1 {
            let transferred_at = (n % 8 == 5).then(|| timestamp(self.at_ms - 30_000));
            let assistant = json!({"id": "5f1d0b7eab3e4f0012a4d001", "name": "Kit", "transferredAt": transferred_at});
            rare.push(("assistant", assistant));
        }
        if n % 7 == 3 {
            rare.push(("isInAssistantMode", json!(n % 2 == 1)));
        }
        rare
    }
}

/// `yyyy-MM-ddTHH:mm:ss.SSSZ`
pub fn timestamp(at_ms: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000).unwrap();
    let (date, time) = (at.date(), at.time());
    format!("{date}T{:02}:{:02}:{:02}.{:03}Z", time.hour(), time.minute(), time.second(), time.millisecond())
}

/// FNV-1a: std's hasher may give other values in another release.
pub fn hash(text: &str, number: usize) -> u64 {
    let bytes = text.bytes().chain((number as u64).to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
