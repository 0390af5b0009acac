//! What is asked of the machine: cores, CPU time, memory.

use std::{fs, time::Duration};

use rustix::{
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
    time::{ClockId, clock_gettime},
};

use crate::Outcome;

/// One end runs on the first core it may use, the other on the last, so that they do not take turns.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Core {
    First,
    Last,
}

/// Keeps this thread, and the threads it will start, on one core. Without leave to do so, they roam.
pub(crate) fn pin(core: Core) {
    let Ok(allowed) = sched_getaffinity(None) else { return };
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    let chosen = match core {
        Core::First => cores.next(),
        Core::Last => cores.next_back(),
    };
    if let Some(chosen) = chosen {
        let mut only = CpuSet::new();
        only.set(chosen);
        let _ = sched_setaffinity(None, &only);
    }
}

/// CPU time that this process has used, all its threads and the kernel included.
pub(crate) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Resident bytes of this process that no file stands behind: heap and stacks, without the program.
pub(crate) fn resident() -> Outcome<u64> {
    let rollup = fs::read_to_string("/proc/self/status")?;
    let line =
        rollup.lines().find_map(|line| line.strip_prefix("RssAnon:")).ok_or("no RssAnon in /proc/self/status")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}
