//! When something was so, from what the checker did to make it so.
//!
//! A change takes effect somewhere between its two records. So there are times through which it surely was so, times through which
//! it surely was not, and others, of which nothing is promised.

use crate::history::Moment;
use std::collections::BTreeMap;

/// From becoming so to ceasing to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// From here on it may be so.
    from: Moment,
    /// From here on it is; `None`: never surely.
    sure_from: Option<Moment>,
    /// From here on it may be so no longer.
    sure_until: Option<Moment>,
    /// From here on it is not.
    until: Option<Moment>,
}

/// A change that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Whether it makes it so, or ends that.
    pub(super) is_on: bool,
    /// When it was begun.
    pub(super) begun: Moment,
    /// When it was made; `None`: perhaps it was not.
    pub(super) done: Option<Moment>,
}

/// What a record tells of a change.
#[derive(Debug, Clone, Copy)]
pub(super) enum Told {
    /// It is begun.
    Begun { is_on: bool },
    /// It is made.
    Done { is_on: bool },
}

/// When each of several things was so.
#[derive(Debug)]
pub(super) struct Spans<K> {
    steps: BTreeMap<K, Vec<Step>>,
    spans: BTreeMap<K, Vec<Span>>,
}

impl<K> Default for Spans<K> {
    fn default() -> Self {
        Self {
            steps: BTreeMap::new(),
            spans: BTreeMap::new(),
        }
    }
}

impl<K: Ord + Copy> Spans<K> {
    /// From what was told when, in order.
    pub(super) fn of(told: impl Iterator<Item = (Moment, K, Told)>) -> Self {
        let mut steps: BTreeMap<K, Vec<Step>> = BTreeMap::new();
        for (at, of, told) in told {
            let steps = steps.entry(of).or_default();
            let last = steps.last_mut();
            match told {
                Told::Begun { is_on } => {
                    // One that is tried again, for nobody knows whether it was made, is one.
                    if !last.is_some_and(|last| last.done.is_none() && last.is_on == is_on) {
                        let (begun, done) = (at, None);
                        steps.push(Step { is_on, begun, done });
                    }
                }
                Told::Done { is_on } => {
                    if let Some(step) = last.filter(|step| step.is_on == is_on) {
                        step.done.get_or_insert(at);
                    }
                }
            }
        }
        let spans = steps.iter().map(|(of, steps)| (*of, spans(steps))).collect();
        Self { steps, spans }
    }

    /// The changes of one of them, in order.
    pub(super) fn steps(&self, of: K) -> &[Step] {
        self.steps.get(&of).map_or(&[], Vec::as_slice)
    }

    /// The changes of all, in their order.
    pub(super) fn all_steps(&self) -> impl Iterator<Item = (K, &[Step])> {
        self.steps.iter().map(|(of, steps)| (*of, steps.as_slice()))
    }

    /// The span in which it surely was so from before `from` until after `until`.
    pub(super) fn sure_span(&self, of: K, from: Moment, until: Moment) -> Option<Span> {
        let mut spans = self.spans(of).iter().copied();
        spans.find(|span| {
            span.sure_from.is_some_and(|sure| sure < from) && span.sure_until.is_none_or(|sure| sure > until)
        })
    }

    /// Whether it surely was so from before `from` until after `until`.
    pub(super) fn surely(&self, of: K, from: Moment, until: Moment) -> bool {
        self.sure_span(of, from, until).is_some()
    }

    /// Whether it may have been so at some time between `from` and `until`.
    pub(super) fn possibly(&self, of: K, from: Moment, until: Moment) -> bool {
        let mut spans = self.spans(of).iter();
        spans.any(|span| span.from <= until && span.until.is_none_or(|gone| gone >= from))
    }

    fn spans(&self, of: K) -> &[Span] {
        self.spans.get(&of).map_or(&[], Vec::as_slice)
    }
}

impl Span {
    /// Whether it has not ended, and nobody has begun to end it.
    pub(super) fn lasts(self) -> bool {
        self.sure_until.is_none()
    }
}

/// What makes it so begins a span, and what ends that ends it.
fn spans(steps: &[Step]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for step in steps {
        match (step.is_on, spans.last_mut().filter(|span| span.until.is_none())) {
            (true, None) => spans.push(Span {
                from: step.begun,
                sure_from: step.done,
                sure_until: None,
                until: None,
            }),
            // Whether the one before it was made is not known: from here on it is.
            (true, Some(span)) => {
                span.sure_from = step.done;
                span.sure_until = None;
            }
            (false, Some(span)) => {
                span.sure_until.get_or_insert(step.begun);
                span.until = step.done;
            }
            (false, None) => {}
        }
    }
    spans
}
