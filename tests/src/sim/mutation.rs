//! Faults put into the program itself, to see that the audit finds them.

/// One thing that is wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mutation {
    /// Leases last two intervals longer than peers wait.
    LeaseTooLong,
    /// An advert that did not leave is reported as sent.
    RenewalWithoutAdvert,
    /// A renewal replaces a lease that the datapath revoked.
    RenewalRevives,
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
    /// Announcements go on after ownership ended.
    AnnouncementLate,
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
}

impl Mutation {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::LeaseTooLong,
        Self::RenewalWithoutAdvert,
        Self::RenewalRevives,
        Self::DatapathNeverRevokes,
        Self::HigherRankUnheard,
        Self::ResignationUnheard,
        Self::TimerEarly,
        Self::TimerNever,
        Self::ReleaseForgotten,
        Self::AcquireForgotten,
        Self::AnnouncementForgotten,
        Self::AnnouncementLate,
        Self::ResignationForgotten,
        Self::ResignationUnmarked,
        Self::StaleClock,
        Self::ResumeExpired,
        Self::CompanionRevives,
        Self::DrainEndless,
        Self::DrainForgotten,
        Self::SkewForgotten,
    ];
}
