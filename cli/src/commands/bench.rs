//! `bench`: what the device does by itself, and what a whole binding adds to it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Serialize;
use tokenbinding::{Binder, Ekm, Error, Profile, TokenBindingType};

use crate::{
    args::{Bench, Global},
    failure::Failure,
    output,
    progress::while_device_works,
    prompt::Terminal,
};

const TARGET: &str = "https://bench.example/";

#[derive(Serialize)]
struct BenchJson {
    provider: &'static str,
    model: String,
    key_type: &'static str,
    count: u32,
    bare_median_us: f64,
    binding_median_us: f64,
    ratio: f64,
}

pub(super) fn run(global: Global, command: &Bench) -> Result<(), Failure> {
    let mut config = global.config()?;
    config.profile = Some(Profile::Ephemeral);
    let binder = Binder::open_with(&config, Arc::new(Terminal))?;
    let (bare, binding) = while_device_works(|| Ok(measure(&binder, command)?))?;
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let backend = binder.backend()?;
    let info = backend.info();
    let result = BenchJson {
        provider: info.name,
        model: info.model.clone(),
        key_type: command.key_type.name(),
        count: command.count,
        bare_median_us: micros(bare),
        binding_median_us: micros(binding),
        ratio: binding.as_secs_f64() / bare.as_secs_f64(),
    };
    if command.json {
        return output::json(&result);
    }
    output::line(&format!(
        "{} ({}), {}, median of {}",
        result.provider, result.model, result.key_type, result.count
    ))?;
    output::line(&format!(
        "bare signature  {:>10.1} µs",
        result.bare_median_us
    ))?;
    output::line(&format!(
        "whole binding   {:>10.1} µs",
        result.binding_median_us
    ))?;
    output::line(&format!("ratio           {:>10.2}", result.ratio))
}

/// The medians of bare signatures and of whole bindings with the same key.
fn measure(binder: &Binder, command: &Bench) -> Result<(Duration, Duration), Error> {
    let (kind, provided) = (command.key_type, TokenBindingType::Provided);
    let ekm = Ekm::new([0; Ekm::LEN]);
    let data = ekm.signed_data(provided, kind);
    let bind = || {
        binder
            .generate_binding(TARGET, kind, provided, &ekm)
            .map(drop)
    };
    bind()?;
    let key = binder.device_key(TARGET, kind)?;
    let mut bare = Vec::new();
    let mut whole = Vec::new();
    for _ in 0..command.count {
        bare.push(timed(|| Ok(key.sign(&data).map(drop)?))?);
        whole.push(timed(bind)?);
    }
    Ok((median(bare), median(whole)))
}

fn timed(work: impl FnOnce() -> Result<(), Error>) -> Result<Duration, Error> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
