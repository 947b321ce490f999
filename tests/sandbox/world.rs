//! Who there is and what they own: visitors, the customers they turn out to be, and their conversations.

use super::data::{NEWEST_MS, ORG_ID, Row, hash};
use super::tokens::{self, Tracking};
use std::collections::HashMap;

/// The visitor whose token the sandbox hands out as the saved one, and the customer they are.
pub const RETURNING_TRACKING_ID: &str = "5f1d0c2ab3e4f50012a4c010";
pub const RETURNING_CUSTOMER_ID: &str = "5f1d0c2ab3e4f50012a4c0ff";
/// The names the returning customer may log in by.
pub const RETURNING_LOGINS: [&str; 2] = ["customer-1001", "ada@example.com"];

pub struct Visitor {
    pub customer_id: String,
    /// Whether a login proved who they are.
    pub verified: bool,
    /// Tokens with a lower serial were issued before the login.
    first_good_serial: u64,
}

pub struct World {
    visitors: HashMap<String, Visitor>,
    /// From a login's external id or e-mail address to the customer's id.
    customers: HashMap<String, String>,
    /// Kept in the order in which lists show them.
    rows: Vec<Row>,
    customer_conversations: usize,
    ids_made: usize,
    now_ms: i64,
    tokens_issued: u64,
    /// Tokens with a lower serial count as expired.
    first_good_serial: u64,
}

impl World {
    /// A world with one returning visitor, who has this many conversations.
    pub fn new(conversations: usize, customer_conversations: usize) -> World {
        let mut world = World {
            visitors: HashMap::new(),
            customers: RETURNING_LOGINS.map(|name| (name.into(), RETURNING_CUSTOMER_ID.into())).into(),
            rows: Row::history(conversations, RETURNING_TRACKING_ID, RETURNING_CUSTOMER_ID),
            customer_conversations,
            ids_made: 0,
            now_ms: NEWEST_MS,
            tokens_issued: 0,
            first_good_serial: 0,
        };
        let returning = Visitor { customer_id: RETURNING_CUSTOMER_ID.into(), verified: false, first_good_serial: 0 };
        world.visitors.insert(RETURNING_TRACKING_ID.into(), returning);
        world.sort();
        world
    }

    /// A visitor nobody has seen before, with no history.
    pub fn new_visitor(&mut self) -> String {
        let tracking_id = self.new_id();
        self.visitor(&tracking_id);
        tracking_id
    }

    /// The visitor of a token this service signed; perhaps before it was restarted and forgot them.
    pub fn visitor(&mut self, tracking_id: &str) -> &mut Visitor {
        if !self.visitors.contains_key(tracking_id) {
            let visitor = Visitor { customer_id: self.new_id(), verified: false, first_good_serial: 0 };
            self.visitors.insert(tracking_id.into(), visitor);
        }
        self.visitors.get_mut(tracking_id).unwrap()
    }

    pub fn issue_token(&mut self, tracking_id: &str, life_s: u64) -> String {
        self.tokens_issued += 1;
        Tracking::new(tracking_id, self.tokens_issued, life_s).sign()
    }

    /// The token that was sent, while it is good; a fresh one otherwise.
    pub fn current_token(&mut self, sent: Option<&str>, tracking_id: &str, life_s: u64) -> String {
        let since_login = self.visitor(tracking_id).first_good_serial;
        let good = |token: &Tracking| token.serial >= since_login && !self.is_expired(token);
        match sent.filter(|sent| Tracking::read(sent).is_some_and(|token| good(&token))) {
            Some(sent) => sent.into(),
            None => self.issue_token(tracking_id, life_s),
        }
    }

    pub fn expire_tokens(&mut self) {
        self.first_good_serial = self.tokens_issued + 1;
    }

    /// Whose tracking token this is, and whether it has expired. None: it is not one of ours.
    pub fn read_token(&self, token: &str) -> Option<(String, bool)> {
        let token = Tracking::read(token).filter(|token| token.org == ORG_ID)?;
        let expired = self.is_expired(&token);
        Some((token.id, expired))
    }

    fn is_expired(&self, token: &Tracking) -> bool {
        token.serial < self.first_good_serial || token.exp <= tokens::now_s()
    }

    /// The visitor turns out to be this customer: what they wrote becomes the customer's, and the
    /// customer's history theirs. A name not heard before gets a history of its own.
    pub fn login(&mut self, tracking_id: &str, name: &str) -> String {
        let customer_id = match self.customers.get(name) {
            Some(id) => id.clone(),
            None => self.new_customer(name),
        };
        let first_good_serial = self.tokens_issued + 1;
        let visitor = self.visitor(tracking_id);
        visitor.first_good_serial = first_good_serial;
        visitor.verified = true;
        let anonymous_id = std::mem::replace(&mut visitor.customer_id, customer_id.clone());
        // A customer who logs in as another one does not take a history along.
        if !self.customers.values().any(|id| *id == anonymous_id) {
            let theirs = self.rows.iter_mut().filter(|row| row.customer_id == anonymous_id);
            theirs.for_each(|row| row.belongs_to(&customer_id));
        }
        customer_id
    }

    fn new_customer(&mut self, name: &str) -> String {
        let customer_id = id(name, 0);
        self.customers.insert(name.into(), customer_id.clone());
        let history = Row::history(self.customer_conversations, &id(name, 1), &customer_id);
        self.rows.extend(history);
        self.sort();
        customer_id
    }

    /// Gives a visitor that many more conversations, newer than all others.
    pub fn add_conversations(&mut self, tracking_id: &str, count: usize) {
        let customer_id = self.visitor(tracking_id).customer_id.clone();
        let owned = self.rows(|row| row.tracking_id == tracking_id).len();
        for number in owned..owned + count {
            self.now_ms += 60_000;
            self.rows.push(Row::new(number, self.now_ms, tracking_id, &customer_id));
        }
        self.sort();
    }

    /// A message arrives in a conversation, which moves to the top. False when there is no such one.
    pub fn touch(&mut self, conversation_id: &str) -> bool {
        self.now_ms += 60_000;
        let now_ms = self.now_ms;
        let row = self.rows.iter_mut().find(|row| row.id == conversation_id);
        let found = row.map(|row| row.touch(now_ms)).is_some();
        self.sort();
        found
    }

    pub fn rows(&self, wanted: impl Fn(&Row) -> bool) -> Vec<&Row> {
        self.rows.iter().filter(|row| wanted(row)).collect()
    }

    fn sort(&mut self) {
        self.rows.sort_by_key(Row::order);
    }

    fn new_id(&mut self) -> String {
        self.ids_made += 1;
        id("new", self.ids_made)
    }
}

fn id(name: &str, number: usize) -> String {
    format!("6a300000{:016x}", hash(name, number))
}
