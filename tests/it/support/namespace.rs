//! A test that runs itself again where the machine's names and addresses are what the test says.

use std::path::Path;
use std::process::Command;

/// Runs an ignored test in a network namespace of its own: `addresses` are its, beside those of loopback, and names are
/// found in the files `hosts` and `resolv.conf` of `directory`, which the test may change meanwhile. Where the machine gives
/// no such namespace, that is said.
pub fn run_within(test: &str, directory: &Path, addresses: &[&str]) {
    let addresses: String = addresses.iter().map(|address| format!("ip addr add {address} dev lo; ")).collect();
    let script = format!(
        "set -e; ip link set lo up; {addresses}mount --bind resolv.conf /etc/resolv.conf; \
         mount --bind hosts /etc/hosts; echo inside; exec \"$0\" --ignored --exact {test} --nocapture"
    );
    let ran = Command::new("unshare")
        .args(["-Urnm", "sh", "-c", &script])
        .arg(std::env::current_exe().expect("a test runs from a file"))
        .current_dir(directory)
        .output();
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match ran {
        Ok(output) if told(&output.stdout).contains("inside") => {
            let (out, err) = (told(&output.stdout), told(&output.stderr));
            println!("{out}");
            assert!(output.status.success() && out.contains("1 passed"), "{out}\n{err}");
        }
        Ok(output) => println!("SKIPPED: this machine gives no network namespace: {}", told(&output.stderr)),
        Err(error) => println!("SKIPPED: this machine gives no network namespace: {error}"),
    }
}
