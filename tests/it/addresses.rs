//! Names and their addresses: a dead address costs a moment and not the call (RFC 8305), a lookup is made where one
//! is needed, once, and costs one thread.

use crate::c_programs::factor;
use crate::figures::{self, Watched, alone, descriptors, ms, threads, trials, until};
use crate::names::{Found, Name, all_lookups, connects_to};
use crate::phases::{BESIDE, CLOSING, Call, Hole, Service, get, refusing, stuck};
use kustomer::{Client, ErrorKind, InitOptions};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
/// Where nothing listens on the port of a service at 127.0.0.1.
const REFUSED: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));
/// How long a call takes when one address is dead: 250 ms until the next one is tried, and its own time.
const CONNECTED: Duration = ms(400);
/// How long it takes when none is.
const AT_ONCE: Duration = ms(150);

/// Whether this machine has IPv6; says so where it has not.
fn has_ipv6(test: &str) -> bool {
    let has = std::net::TcpListener::bind((V6, 0)).is_ok();
    if !has {
        println!("skipped: {test} (this machine has no ::1)");
    }
    has
}

fn addresses(ips: &[IpAddr]) -> Found {
    Found::Addresses(ips.to_vec())
}

/// The first call of a client whose name has these addresses.
fn first_call(service: &Service, ips: &[IpAddr]) -> Duration {
    let client = Client::init(InitOptions { lazy_init: true, ..service.options() }).unwrap();
    service.name().set(addresses(ips));
    let began = Instant::now();
    get(&client, CLOSING).unwrap();
    began.elapsed()
}

fn measure(what: &str, limit: Duration, trial: impl Fn() -> Duration) {
    figures::measure("connect", what, limit, trials(50, 2), trial);
}

#[test]
fn a_dead_address_before_a_good_one_costs_a_moment() {
    let service = Service::start_at(V4, "127.0.0.2".parse().unwrap());
    let dead = IpAddr::from([127, 0, 0, 2]);
    measure("one good address", AT_ONCE, || first_call(&service, &[V4]));
    measure("refused, then good", AT_ONCE, || first_call(&service, &[REFUSED, V4]));
    measure("good, then dead", AT_ONCE, || first_call(&service, &[V4, dead]));
    measure("dead, then good", CONNECTED, || first_call(&service, &[dead, V4]));
    measure("dead, refused, then good", CONNECTED, || first_call(&service, &[dead, REFUSED, V4]));
}

#[test]
fn a_family_that_swallows_packets_costs_a_moment() {
    if !has_ipv6("a_family_that_swallows_packets_costs_a_moment") {
        return;
    }
    let service = Service::start_at(V4, V6);
    measure("dead IPv6, then IPv4", CONNECTED, || first_call(&service, &[V6, V4]));
    // However many addresses of it come first.
    measure("3 dead IPv6, then IPv4", CONNECTED, || first_call(&service, &[V6, V6, V6, V4]));
    let service = Service::start_at(V6, V4);
    measure("dead IPv4, then IPv6", CONNECTED, || first_call(&service, &[V4, V6]));
    measure("refused IPv4, then IPv6", AT_ONCE, || first_call(&service, &[REFUSED, V6]));
}

#[test]
fn when_every_address_is_dead_there_is_one_error_that_names_the_host() {
    let service = Service::start();
    let dead = IpAddr::from([127, 0, 0, 2]);
    let connect_timeout_ms = 300 * factor();
    let timed_out = ms(connect_timeout_ms.into()) + AT_ONCE;
    for (what, ips, limit) in [
        ("one, refused", &[REFUSED][..], AT_ONCE),
        ("two, refused", &[REFUSED, IpAddr::from([127, 0, 0, 4])], AT_ONCE),
        ("one, dead", &[dead], timed_out),
        ("two, dead", &[dead, dead], timed_out),
        ("dead, refused", &[dead, REFUSED], timed_out),
    ] {
        service.name().set(addresses(ips));
        figures::measure("fail", what, limit, trials(10, 1), || {
            let options = InitOptions { connect_timeout_ms, ..service.options() };
            let began = Instant::now();
            let error = Client::init(options).unwrap_err();
            assert_eq!((error.kind(), error.retryable()), (ErrorKind::Network, true), "{error}");
            assert!(error.message().contains(service.name().host()), "{what}: {error}");
            began.elapsed()
        });
    }
}

