"""ONNX out."""
