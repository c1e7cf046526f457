//! How mappings invoke functions. Usually this is [`Lambda`]; the tests use a worker without
//! processes and real time.

use std::fmt;

use serde_json::Value;

use crate::lambda::{InvokeError, Lambda, Slot};

/// Invokes functions, as many at once as there are slots.
pub trait Invoke: fmt::Debug + Clone + Send + Sync + 'static {
    /// Permission for one invocation. It is free again when it is dropped.
    type Slot: Send + 'static;

    /// Waits until the function can be invoked at once, and reserves that slot.
    fn slot(&self, function: &str) -> impl Future<Output = Result<Self::Slot, InvokeError>> + Send;

    /// Invokes the function in that slot.
    fn invoke_in(
        &self,
        slot: Self::Slot,
        function: &str,
        event: &Value,
    ) -> impl Future<Output = Result<Value, InvokeError>> + Send;
}

impl Invoke for Lambda {
    type Slot = Slot;

    async fn slot(&self, function: &str) -> Result<Slot, InvokeError> {
        self.slot(function).await
    }

    async fn invoke_in(&self, slot: Slot, function: &str, event: &Value) -> Result<Value, InvokeError> {
        self.invoke_in(slot, function, event).await
    }
}
