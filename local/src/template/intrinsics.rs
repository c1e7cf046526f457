//! The intrinsic functions (`Ref`, `Fn::Sub`, `Fn::If`, …) in their long forms. [`super::yaml`]
//! makes long forms of short ones.

use serde_json::{Map, Value};

use super::scope::{Resolution, Scope};
use super::text;

impl Scope {
    /// The value with every function in it evaluated. `None` is `AWS::NoValue`; lists and maps
    /// leave such members out.
    pub(super) fn resolve(&self, value: &Value) -> Resolution {
        match value {
            Value::Object(map) => match function(map) {
                Some((name, argument)) => self.call(name, argument),
                None => self.resolve_map(map).map(|map| Some(Value::Object(map))),
            },
            Value::Array(items) => {
                let items: Result<Vec<_>, _> = items.iter().map(|item| self.resolve(item)).collect();
                Ok(Some(items?.into_iter().flatten().collect()))
            }
            plain => Ok(Some(plain.clone())),
        }
    }

    /// The value of a condition's expression.
    pub(super) fn boolean(&self, expression: &Value) -> Result<bool, String> {
        let Some((name, argument)) = expression.as_object().and_then(single) else {
            return Err("a condition is one of Fn::Equals, Fn::Not, Fn::And, Fn::Or and Condition".to_owned());
        };
        let all = || {
            argument
                .as_array()
                .map_or(&[][..], Vec::as_slice)
                .iter()
                .map(|item| self.boolean(item))
        };
        match name {
            "Condition" => self.condition(argument.as_str().ok_or("Condition takes the name of a condition")?),
            "Fn::Equals" => match argument.as_array().map(Vec::as_slice) {
                Some([left, right]) => Ok(comparable(self.resolve(left)?) == comparable(self.resolve(right)?)),
                _ => Err("Fn::Equals takes a list of two values".to_owned()),
            },
            "Fn::Not" => match argument.as_array().map(Vec::as_slice) {
                Some([inner]) => Ok(!self.boolean(inner)?),
                _ => Err("Fn::Not takes a list of one condition".to_owned()),
            },
            "Fn::And" => Ok(all().collect::<Result<Vec<_>, _>>()?.into_iter().all(|value| value)),
            "Fn::Or" => Ok(all().collect::<Result<Vec<_>, _>>()?.into_iter().any(|value| value)),
            _ => Err(format!("{name} is not a condition")),
        }
    }

    fn resolve_map(&self, map: &Map<String, Value>) -> Result<Map<String, Value>, String> {
        let mut resolved = Map::new();
        for (key, value) in map {
            if let Some(value) = self.resolve(value)? {
                resolved.insert(key.clone(), value);
            }
        }
        Ok(resolved)
    }

    fn call(&self, name: &str, argument: &Value) -> Resolution {
        match name {
            "Ref" => self.reference(argument.as_str().ok_or("Ref takes a name")?),
            "Fn::GetAtt" => self.get_att(argument),
            "Fn::Sub" => self.sub(argument),
            "Fn::If" => self.choose(argument),
            "Fn::Join" => self.join(argument),
            "Fn::Select" => self.select(argument),
            "Fn::Split" => self.split(argument),
            "Fn::FindInMap" => self.find_in_map(argument),
            "Fn::Base64" => {
                use base64::Engine as _;
                let plain = self.string(argument, "Fn::Base64 takes a string")?;
                Ok(Some(Value::String(
                    base64::engine::general_purpose::STANDARD.encode(plain),
                )))
            }
            "Fn::Equals" | "Fn::Not" | "Fn::And" | "Fn::Or" => {
                let map = Map::from_iter([(name.to_owned(), argument.clone())]);
                self.boolean(&Value::Object(map)).map(|value| Some(Value::Bool(value)))
            }
            "Fn::ImportValue" => Err("Fn::ImportValue needs another stack, but there is only one here".to_owned()),
            _ => Err(format!("{name} is not supported")),
        }
    }

