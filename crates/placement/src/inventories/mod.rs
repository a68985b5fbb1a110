//! Inventories: how much of a class a provider has, and in which portions it gives it away.

pub mod api;
pub mod rules;
pub mod store;

#[derive(Debug, Clone, PartialEq)]
pub struct Inventory {
    pub resource_class: String,
    pub total: i64,
    pub reserved: i64,
    pub min_unit: i64,
    pub max_unit: i64,
    pub step_size: i64,
    pub allocation_ratio: f64,
    /// By all consumers together.
    pub used: i64,
    pub updated_at: i64,
}

impl Inventory {
    pub fn capacity(&self) -> f64 {
        (self.total - self.reserved) as f64 * self.allocation_ratio
    }

    /// Is one request of this size within the provider's portions?
    pub fn admits(&self, amount: i64) -> bool {
        (self.min_unit..=self.max_unit).contains(&amount) && amount % self.step_size.max(1) == 0
    }
}
