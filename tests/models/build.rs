//! Sets `cfg(loom)` for this package, so that the unit tests of the modelled files, which want real threads, stay in the runtime.

fn main() {
    println!("cargo::rustc-cfg=loom");
    println!("cargo::rerun-if-changed=build.rs");
}
