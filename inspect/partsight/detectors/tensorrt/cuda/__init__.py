"""The CUDA driver behind one small port, with two implementations: pycuda and cuda-bindings."""
