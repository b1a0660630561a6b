//! Parent and child, each with its own way to the device.

mod common;

use common::Sandbox;

const PROGRAM: &str = "tests/c/fork.c";

#[test]
fn parent_and_child_sign_with_the_same_key_in_software() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.ok(sandbox.cc(PROGRAM, &[]), &[]), "");
}

#[cfg(feature = "pkcs11")]
#[test]
fn parent_and_child_sign_with_the_same_key_on_a_token() {
    let softhsm = tokenbinding_devices::softhsm::SoftHsm::start(&["work"]);
    let sandbox = Sandbox::on_token(&softhsm);
    assert_eq!(sandbox.ok(sandbox.cc(PROGRAM, &[]), &[]), "");
}
