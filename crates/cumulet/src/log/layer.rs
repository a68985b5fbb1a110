//! One line of JSON for each event.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::file::Rotating;

pub struct JsonLines(Mutex<Writer>);

struct Writer {
    file: Rotating,
    /// Reused for every line.
    line: Vec<u8>,
    /// Said once: a full disk must not fill standard error as well.
    complained: bool,
}

impl JsonLines {
    pub fn new(file: Rotating) -> Self {
        JsonLines(Mutex::new(Writer { file, line: Vec::with_capacity(512), complained: false }))
    }
}

/// The request that a span is about, kept with the span.
struct Cause(Box<str>);

const REQUEST_ID: &str = "request_id";

#[derive(Default)]
struct FindCause(Option<Box<str>>);

impl Visit for FindCause {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == REQUEST_ID {
            self.0 = Some(value.into());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == REQUEST_ID {
            self.0 = Some(format!("{value:?}").into());
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for JsonLines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut found = FindCause::default();
        attributes.record(&mut found);
        if let (Some(cause), Some(span)) = (found.0, context.span(id)) {
            span.extensions_mut().insert(Cause(cause));
        }
    }

    #[allow(clippy::print_stderr)]
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Writer { file, line, complained } = &mut *writer;
        line.clear();
        let meta = event.metadata();
        // Writing to a Vec does not fail.
        let _ = write!(
            line,
            "{{\"at\":\"{:.6}\",\"level\":\"{}\",\"target\":\"{}\"",
            Timestamp::now(),
            meta.level(),
            meta.target()
        );
        let mut fields = Fields { line, has_cause: false };
        event.record(&mut fields);
        if !fields.has_cause {
            let cause = context.event_scope(event).and_then(|mut scope| {
                scope.find_map(|span| span.extensions().get::<Cause>().map(|cause| cause.0.clone()))
            });
            if let Some(cause) = cause {
                fields.text(REQUEST_ID, &cause);
            }
        }
        line.extend_from_slice(b"}\n");
        if let Err(error) = file.line(line)
            && !std::mem::replace(complained, true)
        {
            eprintln!("the log cannot be written: {error}");
        }
    }
}

struct Fields<'a> {
    line: &'a mut Vec<u8>,
    has_cause: bool,
}

impl Fields<'_> {
    fn name(&mut self, name: &str) {
        self.has_cause |= name == REQUEST_ID;
        let name = name.strip_prefix("r#").unwrap_or(name);
        let _ = write!(self.line, ",\"{name}\":");
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        if serde_json::to_writer(&mut *self.line, value).is_err() {
            let _ = write!(self.line, "null");
        }
    }

    fn plain(&mut self, name: &str, value: impl std::fmt::Display) {
        self.name(name);
        let _ = write!(self.line, "{value}");
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has neither infinity nor NaN.
        self.plain(field.name(), serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        self.text(field.name(), &text);
    }
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;
    use tracing::Instrument;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    fn logged(work: impl FnOnce()) -> Vec<Value> {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().join("log")).unwrap();
        let file = Rotating::open(&path, 1 << 20, 1).unwrap();
        let subscriber = tracing_subscriber::registry().with(JsonLines::new(file));
        tracing::subscriber::with_default(subscriber, work);
        let text = std::fs::read_to_string(&path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn every_kind_of_value_is_json() {
        let lines = logged(|| {
            tracing::warn!(count = 3, rate = 0.5, odd = f64::NAN, on = true, name = "a \"b\"\n", list = ?["x"], "it {}", "happened");
        });
        let line = &lines[0];
        assert_eq!((&line["level"], &line["message"]), (&"WARN".into(), &"it happened".into()));
        assert_eq!((&line["count"], &line["rate"], &line["odd"]), (&3.into(), &0.5.into(), &Value::Null));
        assert_eq!(
            (&line["on"], &line["name"], &line["list"]),
            (&true.into(), &"a \"b\"\n".into(), &"[\"x\"]".into())
        );
        assert!(line["at"].as_str().unwrap().ends_with('Z') && line.get("request_id").is_none(), "{line}");
    }

    #[test]
    fn lines_carry_the_request_that_caused_them() {
        let lines = logged(|| {
            let span = tracing::error_span!("request", request_id = "req-1");
            span.in_scope(|| {
                tracing::info!("inside");
                tracing::info_span!("deeper").in_scope(|| tracing::info!("below"));
                tracing::info!(request_id = "req-own", "its own");
            });
            let later = async { tracing::info!("later") }.instrument(span);
            tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(later);
            tracing::info!("outside");
        });
        let ids: Vec<Option<&str>> = lines.iter().map(|l| l["request_id"].as_str()).collect();
        assert_eq!(ids, [Some("req-1"), Some("req-1"), Some("req-own"), Some("req-1"), None]);
    }
}
