//! What a flood costs. Measured in a process of its own, since other tests need memory too.

use super::http_table::{rows, serve};
use super::server::SCHEMES;
use super::{MAX_RESPONSE_BYTES, list, options_at};
use kustomer::Client;
use std::process::Command;
use std::sync::Arc;

/// Set for the process that is measured: the server's address, its authority's file and how many floods it has.
const CHILD: &str = "KUSTOMER_TEST_FLOODS";
const NAME: &str = "faults::memory::a_flood_costs_four_mebibytes_above_the_limit_at_most";
const MOST: u64 = MAX_RESPONSE_BYTES as u64 + (4 << 20);

#[test]
fn a_flood_costs_four_mebibytes_above_the_limit_at_most() {
    if let Ok(server) = std::env::var(CHILD) {
        return be_flooded(&server);
    }
    let floods: Vec<_> = rows().into_iter().filter(|row| row.is_flood()).collect();
    let floods = Arc::new(floods);
    for scheme in SCHEMES {
        let server = serve(scheme, &floods);
        let mut child = Command::new(std::env::current_exe().unwrap());
        for proxy in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            child.env_remove(proxy);
        }
        child.args([NAME, "--exact", "--nocapture"]);
        child.env(CHILD, format!("{} {} {}", floods.len(), server.url(), server.ca_file().display()));
        let output = child.output().unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert!(output.status.success(), "{}{}", text[0], text[1]);
        let costs = text[0].lines().filter_map(|line| line.strip_prefix("flood "));
        let costs: Vec<(usize, u64)> = costs
            .map(|line| {
                let (flood, bytes) = line.split_once(' ').unwrap();
                (flood.parse().unwrap(), bytes.parse().unwrap())
            })
            .collect();
        assert_eq!(costs.len(), floods.len(), "{}{}", text[0], text[1]);
        let peak = costs.last().unwrap().1;
        let worst = costs.iter().find(|(_, bytes)| *bytes == peak).unwrap().0;
        println!("{scheme:?}: {} floods, {peak} bytes at most (at: {})", floods.len(), floods[worst].name);
        assert!(peak <= MOST, "{scheme:?}: {peak} of {MOST} bytes, at: {}", floods[worst].name);
    }
}

/// Prints the most memory that was needed above an idle client, after each flood.
fn be_flooded(server: &str) {
    let [count, url, ca_file] = server.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
    let client = Client::init(options_at(url, ca_file.as_ref(), 30_000)).unwrap();
    let status = |name: &str| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
    };
    // What a first call loads stays loaded.
    let _ = list(&client, 0);
    let idle = status("VmRSS:");
    for flood in 0..count.parse().unwrap() {
        let _ = list(&client, flood);
        println!("flood {flood} {}", status("VmHWM:").saturating_sub(idle));
    }
}
