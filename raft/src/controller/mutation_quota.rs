//! How fast somebody may create and delete partitions (KIP-599, `ControllerMutationQuota`). Who asks the controller brings the quota.

/// What one request may still create and delete.
pub trait MutationQuota: Send + Sync {
    /// The request is decided. It may be decided again if nothing came of that, so what it has recorded is given back.
    fn begin(&self);

    /// Records partitions that are created or deleted.
    ///
    /// # Errors
    /// The quota is used up, and nothing is recorded.
    fn record(&self, partitions: usize) -> Result<(), ThrottlingQuotaExceeded>;
}

/// The quota does not allow the change now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The throttling quota has been exceeded.")]
pub struct ThrottlingQuotaExceeded;

/// No quota.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unlimited;

impl MutationQuota for Unlimited {
    fn begin(&self) {}

    fn record(&self, _: usize) -> Result<(), ThrottlingQuotaExceeded> {
        Ok(())
    }
}
