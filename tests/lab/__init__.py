"""The lab: real servers, started from package registries alone, for the tests of this project.

Two things live here. The *parts* (etcd and kube-apiserver, Kafka, an S3 server, an image registry) need no root, run on
free ports of 127.0.0.1 and belong to the process that started them: component tests use them as fixtures. The *cluster*
is a whole one-node Kubernetes beside the same parts, needs root, and outlives the command that started it.

``python -m lab`` is the door for people; nothing in ``operator/`` or ``images/`` may import this package.
"""
