//! Queues and event source mappings.

use super::*;

#[test]
fn a_queue_has_the_attributes_of_its_properties_and_its_names() {
    let rest = "  Dead: { Type: AWS::SQS::Queue, Properties: { FifoQueue: true } }
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: jobs.fifo
      FifoQueue: true
      VisibilityTimeout: 90
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 5 }
      KmsMasterKeyId: alias/aws/sqs
      Tags: [{ Key: a, Value: b }]
  Policy: { Type: AWS::SQS::QueuePolicy }
Outputs:
  Url: { Value: !Ref Jobs }
  Same: { Value: !GetAtt Jobs.QueueUrl }
  Arn: { Value: !GetAtt Jobs.Arn }
  Name: { Value: !GetAtt Dead.QueueName }
";
    let stack = read_text(&resources(rest)).unwrap();
    let url = "https://sqs.us-east-1.amazonaws.com/000000000000/jobs.fifo";
    assert_eq!(
        (stack.outputs["Url"].as_str(), stack.outputs["Same"].as_str()),
        (url, url)
    );
    assert_eq!(stack.outputs["Arn"], "arn:aws:sqs:us-east-1:000000000000:jobs.fifo");
    assert_eq!(stack.outputs["Name"], "local-Dead.fifo");
    let jobs = &stack.queues[1];
    assert_eq!((jobs.logical_id.as_str(), jobs.name.as_str()), ("Jobs", "jobs.fifo"));
    assert_eq!(jobs.attributes["VisibilityTimeout"], "90");
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:local-Dead.fifo","maxReceiveCount":5}"#;
    assert_eq!(jobs.attributes["RedrivePolicy"], policy);
}

#[test]
fn a_mapping_is_an_event_or_a_resource_of_its_own() {
    let rest = "  Jobs: { Type: AWS::SQS::Queue }
  Ordered: { Type: AWS::SQS::Queue, Properties: { FifoQueue: true } }
  Work:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: work } }
    Properties:
      Runtime: provided.al2023
      Timeout: 20
      Events:
        Jobs:
          Type: SQS
          Properties:
            Queue: !GetAtt Jobs.Arn
            BatchSize: 100
            MaximumBatchingWindowInSeconds: 15
            ScalingConfig: { MaximumConcurrency: 7 }
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !GetAtt Ordered.Arn
      FunctionName: !GetAtt Work.Arn
      FunctionResponseTypes: [ReportBatchItemFailures]
      Enabled: false
";
    let mappings = read_text(&resources(rest)).unwrap().mappings;
    let jobs = model::Mapping {
        logical_id: "WorkJobs".to_owned(),
        queue: "local-Jobs".to_owned(),
        queue_arn: "arn:aws:sqs:us-east-1:000000000000:local-Jobs".to_owned(),
        is_fifo: false,
        function: "Work".to_owned(),
        batch_size: 100,
        window_s: 15,
        // The window and the function's timeout are 35 s together, longer than the queue's 30 s.
        visibility_override_s: Some(65),
        maximum_concurrency: Some(7),
        reports_failures: false,
        enabled: true,
    };
    let ordered = model::Mapping {
        logical_id: "Mapping".to_owned(),
        queue: "local-Ordered.fifo".to_owned(),
        queue_arn: "arn:aws:sqs:us-east-1:000000000000:local-Ordered.fifo".to_owned(),
        is_fifo: true,
        batch_size: 10,
        window_s: 0,
        visibility_override_s: None,
        maximum_concurrency: None,
        reports_failures: true,
        enabled: false,
        ..jobs.clone()
    };
    assert_eq!(mappings, [jobs, ordered]);
}

#[test]
fn each_bad_queue_and_mapping_has_its_message() {
    let queue = |properties: &str| resources(&format!("  Q: {{ Type: AWS::SQS::Queue, Properties: {properties} }}"));
    let event = |queue: &str, properties: &str| {
        let event = format!("{{ Type: SQS, Properties: {{ Queue: !GetAtt Q.Arn, {properties} }} }}");
        let function = FUNCTION.replace("Handler: bootstrap", &format!("Timeout: 20, Events: {{ E: {event} }}"));
        resources(&format!(
            "{function}  Q: {{ Type: AWS::SQS::Queue, Properties: {queue} }}"
        ))
    };
    check_problems([
        (
            queue("{ QueueName: q, FifoQueue: true }"),
            "Q: The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.",
        ),
        (
            queue("{ VisibilityTimeout: 50000 }"),
            "Q: Invalid value 50000 for the parameter VisibilityTimeout: it must be from 0 to 43200.",
        ),
        (queue("{ Colour: blue }"), "Q: Colour: is not supported"),
        (
            queue("{ RedrivePolicy: { deadLetterTargetArn: arn, maxReceiveCount: 1 } }"),
            "Q: RedrivePolicy: there is no queue arn in this template",
        ),
        (
            event("{ FifoQueue: true }", "BatchSize: 11"),
            "Work: Events.E.Properties.BatchSize: a batch of a FIFO queue has at most 10 messages",
        ),
        (
            event("{ FifoQueue: true }", "MaximumBatchingWindowInSeconds: 1"),
            "Work: Events.E.Properties.MaximumBatchingWindowInSeconds: a FIFO queue cannot have a batching window",
        ),
        (
            event("{}", "BatchSize: 11"),
            "Work: Events.E.Properties.MaximumBatchingWindowInSeconds: must be at least 1 where BatchSize is greater than 10",
        ),
        (
            event("{ VisibilityTimeout: 19 }", "BatchSize: 1"),
            "Work: Events.E.Properties.Queue: the visibility timeout of Q, 19 seconds, is less than the timeout of Work, 20 seconds",
        ),
        (
            event("{}", "FilterCriteria: {}"),
            "Work: Events.E.Properties.FilterCriteria: is not supported",
        ),
        (
            event("{}", "ScalingConfig: { MaximumConcurrency: 1 }"),
            "Work: Events.E.Properties.ScalingConfig.MaximumConcurrency: 1 is not a whole number from 2 to 1000",
        ),
        (
            event("{}", "FunctionResponseTypes: [Other]"),
            "Work: Events.E.Properties.FunctionResponseTypes: Other is not supported; ReportBatchItemFailures is",
        ),
    ]);
}
