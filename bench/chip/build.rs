//! Tells the linker where the memory layout is.

use std::env;
use std::fs;
use std::path::PathBuf;

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let is_m33 = env::var("TARGET").is_ok_and(|target| target.starts_with("thumbv8m"));
    let memory = if is_m33 { include_str!("memory/mps2-an505.x") } else { include_str!("memory/mps2-an385.x") };
    fs::write(out.join("memory.x"), memory).expect("OUT_DIR can be written");
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg=-Tlink.x");
    println!("cargo:rerun-if-changed=memory");
}
