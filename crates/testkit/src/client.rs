//! A client that speaks JSON over HTTP and no more.

use reqwest::Method;
use serde_json::{Value, json};

#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    pub url: String,
    pub token: String,
    pub project_id: String,
    pub user_id: String,
    /// Sent as OpenStack-API-Version for compute.
    pub compute_version: String,
}

/// Status and body of an answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    /// The body, if the status is this one; a panic with both otherwise.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }
}

impl Client {
    pub async fn login(url: &str, user: &str, password: &str, project: &str) -> Client {
        let mut client = Client {
            http: reqwest::Client::new(),
            url: url.into(),
            token: String::new(),
            project_id: String::new(),
            user_id: String::new(),
            compute_version: "2.96".into(),
        };
        let domain = json!({"id": "default"});
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {"name": user, "domain": domain, "password": password}}},
            "scope": {"project": {"name": project, "domain": domain}},
        }});
        let answer = client.post("/identity/v3/auth/tokens", body).await;
        client.token = answer.headers["x-subject-token"].to_str().expect("a token of ASCII").into();
        let token = answer.expect(201);
        client.project_id = token["token"]["project"]["id"].as_str().expect("a project").into();
        client.user_id = token["token"]["user"]["id"].as_str().expect("a user").into();
        client
    }

    /// A user by id, with the scope as it is in a login's body; null: unscoped.
    pub async fn with_scope(url: &str, user_id: &str, password: &str, scope: Value) -> Client {
        let mut client = Client {
            http: reqwest::Client::new(),
            url: url.into(),
            token: String::new(),
            project_id: String::new(),
            user_id: user_id.into(),
            compute_version: "2.96".into(),
        };
        let user = json!({"id": user_id, "password": password});
        let mut auth = json!({"identity": {"methods": ["password"], "password": {"user": user}}});
        if !scope.is_null() {
            auth["scope"] = scope;
        }
        let answer = client.post("/identity/v3/auth/tokens", json!({ "auth": auth })).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        client.token = answer.headers["x-subject-token"].to_str().expect("a token of ASCII").into();
        client
    }

    /// Makes a project and a user of that name, with role `member` and the test's password.
    pub async fn make_member(&self, name: &str) {
        let project =
            self.post("/identity/v3/projects", json!({"project": {"name": name}})).await.expect(201);
        let user = json!({"user": {"name": name, "password": crate::PASSWORD}});
        let user = self.post("/identity/v3/users", user).await.expect(201);
        let roles = self.get("/identity/v3/roles?name=member").await.expect(200);
        let path = format!(
            "/identity/v3/projects/{}/users/{}/roles/{}",
            text(&project["project"]["id"]),
            text(&user["user"]["id"]),
            text(&roles["roles"][0]["id"]),
        );
        self.call(Method::PUT, &path, None).await.expect(204);
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.try_call(method, path, body).await.expect("the cloud answers")
    }

    /// An error when there was no whole answer: the cloud went away.
    pub async fn try_call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if !self.token.is_empty() {
            request = request.header("x-auth-token", &self.token);
        }
        if path.starts_with("/compute") {
            request = request.header("openstack-api-version", format!("compute {}", self.compute_version));
        } else if path.starts_with("/placement") {
            request = request.header("openstack-api-version", "placement 1.39");
        } else if path.starts_with("/volume") {
            request = request.header("openstack-api-version", "volume 3.70");
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        Self::answer(request).await
    }

    /// A body that is no JSON: image data, or something malformed on purpose.
    pub async fn send(&self, method: Method, path: &str, content_type: &str, body: Vec<u8>) -> Answer {
        self.try_send(method, path, content_type, body).await.expect("the cloud answers")
    }

    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<Answer, reqwest::Error> {
        let request = self
            .http
            .request(method, format!("{}{path}", self.url))
            .header("x-auth-token", &self.token)
            .header("content-type", content_type)
            .body(body);
        Self::answer(request).await
    }

    /// A request with the token and nothing else, for whoever wants to spoil it.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).header("x-auth-token", &self.token)
    }

    pub async fn execute(&self, request: reqwest::Request) -> Result<Answer, reqwest::Error> {
        Self::read(self.http.execute(request).await?).await
    }

    async fn answer(request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
        Self::read(request.send().await?).await
    }

    async fn read(response: reqwest::Response) -> Result<Answer, reqwest::Error> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await?;
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Ok(Answer { status, headers, body })
    }
}

/// The text of a JSON string.
#[track_caller]
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a string: {value}"))
}
