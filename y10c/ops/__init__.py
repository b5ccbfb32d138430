"""Op declarations: see `y10c.ops.spec.OpSpec`."""
