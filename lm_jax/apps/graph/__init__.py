"""What texts say as a graph: entities, and how they are related."""
