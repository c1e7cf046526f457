//! Parameters.

use super::*;

#[test]
fn an_unknown_parameter_is_named_with_those_that_exist() {
    let options = TemplateOptions {
        parameters: BTreeMap::from([("Stag".to_owned(), "x".to_owned())]),
        ..TemplateOptions::default()
    };
    let text = "{Parameters: {Stage: {Type: String, Default: a}}, Resources: {A: {Type: AWS::IAM::Role}}}";
    assert_eq!(
        read_with(text, &options),
        Err(vec![
            "parameter Stag: the template has no such parameter; it has Stage".to_owned()
        ])
    );
}

#[test]
fn a_reference_to_a_bad_parameter_is_not_another_problem() {
    let text = "
Transform: AWS::Serverless-2016-10-31
Parameters: { Size: { Type: Number, Default: many } }
Globals: { Function: { Runtime: provided.al2023, MemorySize: !Ref Size } }
Resources:
  Work:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: work } }
    Properties: { FunctionName: !Sub 'work-${Size}' }
";
    check_problems([(text, "parameter Size: \"many\" is not a number")]);
}
