"""Where it runs: the mesh, several processes, the allocator."""
