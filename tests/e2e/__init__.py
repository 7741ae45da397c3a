"""End-to-end tests on the lab: a real Kubernetes, real images, real Flink jobs."""
