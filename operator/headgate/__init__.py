"""Headgate: versioned ONNX models inside Apache Flink streams on Kubernetes."""

__version__ = "0.1.0"
