//! API Gateway: WebSocket APIs and HTTP APIs.
