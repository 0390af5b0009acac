//! A schedule let loose on a proxy.

use std::{sync::Arc, time::Duration};

use tokio::{select, time::sleep};

use super::{Counts, Fault, Proxy, Schedule, Strike};

/// Lets the strikes of a schedule come over a proxy, one after the other: each when a connection has been
/// up for as long as the strike says, so that there is something to break.
#[derive(Debug)]
pub struct Storm {
    proxy: Arc<Proxy>,
    schedule: Schedule,
    counts: Counts,
    current: Option<Fault>,
}

impl Storm {
    /// A storm that has not begun.
    #[must_use]
    pub fn new(proxy: Arc<Proxy>, schedule: Schedule) -> Self {
        Self { proxy, schedule, counts: Counts::default(), current: None }
    }

    /// Waits until the last fault is over and the time of the next one has come; strikes, and says with
    /// what. `None` when the schedule is at its end and everything that lasted is over.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, a fault that lasts starts to last anew with the next call, and a strike
    /// that was waited for is skipped.
    pub async fn next(&mut self) -> Option<Fault> {
        if let Some(fault) = self.current {
            sleep(fault.lasts()).await;
            self.proxy.calm();
            self.current = None;
        }
        let Strike { after, fault } = self.schedule.next()?;
        self.up_for(after).await;
        self.proxy.strike(fault);
        self.current = Some(fault);
        self.counts.add(fault.kind());
        Some(fault)
    }

    /// What has struck so far.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Waits until some connection has been up for so long.
    ///
    /// # Cancel safety
    ///
    /// It only waits.
    pub async fn up_for(&self, after: Duration) {
        let mut live = self.proxy.live();
        loop {
            if live.wait_for(|live| *live > 0).await.is_err() {
                return;
            }
            select! {
                () = sleep(after) => return,
                _ = live.wait_for(|live| *live == 0) => {}
            }
        }
    }
}
