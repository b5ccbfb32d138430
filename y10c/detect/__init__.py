"""Detections from the outputs of a model: decoding, drawing, COCO results."""
