"""Pixels to detections: backends for ONNX Runtime and OpenVINO around one pure YOLO code."""
