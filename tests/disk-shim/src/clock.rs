//! A wall clock that stands where a test sets it. The clock that only runs forward is left alone.
#![allow(
    unsafe_code,
    reason = "these are C functions, called with C's arguments"
)]
#![allow(
    unreachable_pub,
    reason = "they are exported by name, and Rust sees no caller"
)]

use std::{env, sync::OnceLock};

use libc::{c_int, c_void, clockid_t, time_t, timespec, timeval};

use crate::{
    plan::CLOCK,
    real::{outermost, real},
};

type ClockGetTime = unsafe extern "C" fn(clockid_t, *mut timespec) -> c_int;
type GetTimeOfDay = unsafe extern "C" fn(*mut timeval, *mut c_void) -> c_int;
type Time = unsafe extern "C" fn(*mut time_t) -> time_t;

fn set() -> Option<time_t> {
    static SET: OnceLock<Option<time_t>> = OnceLock::new();
    let read = || env::var(CLOCK).ok()?.parse().ok();
    outermost(|| *SET.get_or_init(read)).flatten()
}

/// As libc's.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: clockid_t, now: *mut timespec) -> c_int {
    let done = real!(clock_gettime: ClockGetTime, clock, now);
    if clock == libc::CLOCK_REALTIME
        && let Some(seconds) = set()
    {
        // SAFETY: libc has just written there.
        unsafe { (*now).tv_sec = seconds };
    }
    done
}

/// As libc's.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gettimeofday(now: *mut timeval, zone: *mut c_void) -> c_int {
    let done = real!(gettimeofday: GetTimeOfDay, now, zone);
    if let Some(seconds) = set() {
        // SAFETY: libc has just written there.
        unsafe { (*now).tv_sec = seconds };
    }
    done
}

/// As libc's.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn time(now: *mut time_t) -> time_t {
    let Some(seconds) = set() else {
        return real!(time: Time, now);
    };
    if !now.is_null() {
        // SAFETY: the caller wants it there.
        unsafe { *now = seconds };
    }
    seconds
}
