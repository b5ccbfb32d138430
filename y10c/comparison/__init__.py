"""How two models differ, tensor by tensor: the node table, agreement of outputs and detections, the page."""
