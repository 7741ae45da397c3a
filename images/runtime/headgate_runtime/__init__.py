"""What runs inside Flink: reads ``job.json``, checks and loads the models, builds the plan, and scores records."""

__version__ = "0.1.0"
