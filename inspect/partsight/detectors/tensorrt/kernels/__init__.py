"""The CUDA kernel that takes a raw frame into a model's input: its source and the PTX made from it.

`scripts/make_ptx.py` makes letterbox.ptx from letterbox.cu; a test makes it again and compares. PTX 8.2 for sm_75:
every driver from CUDA 12.2 on takes it, for every GPU from Turing on (Jetson Orin is sm_87). Nothing is compiled on a
user's machine but by the driver itself, once, when the PTX is loaded.
"""
