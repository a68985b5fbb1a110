//! Who asks, and by which URL: a project's id may stand behind the version.

use base::{Ctx, Error};
use http::Uri;
use http::request::Parts;
use web::axum::extract::{FromRequestParts, Request};
use web::{Caller, Fault, Origin};

/// The project's id in the URL.
#[derive(Clone)]
struct InUrl(String);

/// `/v3/<project id>/volumes` is `/v3/volumes`, asked in that project.
pub fn without_project(mut request: Request) -> Request {
    let Some((project, rest)) = split(request.uri().path()) else { return request };
    let (project, mut path) = (project.to_owned(), format!("/v3{rest}"));
    if let Some(query) = request.uri().query() {
        path = format!("{path}?{query}");
    }
    if let Ok(uri) = path.parse::<Uri>() {
        *request.uri_mut() = uri;
        request.extensions_mut().insert(InUrl(project));
    }
    request
}

/// No collection's name is made of hexadecimal digits alone.
fn split(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("/v3/")?;
    let end = rest.find('/').unwrap_or(rest.len());
    let (first, rest) = rest.split_at(end);
    let is_id = !first.is_empty() && first.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-'));
    is_id.then_some((first, rest))
}

pub struct Asker {
    pub ctx: Ctx,
    pub links: Links,
}

/// Where links of answers lead to.
#[derive(Debug, Clone)]
pub struct Links {
    href: String,
    bookmark: String,
}

impl Links {
    pub fn of(&self, collection: &str, id: &str) -> serde_json::Value {
        serde_json::json!([
            {"rel": "self", "href": format!("{}/{collection}/{id}", self.href)},
            {"rel": "bookmark", "href": format!("{}/{collection}/{id}", self.bookmark)},
        ])
    }
}

impl<S: Sync> FromRequestParts<S> for Asker {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let Caller(ctx) = Caller::from_request_parts(parts, state).await?;
        let Origin(origin) = Origin::from_request_parts(parts, state).await?;
        let mut suffix = String::new();
        if let Some(InUrl(project)) = parts.extensions.get() {
            if ctx.project().is_none_or(|own| own.id != *project) {
                return Err(Error::bad_request("Malformed request url").into());
            }
            suffix = format!("/{project}");
        }
        let links = Links {
            href: format!("{origin}/volume/v3{suffix}"),
            bookmark: format!("{origin}/volume{suffix}"),
        };
        Ok(Asker { ctx, links })
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_project_is_told_from_a_collection() {
        let id = "0123456789abcdef0123456789abcdef";
        assert_eq!(split(&format!("/v3/{id}/volumes/x")), Some((id, "/volumes/x")));
        assert_eq!(split(&format!("/v3/{id}")), Some((id, "")));
        for path in ["/v3", "/v3/", "/v3/volumes", "/v3/backups/abc", "/", "/v2/abc/volumes"] {
            assert_eq!(split(path), None, "{path}");
        }
    }
}
