"""What the builder's tests share: a registry that fails on command, a base image, and a package index of hand-made wheels."""
