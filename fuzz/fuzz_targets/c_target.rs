//! The functions that take a target, on keys in memory: key type (1) ‖ binding type (1) ‖ target in
//! UTF-16. What is generated verifies.
#![no_main]

use std::{env, fs, ptr, slice, sync::Once};

use tempfile::tempdir;
use tokenbinding::{Ekm, KeyType, Policy, Verifier, message::encode_message};
use tokenbinding_c::export::{TokenBindingDeleteBinding, TokenBindingGenerateBinding};

const EKM: [u8; 32] = [7; 32];

/// The ephemeral profile of the software keystore, whatever this machine has.
fn set_up() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let dir = tempdir().unwrap().keep();
        let config = dir.join("config.toml");
        fs::write(&config, "profile = 'ephemeral'\nprovider = 'software'\n").unwrap();
        // SAFETY: nothing of the library runs yet.
        unsafe {
            env::set_var("HOME", &dir);
            env::set_var("TOKENBINDING_STORE", dir.join("store"));
            env::set_var("TOKENBINDING_CONFIG", config);
        }
    });
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    set_up();
    let Some((&[kind, binding_type], target)) = input.split_first_chunk() else {
        return;
    };
    // RSA keys take too long to make.
    let kind = [2, 255, 3, -1][usize::from(kind % 4)];
    let binding_type = i32::from(binding_type % 3);
    let pairs = target
        .chunks_exact(2)
        .map(|pair| u16::from_ne_bytes([pair[0], pair[1]]));
    let target: Vec<u16> = pairs.chain([0]).collect();
    let (mut binding, mut size, mut result) = (ptr::dangling_mut(), 1, ptr::dangling_mut());
    // SAFETY: the target ends in a zero unit, the EKM has 32 bytes.
    unsafe {
        let status = TokenBindingGenerateBinding(
            kind,
            target.as_ptr(),
            binding_type,
            EKM.as_ptr().cast(),
            32,
            0,
            ptr::null(),
            &raw mut binding,
            &raw mut size,
            &raw mut result,
        );
        assert_eq!(
            (status == 0, status == 0),
            (!binding.is_null(), !result.is_null())
        );
        if status == 0 {
            let bytes = slice::from_raw_parts(binding.cast::<u8>(), size as usize);
            let message = encode_message(&[bytes]).unwrap();
            let verifier = Verifier::new(KeyType::EcdsaP256).with_policy(Policy::Protocol);
            assert_eq!(verifier.verify(&message, &Ekm::new(EKM)).unwrap().len(), 1);
            assert_eq!(TokenBindingDeleteBinding(target.as_ptr()), 0);
        }
        libc::free(binding);
        libc::free(result.cast());
    }
});