    fn get_att(&self, argument: &Value) -> Resolution {
        let parts = match argument {
            Value::String(dotted) => dotted
                .split_once('.')
                .map(|(name, attribute)| (name.to_owned(), attribute.to_owned())),
            Value::Array(parts) => match parts.as_slice() {
                [Value::String(name), attribute] => {
                    let attribute = self.string(attribute, "Fn::GetAtt takes a resource and an attribute")?;
                    Some((name.clone(), attribute))
                }
                _ => None,
            },
            _ => None,
        };
        let (name, attribute) = parts.ok_or("Fn::GetAtt takes a resource and an attribute")?;
        self.attribute(&name, &attribute)
            .map(|value| Some(Value::String(value)))
    }

    fn sub(&self, argument: &Value) -> Resolution {
        const USAGE: &str = "Fn::Sub takes a string, or a list of a string and a map";
        let (pattern, own) = match argument {
            Value::String(pattern) => (pattern, Map::new()),
            Value::Array(parts) => match parts.as_slice() {
                [Value::String(pattern), Value::Object(own)] => (pattern, self.resolve_map(own)?),
                _ => return Err(USAGE.to_owned()),
            },
            _ => return Err(USAGE.to_owned()),
        };
        let mut filled = String::new();
        let mut rest = pattern.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after
                .split_once('}')
                .ok_or_else(|| format!("Fn::Sub: no }} ends a ${{ in {pattern:?}"))?;
            filled.push_str(before);
            let piece = match name.strip_prefix('!') {
                Some(literal) => format!("${{{literal}}}"),
                None => self.placeholder(name.trim(), &own)?,
            };
            filled.push_str(&piece);
            rest = after;
        }
        filled.push_str(rest);
        Ok(Some(Value::String(filled)))
    }

    fn placeholder(&self, name: &str, own: &Map<String, Value>) -> Result<String, String> {
        let value = match (own.get(name), name.split_once('.')) {
            (Some(value), _) => Some(value.clone()),
            (None, Some((resource, attribute))) => return self.attribute(resource, attribute),
            (None, None) => self.reference(name)?,
        };
        let value = value.unwrap_or(Value::Null);
        text::scalar(&value).ok_or_else(|| format!("Fn::Sub: ${{{name}}} is {}, not a string", text::kind(&value)))
    }

    fn choose(&self, argument: &Value) -> Resolution {
        match argument.as_array().map(Vec::as_slice) {
            Some([Value::String(condition), yes, no]) => {
                let chosen = if self.condition(condition)? { yes } else { no };
                self.resolve(chosen)
            }
            _ => Err("Fn::If takes a list of a condition's name and two values".to_owned()),
        }
    }

    fn join(&self, argument: &Value) -> Resolution {
        const USAGE: &str = "Fn::Join takes a list of a separator and a list of strings";
        let Some([Value::String(separator), items]) = argument.as_array().map(Vec::as_slice) else {
            return Err(USAGE.to_owned());
        };
        let items = self.list(items, USAGE)?;
        let words: Option<Vec<String>> = items.iter().map(text::scalar).collect();
        Ok(Some(Value::String(words.ok_or(USAGE)?.join(separator))))
    }

    fn select(&self, argument: &Value) -> Resolution {
        const USAGE: &str = "Fn::Select takes a list of an index and a list";
        let Some([index, items]) = argument.as_array().map(Vec::as_slice) else {
            return Err(USAGE.to_owned());
        };
        let index: usize = self.string(index, USAGE)?.parse().map_err(|_| USAGE)?;
        let items = self.list(items, USAGE)?;
        let chosen = items
            .get(index)
            .ok_or_else(|| format!("Fn::Select: {} values have no index {index}", items.len()))?;
        Ok(Some(chosen.clone()))
    }

    fn split(&self, argument: &Value) -> Resolution {
        const USAGE: &str = "Fn::Split takes a list of a separator and a string";
        match argument.as_array().map(Vec::as_slice) {
            Some([Value::String(separator), whole]) if !separator.is_empty() => {
                Ok(Some(self.string(whole, USAGE)?.split(separator.as_str()).collect()))
            }
            _ => Err(USAGE.to_owned()),
        }
    }

    fn find_in_map(&self, argument: &Value) -> Resolution {
        const USAGE: &str = "Fn::FindInMap takes a list of a mapping and two keys";
        let Some([map, first, second]) = argument.as_array().map(Vec::as_slice) else {
            return Err(USAGE.to_owned());
        };
        let [map, first, second] = [
            self.string(map, USAGE)?,
            self.string(first, USAGE)?,
            self.string(second, USAGE)?,
        ];
        let found = self
            .mappings
            .get(&map)
            .and_then(|map| map.get(&first))
            .and_then(|row| row.get(&second));
        found
            .cloned()
            .map(Some)
            .ok_or_else(|| format!("Fn::FindInMap: there is no {map} / {first} / {second}"))
    }

    fn string(&self, value: &Value, usage: &str) -> Result<String, String> {
        self.resolve(value)?
            .as_ref()
            .and_then(text::scalar)
            .ok_or_else(|| usage.to_owned())
    }

    fn list(&self, value: &Value, usage: &str) -> Result<Vec<Value>, String> {
        match self.resolve(value)? {
            Some(Value::Array(items)) => Ok(items),
            _ => Err(usage.to_owned()),
        }
    }
}

