//! Runs one case of a fuzz target on stable and, if it breaks a promise, tells its whole story:
//! `cargo run -p steadfast-fuzz-bodies --example story -- session FILE`.

use std::{env, fs, process::ExitCode};

use steadfast_fuzz_bodies::{json, keepsake, outbox, session, trace, ws};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let [target, file] = &args[..] else {
        eprintln!("story: give the name of a target and the file of a case");
        return ExitCode::from(2);
    };
    let body: fn(&[u8]) = match target.as_str() {
        "session" => session,
        "outbox" => outbox,
        "json" => json,
        "ws" => ws,
        "trace" => trace,
        "keepsake" => keepsake,
        other => {
            eprintln!("story: there is no target {other}; there are session, outbox, json, ws, trace and keepsake");
            return ExitCode::from(2);
        }
    };
    match fs::read(file) {
        Ok(case) => body(&case),
        Err(error) => {
            eprintln!("story: {file} cannot be read: {error}");
            return ExitCode::from(2);
        }
    }
    println!("no promise is broken");
    ExitCode::SUCCESS
}
