//! The knapsack problem with several choices for each thing.

/// Most partial choices that are followed.
const MAX_PARTIALS: usize = 4096;

/// One way to have a layer.
#[derive(Clone, Copy)]
pub struct Choice {
    pub cost: f64,
    pub error: f64,
}

/// For each layer the index of one of its choices, so that the sum of errors is least and that of costs within a budget.
///
/// A list of partial choices is kept of which none is both cheaper and better than another. Exact as long as it has at most
/// [`MAX_PARTIALS`]; of more, those whose costs fall into the same so many-th part of the budget are represented by the best.
pub fn cheapest(layers: Vec<Vec<Choice>>, budget: f64) -> Option<Vec<usize>> {
    /// One choice for the layers so far; `choice` and `before` lead back through them.
    struct Partial {
        cost: f64,
        error: f64,
        choice: usize,
        before: usize,
    }
    // Sums of costs are rounded.
    let budget = budget * (1.0 + 1e-12);
    let least = |layer: &Vec<Choice>| layer.iter().map(|choice| choice.cost).fold(f64::INFINITY, f64::min);
    let mut left: f64 = layers.iter().map(least).sum();
    let mut stages: Vec<Vec<Partial>> = vec![vec![Partial { cost: 0.0, error: 0.0, choice: 0, before: 0 }]];
    for layer in &layers {
        left -= least(layer);
        let known = stages.last()?;
        let mut extended: Vec<Partial> = Vec::with_capacity(known.len() * layer.len());
        for (before, partial) in known.iter().enumerate() {
            for (index, choice) in layer.iter().enumerate() {
                let (cost, error) = (partial.cost + choice.cost, partial.error + choice.error);
                if cost + left <= budget {
                    extended.push(Partial { cost, error, choice: index, before });
                }
            }
        }
        extended.sort_unstable_by(|a, b| {
            let by_value = a.cost.total_cmp(&b.cost).then(a.error.total_cmp(&b.error));
            by_value.then((a.before, a.choice).cmp(&(b.before, b.choice)))
        });
        let mut best = f64::INFINITY;
        extended.retain(|partial| {
            let better = partial.error < best;
            best = best.min(partial.error);
            better
        });
        if extended.len() > MAX_PARTIALS {
            let part = |partial: &Partial| (partial.cost / budget * MAX_PARTIALS as f64) as usize;
            // Better ones come later.
            extended.reverse();
            extended.dedup_by_key(|partial| part(partial));
            extended.reverse();
        }
        stages.push(extended);
    }
    // The last of the list is the best, being the most expensive that is not worse than a cheaper one.
    let mut at = stages.last()?.len().checked_sub(1)?;
    let mut choices = Vec::with_capacity(layers.len());
    for stage in stages[1..].iter().rev() {
        choices.push(stage[at].choice);
        at = stage[at].before;
    }
    choices.reverse();
    Some(choices)
}
