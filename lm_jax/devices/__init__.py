"""Manages devices: the mesh, several processes, the allocator."""
