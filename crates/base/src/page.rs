//! What a list request says about its page.

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// None: the service's maximum.
    pub limit: Option<usize>,
    /// Id of the last item of the page before.
    pub marker: Option<String>,
    /// (key, direction), first key first. The id is always the last key, so that the order is total.
    pub sort: Vec<(String, Direction)>,
    pub reverse: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Ascending,
    Descending,
}

impl Page {
    /// Cuts a sorted list: the items behind the marker, at most `limit` (and `max`) of them. The second value tells
    /// whether more follow. An unknown marker is None: services differ in what they answer then.
    pub fn cut<T>(&self, items: Vec<T>, max: usize, id: impl Fn(&T) -> &str) -> Option<(Vec<T>, bool)> {
        let start = match &self.marker {
            None => 0,
            Some(marker) => items.iter().position(|i| id(i) == marker)? + 1,
        };
        let limit = self.limit.unwrap_or(max).min(max);
        let more = items.len() > start + limit;
        Some((items.into_iter().skip(start).take(limit).collect(), more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_behind_the_marker() {
        let items = || vec!["a".to_owned(), "b".into(), "c".into()];
        let page =
            |limit, marker: Option<&str>| Page { limit, marker: marker.map(Into::into), ..Page::default() };
        let cut = |p: Page| p.cut(items(), 1000, |s| s);
        assert_eq!(cut(page(Some(1), Some("a"))), Some((vec!["b".into()], true)));
        assert_eq!(cut(page(Some(2), Some("a"))), Some((vec!["b".into(), "c".into()], false)));
        assert_eq!(cut(page(None, Some("x"))), None);
        assert_eq!(cut(page(Some(0), None)), Some((vec![], true)));
    }
}
