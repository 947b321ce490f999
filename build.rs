//! Link arguments of the shared library; generates nothing.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // The ABI's name: programs look for libkustomer.so.0. Android knows no versions of a library.
    let soname = match std::env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("macos") => Some("-Wl,-install_name,@rpath/libkustomer.0.dylib"),
        Ok("android") => Some("-Wl,-soname,libkustomer.so"),
        Ok("linux" | "freebsd" | "netbsd" | "openbsd" | "dragonfly") => Some("-Wl,-soname,libkustomer.so.0"),
        _ => None,
    };
    if let Some(soname) = soname {
        println!("cargo::rustc-cdylib-link-arg={soname}");
        // Unloading would take the code from under a name lookup that is still running, and from under
        // thread-local destructors: dlclose leaves the library mapped.
        if !soname.contains("install_name") {
            println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
        }
    }
}
