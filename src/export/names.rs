//! Names of what an export adds to a graph.

/// Of one layer.
pub struct Names<'n>(pub &'n str);

impl Names<'_> {
    /// Of a tensor that belongs to the layer.
    pub fn of(&self, what: &str) -> String {
        format!("{}/{}/{what}", super::DOMAIN, self.0)
    }
}
