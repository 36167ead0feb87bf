//! Faults put into the program itself, to see that the audit finds them.

/// One thing that is wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mutation {
    /// Leases last two intervals longer than peers wait.
    LeaseTooLong,
    /// An advert that did not leave is reported as sent.
    RenewalWithoutAdvert,
    /// The datapath leaves its lease alone when it hears a higher rank.
    DatapathNeverRevokes,
    /// The core is not told of adverts of a higher rank, and the datapath keeps its lease.
    HigherRankUnheard,
    /// Priority 0 does not reach the Backups.
    ResignationUnheard,
    /// Active_Down_Timer fires an interval too early.
    TimerEarly,
    /// Active_Down_Timer never fires.
    TimerNever,
    /// Addresses stay on the interface.
    ReleaseForgotten,
    /// Addresses are not put on the interface.
    AcquireForgotten,
    /// No announcement is sent.
    AnnouncementForgotten,
    /// A planned stop does not say so.
    ResignationForgotten,
    /// A lease is not marked as resigned.
    ResignationUnmarked,
    /// A stopped daemon goes on as if no time had passed.
    StaleClock,
    /// A restarted daemon takes a lease that has run out for one that runs.
    ResumeExpired,
    /// The companion renews leases that are not there any more.
    CompanionRevives,
    /// A drain never ends.
    DrainEndless,
    /// Traffic is not drained in a handover.
    DrainForgotten,
    /// Skew_Time is left out: all Backups take over at once.
    SkewForgotten,
    /// A guard never lapses.
    GuardNeverLapses,
    /// A guard outlives what it promises.
    GuardMarginNegative,
    /// A promise is stored before the packet that makes it has left.
    PromiseBeforePacket,
    /// A promise counts from when it is noted, not from when its packet left.
    PromiseByTimeAfter,
    /// A Backup takes over after two intervals of silence instead of three.
    BfdImpatient,
    /// A router goes on although the neighbour that may take over says that it hears it no more.
    StepDownForgotten,
    /// The datapath goes on owning although the neighbour says that it has given this node up.
    GivenUpUnheard,
    /// Routers go on although their guard has lapsed, whoever may wait for their node.
    LapseOutlivedByAll,
    /// What a queue takes is thought to have left.
    QueueTrusted,
    /// Adverts that stay in a queue renew nothing, and take back nothing that the one before has renewed.
    LeaseNotCutBack,
}

impl Mutation {
    /// Those that any run may find.
    pub const ALL: &'static [Self] = &[
        Self::LeaseTooLong,
        Self::RenewalWithoutAdvert,
        Self::DatapathNeverRevokes,
        Self::HigherRankUnheard,
        Self::ResignationUnheard,
        Self::TimerEarly,
        Self::TimerNever,
        Self::ReleaseForgotten,
        Self::AcquireForgotten,
        Self::AnnouncementForgotten,
        Self::ResignationForgotten,
        Self::ResignationUnmarked,
        Self::StaleClock,
        Self::ResumeExpired,
        Self::CompanionRevives,
        Self::DrainEndless,
        Self::DrainForgotten,
        Self::SkewForgotten,
    ];

    /// Those of queues that do not send, which only runs with such a queue can find.
    pub const OF_QUEUE: &'static [Self] = &[Self::QueueTrusted, Self::LeaseNotCutBack];

    /// Those of BFD, which only runs with BFD can find.
    pub const OF_BFD: &'static [Self] = &[
        Self::GuardNeverLapses,
        Self::GuardMarginNegative,
        Self::PromiseBeforePacket,
        Self::PromiseByTimeAfter,
        Self::BfdImpatient,
        Self::StepDownForgotten,
        Self::GivenUpUnheard,
        Self::LapseOutlivedByAll,
    ];
}
