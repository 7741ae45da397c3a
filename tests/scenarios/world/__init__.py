"""A world of one ModelDeployment without Kubernetes and Flink: stateful fakes that know what cannot be, and time that is told."""