#[test]
fn addresses_are_raced_without_a_thread_and_without_a_descriptor_left() {
    alone("addresses::addresses_are_raced_without_a_thread_and_without_a_descriptor_left", || {
        let service = Service::start();
        let dead = [2, 5, 6].map(|n| IpAddr::from([127, 0, 0, n]));
        let _holes: Vec<_> =
            dead[1..].iter().map(|ip| Hole::at(SocketAddr::new(*ip, service.port())).unwrap()).collect();
        let go = Watched::new(false);
        let before = descriptors().len();
        let took = std::thread::scope(|scope| {
            let client = Client::init(InitOptions { lazy_init: true, ..service.options() }).unwrap();
            service.name().set(addresses(&[dead[0], dead[1], dead[2], V4]));
            let call = Call::start(scope, {
                let go = &go;
                move || {
                    go.wait(|go| go.then_some(()));
                    let began = Instant::now();
                    get(&client, CLOSING).unwrap();
                    began.elapsed()
                }
            });
            let (threads_before, connects) = (threads().len(), connects_to(service.port()));
            go.change(|go| *go = true);
            until("three connects are under way", || connects_to(service.port()) >= connects + 3);
            // The lookup's thread has ended or is about to.
            until("there are no threads for them", || threads().len() == threads_before);
            call.join().0
        });
        println!("connect  3 dead, then good: n=1 {:.1} ms, 0 threads", took.as_secs_f64() * 1000.0);
        assert!(took >= ms(750));
        until("every descriptor is closed", || descriptors().len() == before);

        // The same when nobody answers.
        let refused = refusing(V4);
        let before = descriptors().len();
        let connect_timeout_ms = 300 * factor();
        for ips in [&dead[..], &[REFUSED, dead[0]], &[REFUSED]] {
            service.name().set(addresses(ips));
            assert!(Client::init(InitOptions { connect_timeout_ms, ..service.options() }).is_err());
        }
        until("every descriptor is closed", || descriptors().len() == before);
        drop(refused);
    });
}

#[test]
fn a_literal_address_and_a_kept_connection_need_no_lookup() {
    alone("addresses::a_literal_address_and_a_kept_connection_need_no_lookup", || {
        let service = Service::start();
        let client = Client::init(service.options()).unwrap();
        for _ in 0..5 {
            get(&client, BESIDE).unwrap();
        }
        assert_eq!((service.name().lookups(), service.accepted()), (1, 1));
        get(&client, CLOSING).unwrap();
        get(&client, BESIDE).unwrap();
        assert_eq!((service.name().lookups(), service.accepted()), (2, 2));

        service.name().set(Found::Nothing);
        let lookups = all_lookups();
        let base_url = Some(format!("https://127.0.0.1:{}", service.port()));
        let client = Client::init(InitOptions { base_url, ..service.options() }).unwrap();
        get(&client, CLOSING).unwrap();
        get(&client, BESIDE).unwrap();
        assert_eq!(all_lookups(), lookups);
    });
}

fn lookup_threads() -> usize {
    threads().iter().filter(|name| *name == "kustomer-lookup").count()
}

#[test]
fn calls_share_a_lookup_that_hangs_and_its_thread_ends_with_it() {
    alone("addresses::calls_share_a_lookup_that_hangs_and_its_thread_ends_with_it", || {
        let service = Service::start();
        let client = Client::init(InitOptions { lazy_init: true, ..service.options() }).unwrap();
        service.name().set(Found::Hangs);
        for round in 1..=3 {
            // They give up one after another, in three rounds, and the lookup is still the first one's.
            std::thread::scope(|scope| {
                let calls: Vec<_> = (0..16)
                    .map(|n| {
                        let client = &client;
                        Call::start(scope, move || client.get_conversations(&stuck(50 + 5 * n, None)))
                    })
                    .collect();
                service.name().until_a_lookup_hangs();
                for call in calls {
                    let error = call.join().0.unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
                }
            });
            assert_eq!((service.name().lookups(), lookup_threads()), (1, 1), "round {round}");
        }
        service.name().set(addresses(&[V4]));
        until("the thread has ended", || lookup_threads() == 0);
        get(&client, BESIDE).unwrap();
        println!("lookup   hangs: n=48 calls, 1 lookup, 1 thread");
    });
}

#[test]
fn a_name_that_is_not_found_is_a_network_error_that_names_it() {
    let name = Name::new(Found::Nothing);
    let service = Service::start();
    let base_url = Some(format!("https://{}:{}", name.host(), service.port()));
    let error = Client::init(InitOptions { base_url, ..service.options() }).unwrap_err();
    assert_eq!((error.kind(), error.retryable()), (ErrorKind::Network, true));
    assert!(error.message().contains(name.host()), "{error}");
    assert_eq!(name.lookups(), 1);
}
