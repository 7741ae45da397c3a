"""The whole lab: a one-node Kubernetes with registry, S3 and Kafka beside it, outliving the command that starts it.

``python -m lab up|down|status`` are its doors. Everything that it makes on the machine bears its name and is found
again by that name: state below one folder, sockets and mounts below another, one cgroup, one bridge, two nft tables.
So it can be taken away without a trace even when every process of it was killed.
"""
