"""YOLO models on NVIDIA GPUs: an engine built on the device, frames through one CUDA kernel into it."""