/// The function that a map calls, if it calls one.
fn function(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    single(map).filter(|(name, _)| *name == "Ref" || name.starts_with("Fn::"))
}

fn single(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut entries = map.iter();
    match (entries.next(), entries.next()) {
        (Some((name, argument)), None) => Some((name, argument)),
        _ => None,
    }
}

/// `Fn::Equals` compares scalars as strings.
fn comparable(value: Option<Value>) -> Value {
    let value = value.unwrap_or(Value::Null);
    text::scalar(&value).map_or(value, Value::String)
}

#[cfg(test)]
mod tests {
    use super::super::yaml;
    use super::*;
    use crate::template::resource::{Resource, ResourceKind};
    use proptest::prelude::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn resource(id: &str, type_name: &str, properties: &Value) -> Resource {
        Resource {
            id: id.to_owned(),
            type_name: type_name.to_owned(),
            kind: ResourceKind::from_type(type_name),
            properties: properties.as_object().cloned().unwrap_or_default(),
            metadata: Value::Null,
            condition: None,
            depends_on: Vec::new(),
        }
    }

    fn scope() -> Scope {
        let conditions = yaml::parse(
            "{Yes: !Equals [1, '1'], No: !Not [!Condition Yes], Both: !And [!Condition Yes, !Condition No], \
             Either: !Or [!Condition Yes, !Condition No], Round: !Not [!Condition Round]}",
        );
        let mappings = json!({"Sizes": {"prod": {"memory": 512}}});
        Scope {
            stack_name: "local".to_owned(),
            region: "us-east-1".to_owned(),
            parameters: BTreeMap::from([
                ("Stage".to_owned(), json!("prod")),
                ("Zones".to_owned(), json!(["a", "b"])),
            ]),
            failed_parameters: Vec::new(),
            mappings: mappings.as_object().cloned().unwrap(),
            conditions: conditions.unwrap().as_object().cloned().unwrap(),
            resources: Vec::from([
                resource("Users", "AWS::DynamoDB::Table", &json!({})),
                resource(
                    "Named",
                    "AWS::DynamoDB::Table",
                    &json!({"TableName": {"Fn::Sub": "t-${Stage}"}}),
                ),
                resource("Work", "AWS::Serverless::Function", &json!({})),
                resource("Loop", "AWS::DynamoDB::Table", &json!({"TableName": {"Ref": "Loop"}})),
                resource("Role", "AWS::IAM::Role", &json!({})),
            ]),
            depth: std::cell::Cell::new(0),
        }
    }

    fn resolved(text: &str) -> Resolution {
        scope().resolve(&yaml::parse(text).unwrap())
    }

