//! The catalog as it stands in a token.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use base::{Auth, Scope};
use serde_json::{Value, json};

use super::{Endpoint, ServiceEntry};

/// Its text is made once, unless a URL depends on who asks.
#[derive(Default)]
pub struct Catalog {
    services: Vec<(ServiceEntry, Vec<Endpoint>)>,
    /// None: made for each caller.
    text: Option<String>,
    /// The endpoints of the projects that do not see all.
    filters: HashMap<String, HashSet<String>>,
}

const PROJECT_KEYS: [&str; 2] = ["project_id", "tenant_id"];

impl Catalog {
    pub fn new(
        services: Vec<ServiceEntry>,
        endpoints: Vec<Endpoint>,
        filters: HashMap<String, HashSet<String>>,
    ) -> Self {
        let mut services: Vec<(ServiceEntry, Vec<Endpoint>)> =
            services.into_iter().filter(|s| s.enabled).map(|s| (s, Vec::new())).collect();
        for endpoint in endpoints.into_iter().filter(|e| e.enabled) {
            if let Some((_, list)) = services.iter_mut().find(|(s, _)| s.id == endpoint.service_id) {
                list.push(endpoint);
            }
        }
        let templated = services.iter().flat_map(|(_, list)| list).any(|e| is_template(&e.url));
        let mut catalog = Catalog { services, text: None, filters };
        if !templated {
            catalog.text = Some(catalog.render(None, |url| Some(url.to_owned())));
        }
        catalog
    }

    pub fn text(&self, auth: &Auth) -> Cow<'_, str> {
        let seen = match &auth.scope {
            Scope::Project(project) => self.filters.get(&project.id),
            _ => None,
        };
        match (&self.text, seen) {
            (Some(text), None) => Cow::Borrowed(text),
            _ => Cow::Owned(self.render(seen, |url| fill(url, auth))),
        }
    }

    /// `url` gives None for an endpoint that the caller cannot have.
    fn render(&self, seen: Option<&HashSet<String>>, url: impl Fn(&str) -> Option<String>) -> String {
        let services = self.services.iter().filter_map(|(service, endpoints)| {
            let endpoints: Vec<Value> = endpoints
                .iter()
                .filter(|e| seen.is_none_or(|ids| ids.contains(&e.id)))
                .filter_map(|e| {
                    Some(json!({
                        "id": e.id,
                        "interface": e.interface,
                        "region_id": e.region_id,
                        "url": url(&e.url)?,
                        "region": e.region_id,
                    }))
                })
                .collect();
            // With a filter, what has nothing to show is left out.
            (seen.is_none() || !endpoints.is_empty()).then(|| {
                json!({
                    "endpoints": endpoints,
                    "id": service.id,
                    "type": service.kind,
                    "name": service.name.as_deref().unwrap_or_default(),
                })
            })
        });
        Value::Array(services.collect()).to_string()
    }
}

fn is_template(url: &str) -> bool {
    url.contains("$(") || url.contains("%(")
}

fn fill(url: &str, auth: &Auth) -> Option<String> {
    let mut filled = url.to_owned();
    let mut put = |key: &str, value: &str| {
        for open in ["$(", "%("] {
            filled = filled.replace(&format!("{open}{key})s"), value);
        }
    };
    put("user_id", &auth.user.id);
    if let Scope::Project(project) = &auth.scope {
        PROJECT_KEYS.iter().for_each(|key| put(key, &project.id));
    }
    // Without a project such an endpoint has no URL.
    (!is_template(&filled)).then_some(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog(url: &str) -> Catalog {
        let service = ServiceEntry {
            id: "s".into(),
            kind: "compute".into(),
            enabled: true,
            name: Some("nova".into()),
            description: None,
            extra: Default::default(),
        };
        let endpoint = |id: &str, url: &str, enabled| Endpoint {
            id: id.into(),
            service_id: "s".into(),
            region_id: Some("r".into()),
            interface: "public".into(),
            url: url.into(),
            enabled,
            extra: Default::default(),
        };
        let endpoints = vec![
            endpoint("fixed", "http://h/v2.1", true),
            endpoint("other", url, true),
            endpoint("off", url, false),
        ];
        Catalog::new(vec![service], endpoints, HashMap::new())
    }

    fn urls(catalog: &Catalog, auth: &Auth) -> Vec<String> {
        let value: Value = serde_json::from_str(&catalog.text(auth)).unwrap();
        let endpoints = value[0]["endpoints"].as_array().unwrap().clone();
        endpoints.iter().map(|e| e["url"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn urls_are_filled_in_and_left_out_when_they_cannot_be() {
        let mut auth = (*base::Ctx::internal("test").auth).clone();
        assert_eq!(urls(&catalog("http://h/v3"), &auth), ["http://h/v2.1", "http://h/v3"]);
        let templated = catalog("http://h/v3/$(project_id)s/%(tenant_id)s");
        assert_eq!(urls(&templated, &auth), ["http://h/v2.1"]);
        let domain = base::DomainRef { id: "default".into(), name: "Default".into() };
        auth.scope = Scope::Project(base::ProjectRef { id: "p1".into(), name: "p".into(), domain });
        assert_eq!(urls(&templated, &auth), ["http://h/v2.1", "http://h/v3/p1/p1"]);
    }
}
