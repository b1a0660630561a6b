//! How the shared library is linked: its soname, and that it is never unloaded.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // The library keeps handlers with the C library and the state of its devices: a program that
    // closes and opens it again gets the same one.
    for argument in ["-Wl,-soname,libtokenbinding.so.0", "-Wl,-z,nodelete"] {
        println!("cargo::rustc-cdylib-link-arg={argument}");
    }
}
