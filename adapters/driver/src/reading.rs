//! Is there anything to read? A link has a waker of its own. One that had nothing to read is asked again when that was called,
//! not whenever the driver is woken: most of the time it is woken to send, and a read in vain is a system call.

use std::{
    sync::{Arc, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

use crate::sync::{AtomicBool, Mutex, Ordering::SeqCst};

/// The reads of one link.
pub(crate) struct Reading {
    bell: Arc<Bell>,
    /// What the link is polled with, to write, too: where two take turns in one place, a runtime wakes each for the other.
    pub(crate) waker: Waker,
    /// Whether the link has kept the waker.
    is_armed: bool,
}

/// What wakes the driver because of this link.
struct Bell {
    is_rung: AtomicBool,
    driver: Mutex<Option<Waker>>,
}

impl Reading {
    pub(crate) fn new() -> Self {
        let bell = Arc::new(Bell { is_rung: AtomicBool::new(false), driver: Mutex::new(None) });
        Self { waker: Arc::clone(&bell).into(), bell, is_armed: false }
    }

    /// The driver polls the link. If that is another one than before, it asks anew: it may be on another thread, to which a
    /// socket has to move.
    pub(crate) fn follow(&mut self, cx: &Context<'_>) {
        self.is_armed &= !self.bell.follow(cx.waker());
    }

    /// Reads, unless nothing can have come: then `None`. The read says whether it has left its waker.
    pub(crate) fn read<T>(&mut self, read: impl FnOnce(&mut Context<'_>) -> (Poll<T>, bool)) -> Option<Poll<T>> {
        let is_rung = self.bell.is_rung.swap(false, SeqCst);
        if self.is_armed && !is_rung {
            return None;
        }
        let (polled, is_armed) = read(&mut Context::from_waker(&self.waker));
        self.is_armed = is_armed;
        Some(polled)
    }

    /// The next read is not in vain.
    pub(crate) fn disarm(&mut self) {
        self.is_armed = false;
    }
}

impl Bell {
    /// Wakes this one from now on. Whether that is another one.
    fn follow(&self, waker: &Waker) -> bool {
        let mut driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner);
        if driver.as_ref().is_some_and(|former| former.will_wake(waker)) {
            return false;
        }
        let former = driver.replace(waker.clone());
        drop(driver);
        drop(former);
        true
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // In this order: who is woken looks.
        self.is_rung.store(true, SeqCst);
        let driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    /// Reads, and keeps the waker; whether it was asked.
    fn read(reading: &mut Reading, waker: &Waker, kept: &mut Option<Waker>) -> bool {
        let pending = |cx: &mut Context<'_>| {
            *kept = Some(cx.waker().clone());
            (Poll::<()>::Pending, true)
        };
        reading.follow(&Context::from_waker(waker));
        reading.read(pending).is_some()
    }

    #[test]
    fn it_is_asked_when_its_own_waker_was_called() {
        let (wakes, mut reading, mut kept) = (Arc::new(Wakes::default()), Reading::new(), None);
        let waker = Waker::from(Arc::clone(&wakes));
        assert!(read(&mut reading, &waker, &mut kept), "nobody has asked yet");
        assert!(!read(&mut reading, &waker, &mut kept), "the driver was woken for something else");
        kept.take().expect("it was asked").wake();
        assert_eq!(wakes.0.load(SeqCst), 1);
        assert!(read(&mut reading, &waker, &mut kept));
        assert!(!read(&mut reading, &waker, &mut kept), "once a call");
    }

    #[test]
    fn who_has_not_left_the_waker_is_asked_again() {
        let mut reading = Reading::new();
        for _ in 0..2 {
            assert_eq!(reading.read(|_| (Poll::Ready(()), false)), Some(Poll::Ready(())));
        }
    }

    #[test]
    fn another_driver_asks_and_is_the_one_that_is_woken() {
        let (first, second) = (Arc::new(Wakes::default()), Arc::new(Wakes::default()));
        let (mut reading, mut kept) = (Reading::new(), None);
        assert!(read(&mut reading, &Arc::clone(&first).into(), &mut kept));
        let waker = Waker::from(Arc::clone(&second));
        assert!(read(&mut reading, &waker, &mut kept));
        kept.take().expect("it was asked").wake();
        assert_eq!((first.0.load(SeqCst), second.0.load(SeqCst)), (0, 1));
    }

    #[test]
    fn after_a_flush_that_waits_it_is_asked() {
        let (mut reading, mut kept) = (Reading::new(), None);
        assert!(read(&mut reading, Waker::noop(), &mut kept));
        reading.disarm();
        assert!(read(&mut reading, Waker::noop(), &mut kept));
    }
}
