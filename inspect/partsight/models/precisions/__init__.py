"""A bundle's model in other precisions: fp16 and int8 files that ONNX Runtime and TensorRT both take.

Precision lies in the file, never in a flag of whoever runs it: TensorRT 11 has none left. This package needs `onnx`
and is imported by `partsight models convert` only; whoever judges parts does without it.
"""
