"""A pretend `tensorrt` of six versions: NVIDIA's names, ONNX Runtime's arithmetic, the pretend driver's streams."""
