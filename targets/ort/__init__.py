"""INT8 on the host CPU by onnxruntime."""
