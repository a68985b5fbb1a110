use serde::{Deserialize, Serialize};

use super::null_is_default;
use crate::{Client, Result};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SecurityGroup {
    pub id: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub name: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub description: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub security_group_rules: Vec<SecurityGroupRule>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub tags: Vec<String>,
}

/// A rule; what is `None` means "any".
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SecurityGroupRule {
    pub id: String,
    #[serde(default)]
    pub security_group_id: String,
    pub direction: String,
    #[serde(default)]
    pub ethertype: Option<String>,
    #[serde(default)]
    pub protocol: Option<String>,
    #[serde(default)]
    pub port_range_min: Option<u16>,
    #[serde(default)]
    pub port_range_max: Option<u16>,
    #[serde(default)]
    pub remote_ip_prefix: Option<String>,
    #[serde(default)]
    pub remote_group_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewSecurityGroup {
    pub name: String,
    pub description: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewSecurityGroupRule {
    pub security_group_id: String,
    pub direction: String,
    pub ethertype: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_range_min: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_range_max: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_ip_prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_group_id: Option<String>,
}

impl Client {
    /// With their rules inside.
    pub async fn security_groups(&self, filters: &[(&str, &str)]) -> Result<Vec<SecurityGroup>> {
        self.network_list("security-groups", "security_groups", filters).await
    }
    pub async fn create_security_group(&self, new: &NewSecurityGroup) -> Result<SecurityGroup> {
        self.network_create("security-groups", "security_group", new).await
    }
    pub async fn delete_security_group(&self, id: &str) -> Result<()> {
        self.network_delete("security-groups", id).await
    }
    /// # Errors
    /// 409 when the same rule exists.
    pub async fn create_security_group_rule(&self, new: &NewSecurityGroupRule) -> Result<SecurityGroupRule> {
        self.network_create("security-group-rules", "security_group_rule", new).await
    }
    pub async fn delete_security_group_rule(&self, id: &str) -> Result<()> {
        self.network_delete("security-group-rules", id).await
    }
}
