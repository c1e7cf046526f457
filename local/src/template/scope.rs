//! What the names in a template mean: parameters, pseudo parameters, conditions, and the `Ref` and
//! `GetAtt` of resources.

use std::cell::Cell;

use serde_json::{Map, Value};

use super::parameters::Values;
use super::resource::{Resource, ResourceKind, physical_id};
use super::{queues, text};
use crate::lambda::ACCOUNT_ID;

/// No template has this many references in a row. They must form a circle.
const MAX_DEPTH: u32 = 64;

/// Logical id of the API that SAM makes if an `HttpApi` event names none.
pub(super) const IMPLICIT_HTTP_API: &str = "ServerlessHttpApi";

/// The message of an error that has been reported already: a parameter has no value.
const REPORTED: &str = "";

/// Everything that a name can mean.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) stack_name: String,
    pub(super) region: String,
    pub(super) parameters: Values,
    /// Names of parameters without a value. Their problem is reported, so a reference to them is
    /// not another problem.
    pub(super) failed_parameters: Vec<String>,
    pub(super) mappings: Map<String, Value>,
    pub(super) conditions: Map<String, Value>,
    /// In the order of the template.
    pub(super) resources: Vec<Resource>,
    pub(super) depth: Cell<u32>,
}

/// The address of SQS in a region of AWS.
pub fn sqs_url(region: &str) -> String {
    format!("https://sqs.{region}.amazonaws.com")
}

/// The value of an expression; `None` is `AWS::NoValue`.
pub(super) type Resolution = Result<Option<Value>, String>;

impl Scope {
    /// `Ref`.
    pub(super) fn reference(&self, name: &str) -> Resolution {
        if let Some(value) = self.parameters.get(name) {
            return Ok(Some(value.clone()));
        }
        if name == "AWS::NoValue" {
            return Ok(None);
        }
        if let Some(value) = self.pseudo_parameter(name)? {
            return Ok(Some(value));
        }
        if self.failed_parameters.iter().any(|failed| failed == name) {
            return Err(REPORTED.to_owned());
        }
        if name == IMPLICIT_HTTP_API && !self.resources.iter().any(|resource| resource.id == name) {
            return Ok(Some(Value::String(physical_id(name, 10))));
        }
        let resource = self.resource(name)?;
        let physical = self.deeper(name, || self.physical_name(resource))?;
        Ok(Some(Value::String(match resource.kind {
            ResourceKind::Queue => self.queue_url(&physical),
            ResourceKind::Secret => self.secret_arn(resource, &physical),
            _ => physical,
        })))
    }

    /// `Fn::GetAtt`.
    pub(super) fn attribute(&self, name: &str, attribute: &str) -> Result<String, String> {
        let resource = self.resource(name)?;
        let id = || self.deeper(name, || self.physical_name(resource));
        match (resource.kind, attribute) {
            (ResourceKind::Function, "Arn") => Ok(self.function_arn(&id()?)),
            (ResourceKind::Table | ResourceKind::SimpleTable, "Arn") => {
                Ok(self.arn("dynamodb", &format!("table/{}", id()?)))
            }
            (ResourceKind::Table, "StreamArn") => Err(format!("{name}.StreamArn: DynamoDB streams are not supported")),
            (ResourceKind::Queue, "Arn") => Ok(self.queue_arn(&id()?)),
            (ResourceKind::Secret, "Id") => Ok(self.secret_arn(resource, &id()?)),
            (ResourceKind::Queue, "QueueUrl") => Ok(self.queue_url(&id()?)),
            (ResourceKind::Api, "ApiEndpoint") => Ok(format!("wss://{}", self.api_host(&id()?))),
            (ResourceKind::HttpApi, "ApiEndpoint") => Ok(format!("https://{}", self.api_host(&id()?))),
            (ResourceKind::Queue, "QueueName")
            | (ResourceKind::Api | ResourceKind::HttpApi, "ApiId")
            | (ResourceKind::Authorizer, "AuthorizerId") => id(),
            (ResourceKind::Ignored, "Arn") | (ResourceKind::Refused, _) => Ok(self.arn("local", &id()?)),
            (_, _) => Err(format!(
                "{name} ({}) has no attribute {attribute} here",
                resource.type_name
            )),
        }
    }

    /// The ARN of the queue with this name.
    pub(super) fn queue_arn(&self, name: &str) -> String {
        self.arn("sqs", name)
    }

    /// The name that a queue has on AWS.
    pub(super) fn queue_name(&self, resource: &Resource) -> Result<String, String> {
        self.deeper(&resource.id, || self.physical_name(resource))
    }

