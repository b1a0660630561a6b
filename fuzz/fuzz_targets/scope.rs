//! Targets: rule (1) ‖ target. A scope is read again from its spelling, and the host of one is in it.
#![no_main]

use tokenbinding::{Scope, ScopeKind, ScopeRule};

libfuzzer_sys::fuzz_target!(|input: (u8, &str)| {
    let (rule, target) = input;
    let rule = [ScopeRule::Site, ScopeRule::Host, ScopeRule::Exact][usize::from(rule % 3)];
    let units: Vec<u16> = target.encode_utf16().collect();
    let scope = Scope::of(target, rule);
    assert_eq!(Scope::of_utf16(&units, rule), scope);
    let Ok(scope) = scope else { return };
    assert_eq!(scope.canonical().parse(), Ok(scope.clone()));
    if scope.kind() == ScopeKind::Host {
        assert_eq!(
            Scope::of(&format!("https://{}/", scope.name()), rule),
            Ok(scope)
        );
    }
});
