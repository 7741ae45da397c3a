"""A client for OCI registries (distribution specification 1.1) and for Docker's, over httpx."""
