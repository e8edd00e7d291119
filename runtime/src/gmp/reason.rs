//! Why a goroutine waits: the texts that dumps show, in Go's words.
//!
//! *Why here.* Floor 3: a byte in every G.
//!
//! *Invariants.* None.
//!
//! *Locks.* None.
//!
//! *Go:* `waitReasonStrings` of runtime2.go.

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The reason a goroutine is parked.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        #[allow(dead_code, reason = "the table is Go's; a reason is used once the operation that gives it exists")]
        pub(crate) enum WaitReason {
            $($(#[$doc])* $name,)*
        }

        impl WaitReason {
            const ALL: &'static [(WaitReason, &'static str)] = &[$((WaitReason::$name, $text),)*];

            /// The text of a stored byte; unknown bytes cannot be stored.
            pub(crate) fn text(byte: u8) -> &'static str {
                WaitReason::ALL.get(usize::from(byte)).map_or("???", |entry| entry.1)
            }
        }
    };
}

reasons! {
    /// Nothing is known.
    Zero = "",
    ChanReceive = "chan receive",
    ChanSend = "chan send",
    Select = "select",
    SelectNoCases = "select (no cases)",
    ChanReceiveNil = "chan receive (nil chan)",
    ChanSendNil = "chan send (nil chan)",
    Sleep = "sleep",
    IoWait = "IO wait",
    Semacquire = "semacquire",
    MutexLock = "sync.Mutex.Lock",
    RwLockRead = "sync.RWMutex.RLock",
    RwLockWrite = "sync.RWMutex.Lock",
    WaitGroupWait = "sync.WaitGroup.Wait",
    CondWait = "sync.Cond.Wait",
    BarrierWait = "sync.Barrier.Wait",
    OnceWait = "sync.Once.Do",
    Join = "join",
    ScopeWait = "scope wait",
    ThreadPark = "thread park",
    Future = "future",
    PanicWait = "panicwait",
    Goexited = "goexit",
    StopTheWorld = "stopping the world",
    ForceSweep = "force gc (idle)",
    SweepWait = "GC sweep wait",
    ScavengeWait = "GC scavenge wait",
    SignalWait = "signal wait (idle)",
    ProcsUpdater = "GOMAXPROCS updater (idle)",
}