    #[test]
    fn functions_give_their_values() {
        let cases = [
            ("!Ref Stage", json!("prod")),
            ("!Ref Zones", json!(["a", "b"])),
            ("!Ref Users", json!("local-Users")),
            ("!Ref Named", json!("t-prod")),
            ("!Ref AWS::AccountId", json!("000000000000")),
            (
                "!GetAtt Work.Arn",
                json!("arn:aws:lambda:us-east-1:000000000000:function:local-Work"),
            ),
            (
                "{Fn::GetAtt: [Users, Arn]}",
                json!("arn:aws:dynamodb:us-east-1:000000000000:table/local-Users"),
            ),
            (
                "!Sub 'a${Stage}-${!Stage}-${Users.Arn}'",
                json!("aprod-${Stage}-arn:aws:dynamodb:us-east-1:000000000000:table/local-Users"),
            ),
            ("!Sub ['${x}${Stage}', {x: !Ref AWS::Region}]", json!("us-east-1prod")),
            ("!If [Yes, 1, 2]", json!(1)),
            ("!If [No, 1, 2]", json!(2)),
            ("!If [Both, 1, 2]", json!(2)),
            ("!If [Either, 1, 2]", json!(1)),
            ("[a, !If [No, b, !Ref AWS::NoValue]]", json!(["a"])),
            ("{a: !Ref AWS::NoValue, b: 1}", json!({"b": 1})),
            ("!Join ['-', [a, 1, !Ref Stage]]", json!("a-1-prod")),
            ("!Join [',', !Ref Zones]", json!("a,b")),
            ("!Select [1, !Split [',', 'a,b,c']]", json!("b")),
            ("!Select ['0', !Ref Zones]", json!("a")),
            ("!FindInMap [Sizes, !Ref Stage, memory]", json!(512)),
            ("{Fn::Base64: hello}", json!("aGVsbG8=")),
        ];
        for (text, value) in cases {
            assert_eq!(resolved(text), Ok(Some(value)), "{text}");
        }
    }

    #[test]
    fn an_expression_that_cannot_be_resolved_says_why() {
        let cases = [
            (
                "!Ref Nothing",
                "there is no resource or parameter with the name Nothing",
            ),
            ("!Ref AWS::Nothing", "there is no pseudo parameter AWS::Nothing"),
            (
                "!GetAtt Users.StreamArn",
                "Users.StreamArn: DynamoDB streams are not supported",
            ),
            (
                "!GetAtt Work.Name",
                "Work (AWS::Serverless::Function) has no attribute Name here",
            ),
            ("!Sub '${Stage'", "Fn::Sub: no } ends a ${ in \"${Stage\""),
            ("!Sub '${Zones}'", "Fn::Sub: ${Zones} is a list, not a string"),
            ("!If [Unknown, 1, 2]", "there is no condition Unknown"),
            ("!If [Round, 1, 2]", "Round refers to itself"),
            ("!Ref Loop", "Loop refers to itself"),
            ("!Select [7, [a]]", "Fn::Select: 1 values have no index 7"),
            (
                "!FindInMap [Sizes, test, memory]",
                "Fn::FindInMap: there is no Sizes / test / memory",
            ),
            (
                "!ImportValue x",
                "Fn::ImportValue needs another stack, but there is only one here",
            ),
            ("!Cidr [a, 1, 2]", "Fn::Cidr is not supported"),
        ];
        for (text, message) in cases {
            assert_eq!(resolved(text), Err(message.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_resource_whose_condition_is_false_cannot_be_referred_to() {
        let mut scope = scope();
        scope.resources[0].condition = Some("No".to_owned());
        assert_eq!(
            scope.reference("Users"),
            Err("it refers to Users, which does not exist because its condition No is false".to_owned())
        );
    }

    fn expression() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[A-Za-z${}.:!]{0,12}".prop_map(Value::from),
            Just(json!("Yes")),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let name = prop::sample::select(vec![
                "Ref",
                "Fn::GetAtt",
                "Fn::Sub",
                "Fn::If",
                "Fn::Join",
                "Fn::Select",
                "Fn::Split",
                "Fn::FindInMap",
                "Fn::Equals",
                "Fn::Not",
                "Fn::And",
                "Fn::Or",
                "Condition",
                "Fn::Base64",
                "plain",
            ]);
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                (name, inner).prop_map(|(name, argument)| json!({name: argument})),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_expression_panics(expression in expression()) {
            let _ = scope().resolve(&expression);
        }
    }
}
