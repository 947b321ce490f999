//! Kept connections that the server closes: not the caller's concern, however it does it.

use super::server::{End, Peer, SCHEMES, Scheme, Server, answer};
use super::{client, list};
use std::io;
use std::sync::{Arc, Barrier};

const CALLS: usize = 100;
const PAGE: &str = r#"{"data":[{"id":"a"}]}"#;

/// What a server does with a connection after the first answer on it.
type After = fn(Peer) -> io::Result<()>;

const AFTER: &[(&str, After)] = &[
    ("closes at once", |peer| peer.end(End::Fin)),
    ("says goodbye and closes at once", |peer| peer.end(End::Goodbye)),
    ("resets at once", |peer| peer.end(End::Rst)),
    ("closes as it is used again", |peer| again(peer, End::Fin)),
    ("says goodbye as it is used again", |peer| again(peer, End::Goodbye)),
    ("tears a TLS record as it is used again", |peer| again(peer, End::Torn)),
    ("resets as it is used again", |peer| again(peer, End::Rst)),
];

fn again(mut peer: Peer, end: End) -> io::Result<()> {
    peer.request()?;
    peer.end(end)
}

fn once_a_connection(scheme: Scheme, after: After) -> Server {
    let page = answer("200 OK", PAGE);
    Server::start(scheme, move |mut peer| {
        peer.request()?;
        peer.send(&page)?;
        after(peer)
    })
}

#[test]
fn a_kept_connection_that_dies_is_not_the_callers_concern_a_hundred_times_in_a_row() {
    for scheme in SCHEMES {
        for (name, after) in AFTER {
            let server = once_a_connection(scheme, *after);
            let client = client(&server, 30_000);
            for call in 0..CALLS {
                let page = list(&client, call).unwrap_or_else(|e| panic!("{scheme:?}, {name}, call {call}: {e}"));
                assert_eq!(page.len(), 1);
            }
            assert_eq!(server.connections(), CALLS, "{scheme:?}, {name}");
        }
    }
}

#[test]
fn many_dead_connections_cost_a_call_no_more_than_one() {
    const KEPT: usize = 8;
    for scheme in SCHEMES {
        let page = answer("200 OK", PAGE);
        let all_here = Barrier::new(KEPT);
        let server = Server::start(scheme, move |mut peer| {
            peer.request()?;
            if peer.number < KEPT {
                all_here.wait();
            }
            peer.send(&page)?;
            again(peer, End::Rst)
        });
        let client = Arc::new(client(&server, 30_000));
        std::thread::scope(|scope| {
            for case in 0..KEPT {
                let client = &client;
                scope.spawn(move || list(client, case).unwrap());
            }
        });
        assert_eq!(server.connections(), KEPT);
        for call in 0..2 * KEPT {
            list(&client, call).unwrap_or_else(|e| panic!("{scheme:?}, call {call}: {e}"));
        }
    }
}

#[test]
fn an_answer_nobody_asked_for_is_not_taken_for_the_next_one() {
    for scheme in SCHEMES {
        let two = [answer("200 OK", PAGE), answer("200 OK", r#"{"data":[]}"#)].concat();
        let server = Server::start(scheme, move |mut peer| {
            loop {
                peer.request()?;
                peer.send(&two)?;
            }
        });
        let client = client(&server, 30_000);
        for call in 0..CALLS {
            assert_eq!(list(&client, call).unwrap().len(), 1, "{scheme:?}, call {call}");
        }
    }
}
