//! `anywire-fault-proxy`: the fault proxy of the tests, to stand in front of any server by hand.
//!
//! What it is told is left to `arguments`, what the faults do to the library.

mod arguments;

use std::{process::ExitCode, time::Duration};

use anywire_fault_proxy::{Counts, FaultProxy, Faults};

use crate::arguments::Arguments;

#[tokio::main]
async fn main() -> ExitCode {
    let told = match Arguments::parse(std::env::args().skip(1)) {
        Ok(Some(told)) => told,
        Ok(None) => {
            print!("{}\n{}", arguments::USAGE, Faults::explain_words());
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(&error),
    };
    // A name that means nothing now would only show itself as connections that close.
    if let Err(error) = tokio::net::lookup_host(&told.upstream).await {
        let upstream = &told.upstream;
        return fail(&format!(
            "cannot find {upstream} ({error}): give --upstream as host:port"
        ));
    }
    match FaultProxy::bind(told.listen, told.upstream.clone(), 0) {
        Ok(proxy) => watch(&proxy, told).await,
        Err(error) => fail(&format!(
            "cannot listen on {} ({error}): choose another address with --listen, port 0 for any free one",
            told.listen
        )),
    }
}

/// Prints what passes, until the process is ended.
async fn watch(proxy: &FaultProxy, told: Arguments) -> ! {
    println!("{} in front of {}", proxy.url("/"), told.upstream);
    println!("faults: {}", told.faults);
    proxy.set(told.faults);
    let mut printed = Counts::default();
    loop {
        printed = proxy.counted(|counts| *counts != printed).await;
        println!("{printed}");
        tokio::time::sleep(PAUSE).await;
    }
}

fn fail(why: &str) -> ExitCode {
    eprintln!("anywire-fault-proxy: {why}");
    ExitCode::FAILURE
}

/// Between two lines of counts.
const PAUSE: Duration = Duration::from_secs(1);
