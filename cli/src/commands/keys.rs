//! `keys`: which keys there are, and getting rid of them.

use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;
use tokenbinding::binder::{Deleted, ListedKey};

use super::open;
use crate::{
    args::{Global, Keys},
    failure::Failure,
    output,
};

#[derive(Serialize)]
struct KeyJson {
    scope: String,
    scope_kind: &'static str,
    key_type: Option<&'static str>,
    provider: String,
    device: String,
    created: String,
    id: Option<String>,
    tbh: Option<String>,
    set_aside: Option<String>,
    damage: Option<String>,
}

#[derive(Serialize)]
struct DeletedJson {
    deleted: usize,
    unreachable: Vec<UnreachableJson>,
}

#[derive(Serialize)]
struct UnreachableJson {
    provider: String,
    device: String,
    key_type: &'static str,
}

#[derive(Serialize)]
struct PrunedJson {
    pruned: usize,
}

pub(super) fn run(global: Global, command: &Keys) -> Result<(), Failure> {
    let target = match command {
        Keys::Show { target, .. } => Some(target),
        Keys::Delete { target, .. } => target.as_ref(),
        Keys::List { .. } | Keys::Prune { .. } => None,
    };
    let binder = open(global, target)?;
    match command {
        Keys::List { json } => show(&binder.list()?, *json),
        Keys::Show { target, json } => show(&binder.list_of(target)?, *json),
        Keys::Delete { target, json, .. } => {
            let deleted = match target {
                Some(target) => binder.delete(target)?,
                None => binder.delete_all()?,
            };
            report(deleted, *json)
        }
        Keys::Prune { device, json } => {
            let pruned = match device {
                Some(device) => binder.forget_device(device)?,
                None => binder.prune()?,
            };
            if *json {
                return output::json(&PrunedJson { pruned });
            }
            output::line(&format!("pruned {}", count(pruned)))
        }
    }
}

fn show(keys: &[ListedKey], json: bool) -> Result<(), Failure> {
    if json {
        let keys: Vec<_> = keys.iter().map(document).collect();
        return output::json(&keys);
    }
    let rows = keys.iter().map(|key| {
        let state = match (&key.set_aside, &key.damage) {
            (Some(_), _) => "set aside",
            (None, Some(_)) => "unusable",
            (None, None) => "in use",
        };
        vec![
            key.scope.to_string(),
            key.key_type
                .map_or("unknown".to_owned(), |kind| kind.to_string()),
            key.provider.clone(),
            time(key.created),
            state.to_owned(),
            key.id
                .as_ref()
                .map_or("damaged".to_owned(), |id| id.tbh().to_string()),
        ]
    });
    output::table(
        &["SCOPE", "TYPE", "PROVIDER", "CREATED", "STATE", "TBH"],
        rows,
    )
}

fn document(key: &ListedKey) -> KeyJson {
    KeyJson {
        scope: key.scope.name().to_owned(),
        scope_kind: key.scope.kind().name(),
        key_type: key.key_type.map(tokenbinding::KeyType::name),
        provider: key.provider.clone(),
        device: key.device.clone(),
        created: time(key.created),
        id: key.id.as_ref().map(ToString::to_string),
        tbh: key.id.as_ref().map(|id| id.tbh().to_string()),
        set_aside: key.set_aside.as_ref().map(|aside| aside.reason.clone()),
        damage: key.damage.clone(),
    }
}

fn report(deleted: Deleted, json: bool) -> Result<(), Failure> {
    let left = deleted.unreachable.len();
    let shown = if json {
        let unreachable = deleted.unreachable.into_iter().map(|key| UnreachableJson {
            provider: key.provider,
            device: key.device,
            key_type: key.key_type.name(),
        });
        output::json(&DeletedJson {
            deleted: deleted.keys,
            unreachable: unreachable.collect(),
        })
    } else {
        output::line(&format!("deleted {}", count(deleted.keys)))
    };
    if left == 0 {
        return shown;
    }
    Err(Failure::Operation(format!(
        "{} on devices that are not at hand were not deleted: connect the devices and try again, \
         or forget a device with `keys prune --device`",
        count(left)
    )))
}

fn count(keys: usize) -> String {
    match keys {
        1 => "1 key".to_owned(),
        keys => format!("{keys} keys"),
    }
}

/// Seconds since 1970 as RFC 3339 has it.
fn time(seconds: i64) -> String {
    let since = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    // The last second that the format can show: a row may hold any number.
    let last = Duration::from_secs(253_402_300_799);
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since.min(last)).to_string()
}