    /// The name that a secret has on AWS.
    pub(super) fn secret_name(&self, resource: &Resource) -> Result<String, String> {
        self.deeper(&resource.id, || self.physical_name(resource))
    }

    /// The ARN of the secret with this name: Secrets Manager adds six characters.
    pub(super) fn secret_arn(&self, resource: &Resource, name: &str) -> String {
        let added = physical_id(&resource.id, 6);
        self.arn("secretsmanager", &format!("secret:{name}-{added}"))
    }

    /// The URL of the queue with this name, as on AWS. The stack makes it local when the ports are
    /// known.
    fn queue_url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT_ID}/{name}", sqs_url(&self.region))
    }

    /// The ARN of the function with this name.
    pub(super) fn function_arn(&self, name: &str) -> String {
        format!("arn:aws:lambda:{}:{ACCOUNT_ID}:function:{name}", self.region)
    }

    /// The value of a condition of the template.
    pub(super) fn condition(&self, name: &str) -> Result<bool, String> {
        let expression = self
            .conditions
            .get(name)
            .ok_or_else(|| format!("there is no condition {name}"))?;
        self.deeper(name, || self.boolean(expression))
    }

    /// Whether the resource's condition is true.
    pub(super) fn exists(&self, resource: &Resource) -> Result<bool, String> {
        resource
            .condition
            .as_ref()
            .map_or(Ok(true), |condition| self.condition(condition))
    }

    /// The name of a physical resource: the one in the template, or one made from the stack's name.
    fn physical_name(&self, resource: &Resource) -> Result<String, String> {
        let named_by = match resource.kind {
            ResourceKind::Function => "FunctionName",
            ResourceKind::Table | ResourceKind::SimpleTable => "TableName",
            ResourceKind::Stage => "StageName",
            ResourceKind::Queue => "QueueName",
            ResourceKind::Secret => "Name",
            ResourceKind::Api | ResourceKind::HttpApi => return Ok(physical_id(&resource.id, 10)),
            ResourceKind::Mapping
            | ResourceKind::Route
            | ResourceKind::RouteResponse
            | ResourceKind::Integration
            | ResourceKind::Authorizer => {
                return Ok(physical_id(&resource.id, 7));
            }
            ResourceKind::Ignored | ResourceKind::Refused => return Ok(self.generated_name(&resource.id)),
        };
        let made_up = || match resource.kind {
            ResourceKind::Queue => queues::generated_name(resource, self),
            _ => Ok(self.generated_name(&resource.id)),
        };
        let Some(value) = resource.properties.get(named_by) else {
            return made_up();
        };
        match self.resolve(value)? {
            None => made_up(),
            Some(value) => {
                text::scalar(&value).ok_or_else(|| format!("{named_by} is {}, not a string", text::kind(&value)))
            }
        }
    }

    pub(super) fn generated_name(&self, logical_id: &str) -> String {
        format!("{}-{logical_id}", self.stack_name)
    }

    fn resource(&self, name: &str) -> Result<&Resource, String> {
        let found = self.resources.iter().find(|resource| resource.id == name);
        let resource = found.ok_or_else(|| format!("there is no resource or parameter with the name {name}"))?;
        if self.exists(resource)? {
            return Ok(resource);
        }
        let condition = resource.condition.as_deref().unwrap_or_default();
        Err(format!(
            "it refers to {name}, which does not exist because its condition {condition} is false"
        ))
    }

    fn pseudo_parameter(&self, name: &str) -> Result<Option<Value>, String> {
        let Some(pseudo) = name.strip_prefix("AWS::") else {
            return Ok(None);
        };
        let value = match pseudo {
            "AccountId" => ACCOUNT_ID.to_owned(),
            "Partition" => "aws".to_owned(),
            "Region" => self.region.clone(),
            "StackId" => self.arn("cloudformation", &format!("stack/{}/local", self.stack_name)),
            "StackName" => self.stack_name.clone(),
            "URLSuffix" => "amazonaws.com".to_owned(),
            "NotificationARNs" => return Ok(Some(Value::Array(Vec::new()))),
            _ => return Err(format!("there is no pseudo parameter {name}")),
        };
        Ok(Some(Value::String(value)))
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{ACCOUNT_ID}:{resource}", self.region)
    }

    fn api_host(&self, api_id: &str) -> String {
        format!("{api_id}.execute-api.{}.amazonaws.com", self.region)
    }

    /// Follows a name, unless it refers to itself.
    fn deeper<T>(&self, name: &str, follow: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        if self.depth.get() >= MAX_DEPTH {
            return Err(format!("{name} refers to itself"));
        }
        self.depth.set(self.depth.get() + 1);
        let result = follow();
        self.depth.set(self.depth.get() - 1);
        result
    }
}
