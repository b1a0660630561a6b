//! Bindings of any kind of key: their number, order, types, lengths and extensions.

use super::{
    Mutation::{self, Bindings},
    any,
};
use crate::forge::P256;

pub(super) const ALL: &[(&str, Mutation)] = &[
    (
        "a binding twice",
        Bindings(|forge, _, bindings| {
            bindings.push(forge.random.pick(bindings).clone());
        }),
    ),
    (
        "a binding left out",
        Bindings(|forge, _, bindings| {
            bindings.remove(forge.random.below(bindings.len()));
        }),
    ),
    (
        "bindings in another order",
        Bindings(|_, _, bindings| bindings.reverse()),
    ),
    (
        "15 to 17 bindings",
        Bindings(|forge, context, bindings| {
            let count = 15 + forge.random.below(3);
            while bindings.len() < count {
                let binding_type = *forge.random.pick(&[2, 77]);
                bindings.push(forge.binding(binding_type, P256, &context.ekm));
            }
        }),
    ),
    (
        "another type",
        Bindings(|forge, _, bindings| {
            let binding = any(&mut forge.random, bindings);
            binding.binding_type = *forge.random.pick(&[0, 1, 2, 77]);
        }),
    ),
    (
        "another type, signed anew",
        Bindings(|forge, context, bindings| {
            let binding_type = *forge.random.pick(&[0, 1, 2, 77]);
            let parameters = forge.parameters();
            let new = forge.binding(binding_type, parameters, &context.ekm);
            *any(&mut forge.random, bindings) = new;
        }),
    ),
    (
        "other parameters",
        Bindings(|forge, _, bindings| {
            let parameters = forge.parameters();
            any(&mut forge.random, bindings).parameters = parameters;
        }),
    ),
    (
        "a binding of unknown parameters",
        Bindings(|forge, context, bindings| {
            let binding_type = *forge.random.pick(&[0, 1, 1, 77, 77]);
            bindings.push(forge.binding(binding_type, 99, &context.ekm));
        }),
    ),
    (
        "extensions",
        Bindings(|forge, _, bindings| {
            let random = &mut forge.random;
            let mut block = Vec::new();
            for _ in 0..=random.below(3) {
                let length = u8::try_from(random.below(20)).unwrap();
                block.extend([random.octet(), 0, length]);
                block.extend(random.bytes(length.into()));
            }
            any(random, bindings).extensions = block;
        }),
    ),
    (
        "random extensions",
        Bindings(|forge, _, bindings| {
            let length = forge.random.below(8);
            let block = forge.random.bytes(length);
            any(&mut forge.random, bindings).extensions = block;
        }),
    ),
    (
        "a length that lies",
        Bindings(|forge, _, bindings| {
            let random = &mut forge.random;
            let (at, lie) = (random.below(3), *random.pick(&[-2, -1, 1, 2]));
            any(random, bindings).lies[at] = lie;
        }),
    ),
    (
        "a longer or shorter key",
        Bindings(|forge, _, bindings| {
            let random = &mut forge.random;
            let longer = random.percent(50);
            let key = &mut any(random, bindings).key;
            if longer {
                key.push(0);
            } else {
                key.pop();
            }
        }),
    ),
    (
        "a longer or shorter signature",
        Bindings(|forge, _, bindings| {
            let random = &mut forge.random;
            let length = *random.pick(&[0, 1, 63, 64, 65, 255, 256, 257]);
            any(random, bindings).signature.resize(length, 0);
        }),
    ),
    (
        "a random signature",
        Bindings(|forge, _, bindings| {
            let signature = forge.random.bytes(256);
            let binding = any(&mut forge.random, bindings);
            let length = binding.signature.len().min(256);
            binding.signature[..length].copy_from_slice(&signature[..length]);
        }),
    ),
];
