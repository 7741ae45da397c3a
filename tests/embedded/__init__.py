"""Jobs for the runtime's tests: small ONNX models, job folders, and the runtime as a child process.

Imported by tests of both projects, so it knows neither ``headgate`` nor ``headgate_runtime``.
"""
